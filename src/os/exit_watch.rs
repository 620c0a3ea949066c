//! Learns that a child has ended without reaping it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Readable once the child has ended. It does not depend on SIGCHLD.
#[derive(Debug)]
pub(crate) struct ExitWatch(AsyncFd<OwnedFd>);

impl ExitWatch {
    /// Watches a child that is not reaped.
    ///
    /// # Errors
    /// When no further file can be opened.
    pub(crate) fn new(pid: Pid) -> io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: the descriptor is owned by `pidfd`, which the result keeps; it is closed only after it is deregistered.
        Ok(Self(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?))
    }

    /// Waits for the end of the child.
    pub(crate) async fn exited(&self) {
        // Fails only while the runtime shuts down, and then nothing polls this any more.
        let _ = self.0.readable().await;
    }
}
