//! A mount namespace that several processes enter. Its mounts are invisible outside, and are gone with it. With further namespaces it
//! stands for a host.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::running::kill;

/// As [`ENTER`], as another user who sees only that user's processes: the arguments are the directory, the user's number, the binary.
const ENTER_AS: &str = r#"set -e
cd "$1"
mount -t proc -o hidepid=2 proc /proc
mount --bind state."$2" state
mount --bind "$3" etl-orch
user=$2
umask 0
shift 3
exec setpriv --reuid="$user" --regid="$user" --clear-groups env "$@""#;

/// Mounts for runs with a simulated clock: libfaketime leaves files behind when its process is killed, and they go with the namespace.
pub(crate) const FOR_CLOCKS: &str = "mount -t tmpfs tmpfs /dev/shm";

/// Enters the directory in its first argument, and executes `env` with the rest.
const ENTER: &str = r#"cd "$1" && shift && exec env "$@""#;

/// The namespace exists as long as a process is in it: `member` waits for the end of its stdin.
pub(crate) struct MountNamespace {
    holder: Child,
    member: u32,
    kinds: &'static [&'static str],
}

impl MountNamespace {
    /// A new namespace, in which this `sh` script mounts file systems below the directory.
    pub(crate) fn with(directory: &Path, mounts: &str) -> Self {
        Self::of(&["-m"], directory, mounts)
    }

    /// With a host name and a network of its own too. Processes inside see those outside.
    pub(crate) fn with_host_name(directory: &Path, script: &str) -> Self {
        Self::of(&["-m", "-u", "-n"], directory, script)
    }

    /// With processes of its own too: those inside do not see any outside, and end with it.
    pub(crate) fn host(directory: &Path, script: &str) -> Self {
        Self::of(&["-m", "-u", "-n", "-p"], directory, script)
    }

    /// As [`Self::host`], with the name and network of this one, and with users beside the present one.
    pub(crate) fn with_users(directory: &Path, script: &str) -> Self {
        let map: &[&str] = if is_root() { &[] } else { &["--map-auto"] };
        let enough = Command::new("unshare").args(if is_root() { &[][..] } else { &["-r"] }).args(map).arg("true").status();
        assert!(
            enough.is_ok_and(|status| status.success()),
            "a second user is needed: run as root, or install newuidmap (apt-get install uidmap) and give the user a range in /etc/subuid and /etc/subgid"
        );
        Self::mapped(&["-m", "-p"], map, directory, script)
    }

    fn of(kinds: &'static [&'static str], directory: &Path, script: &str) -> Self {
        Self::mapped(kinds, &[], directory, script)
    }

    /// `kinds` are options of both `unshare` and `nsenter`.
    fn mapped(kinds: &'static [&'static str], map: &[&str], directory: &Path, script: &str) -> Self {
        let has_processes = kinds.contains(&"-p");
        let mut unshare = Command::new("unshare");
        unshare.args(if is_root() { &[][..] } else { &["-r"] }).args(map).args(kinds);
        unshare.args(if has_processes { &["--fork", "--kill-child", "--mount-proc"][..] } else { &[] });
        let script = format!("set -e\n{script}\necho ready\nexec cat");
        let started = unshare.args(["sh", "-c", &script]).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = started.expect("unshare is installed");
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        assert!(read.is_ok() && line == "ready\n", "namespaces are not permitted; run as root, or allow user namespaces");
        let member = if has_processes { only_child(holder.id()) } else { holder.id() };
        Self { holder, member, kinds }
    }

    /// Kills the member, and with it everything in a namespace with processes of its own.
    pub(crate) fn power_off(mut self) {
        kill("KILL", self.member);
        let _ = self.holder.wait();
    }

    /// The command, changed to run in the namespace and the directory. Without a namespace of processes, the started process becomes the
    /// command, so that signals reach it.
    pub(crate) fn inside(&self, directory: &Path, command: &Command) -> Command {
        let mut nsenter = self.enter();
        nsenter.args(["sh", "-c", ENTER, "sh"]).arg(directory);
        add(&mut nsenter, command, command.get_program());
        nsenter
    }

    /// The same as this user, who sees only that user's processes, has `state.NUMBER` as the state directory, and the binary, which may
    /// be where others must not look, as `etl-orch`.
    pub(crate) fn inside_as(&self, user: u32, directory: &Path, command: &Command) -> Command {
        let mut nsenter = self.enter();
        nsenter.args(["unshare", "-m", "sh", "-c", ENTER_AS, "sh"]).arg(directory).arg(user.to_string()).arg(command.get_program());
        add(&mut nsenter, command, OsStr::new("./etl-orch"));
        nsenter
    }

    fn enter(&self) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.member.to_string()]).args(self.kinds).stdin(Stdio::null());
        if !is_root() {
            nsenter.args(["-U", "--preserve-credentials"]);
        }
        nsenter
    }
}

/// Adds the variables, program and arguments of a command to one that ends in `env`.
fn add(to: &mut Command, command: &Command, program: &OsStr) {
    // The variables are set by `env`, so that LD_PRELOAD has no effect on nsenter and sh.
    let (set, removed): (Vec<_>, Vec<_>) = command.get_envs().partition(|(_, value)| value.is_some());
    for (name, _) in removed {
        to.arg("-u").arg(name);
    }
    for (name, value) in set {
        let mut assignment = name.to_owned();
        assignment.push("=");
        assignment.push(value.unwrap_or_default());
        to.arg(assignment);
    }
    to.arg(program).args(command.get_args());
}

impl Drop for MountNamespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn only_child(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.trim().parse().unwrap_or_else(|_| panic!("one child of {pid}: {children:?}"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
