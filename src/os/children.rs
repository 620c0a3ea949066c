//! The children of this process: those that it started, and those that it adopted.
//!
//! A subreaper becomes the parent of every process below it that loses its own, and has to reap it. What this process started is left to
//! whoever started it, who wants its exit status.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};
use tokio::signal::unix::{SignalKind, signal};

use super::mark::Mark;
use super::process;
use crate::plan::model::ids::RunId;

static CHILDREN: Mutex<Children> = Mutex::new(Children { mark: None, started: BTreeSet::new() });

/// What is known of this process's children.
struct Children {
    /// What each of them carries.
    mark: Option<Mark>,
    /// Those that were started and not reaped, by pid.
    started: BTreeSet<i32>,
}

/// The shortest time between two looks for adopted children that have ended: one look costs more than the end of a small program.
const PAUSE: Duration = Duration::from_millis(50);

/// A child that this process started. It keeps its pid until it is reaped.
#[derive(Debug)]
pub(crate) struct StartedChild(Child);

impl StartedChild {
    /// Starts a process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        // Held meanwhile, so that the child is never seen and not yet known.
        let mut children = children();
        let child = match &children.mark {
            Some(mark) => mark.put_on(|| command.spawn()),
            None => command.spawn(),
        }?;
        children.started.insert(Pid::from_child(&child).as_raw_pid());
        Ok(Self(child))
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Waits for its end, and reaps it.
    ///
    /// # Errors
    /// When it was reaped elsewhere.
    pub(crate) fn reap(mut self) -> io::Result<ExitStatus> {
        let pid = self.pid();
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), ended), Err(Errno::INTR)) {}
        // Held meanwhile: once it is reaped, its pid may be that of a child that is adopted.
        let mut children = children();
        children.started.remove(&pid.as_raw_pid());
        self.0.wait()
    }
}

/// From now on every process that this one starts carries the mark of the run. A process below this one that loses its parent becomes a
/// child of this one, whatever it did before, and is reaped when it has ended. Only a nearer subreaper comes first.
///
/// # Errors
/// When the kernel refuses, or SIGCHLD cannot be watched.
pub(crate) fn mark_and_adopt(run: RunId) -> io::Result<()> {
    children().mark = Some(Mark::of(run));
    set_child_subreaper(Some(getpid()))?;
    let mut child_ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        while child_ended.recv().await.is_some() {
            reap_adopted();
            tokio::time::sleep(PAUSE).await;
        }
    });
    Ok(())
}

/// Reaps every adopted child that has ended.
pub(crate) fn reap_adopted() {
    let known = children();
    let any_ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, any_ended), Ok(Some(_))) {
        return;
    }
    for child in process::children_of(getpid()).into_iter().filter(|child| !known.started.contains(&child.as_raw_pid())) {
        // It fails when another thread was faster.
        let _ = waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Whether this process has adopted children that are not reaped. Not known, and `false`, while it has others.
pub(crate) fn are_left() -> bool {
    let any = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    children().started.is_empty() && waitid(WaitId::All, any).is_ok()
}

fn children() -> MutexGuard<'static, Children> {
    // What it holds is right at any moment.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}
