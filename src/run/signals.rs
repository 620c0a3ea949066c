//! The signals that end a run.

use std::io;

use tokio::signal::unix::SignalKind;

use super::guard::link::GuardWatch;
use super::termination_signals::TerminationSignals;
use crate::execute::stop::{StopSender, StopSignal};
use crate::plan::run::stop::{StopLevel, StopReason};

/// Turns the signals to this process into a stop.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: StopSignal,
}

impl Signals {
    /// Listens from now on: the first request asks for a graceful stop, the second for an immediate one. The end of the guard asks for an
    /// immediate stop too.
    ///
    /// # Errors
    /// When handlers cannot be installed.
    pub fn listen(mut guard: GuardWatch) -> io::Result<Self> {
        let mut signals = TerminationSignals::listen()?;
        let sender = StopSender::default();
        let stop = sender.signal();
        tokio::spawn(async move {
            let mut requests = Requests::default();
            loop {
                let delivered = tokio::select! {
                    kind = signals.recv() => Some(kind),
                    () = guard.readable() => None,
                };
                // The guard announces a signal before it sends it.
                let forwarded = guard.forwarded();
                requests.note(delivered, &forwarded);
                let number = forwarded.first().copied().or(delivered.map(|kind| kind.as_raw_value()));
                let (level, reason) = match number {
                    _ if guard.is_gone() => (StopLevel::Immediate, StopReason::GuardGone),
                    Some(number) => (requests.level(), StopReason::Signal(number)),
                    None => continue,
                };
                sender.raise(level, reason);
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

    /// The number of the first signal. The guard can only be gone by SIGKILL.
    pub fn number(&self) -> Option<i32> {
        match self.stop.reason()? {
            StopReason::Signal(number) => Some(number),
            StopReason::GuardGone => Some(SIGKILL),
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

/// How often a stop was asked for. Who stops a whole group or cgroup sends a signal to the guard and to this process, and the guard
/// forwards its own: that is one request.
#[derive(Debug, Default)]
struct Requests {
    /// Signals other than SIGHUP that reached this process, those that the guard forwarded among them.
    delivered: u32,
    /// Those of them that the guard has forwarded.
    delivered_by_guard: u32,
    /// Signals that the guard has forwarded, SIGHUP among them. It forwards only what asks for something new.
    forwarded: u32,
    /// Whether SIGHUP reached this process. Nobody means by it that children are to be killed: before, with or after another signal it
    /// asks for nothing more.
    has_hangup: bool,
}

impl Requests {
    fn note(&mut self, delivered: Option<SignalKind>, forwarded: &[i32]) {
        let hangup = SignalKind::hangup();
        let count = |signals: usize| u32::try_from(signals).unwrap_or(u32::MAX);
        self.forwarded += count(forwarded.len());
        self.delivered_by_guard += count(forwarded.iter().filter(|number| **number != hangup.as_raw_value()).count());
        self.delivered += u32::from(delivered.is_some_and(|kind| kind != hangup));
        self.has_hangup |= delivered == Some(hangup);
    }

    fn level(&self) -> StopLevel {
        let own = self.delivered.saturating_sub(self.delivered_by_guard);
        match own.max(self.forwarded).max(u32::from(self.has_hangup)) {
            0 => StopLevel::None,
            1 => StopLevel::Graceful,
            _ => StopLevel::Immediate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is delivered, and what the guard has announced since.
    type Step = (Option<SignalKind>, &'static [i32]);

    #[test]
    fn who_signals_both_processes_asks_once() {
        use StopLevel::{Graceful, Immediate};

        let (term, hup) = (Some(SignalKind::terminate()), Some(SignalKind::hangup()));
        let cases: [(&[Step], StopLevel); 13] = [
            (&[(term, &[15])], Graceful),
            (&[(None, &[15]), (term, &[])], Graceful),
            (&[(term, &[]), (term, &[15])], Graceful),
            (&[(term, &[]), (None, &[15]), (term, &[])], Graceful),
            (&[(term, &[]), (term, &[])], Immediate),
            (&[(term, &[15]), (term, &[15])], Immediate),
            (&[(term, &[15, 15])], Immediate),
            (&[(hup, &[1]), (hup, &[])], Graceful),
            (&[(term, &[15]), (hup, &[])], Graceful),
            (&[(hup, &[])], Graceful),
            (&[(hup, &[]), (term, &[])], Graceful),
            (&[(hup, &[]), (term, &[15]), (term, &[])], Graceful),
            (&[(hup, &[1]), (term, &[15])], Immediate),
        ];
        for (steps, level) in cases {
            let mut requests = Requests::default();
            for (delivered, forwarded) in steps {
                requests.note(*delivered, forwarded);
            }
            assert_eq!(requests.level(), level, "{steps:?}");
        }
    }
}
