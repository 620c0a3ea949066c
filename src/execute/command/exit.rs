//! Learns that a child has ended without reaping it.

use rustix::process::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::group::has_exited;

/// How the end of a child is learnt.
#[derive(Debug)]
pub(super) enum ExitWatch {
    /// Readable when the child has ended (Linux 5.3 and later).
    #[cfg(target_os = "linux")]
    PidFd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    /// Any child has ended: look whether it was this one.
    Sigchld(Signal),
    /// Neither could be had; look from time to time.
    Looking,
}

impl ExitWatch {
    /// Watches a child that is not reaped.
    pub(super) fn new(pid: Pid) -> Self {
        #[cfg(target_os = "linux")]
        if let Some(fd) = pidfd(pid) {
            return Self::PidFd(fd);
        }
        let _ = pid;
        signal(SignalKind::child()).map_or(Self::Looking, Self::Sigchld)
    }

    /// Waits for the end; `pid` is the child that it was made for.
    pub(super) async fn exited(&mut self, pid: Pid) {
        match self {
            #[cfg(target_os = "linux")]
            Self::PidFd(fd) => {
                // Fails only when the runtime is shutting down, and then nothing polls this any more.
                let _ = fd.readable().await;
            }
            Self::Sigchld(signal) => {
                while !has_exited(pid) {
                    signal.recv().await;
                }
            }
            Self::Looking => {
                while !has_exited(pid) {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use tokio::io::Interest;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    // SAFETY: the file descriptor is owned by `fd`, which the result keeps; it is closed only after it is deregistered.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok()
}

/// A process may be started with SIGCHLD ignored, and the kernel then throws the exit statuses of its children away.
/// Listening for the signal, once, ends that for the whole process.
pub(super) fn keep_exit_statuses() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if sigchld_may_be_ignored()
            && let Err(error) = signal(SignalKind::child())
        {
            tracing::warn!(%error, "SIGCHLD stays ignored; exit codes of ETLs may be lost");
        }
    });
}

#[cfg(target_os = "linux")]
fn sigchld_may_be_ignored() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (rustix::process::Signal::CHILD.as_raw() - 1)) != 0)
}

#[cfg(not(target_os = "linux"))]
fn sigchld_may_be_ignored() -> bool {
    true
}
