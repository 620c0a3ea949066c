//! The socket between guard and orchestrator. The orchestrator sends the lock's descriptor through it; each side sees by its end that
//! the other is gone. It is the orchestrator's stdin.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::io::Interest;

use rustix::process::{Pid, Signal, getppid, kill_process};

use super::ORCHESTRATOR;

/// The orchestrator's end.
#[derive(Debug)]
pub struct GuardLink {
    socket: UnixStream,
    guard: Option<Pid>,
}

/// A guard that somebody has stopped (Ctrl-Z) would hold the lock although the run is over: it is woken.
impl Drop for GuardLink {
    fn drop(&mut self) {
        // A guard that is gone has another process in its place as our parent, or none.
        if let Some(guard) = self.guard.filter(|guard| getppid() == Some(*guard)) {
            // It fails when the guard has just ended.
            let _ = kill_process(guard, Signal::CONT);
        }
    }
}

impl GuardLink {
    /// The link to the guard; `None` when this process was not started by a guard.
    ///
    /// # Errors
    /// When it was, and the link cannot be used.
    pub fn from_stdin() -> io::Result<Option<Self>> {
        if std::env::args_os().next().is_none_or(|name| name != ORCHESTRATOR) {
            return Ok(None);
        }
        let socket = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket, guard: getppid() }))
    }

    /// Gives the guard the lock as well: it is free only once both have ended.
    ///
    /// # Errors
    /// When the guard is gone.
    pub fn share_lock(&self, lock: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [lock];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&descriptors));
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(b"lock")], &mut message, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// A future that resolves once the guard is gone.
    ///
    /// # Errors
    /// When the link cannot be watched.
    pub fn guard_gone(&self) -> io::Result<impl Future<Output = ()> + use<>> {
        let socket = tokio::net::UnixStream::from_std(self.socket.try_clone()?)?;
        Ok(async move {
            // The guard never writes: the only thing to read is the end of the stream.
            while socket.readable().await.is_ok() && !matches!(socket.try_read(&mut [0; 8]), Ok(0)) {}
        })
    }
}

/// The guard's end: takes the locks that the orchestrator sends, and holds them.
#[derive(Debug)]
pub(super) struct LockReceiver {
    /// `None` once the orchestrator has closed its end.
    socket: Option<tokio::net::UnixStream>,
    locks: Vec<OwnedFd>,
}

impl LockReceiver {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(tokio::net::UnixStream::from_std(socket)?), locks: Vec::new() })
    }

    /// Waits for a lock and keeps it; waits for ever once the orchestrator is gone. Loses nothing when dropped.
    pub(super) async fn receive(&mut self) {
        let Some(socket) = &self.socket else { return std::future::pending().await };
        match socket.async_io(Interest::READABLE, || receive_descriptor(socket.as_fd())).await {
            Ok(Some(lock)) => self.locks.push(lock),
            Ok(None) | Err(_) => self.socket = None,
        }
    }
}

/// The descriptor in the next message; `None` at the end of the stream.
fn receive_descriptor(socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let mut bytes = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut message, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = message.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.map(Some).ok_or_else(|| io::ErrorKind::WouldBlock.into())
}
