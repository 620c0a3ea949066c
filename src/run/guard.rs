//! The guard: the process that cron starts, and the parent of the orchestrator.
//!
//! ```text
//! cron ── guard ── orchestrator ── ETL ── its children
//! ```
//!
//! The guard is a subreaper: a process below it that loses its parent becomes its child, also a daemon that forked twice. It
//! forwards signals to the orchestrator, holds the lock together with it, and exits after the last of its descendants. A socket
//! tells each of the two when the other is gone: the guard then ends everything below it, the orchestrator its ETLs.
//!
//! The guard has one thread, starts nothing but the orchestrator, and opens no file or database.

pub mod link;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use self::link::LockReceiver;
use super::signals::TerminationSignals;
use crate::os::process;

/// The name under which the guard starts the orchestrator; `ps` shows it.
const ORCHESTRATOR: &str = "etl-orch(run)";

/// How long processes that ETLs left behind may take to end after SIGTERM, once the run is over.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The pause between two looks at what is left, while the guard ends its descendants.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrchestratorEnd {
    /// It exited with this code.
    Exited(u8),
    /// This signal ended it; its ETLs were ended with it.
    Signalled(i32),
}

/// Starts the orchestrator as a child with this process's own arguments, and returns once it and everything below it has ended.
///
/// # Errors
/// When the orchestrator cannot be started.
pub async fn run() -> io::Result<OrchestratorEnd> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut child_ended = signal(SignalKind::child())?;
    let mut signals = TerminationSignals::listen()?;
    let (ours, theirs) = UnixStream::pair()?;
    let orchestrator = start_orchestrator(theirs)?;
    let mut receiver = LockReceiver::new(ours)?;
    let status = loop {
        if let Some(status) = reap().ended.remove(&orchestrator) {
            break status;
        }
        tokio::select! {
            _ = child_ended.recv() => {}
            kind = signals.recv() => {
                if let Some(signal) = Signal::from_named_raw(kind.as_raw_value()) {
                    // It fails when the orchestrator has just ended, which the next turn of the loop sees.
                    let _ = kill_process(orchestrator, signal);
                }
            }
            () = receiver.receive() => {}
        }
    };
    let end = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => OrchestratorEnd::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => OrchestratorEnd::Signalled(signal.unwrap_or_default()),
    };
    end_descendants(if matches!(end, OrchestratorEnd::Exited(_)) { GRACE } else { Duration::ZERO }).await;
    Ok(end)
}

/// The orchestrator has a process group of its own, so that Ctrl-C reaches the guard alone, which forwards it once.
fn start_orchestrator(link: UnixStream) -> io::Result<Pid> {
    // By its path, so that `ps` and `pgrep` show its name; where the file was replaced or removed, by the file that runs.
    let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg0(ORCHESTRATOR).args(std::env::args_os().skip(1)).stdin(Stdio::from(OwnedFd::from(link))).process_group(0);
    Ok(Pid::from_child(&command.spawn()?))
}

/// What `reap` found.
struct Reaped {
    /// The children that had ended, by pid.
    ended: HashMap<Pid, WaitStatus>,
    /// Whether any child is left.
    any_left: bool,
}

/// Reaps every child that has ended.
fn reap() -> Reaped {
    let mut ended = HashMap::new();
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => drop(ended.insert(pid, status)),
            Ok(None) => return Reaped { ended, any_left: true },
            Err(_) => return Reaped { ended, any_left: false },
        }
    }
}

/// Ends all descendants: each child gets SIGTERM and, after `grace`, SIGKILL; when it has ended, its own children become children
/// of the guard. Returns when no child is left but those that the guard may not signal.
async fn end_descendants(grace: Duration) {
    let me = rustix::process::getpid();
    let kill_at = Instant::now() + grace;
    let mut terminated = BTreeSet::new();
    while reap().any_left {
        let (mut any_signalled, mut any_refused) = (false, false);
        for child in process::children_of(me) {
            let sent = if Instant::now() >= kill_at {
                kill_process(child, Signal::KILL)
            } else if terminated.insert(child.as_raw_pid()) {
                kill_process(child, Signal::TERM)
            } else {
                Ok(())
            };
            match sent {
                Err(rustix::io::Errno::PERM) => any_refused = true,
                Ok(()) | Err(_) => any_signalled = true,
            }
        }
        // The guard may not signal a setuid program, and would wait for it for ever. When no child was seen at all, one ended during
        // the look and its children are the guard's now: look again.
        if any_refused && !any_signalled {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
