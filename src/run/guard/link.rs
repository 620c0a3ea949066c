//! The socket between guard and orchestrator. The orchestrator sends the lock's descriptor through it, and that it prints its result; the
//! guard sends which signals it forwards. Each side sees by its end that the other is gone. It is the orchestrator's stdin.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, Signal, getppid, kill_process};
use tokio::io::Interest;
use tokio::signal::unix::SignalKind;

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
        if !has_guard() {
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
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(&[LOCK])], &mut message, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// What the guard says from now on.
    ///
    /// # Errors
    /// When the link cannot be watched.
    pub fn watch(&self) -> io::Result<GuardWatch> {
        Ok(GuardWatch { socket: tokio::net::UnixStream::from_std(self.socket.try_clone()?)?, is_gone: false })
    }
}

/// Whether a guard has started this process.
pub fn has_guard() -> bool {
    std::env::args_os().next().is_some_and(|name| name == ORCHESTRATOR)
}

/// The bytes of messages to the guard.
const LOCK: u8 = b'l';
const PRINTS: u8 = b'p';

/// Tells the guard, if there is one, that this process prints its result on stdout from now on, so that the guard does not.
pub fn announce_output() {
    if has_guard() {
        // A guard that is gone prints nothing.
        let _ = rustix::net::send(rustix::stdio::stdin(), &[PRINTS], SendFlags::NOSIGNAL);
    }
}

/// What the guard says.
#[derive(Debug)]
pub struct GuardWatch {
    socket: tokio::net::UnixStream,
    is_gone: bool,
}

impl GuardWatch {
    /// Waits until the guard says something or is gone.
    pub(in crate::run) async fn readable(&self) {
        // An error comes up again in the read that follows.
        let _ = self.socket.readable().await;
    }

    /// The numbers of the signals that it has forwarded since the last call.
    pub(in crate::run) fn forwarded(&mut self) -> Vec<i32> {
        let (mut signals, mut bytes) = (Vec::new(), [0; 8]);
        loop {
            // First past the runtime, which may not have seen yet that there is something; then through it, so that it sees the end of it.
            let read = match rustix::net::recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((length, _)) => Ok(length),
                Err(Errno::AGAIN | Errno::INTR) => self.socket.try_read(&mut bytes),
                Err(error) => Err(error.into()),
            };
            match read {
                Ok(length @ 1..) => signals.extend(bytes.iter().take(length).map(|signal| i32::from(*signal))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return signals,
                Ok(0) | Err(_) => {
                    self.is_gone = true;
                    return signals;
                }
            }
        }
    }

    /// Whether the guard is gone, as the last read has shown.
    pub(in crate::run) fn is_gone(&self) -> bool {
        self.is_gone
    }
}

/// The guard's end: takes the locks that the orchestrator sends, and holds them.
#[derive(Debug)]
pub(super) struct GuardEnd {
    /// `None` once the orchestrator has closed its end.
    socket: Option<tokio::net::UnixStream>,
    locks: Vec<OwnedFd>,
    has_printed: bool,
}

impl GuardEnd {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(tokio::net::UnixStream::from_std(socket)?), locks: Vec::new(), has_printed: false })
    }

    /// Waits for a message and takes it; waits for ever once the orchestrator is gone. Loses nothing when dropped.
    pub(super) async fn receive(&mut self) {
        let Some(socket) = &self.socket else { return std::future::pending().await };
        let message = socket.async_io(Interest::READABLE, || receive_message(socket.as_fd())).await;
        self.take(message);
    }

    /// Says that this signal is forwarded, before it is. The orchestrator may get it from others as well, and knows by this how often it
    /// was asked.
    pub(super) fn announce(&self, kind: SignalKind) {
        if let (Some(socket), Ok(signal)) = (&self.socket, u8::try_from(kind.as_raw_value())) {
            // An orchestrator that is gone, or does not read, gets the signal itself.
            let _ = rustix::net::send(socket, &[signal], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }

    /// Whether the orchestrator has begun to print its result. To be asked once it has ended.
    pub(super) fn has_printed(&mut self) -> bool {
        while let Some(socket) = &self.socket {
            let message = receive_message(socket.as_fd());
            self.take(message);
        }
        self.has_printed
    }

    fn take(&mut self, message: io::Result<Option<Message>>) {
        match message {
            Ok(Some(message)) => {
                self.locks.extend(message.lock);
                self.has_printed |= message.prints;
            }
            Ok(None) | Err(_) => self.socket = None,
        }
    }
}

/// What the orchestrator sent; it may be several messages in one.
struct Message {
    lock: Option<OwnedFd>,
    prints: bool,
}

/// The next message; `None` at the end of the stream.
fn receive_message(socket: BorrowedFd<'_>) -> io::Result<Option<Message>> {
    let mut bytes = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut message, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let lock = message.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(Some(Message { lock, prints: bytes.contains(&PRINTS) }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn the_guard_knows_after_the_end_whether_a_result_was_printed() {
        for (said, has_printed) in [(&[][..], false), (&[PRINTS], true), (&[0, PRINTS, PRINTS], true)] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(said).unwrap();
            drop(theirs);
            assert_eq!(GuardEnd::new(ours).unwrap().has_printed(), has_printed, "{said:?}");
        }
    }

    #[tokio::test]
    async fn the_orchestrator_is_told_what_is_forwarded_and_sees_that_the_guard_is_gone() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let guard = GuardEnd::new(ours).unwrap();
        let mut watch = GuardWatch { socket: tokio::net::UnixStream::from_std(theirs).unwrap(), is_gone: false };
        guard.announce(SignalKind::terminate());
        guard.announce(SignalKind::interrupt());
        watch.readable().await;
        assert_eq!((watch.forwarded(), watch.is_gone()), (vec![15, 2], false));
        drop(guard);
        watch.readable().await;
        assert_eq!((watch.forwarded(), watch.is_gone()), (Vec::new(), true));
    }
}
