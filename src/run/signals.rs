//! The signals that end a run.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::wait_for_stop;
use crate::execute::Stop;
use crate::os::process;

/// SIGTERM, SIGINT and SIGHUP, as they come. A SIGHUP that is ignored (`nohup`) stays ignored.
#[derive(Debug)]
pub(super) struct Endings {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Endings {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if process::ignores(rustix::process::Signal::HUP).unwrap_or(false) {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
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

/// Which signals came, and what they ask for.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: watch::Receiver<Stop>,
    number: Arc<OnceLock<i32>>,
}

impl Signals {
    /// Listens from now on: the first signal asks to stop, the second to stop at once. So does the end of the guard, as if
    /// SIGKILL had reached us with it.
    ///
    /// # Errors
    /// When handlers cannot be installed.
    pub fn listen(guard_gone: impl Future<Output = ()> + Send + 'static) -> io::Result<Self> {
        let mut endings = Endings::listen()?;
        let (stop_sender, stop) = watch::channel(Stop::No);
        let number = Arc::new(OnceLock::new());
        let first = number.clone();
        tokio::spawn(async move {
            let mut guard_gone = std::pin::pin!(guard_gone);
            loop {
                let (came, least) = tokio::select! {
                    kind = endings.recv() => (kind.as_raw_value(), Stop::Gracefully),
                    () = &mut guard_gone => (SIGKILL, Stop::AtOnce),
                };
                let before = *stop_sender.borrow();
                let more = if before == Stop::No { least } else { Stop::AtOnce };
                first.get_or_init(|| came);
                stop_sender.send_replace(more);
                if more == Stop::AtOnce {
                    // Nothing more can be asked for. Keeps the sender: receivers wait for what will not come.
                    return std::future::pending().await;
                }
            }
        });
        Ok(Self { stop, number })
    }

    /// What is asked for, now and as it changes.
    pub fn stop(&self) -> watch::Receiver<Stop> {
        self.stop.clone()
    }

    /// Waits for the first signal.
    pub async fn came(&self) {
        wait_for_stop(self.stop(), Stop::Gracefully).await;
    }

    /// The first signal that came.
    pub fn number(&self) -> Option<i32> {
        self.number.get().copied()
    }
}

/// The number of the signal that cannot be caught.
const SIGKILL: i32 = 9;
