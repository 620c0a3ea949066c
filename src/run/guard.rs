//! The guard: the process that cron started, and what holds it together with the orchestrator (specification §7).
//!
//! ```text
//! cron ── guard ── orchestrator ── ETL ── its children
//! ```
//!
//! The guard is a subreaper: whatever loses its parent below it becomes its child, a daemon that forked twice included. It
//! holds the lock's descriptor with the orchestrator, hands signals on, and ends when the last of its descendants has. Each of the
//! two sees the other's death by the end of a socket: the guard then ends everything below it, the orchestrator its ETLs.
//! It has one thread, starts nothing but the orchestrator, and touches no file or database.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use tokio::io::Interest;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::signals::Endings;
use crate::os::process;

/// The name under which the guard starts the orchestrator; `ps` shows it.
const ORCHESTRATOR: &str = "etl-orch(run)";

/// How long what an ETL left behind after a run may take to end by itself once it was asked to.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How often the guard looks whether its last descendants are gone, once it is ending them.
const LOOK: Duration = Duration::from_millis(5);

/// The orchestrator's end of the socket between the two.
#[derive(Debug)]
pub struct Link {
    socket: UnixStream,
}

/// How the orchestrator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It exited with this code.
    Exited(u8),
    /// This signal ended it, and with it its ETLs.
    Signalled(i32),
}

impl Link {
    /// The link to the guard, when this process was started by one.
    ///
    /// # Errors
    /// When it was, and the link cannot be used.
    pub fn to_guard() -> io::Result<Option<Self>> {
        if std::env::args_os().next().is_none_or(|name| name != ORCHESTRATOR) {
            return Ok(None);
        }
        let socket = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket }))
    }

    /// Lets the guard hold the lock too: it is free only when both have ended.
    ///
    /// # Errors
    /// When the guard is gone.
    pub fn share(&self, lock: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [lock];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&descriptors));
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(b"lock")], &mut message, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Ends when the guard is gone.
    ///
    /// # Errors
    /// When the link cannot be watched.
    pub fn watch(&self) -> io::Result<impl Future<Output = ()> + use<>> {
        let socket = tokio::net::UnixStream::from_std(self.socket.try_clone()?)?;
        Ok(async move {
            loop {
                // The guard never writes; what is readable is its end.
                if socket.readable().await.is_err() || matches!(socket.try_read(&mut [0; 8]), Ok(0)) {
                    return;
                }
            }
        })
    }
}

/// Starts the orchestrator as a child with this process's own arguments, and stands guard until it and everything below it
/// has ended.
///
/// # Errors
/// When the orchestrator cannot be started.
pub async fn stand() -> io::Result<Fate> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut children = signal(SignalKind::child())?;
    let mut endings = Endings::listen()?;
    let (ours, theirs) = UnixStream::pair()?;
    // By its path where it is still there, so that `ps` and `pgrep` know it by name; else the file that runs.
    let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg0(ORCHESTRATOR).args(std::env::args_os().skip(1)).stdin(Stdio::from(OwnedFd::from(theirs)));
    // A group of its own: Ctrl-C reaches the guard alone, which hands it on once.
    let orchestrator = command.process_group(0).spawn()?;
    drop(command);
    let orchestrator = i32::try_from(orchestrator.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    ours.set_nonblocking(true)?;
    let link = tokio::net::UnixStream::from_std(ours)?;
    let mut held = Vec::new();
    let mut linked = true;
    let status = loop {
        if let Some(status) = reap().ended.remove(&orchestrator) {
            break status;
        }
        tokio::select! {
            _ = children.recv() => {}
            kind = endings.recv() => {
                if let Some(signal) = Signal::from_named_raw(kind.as_raw_value()) {
                    // It ended in this moment: that is seen next.
                    let _ = rustix::process::kill_process(orchestrator, signal);
                }
            }
            received = link.async_io(Interest::READABLE, || receive(link.as_fd())), if linked => match received {
                Ok(Some(lock)) => held.push(lock),
                Ok(None) | Err(_) => linked = false,
            },
        }
    };
    let fate = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Fate::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => Fate::Signalled(signal.unwrap_or_default()),
    };
    end_descendants(if matches!(fate, Fate::Exited(_)) { GRACE } else { Duration::ZERO }).await;
    Ok(fate)
}

/// Takes the descriptor that the orchestrator sends; `None` when it has gone.
fn receive(link: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let mut bytes = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(link, &mut [IoSliceMut::new(&mut bytes)], &mut message, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = message.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.map(Some).ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

/// What came of reaping.
struct Reaped {
    /// The children that have ended.
    ended: HashMap<Pid, WaitStatus>,
    /// Whether others are left.
    others: bool,
}

/// Reaps every child that has ended.
fn reap() -> Reaped {
    let mut ended = HashMap::new();
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => drop(ended.insert(pid, status)),
            Ok(None) => return Reaped { ended, others: true },
            Err(_) => return Reaped { ended, others: false },
        }
    }
}

/// Ends whatever is left below: each child is asked with SIGTERM and, `grace` later, killed; its own children become the
/// guard's when it has gone. Returns when nothing is left that may be ended.
async fn end_descendants(grace: Duration) {
    let me = rustix::process::getpid();
    let deadline = Instant::now() + grace;
    let mut asked = BTreeSet::new();
    while reap().others {
        let (mut mortal, mut refused) = (false, false);
        for child in process::children_of(me) {
            let pid = child.as_raw_nonzero().get();
            let ended = if Instant::now() >= deadline {
                rustix::process::kill_process(child, Signal::KILL)
            } else if asked.insert(pid) {
                rustix::process::kill_process(child, Signal::TERM)
            } else {
                Ok(())
            };
            match ended {
                Err(rustix::io::Errno::PERM) => refused = true,
                Ok(()) | Err(_) => mortal = true,
            }
        }
        // A setuid program may not be ended by us; waiting for it would be for ever. Where nobody was seen at all, somebody
        // ended while we looked, and left us his children.
        if refused && !mortal {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
