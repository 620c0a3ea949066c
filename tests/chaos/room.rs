//! A mount namespace that stays: what is mounted in it is seen by those who go in, and is gone with it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// For runs whose clock is wrong: its library leaves files behind when its process is killed. They go with the room.
pub(crate) const FOR_CLOCKS: &str = "mount -t tmpfs tmpfs /dev/shm";

/// Goes to the directory that is its first argument, and becomes what `env` makes of the rest.
const GO: &str = r#"cd "$1" && shift && exec env "$@""#;

/// The namespace. It exists as long as a process is in it: this one waits for the end of its stdin.
pub(crate) struct Room {
    holder: Child,
}

impl Room {
    /// A namespace of its own, in which this `sh` script has mounted things in the directory.
    pub(crate) fn with(directory: &Path, mounts: &str) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(if is_root() { &["-m"][..] } else { &["-r", "-m"] });
        let script = format!("set -e\n{mounts}\necho ready\nexec cat");
        let started = unshare.args(["sh", "-c", &script]).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = started.expect("unshare is installed");
        let mut line = String::new();
        let said = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        assert!(said.is_ok() && line == "ready\n", "mounting is not permitted; run as root, or allow user namespaces");
        Self { holder }
    }

    /// The command, to be run in it and in the directory. The process that is started becomes the command.
    pub(crate) fn inside(&self, directory: &Path, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &self.holder.id().to_string(), "-m"]);
        if !is_root() {
            nsenter.args(["-U", "--preserve-credentials"]);
        }
        nsenter.args(["sh", "-c", GO, "sh"]).arg(directory);
        // The variables are the command's: what preloads a library is not for those who only lead there.
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

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
