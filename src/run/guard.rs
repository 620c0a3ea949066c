//! The guard: the process that cron starts, and the parent of the orchestrator.
//!
//! ```text
//! cron ── guard ── orchestrator ── ETL ── its children
//! ```
//!
//! The guard is a subreaper: a process below it that loses its parent becomes its child, also a daemon that forked twice. It
//! forwards signals to the orchestrator, kills it when it does not follow two of them, holds the lock together with it, and exits after the last of its descendants. A socket
//! tells each of the two when the other is gone: the guard then ends everything below it, the orchestrator its ETLs.
//!
//! The guard has one thread, starts nothing but the orchestrator, and opens no file or database.

pub mod link;
mod stop;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use self::link::GuardEnd;
use self::stop::StopRequests;
use super::termination_signals::TerminationSignals;
use crate::os::exit_watch::ExitWatch;
use crate::os::{descendants, process};

/// The name under which the guard starts the orchestrator; `ps` shows it.
const ORCHESTRATOR: &str = "etl-orch(run)";

/// How long processes that ETLs left behind may take to end after SIGTERM, once the run is over.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The orchestrator, once it and everything below it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarded {
    pub end: OrchestratorEnd,
    /// Whether it has begun to print its result on stdout.
    pub has_printed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrchestratorEnd {
    /// It exited with this code.
    Exited(u8),
    /// This signal ended it; its ETLs were ended with it.
    Signalled(i32),
    /// This signal asked it to stop before it had begun to do anything.
    StoppedEarly(i32),
    /// It did not follow two signals, the first of which was this one, and was killed; its ETLs were ended with it.
    Killed(i32),
}

/// Starts the orchestrator as a child with this process's own arguments, and returns once it and everything below it has ended.
///
/// # Errors
/// When the orchestrator cannot be started.
pub async fn run() -> io::Result<Guarded> {
    if !process::shows_own_namespace() {
        return Err(io::Error::other(
            "/proc does not show the processes of this pid namespace; mount it here (unshare --mount-proc, or mount -t proc proc /proc)",
        ));
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut child_ended = signal(SignalKind::child())?;
    let mut signals = TerminationSignals::listen()?;
    let (ours, theirs) = UnixStream::pair()?;
    let orchestrator = start_orchestrator(theirs)?;
    tracing::debug!(pid = orchestrator.as_raw_nonzero().get(), "Started the orchestrator (pid {})", orchestrator.as_raw_nonzero());
    // Without its end in sight it must not begin.
    let watch = ExitWatch::new(orchestrator).inspect_err(|_| {
        let _ = kill_process(orchestrator, Signal::KILL);
    })?;
    let mut stop = StopRequests::new(orchestrator);
    let mut link = GuardEnd::new(ours)?;
    let status = loop {
        if let Some(status) = reap().remove(&orchestrator) {
            break status;
        }
        tokio::select! {
            () = watch.exited() => {}
            // Also of a process that became a child of the guard.
            _ = child_ended.recv() => {}
            kind = signals.recv() => if stop.is_new(kind) {
                link.announce(kind);
                stop.forward(kind);
            },
            () = stop.overdue() => stop.kill(),
            () = link.receive() => {}
        }
    };
    let end = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => OrchestratorEnd::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => match (signal.unwrap_or_default(), stop.first()) {
            (_, Some(first)) if stop.has_killed() => OrchestratorEnd::Killed(first),
            // From the moment when it listens for them, none of these signals ends it.
            (signal, Some(first)) if signal == first => OrchestratorEnd::StoppedEarly(first),
            (signal, _) => OrchestratorEnd::Signalled(signal),
        },
    };
    let mut grace = if matches!(end, OrchestratorEnd::Exited(_)) { GRACE } else { Duration::ZERO };
    // As long as anything is left that it can end, the guard is there to end it.
    while descendants::end(grace, std::future::pending()).await.is_err() {
        grace = Duration::ZERO;
    }
    Ok(Guarded { end, has_printed: link.has_printed() })
}

/// The orchestrator has a process group of its own, so that Ctrl-C reaches the guard alone, which forwards it once.
fn start_orchestrator(link: UnixStream) -> io::Result<Pid> {
    // By its path, so that `ps` and `pgrep` show its name; where the file was replaced or removed, by the file that runs.
    let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg0(ORCHESTRATOR).args(std::env::args_os().skip(1)).stdin(Stdio::from(OwnedFd::from(link))).process_group(0);
    Ok(Pid::from_child(&command.spawn()?))
}

/// Reaps every child that has ended, and returns how, by pid.
fn reap() -> HashMap<Pid, WaitStatus> {
    std::iter::from_fn(|| rustix::process::wait(WaitOptions::NOHANG).ok().flatten()).collect()
}
