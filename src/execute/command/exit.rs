//! Learns that a child has ended without reaping it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

use crate::os::process;

/// Readable once the child has ended.
#[derive(Debug)]
pub(super) struct ExitWatch(AsyncFd<OwnedFd>);

impl ExitWatch {
    /// Watches a child that is not reaped.
    pub(super) fn new(pid: Pid) -> io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: the descriptor is owned by `pidfd`, which the result keeps; it is closed only after it is deregistered.
        Ok(Self(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?))
    }

    /// Waits for the end of the child.
    pub(super) async fn exited(&self) {
        // Fails only while the runtime shuts down, and then nothing polls this any more.
        let _ = self.0.readable().await;
    }
}

/// A process may be started with SIGCHLD ignored, and the kernel then throws the exit statuses of its children away.
/// Installing a handler, once, ends that for the whole process.
pub(super) fn keep_exit_statuses() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if process::ignores(Signal::CHILD).unwrap_or(true)
            && let Err(error) = signal(SignalKind::child())
        {
            tracing::warn!(%error, "SIGCHLD stays ignored; exit codes of ETLs may be lost");
        }
    });
}
