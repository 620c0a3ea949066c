/*
 * Runs etl-orch under ptrace, counts the system calls of guard and orchestrator that change something, and disturbs one of them.
 *
 *     calls ACTION NUMBER CHOICE REPORT PROGRAM ARGUMENT...
 *
 * ACTION: `kill` sends SIGKILL to the process before it makes its call NUMBER, `both` kills guard and orchestrator then, `fail` makes
 * the call fail with one of the errors that it can have, chosen by CHOICE. With NUMBER 0 nothing is disturbed. `fail` counts calls that
 * can fail, the others those that change something; all threads of guard and orchestrator count together, and so do their children
 * before they execute an ETL. ETLs themselves are let go.
 *
 * Ends like the guard, once guard and orchestrator have ended. REPORT then says what happened, a line each: `calls COUNT`,
 * `disturbed PROCESS CALL [ERROR]`, `ended MILLISECONDS` from the disturbed call to the end of the last process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

enum what { FILES, NEW_FILE, DATA, DISK, PROCESS, EXECUTE, LOCK, CONNECT, DESCRIPTOR, NEVER_FAILS };

/* Errors that calls of each kind can have where etl-orch runs. */
static const int errors[][6] = {
    [FILES] = {EIO, ENOSPC, EACCES},
    [NEW_FILE] = {EMFILE, ENOSPC, EACCES, EIO, ENOMEM},
    [DATA] = {ENOSPC, EIO}, /* of a file; see `errors_of` */
    [DISK] = {EIO, ENOSPC},
    [PROCESS] = {EAGAIN, ENOMEM},
    [EXECUTE] = {EACCES, ENOMEM, EAGAIN},
    [LOCK] = {ENOLCK, EINTR},
    [CONNECT] = {ECONNREFUSED, EAGAIN, ENOMEM},
    [DESCRIPTOR] = {EMFILE, ENOMEM},
    [NEVER_FAILS] = {0},
};
static const int broken_pipe[] = {EPIPE, 0}, broken_connection[] = {ECONNRESET, EPIPE, 0};

static const struct call {
    unsigned long number;
    const char *name;
    enum what what;
} calls[] = {
#define CALL(name, what) {SYS_##name, #name, what},
    CALL(write, DATA) CALL(writev, DATA) CALL(pwrite64, DATA) CALL(pwritev, DATA)
    CALL(sendto, DATA) CALL(sendmsg, DATA) CALL(connect, CONNECT)
    CALL(openat, NEW_FILE)
    CALL(renameat2, FILES) CALL(renameat, FILES) CALL(unlinkat, FILES) CALL(mkdirat, FILES)
    CALL(linkat, FILES) CALL(symlinkat, FILES) CALL(fchmodat, FILES) CALL(fchmod, FILES)
    CALL(ftruncate, DISK) CALL(fallocate, DISK) CALL(fsync, DISK) CALL(fdatasync, DISK)
    CALL(copy_file_range, DISK) CALL(sendfile, DISK)
    CALL(clone, PROCESS) CALL(clone3, PROCESS)
    CALL(execve, EXECUTE) CALL(execveat, EXECUTE)
    CALL(kill, NEVER_FAILS) CALL(tgkill, NEVER_FAILS) CALL(pidfd_send_signal, NEVER_FAILS)
    CALL(flock, LOCK) CALL(setsid, NEVER_FAILS) CALL(setpgid, NEVER_FAILS)
    CALL(socket, DESCRIPTOR) CALL(socketpair, DESCRIPTOR) CALL(pipe2, DESCRIPTOR) CALL(pidfd_open, DESCRIPTOR)
    CALL(epoll_create1, DESCRIPTOR) CALL(eventfd2, DESCRIPTOR)
    CALL(exit_group, NEVER_FAILS)
#ifdef __x86_64__
    CALL(open, NEW_FILE) CALL(creat, NEW_FILE)
    CALL(rename, FILES) CALL(unlink, FILES) CALL(rmdir, FILES) CALL(mkdir, FILES) CALL(link, FILES) CALL(symlink, FILES) CALL(chmod, FILES)
    CALL(fork, PROCESS) CALL(vfork, PROCESS)
#endif
};

enum role { GUARD, ORCHESTRATOR, CHILD };
static const char *const role_names[] = {"guard", "orchestrator", "child"};

static struct task {
    pid_t tid, process;
    enum role role;
    int error; /* that the call it is in is to end with */
} tasks[256];

static int kill_one, kill_both, number, choice, is_started, count, disturbed;
static char disturbance[PATH_MAX + 100];
static struct timespec disturbed_at;

static void fail(const char *what) {
    perror(what);
    exit(99);
}

static int read_proc(pid_t pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, size - 1);
    close(file);
    text[length < 0 ? 0 : length] = 0;
    return length > 0;
}

static struct task *find(pid_t tid) {
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (tasks[i].tid == tid) return &tasks[i];
    return NULL;
}

static pid_t pid_in(const char *status, const char *name) {
    const char *line = strstr(status, name);
    return line ? atoi(line + strlen(name)) : 0;
}

/* A task that was not seen before: a thread of a known process, or a child of one. The child of the guard becomes the orchestrator. */
static struct task *add(pid_t tid) {
    char status[2048] = "";
    struct task *task = find(0), *process, *parent;
    if (!task) fail("too many tasks");
    read_proc(tid, "status", status, sizeof status);
    *task = (struct task){.tid = tid, .process = pid_in(status, "\nTgid:"), .role = CHILD};
    if (task->process != tid && (process = find(task->process))) task->role = process->role;
    else if ((parent = find(pid_in(status, "\nPPid:"))) && parent->role == GUARD) task->role = ORCHESTRATOR;
    return task;
}

/* Whether it executes etl-orch. */
static int is_ours(const struct task *task) {
    char words[64] = "";
    read_proc(task->tid, "cmdline", words, sizeof words);
    return task->role == GUARD || strcmp(words, "etl-orch(run)") == 0;
}

/* The errors that the call can have with its arguments; NULL when it does not count. */
static const int *errors_of(const struct call *call, const struct task *task, const uint64_t *args) {
    if (call->number == SYS_openat && !(args[2] & O_CREAT)) return NULL;
#ifdef __x86_64__
    if (call->number == SYS_open && !(args[1] & O_CREAT)) return NULL;
#endif
    if (call->what != DATA) return errors[call->what];
    char name[64], target[PATH_MAX] = "";
    snprintf(name, sizeof name, "/proc/%d/fd/%d", task->tid, (int)args[0]);
    if (readlink(name, target, sizeof target - 1) < 0) return errors[DATA];
    /* Waking a thread of one's own changes nothing, and does not fail. */
    if (strstr(target, "eventfd")) return NULL;
    if (strncmp(target, "socket:", 7) == 0) return broken_connection;
    if (strncmp(target, "pipe:", 5) == 0) return broken_pipe;
    return errors[DATA];
}

static void describe(const struct call *call, const struct task *task, const uint64_t *args, const int error) {
    char name[64], target[PATH_MAX] = "";
    if (call->what == DATA || call->what == DISK) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", task->tid, (int)args[0]);
        if (readlink(name, target, sizeof target - 1) < 0) *target = 0;
    }
    snprintf(disturbance, sizeof disturbance, "%s %s(%s)%s%s", role_names[task->role], call->name, target, error ? " " : "", error ? strerror(error) : "");
}

static void kill_processes(const struct task *at) {
    if (kill_one) {
        kill(at->process, SIGKILL);
        return;
    }
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (tasks[i].tid && tasks[i].role != CHILD) kill(tasks[i].process, SIGKILL);
}

/* Makes the kernel skip the call that the task is about to make. */
static void skip_call(struct task *task, int error) {
#if defined __x86_64__
    if (ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.orig_rax), -1L) == 0) task->error = error;
#elif defined __aarch64__
    int none = -1;
    struct iovec vector = {&none, sizeof none};
    if (ptrace(PTRACE_SETREGSET, task->tid, 0x404 /* NT_ARM_SYSTEM_CALL */, &vector) == 0) task->error = error;
#else
#error "failing a call is written for x86_64 and aarch64"
#endif
}

static void end_with_error(struct task *task) {
#if defined __x86_64__
    ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user, regs.rax), -(long)task->error);
#else
    struct user_regs_struct registers;
    struct iovec vector = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, task->tid, 1 /* NT_PRSTATUS */, &vector) == 0) {
        registers.regs[0] = -(long)task->error;
        ptrace(PTRACE_SETREGSET, task->tid, 1, &vector);
    }
#endif
    task->error = 0;
}

static void at_call(struct task *task) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info) <= 0) return;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->error) end_with_error(task);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_started) return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].number != info.entry.nr) continue;
        const int *errors = errors_of(&calls[i], task, info.entry.args);
        int is_kill = kill_one || kill_both, many = 0;
        while (errors && errors[many]) many++;
        if (!errors || (!is_kill && !many) || ++count != number) return;
        disturbed = 1;
        clock_gettime(CLOCK_MONOTONIC, &disturbed_at);
        int error = is_kill ? 0 : errors[choice % many];
        describe(&calls[i], task, info.entry.args, error);
        if (is_kill) kill_processes(task);
        else skip_call(task, error);
        return;
    }
}

/* Goes on with a task that stopped. */
static void stopped(struct task *task, int status) {
    int signal = WSTOPSIG(status), event = status >> 16, resume = PTRACE_SYSCALL;
    if (signal == (SIGTRAP | 0x80)) {
        at_call(task);
        signal = 0;
    } else if (event == PTRACE_EVENT_EXEC) {
        is_started = 1;
        /* An ETL is not traced. */
        if (!is_ours(task)) {
            ptrace(PTRACE_DETACH, task->tid, 0, 0);
            task->tid = 0;
            return;
        }
        signal = 0;
    } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        resume = PTRACE_LISTEN;
        signal = 0;
    } else if (event) {
        signal = 0;
    }
    /* It fails when the task was killed meanwhile, of which `waitpid` tells. */
    ptrace(resume, task->tid, 0, (long)signal);
}

static void write_report(const char *path) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    FILE *report = fopen(path, "w");
    if (!report) fail(path);
    fprintf(report, "calls %d\n", count);
    if (disturbed) {
        long millis = (now.tv_sec - disturbed_at.tv_sec) * 1000 + (now.tv_nsec - disturbed_at.tv_nsec) / 1000000;
        fprintf(report, "disturbed %s\nended %ld\n", disturbance, millis);
    }
    if (fclose(report)) fail(path);
}

static pid_t start(char **command) {
    int go[2];
    char byte;
    if (pipe2(go, O_CLOEXEC)) fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        if (read(go[0], &byte, 1) == 1) execvp(command[0], command);
        fail(command[0]);
    }
    if (ptrace(PTRACE_SEIZE, child, 0, (long)OPTIONS)) fail("tracing is not permitted");
    if (write(go[1], "", 1) != 1) fail("pipe");
    close(go[0]);
    close(go[1]);
    return child;
}

int main(int arguments, char **argument) {
    if (arguments < 6) fail("usage: calls kill|both|fail NUMBER CHOICE REPORT PROGRAM ARGUMENT...");
    kill_one = strcmp(argument[1], "kill") == 0;
    kill_both = strcmp(argument[1], "both") == 0;
    number = atoi(argument[2]);
    choice = atoi(argument[3]);
    pid_t guard = start(argument + 5), pid;
    int status, end = 0;
    add(guard)->role = GUARD;
    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        struct task *task = pid > 0 ? find(pid) : NULL;
        if (pid <= 0) continue;
        if (WIFSTOPPED(status)) {
            stopped(task ? task : add(pid), status);
            continue;
        }
        if (pid == guard) end = status;
        if (task) task->tid = 0;
    }
    write_report(argument[4]);
    return WIFSIGNALED(end) ? 128 + WTERMSIG(end) : WEXITSTATUS(end);
}
