//! Drives the command executor with real, and mostly hostile, processes.
//!
//! Nothing here waits for a fixed time: a child tells that it is ready by printing a line, and every wait has a deadline
//! that only a defect reaches.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use etl_orch::execute::command::{CommandExecutor, MAX_LINE, MAX_LOG_BYTES, TAIL_BYTES, TAIL_LINES};
use etl_orch::execute::{End, Ended, Executor, Said, Stop, Task};
use rustix::process::{Pid, Signal, test_kill_process};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Far beyond what anything here takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);
const LONG: Duration = Duration::from_secs(3600);

struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn task(&self, argv: &[&str]) -> Task {
        Task {
            argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
            cwd: self.dir.path().to_owned(),
            env: Vec::new(),
            timeout: LONG,
            grace: LONG,
            log: self.path("logs/2025-01-01/job/1.log"),
        }
    }

    fn sh(&self, script: &str) -> Task {
        self.task(&["sh", "-c", script])
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.path("logs/2025-01-01/job/1.log")).unwrap()
    }

    fn script(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }
}

/// A task under way.
struct Running {
    ended: JoinHandle<Ended>,
    stop: watch::Sender<Stop>,
    said: mpsc::Receiver<Said>,
}

impl Running {
    fn start(task: Task) -> Self {
        let (stop, asked) = watch::channel(Stop::No);
        let (say, said) = mpsc::channel(1024);
        let ended = tokio::spawn(async move { CommandExecutor.run(task, asked, say).await });
        Self { ended, stop, said }
    }

    async fn line(&mut self) -> String {
        loop {
            match within(self.said.recv()).await.expect("the child ended before it said what was awaited") {
                Said::Spawned(_) => {}
                Said::Line(line) => return line,
            }
        }
    }

    /// Waits for this line; a shell may say `Terminated` before it.
    async fn hear(&mut self, awaited: &str) {
        while self.line().await != awaited {}
    }

    async fn pid(&mut self) -> i32 {
        self.line().await.trim().parse().unwrap()
    }

    async fn end(self) -> Ended {
        within(self.ended).await.unwrap()
    }
}

async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, wait).await.expect("this must not take so long")
}

async fn run(task: Task) -> Ended {
    Running::start(task).end().await
}

/// A zombie that waits for somebody else's `wait` is not alive.
fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}

async fn until(what: impl Fn() -> bool) {
    within(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn exit_codes_are_told() {
    let bench = Bench::new();
    for code in [0, 1, 65, 255] {
        let ended = run(bench.sh(&format!("exit {code}"))).await;
        assert_eq!(ended.end, End::Exited(code));
        assert!(ended.pid.is_some());
    }
    assert!(!bench.path("logs").exists(), "a child that prints nothing leaves no log");
}

#[tokio::test]
async fn a_signal_that_is_not_ours_is_told() {
    let bench = Bench::new();
    for signal in [Signal::KILL, Signal::TERM, Signal::SEGV] {
        let ended = run(bench.sh(&format!("kill -{} $$", signal.as_raw()))).await;
        assert_eq!(ended.end, End::Signalled(signal.as_raw()));
    }
}

#[tokio::test]
async fn output_reaches_log_tail_and_listener() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("echo one; echo two >&2; printf three"));
    assert!(matches!(within(running.said.recv()).await, Some(Said::Spawned(_))), "the pid comes first");
    let lines = BTreeSet::from([running.line().await, running.line().await, running.line().await]);
    assert_eq!(lines, BTreeSet::from(["one".into(), "two".into(), "three".into()]));
    let ended = running.end().await;
    assert_eq!(ended.tail.lines().map(str::to_owned).collect::<BTreeSet<_>>(), lines);
    assert_eq!(bench.log().len(), "one\ntwo\nthree".len());
    let mode = fs::metadata(bench.path("logs/2025-01-01/job/1.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn lines_of_the_two_streams_do_not_mix() {
    let bench = Bench::new();
    let ended =
        run(bench.sh("i=0; while [ $i -lt 10 ]; do printf out; printf err >&2; printf 'put\n'; printf 'or\n' >&2; i=$((i+1)); done")).await;
    assert_eq!(ended.tail.lines().filter(|line| *line == "output").count(), 10, "{}", ended.tail);
    assert_eq!(ended.tail.lines().filter(|line| *line == "error").count(), 10, "{}", ended.tail);
}

#[tokio::test]
async fn the_child_has_what_it_is_promised() {
    let bench = Bench::new();
    let mut task = bench.sh("pwd; echo $A; cat; ps -o pgid= -p $$ | tr -d ' '; echo $$; trap; kill -PIPE $$; echo SIGPIPE is ignored");
    task.env = vec![("A".into(), "first".into()), ("A".into(), "last".into())];
    let ended = run(task).await;
    let lines: Vec<&str> = ended.tail.lines().collect();
    assert_eq!(lines[0], fs::canonicalize(bench.dir.path()).unwrap().to_str().unwrap());
    assert_eq!(lines[1], "last", "a later pair wins");
    assert_eq!(lines[2], lines[3], "it leads its own group; stdin was empty");
    assert_eq!(ended.end, End::Signalled(Signal::PIPE.as_raw()));
}

/// Lets time run out after the child has said something; a machine so slow that it had not gets more time.
async fn run_out_of_time(mut task: Task) -> Ended {
    task.timeout = Duration::from_millis(100);
    loop {
        let ended = run(task.clone()).await;
        assert_eq!(ended.end, End::TimedOut);
        if !ended.tail.is_empty() {
            return ended;
        }
        task.timeout *= 2;
    }
}

#[tokio::test]
async fn time_up_ends_even_a_group_that_ignores_sigterm() {
    let bench = Bench::new();
    let mut task = bench.sh("trap '' TERM; sh -c 'echo $$; while :; do sleep 1000; done' & while :; do sleep 1000; done");
    task.grace = Duration::from_millis(100);
    let ended = run_out_of_time(task).await;
    assert!(!is_alive(ended.tail.parse().unwrap()));
    assert!(!is_alive(i32::try_from(ended.pid.unwrap()).unwrap()));
}

#[tokio::test]
async fn time_up_asks_first() {
    let bench = Bench::new();
    let ended = run_out_of_time(bench.sh("trap 'echo tidied up; exit 0' TERM; echo ready; while :; do sleep 0.01; done")).await;
    assert!(ended.tail.contains("tidied up"), "{}", ended.tail);
}

#[tokio::test]
async fn a_stopped_child_can_be_asked_too() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo tidied up; exit 0' TERM; echo $$; kill -STOP $$; sleep 1000"));
    let pid = running.pid().await;
    until(|| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")).await;
    running.stop.send_replace(Stop::Gracefully);
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.contains("tidied up")), (End::Stopped, true));
}

#[tokio::test]
async fn what_the_child_leaves_in_its_group_is_ended() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sleep 1000 & echo $!; exit 3"));
    let left = running.pid().await;
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(3), "its own end stays its end");
    assert!(!is_alive(left));
}

#[tokio::test]
async fn what_is_left_and_ignores_sigterm_is_killed_after_the_grace_period() {
    let bench = Bench::new();
    let mut task = bench.sh("sh -c 'trap \"\" TERM; echo $$; exec >/dev/null 2>&1; while :; do sleep 1000; done' & read x < fifo; exit 0");
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    task.grace = Duration::from_millis(100);
    let mut running = Running::start(task);
    let left = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(!is_alive(left));
}

#[tokio::test]
async fn stop_at_once_cuts_the_grace_of_what_is_left() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sh -c 'trap \"echo asked\" TERM; echo $$; while :; do sleep 0.01; done' & exit 0"));
    let left = running.pid().await;
    running.hear("asked").await; // SIGTERM came although nobody asked to stop
    running.stop.send_replace(Stop::AtOnce);
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(!is_alive(left));
}

#[tokio::test]
async fn a_helper_may_finish_what_it_writes_after_the_child() {
    let bench = Bench::new();
    let ended = run(bench.sh("(sleep 0.02; echo last words) & exit 0")).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(0), "last words"));
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_hold_us() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("setsid sh -c 'echo $$; exec sleep 1000' & read x < fifo; echo done; exit 0"));
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let daemon = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(ended.tail.ends_with("done"), "what was printed before is kept");
    assert!(is_alive(daemon), "it has left the group and is the guard's");
    rustix::process::kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_daemon_that_floods_the_output_does_not_hold_us() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("setsid sh -c 'echo $$; exec yes' & read x < fifo; exit 0"));
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let daemon = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    assert_eq!(running.end().await.end, End::Exited(0));
    until(|| !is_alive(daemon)).await; // by SIGPIPE, as nobody reads it any more
}

#[tokio::test]
async fn a_burst_right_before_the_exit_is_kept_whole() {
    let bench = Bench::new();
    for _ in 0..5 {
        fs::remove_dir_all(bench.path("logs")).ok();
        let ended = run(bench.sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 7")).await;
        assert_eq!(ended.end, End::Exited(7));
        assert_eq!(bench.log().len(), 1_000_000);
    }
}

#[tokio::test]
async fn a_child_may_close_its_output_and_work_on() {
    let bench = Bench::new();
    let ended = run(bench.sh("echo before; exec >&- 2>&-; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit 4")).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(4), "before"));
}

#[tokio::test]
async fn output_need_not_be_text() {
    let bench = Bench::new();
    let ended = run(bench.sh("printf 'a\\377b\\000c\\033[31m\\r\\n'")).await;
    assert_eq!(ended.tail, "a\u{FFFD}b\u{FFFD}c\u{1b}[31m");
    assert_eq!(bench.log(), b"a\xffb\0c\x1b[31m\r\n", "the log has the bytes as they came");
}

#[tokio::test]
async fn a_line_without_end_comes_in_pieces() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("exec tr '\\0' x < /dev/zero"));
    let line = running.line().await;
    assert_eq!(line.len(), MAX_LINE);
    running.stop.send_replace(Stop::AtOnce);
    let ended = running.end().await;
    assert_eq!(ended.end, End::Stopped);
    assert!((1..=TAIL_BYTES).contains(&ended.tail.len()));
}

#[tokio::test]
async fn the_tail_has_the_last_lines() {
    let bench = Bench::new();
    let ended = run(bench.sh("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done")).await;
    assert_eq!(ended.tail.lines().count(), TAIL_LINES);
    assert!(ended.tail.ends_with("line 499"));
}

#[tokio::test]
async fn a_listener_that_does_not_listen_delays_nobody() {
    let bench = Bench::new();
    let (_asker, stop) = watch::channel(Stop::No);
    let (say, said) = mpsc::channel(1);
    let ended = within(CommandExecutor.run(bench.sh("i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done"), stop.clone(), say)).await;
    assert_eq!(ended.end, End::Exited(0));
    assert_eq!(String::from_utf8(bench.log()).unwrap().lines().count(), 5000, "nothing is missing in the log");
    drop(said);
    fs::remove_dir_all(bench.path("logs")).unwrap();
    let (say, _) = mpsc::channel(1);
    assert_eq!(within(CommandExecutor.run(bench.sh("echo x"), stop, say)).await.end, End::Exited(0));
}

#[tokio::test]
async fn programs_that_cannot_be_started_are_named_with_what_to_do() {
    let bench = Bench::new();
    let path = bench.dir.path().display().to_string();
    let plain = bench.script("plain", "#!/bin/sh\n", 0o644);
    let orphan = bench.script("orphan", "#!/no/such/python3 -u\n", 0o755);
    let windows = bench.script("windows", "#!/bin/sh\r\nexit 0\r\n", 0o755);
    let bare = bench.script("bare", "echo hello\n", 0o755);
    let huge = "x".repeat(8 << 20);
    for (argv, words) in [
        (vec!["no-such-program-at-all"], "not found on the ETL's PATH"),
        (vec!["./not-here"], "not-here does not exist"),
        (vec![""], "the command is empty"),
        (vec![], "the command is empty"),
        (vec![plain.as_str()], "is not executable; chmod +x"),
        (vec![path.as_str()], "is a directory"),
        (vec![orphan.as_str()], "needs /no/such/python3"),
        (vec![windows.as_str()], "Windows line ends"),
        (vec![bare.as_str()], "nor a script with a #! line"),
        (vec!["true", huge.as_str()], "pass large values in a file"),
        (vec!["true", "secret\0secret"], "NUL byte"),
    ] {
        let ended = run(bench.task(&argv)).await;
        let End::SpawnFailed(why) = ended.end else { panic!("{argv:?}: {:?}", ended.end) };
        assert!(why.contains(words), "{why}");
        assert!(!why.contains("secret") && !why.contains("xxxx"), "arguments are not told: {why}");
        assert_eq!((ended.pid, ended.tail.as_str()), (None, ""));
    }
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let bench = Bench::new();
    bench.script("file", "", 0o644);
    for (cwd, words) in [("none", "none does not exist; make it"), ("file", "is not a directory; correct `cwd:`")] {
        for program in ["true", "./true"] {
            let task = Task { cwd: bench.path(cwd), ..bench.task(&[program]) };
            let End::SpawnFailed(why) = run(task).await.end else { panic!("it started") };
            assert!(why.contains(words), "{why}");
        }
    }
}

#[tokio::test]
async fn the_program_is_looked_up_on_the_path_of_the_etl() {
    let bench = Bench::new();
    fs::create_dir(bench.path("bin")).unwrap();
    bench.script("bin/only-here", "#!/bin/sh\necho \"found, $1\"\n", 0o755);
    let mut task = bench.task(&["only-here", "really"]);
    assert!(matches!(run(task.clone()).await.end, End::SpawnFailed(_)));
    task.env = vec![("PATH".into(), "/usr/bin".into()), ("PATH".into(), "/nowhere:bin".into())];
    let ended = run(task).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(0), "found, really"));
}

#[tokio::test]
async fn a_program_sees_the_name_it_was_called_by() {
    let bench = Bench::new();
    symlink("/bin/sh", bench.path("other-name")).unwrap();
    let ended = run(bench.task(&["./other-name", "-c", "echo $0"])).await;
    assert_eq!(ended.tail, "./other-name");
}

#[tokio::test]
async fn a_stop_before_the_start_starts_nothing() {
    let bench = Bench::new();
    for wish in [Stop::Gracefully, Stop::AtOnce] {
        let (_asker, stop) = watch::channel(wish);
        let (say, mut said) = mpsc::channel(8);
        let ended = within(CommandExecutor.run(bench.sh("touch started"), stop, say)).await;
        assert_eq!(ended, Ended { end: End::Stopped, duration: Duration::ZERO, tail: String::new(), pid: None });
        assert_eq!(said.recv().await, None);
        assert!(!bench.path("started").exists());
    }
}

#[tokio::test]
async fn a_stop_asks_and_waits() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo tidied up; exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.send_replace(Stop::Gracefully);
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.contains("tidied up")), (End::Stopped, true));
}

#[tokio::test]
async fn a_stop_at_once_does_not_ask() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.send_replace(Stop::AtOnce);
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Stopped, "ready"));
}

#[tokio::test]
async fn a_stop_at_once_cuts_the_grace_period() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.send_replace(Stop::Gracefully);
    running.hear("asked").await;
    running.stop.send_replace(Stop::AtOnce);
    assert_eq!(running.end().await.end, End::Stopped);
}

#[tokio::test]
async fn an_attempt_goes_on_without_its_asker() {
    let bench = Bench::new();
    let (asker, stop) = watch::channel(Stop::No);
    drop(asker);
    let (say, _said) = mpsc::channel(8);
    assert_eq!(within(CommandExecutor.run(bench.sh("exit 6"), stop, say)).await.end, End::Exited(6));
}

#[tokio::test]
async fn a_child_that_had_ended_before_time_was_up_keeps_its_end() {
    let bench = Bench::new();
    let mut task = bench.sh("exit 9");
    task.timeout = Duration::ZERO;
    let ended = run(task).await;
    assert!(matches!(ended.end, End::Exited(9) | End::TimedOut), "{:?}", ended.end);
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sh -c 'echo $$; sleep 1000' & sleep 1000"));
    let grandchild = running.pid().await;
    running.ended.abort();
    until(|| !is_alive(grandchild)).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_told_and_stops_nobody() {
    let bench = Bench::new();
    fs::write(bench.path("logs"), "a file where a directory should be").unwrap();
    let ended = run(bench.sh("echo one; echo two")).await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(ended.tail.starts_with("one\ntwo\n[etl-orch: the log "), "{}", ended.tail);
    assert!(ended.tail.lines().last().unwrap().contains("could not be written"));
}

#[tokio::test]
async fn a_log_that_is_there_is_neither_followed_nor_overwritten() {
    let bench = Bench::new();
    let log = bench.task(&[]).log;
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(bench.path("precious"), "precious").unwrap();
    for target in ["precious", "not-yet-there"] {
        symlink(bench.path(target), &log).unwrap();
        let ended = run(bench.sh("echo one")).await;
        assert_eq!(ended.end, End::Exited(0));
        assert!(ended.tail.contains("could not be written"), "{}", ended.tail);
        fs::remove_file(&log).unwrap();
    }
    assert_eq!(fs::read(bench.path("precious")).unwrap(), b"precious");
    assert!(!bench.path("not-yet-there").exists());
}

/// The tests below look at this process as a whole (memory, children, descriptors, signals), so each runs alone, in a
/// process of its own: the test starts this very binary again with only itself in it.
fn alone(test: &str, through: &[&str]) -> bool {
    const MARK: &str = "ETL_ORCH_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let binary = std::env::current_exe().unwrap();
    let mut argv: Vec<&str> = through.to_vec();
    argv.extend([binary.to_str().unwrap(), "--exact", test, "--nocapture"]);
    let status = std::process::Command::new(argv[0]).args(&argv[1..]).env(MARK, "1").status().unwrap();
    assert!(status.success(), "{test}, run alone: {status}");
    false
}

/// Runs on the runtime that the product uses.
fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn children() -> Vec<String> {
    let me = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&me)).collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_flood_costs_neither_memory_nor_disk() {
    if !alone("a_flood_costs_neither_memory_nor_disk", &[]) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        run(bench.sh("true")).await;
        let before = peak_kib();
        let ended = run(bench.sh("yes 'a line of some fifty bytes, over and over again..' | head -c 100000000; echo; echo THE END")).await;
        assert_eq!(ended.end, End::Exited(0));
        let growth = peak_kib() - before;
        assert!(growth < 32 * 1024, "peak memory grew by {growth} KiB");
        let log = bench.log();
        assert!(log.len() as u64 <= MAX_LOG_BYTES && log.len() as u64 > MAX_LOG_BYTES / 2, "{}", log.len());
        assert!(log.ends_with(b"\nTHE END\n"));
        let end = String::from_utf8_lossy(&log[log.len() - 80 * 1024..]).into_owned();
        assert!(end.contains("bytes left out here"), "the gap is told");
        assert!(ended.tail.ends_with("THE END"));
    });
}

#[test]
fn two_hundred_attempts_leave_nothing_behind() {
    if !alone("two_hundred_attempts_leave_nothing_behind", &[]) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        run(bench.sh("true")).await;
        let before = descriptors();
        let mut pids = BTreeSet::new();
        for batch in 0..25 {
            let attempts: Vec<Running> = (0..8)
                .map(|n| {
                    let script = match n % 4 {
                        0 => "echo x; exit 0",
                        1 => "sleep 1000 & echo $!; exit 1",
                        2 => "kill -9 $$",
                        _ => "exec true",
                    };
                    let log = bench.path(&format!("logs/{batch}/{n}.log"));
                    Running::start(Task { log, ..bench.sh(script) })
                })
                .collect();
            for attempt in attempts {
                let ended = attempt.end().await;
                pids.insert(ended.pid.unwrap());
                if let Ok(left) = ended.tail.parse::<i32>() {
                    assert!(!is_alive(left));
                }
            }
        }
        assert_eq!(children(), Vec::<String>::new(), "no child, not even a zombie");
        assert_eq!(descriptors(), before);
        let gone = |pid: u32| test_kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).is_err();
        assert!(pids.into_iter().all(gone));
    });
}

#[test]
fn exit_codes_are_told_even_where_sigchld_was_ignored() {
    let ignoring = ["env", "--ignore-signal=CHLD"];
    if !alone("exit_codes_are_told_even_where_sigchld_was_ignored", &ignoring) {
        return;
    }
    block_on(async {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
        assert_ne!(u64::from_str_radix(ignored, 16).unwrap() & (1 << 16), 0, "the precondition of this test");
        assert_eq!(run(Bench::new().sh("exit 7")).await.end, End::Exited(7));
    });
}

#[test]
fn open_files_running_out_is_told_and_passes() {
    let few = ["sh", "-c", "ulimit -n 40; exec \"$@\"", "sh"];
    if !alone("open_files_running_out_is_told_and_passes", &few) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        let held: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let End::SpawnFailed(why) = run(bench.sh("exit 0")).await.end else { panic!("it started") };
        assert!(why.contains("too many open files"), "{why}");
        drop(held);
        assert_eq!(run(bench.sh("exit 8")).await.end, End::Exited(8));
    });
}
