//! The signals that ask a process to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::os::process;

/// Receives SIGTERM, SIGINT and SIGHUP. A SIGHUP that is ignored (`nohup`) stays ignored.
#[derive(Debug)]
pub(super) struct TerminationSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl TerminationSignals {
    pub(super) fn listen() -> io::Result<Self> {
        let ignores_hangup = process::ignores(rustix::process::Signal::HUP).unwrap_or(false);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if ignores_hangup { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The next signal. Of several that came together SIGHUP is the last: systemd (`SendSIGHUP=`) and others send it with the signal that
    /// says what they mean, and it must not look like an earlier request of its own.
    pub(super) async fn recv(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = hangup => SignalKind::hangup(),
        }
    }
}
