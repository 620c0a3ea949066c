//! The signals that end a run.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::execute::stop::{StopSender, StopSignal};
use crate::os::process;
use crate::plan::run::stop::{StopLevel, StopReason};

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

    pub(super) async fn recv(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = hangup => SignalKind::hangup(),
        }
    }
}

/// Turns the signals to this process into a stop.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: StopSignal,
}

impl Signals {
    /// Listens from now on: the first signal asks for a graceful stop, the second for an immediate one. The end of the guard asks for an
    /// immediate stop too, with the reason SIGKILL.
    ///
    /// # Errors
    /// When handlers cannot be installed.
    pub fn listen(guard_gone: impl Future<Output = ()> + Send + 'static) -> io::Result<Self> {
        let mut signals = TerminationSignals::listen()?;
        let sender = StopSender::default();
        let stop = sender.signal();
        tokio::spawn(async move {
            let mut guard_gone = std::pin::pin!(guard_gone);
            loop {
                let (number, level) = tokio::select! {
                    kind = signals.recv() => (kind.as_raw_value(), StopLevel::Graceful),
                    () = &mut guard_gone => (SIGKILL, StopLevel::Immediate),
                };
                let level = if sender.signal().is_raised() { StopLevel::Immediate } else { level };
                sender.raise(level, StopReason::Signal(number));
                if level == StopLevel::Immediate {
                    return; // there is no higher level
                }
            }
        });
        Ok(Self { stop })
    }

    /// The stop signal that the signals to this process raise.
    pub fn stop(&self) -> &StopSignal {
        &self.stop
    }

    /// Waits for the first signal.
    pub async fn received(&self) {
        self.stop.reached(StopLevel::Graceful).await;
    }

    /// The number of the first signal.
    pub fn number(&self) -> Option<i32> {
        match self.stop.reason()? {
            StopReason::Signal(number) => Some(number),
            StopReason::DatabaseFailed
            | StopReason::LeaseLate
            | StopReason::RunLost
            | StopReason::Cancelled { .. }
            | StopReason::ClaimLost => None,
        }
    }
}

/// The number of the signal that cannot be caught.
const SIGKILL: i32 = 9;
