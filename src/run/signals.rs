//! The signals that end a run.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::execute::Stop;

/// Which signals came, and what they ask for.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: watch::Receiver<Stop>,
    number: watch::Receiver<Option<i32>>,
}

impl Signals {
    /// Listens from now on: SIGTERM, SIGINT and SIGHUP ask to stop; the second one, of whichever kind, to stop at once.
    /// A SIGHUP that is ignored (`nohup`) stays ignored.
    ///
    /// # Errors
    /// When handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = if is_ignored(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup())?) };
        let (stop_sender, stop) = watch::channel(Stop::No);
        let (number_sender, number) = watch::channel(None);
        tokio::spawn(async move {
            for asked in [Stop::Gracefully, Stop::AtOnce] {
                let came = tokio::select! {
                    _ = terminate.recv() => SignalKind::terminate(),
                    _ = interrupt.recv() => SignalKind::interrupt(),
                    () = recv_if(hangup.as_mut()) => SignalKind::hangup(),
                };
                number_sender.send_if_modified(|first| first.is_none().then(|| *first = Some(came.as_raw_value())).is_some());
                stop_sender.send_replace(asked);
            }
            // Keeps the senders: those who wait for a third signal wait for ever.
            std::future::pending::<()>().await;
            drop((stop_sender, number_sender));
        });
        Ok(Self { stop, number })
    }

    /// What is asked for, now and as it changes.
    pub fn stop(&self) -> watch::Receiver<Stop> {
        self.stop.clone()
    }

    /// Waits for the first signal.
    pub async fn came(&self) {
        if self.stop().wait_for(|stop| *stop != Stop::No).await.is_err() {
            // Nobody listens any more.
            std::future::pending::<()>().await;
        }
    }

    /// The first signal that came.
    pub fn number(&self) -> Option<i32> {
        *self.number.borrow()
    }
}

async fn recv_if(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the signal was ignored when this process started.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
