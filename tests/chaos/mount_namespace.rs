//! A mount namespace that several processes enter. Its mounts are invisible outside, and are gone with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Mounts for runs with a simulated clock: libfaketime leaves files behind when its process is killed, and they go with the namespace.
pub(crate) const FOR_CLOCKS: &str = "mount -t tmpfs tmpfs /dev/shm";

/// Enters the directory in its first argument, and executes `env` with the rest.
const ENTER: &str = r#"cd "$1" && shift && exec env "$@""#;

/// The namespace exists as long as a process is in it: `holder` waits for the end of its stdin.
pub(crate) struct MountNamespace {
    holder: Child,
}

impl MountNamespace {
    /// A new namespace, in which this `sh` script mounts file systems below the directory.
    pub(crate) fn with(directory: &Path, mounts: &str) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(if is_root() { &["-m"][..] } else { &["-r", "-m"] });
        let script = format!("set -e\n{mounts}\necho ready\nexec cat");
        let started = unshare.args(["sh", "-c", &script]).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = started.expect("unshare is installed");
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        assert!(read.is_ok() && line == "ready\n", "mounting is not permitted; run as root, or allow user namespaces");
        Self { holder }
    }

    /// The command, changed to run in the namespace and the directory. The started process becomes the command, so signals reach it.
    pub(crate) fn inside(&self, directory: &Path, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.holder.id().to_string(), "-m"]);
        if !is_root() {
            nsenter.args(["-U", "--preserve-credentials"]);
        }
        nsenter.args(["sh", "-c", ENTER, "sh"]).arg(directory);
        // The variables are set by `env`, so that LD_PRELOAD has no effect on nsenter and sh.
        let (set, removed): (Vec<_>, Vec<_>) = command.get_envs().partition(|(_, value)| value.is_some());
        for (name, _) in removed {
            nsenter.arg("-u").arg(name);
        }
        for (name, value) in set {
            let mut assignment = name.to_owned();
            assignment.push("=");
            assignment.push(value.unwrap_or_default());
            nsenter.arg(assignment);
        }
        nsenter.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        nsenter
    }
}

impl Drop for MountNamespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
