//! A thread for each consumer of a run's events, so that a terminal that stands still (Ctrl-S, a stuck pipe) never holds up the
//! run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::plan::run::event::Event;

/// How long the end of a run waits for a consumer that handles no further event.
const PATIENCE: Duration = Duration::from_secs(1);

/// A consumer in its thread. It ends with the stream of events.
#[derive(Debug)]
pub(super) struct Listener {
    handled: Arc<AtomicUsize>,
    /// Disconnected when the consumer was dropped.
    ended: Receiver<()>,
}

impl Listener {
    /// Hands each event to `consume`, in a thread of its own. `events` waits for the next event; when it ends `consume` is dropped.
    ///
    /// # Errors
    /// When the host has no room for a thread.
    pub(super) fn start(
        events: impl Iterator<Item = Arc<Event>> + Send + 'static,
        mut consume: impl FnMut(&Event) + Send + 'static,
    ) -> io::Result<Self> {
        let handled = Arc::new(AtomicUsize::new(0));
        let (end, ended) = channel();
        std::thread::Builder::new().spawn({
            let handled = handled.clone();
            move || {
                for event in events {
                    consume(&event);
                    handled.fetch_add(1, Ordering::Relaxed);
                }
                drop(consume);
                drop::<std::sync::mpsc::Sender<()>>(end);
            }
        })?;
        Ok(Self { handled, ended })
    }

    /// Waits until every event was handled, for as long as there is headway. The stream of events must have ended.
    pub(super) fn finish(self) {
        let mut before = None;
        while let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(PATIENCE) {
            let handled = Some(self.handled.load(Ordering::Relaxed));
            if handled == before {
                return; // the terminal stands still; the thread ends with the process
            }
            before = handled;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;
    use crate::plan::model::ids::RunId;
    use crate::plan::run::event::EventKind;
    use crate::plan::run::expectations::Expectations;

    fn events(count: usize) -> impl Iterator<Item = Arc<Event>> + Send + 'static {
        let kind =
            EventKind::RunStarted { jobs: Vec::new(), waiting: 0, chains: 0, max_parallel: 1, expectations: Expectations::default() };
        std::iter::repeat_n(Arc::new(Event { at: Utc::now(), run: RunId::new(Uuid::nil()), kind }), count)
    }

    #[test]
    fn the_end_waits_until_every_event_was_handled_and_the_consumer_is_gone() {
        let (sender, handled) = channel();
        Listener::start(events(3), move |event| drop(sender.send(event.kind.clone()))).unwrap().finish();
        assert_eq!(handled.iter().count(), 3);
    }

    #[test]
    fn the_end_does_not_wait_for_a_consumer_that_stands_still_or_failed() {
        let (_never, forever) = channel::<()>();
        Listener::start(events(1), move |_| {
            let _ = forever.recv();
        })
        .unwrap()
        .finish();
        Listener::start(events(1), |_| panic!("a consumer fails, as this test wants it to")).unwrap().finish();
    }
}
