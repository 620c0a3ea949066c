//! Stamps events with time, run and job, and hands each one to every subscriber.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::plan::model::ids::{JobId, RunId};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobRef};
use crate::plan::run::schedule::JobIndex;

/// The number of events that may wait for one subscriber before it misses lines of children. Missed lines are counted; events of other kinds
/// are never omitted.
const MAX_WAITING: usize = 4096;

/// The events of one run.
#[derive(Debug)]
pub struct Events {
    run: RunId,
    subscribers: Vec<Subscriber>,
}

impl Events {
    /// The events of this run, to which nobody has subscribed yet.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Self { run, subscribers: Vec::new() }
    }

    /// The run that they are of.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Every event from now on. The subscription ends when `self` is dropped. A subscriber that is slow, or gone, holds up
    /// neither the run nor the others.
    pub fn subscribe(&mut self) -> Subscription {
        let (sender, receiver) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        self.subscribers.push(Subscriber { sender, waiting: waiting.clone(), omitted: Mutex::default() });
        Subscription { receiver, waiting }
    }

    /// Something happened to the run as a whole.
    pub fn of_run(&self, kind: EventKind) {
        self.send(Event { at: Utc::now(), run: self.run, kind });
    }

    /// Something happened to a job.
    pub fn of_job(&self, index: JobIndex, id: JobId, event: JobEvent) {
        self.of_run(EventKind::Job { job: JobRef { index, id }, event });
    }

    fn send(&self, event: Event) {
        let event = Arc::new(event);
        for subscriber in &self.subscribers {
            subscriber.take(&event);
        }
    }
}

/// The sending end of a subscription.
#[derive(Debug)]
struct Subscriber {
    sender: UnboundedSender<Arc<Event>>,
    waiting: Arc<AtomicUsize>,
    /// How many lines of each job were omitted since its last event.
    omitted: Mutex<BTreeMap<JobIndex, u64>>,
}

impl Subscriber {
    fn take(&self, event: &Arc<Event>) {
        // Nothing panics while it is held.
        let mut omitted = self.omitted.lock().unwrap_or_else(PoisonError::into_inner);
        if let EventKind::Job { job, event: of_job } = &event.kind {
            let lines = lines_in(of_job);
            if lines > 0 && self.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
                *omitted.entry(job.index).or_default() += lines;
                return;
            }
            if let Some(lines) = omitted.remove(&job.index) {
                let kind = EventKind::Job { job: *job, event: JobEvent::LinesOmitted(lines) };
                self.send(Arc::new(Event { kind, ..**event }));
            }
        }
        self.send(event.clone());
    }

    fn send(&self, event: Arc<Event>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // It fails when the subscription was dropped, and nobody wants the event.
        let _ = self.sender.send(event);
    }
}

/// How many lines of a child an event stands for.
fn lines_in(event: &JobEvent) -> u64 {
    match event {
        JobEvent::Line(_) => 1,
        JobEvent::LinesOmitted(lines) => *lines,
        JobEvent::WaitsForPool(_)
        | JobEvent::WaitsForService(_)
        | JobEvent::ProgressBar(_)
        | JobEvent::AttemptStarted { .. }
        | JobEvent::Stage(_)
        | JobEvent::AttemptEnded { .. }
        | JobEvent::Retrying { .. }
        | JobEvent::Ended { .. } => 0,
    }
}

/// The receiving end. It is also an iterator over the events, which blocks until the next one, so that it needs a thread of its own.
#[derive(Debug)]
pub struct Subscription {
    receiver: UnboundedReceiver<Arc<Event>>,
    waiting: Arc<AtomicUsize>,
}

impl Subscription {
    /// Waits for the next event; `None` once the events have ended.
    pub async fn recv(&mut self) -> Option<Arc<Event>> {
        let event = self.receiver.recv().await?;
        Some(self.taken(event))
    }

    fn taken(&self, event: Arc<Event>) -> Arc<Event> {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        event
    }
}

impl Iterator for Subscription {
    type Item = Arc<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = self.receiver.blocking_recv()?;
        Some(self.taken(event))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::plan::run::stop::StopReason;

    fn run() -> RunId {
        RunId::new(Uuid::from_u128(7))
    }

    fn stopping() -> EventKind {
        EventKind::RunStopping { reason: StopReason::Signal(15), is_immediate: false, running: 1, grace: Duration::ZERO }
    }

    fn line(events: &Events, job: JobIndex, number: usize) {
        events.of_job(job, JobId::new(Uuid::from_u128(job as u128)), JobEvent::Line(number.to_string()));
    }

    fn kinds(subscription: Subscription) -> Vec<EventKind> {
        subscription.map(|event| event.kind.clone()).collect()
    }

    #[test]
    fn every_subscriber_gets_every_event_with_its_time_and_ids() {
        let before = Utc::now();
        let mut events = Events::new(run());
        let subscriptions = [events.subscribe(), events.subscribe()];
        events.of_run(stopping());
        line(&events, 3, 1);
        drop(events);
        let job = JobRef { index: 3, id: JobId::new(Uuid::from_u128(3)) };
        for subscription in subscriptions {
            let seen: Vec<Arc<Event>> = subscription.collect();
            assert!(seen.iter().all(|event| event.run == run() && event.at >= before && event.at <= Utc::now()));
            let kinds: Vec<EventKind> = seen.iter().map(|event| event.kind.clone()).collect();
            let expected = [stopping(), EventKind::Job { job, event: JobEvent::Line("1".to_owned()) }];
            assert_eq!(kinds, expected);
        }
    }

    #[test]
    fn a_subscriber_that_takes_nothing_loses_lines_alone_and_learns_how_many() {
        let mut events = Events::new(run());
        let (slow, gone) = (events.subscribe(), events.subscribe());
        drop(gone);
        for number in 0..MAX_WAITING + 1411 {
            line(&events, 0, number);
        }
        let ids = [0, 1].map(|index| JobRef { index, id: JobId::new(Uuid::from_u128(index as u128)) });
        events.of_job(1, ids[1].id, JobEvent::AttemptStarted { attempt: 1, of: 3 });
        events.of_job(0, ids[0].id, JobEvent::AttemptStarted { attempt: 2, of: 3 });
        drop(events);
        let seen = kinds(slow);
        assert_eq!(seen.len(), MAX_WAITING + 3);
        let expected = [
            EventKind::Job { job: ids[1], event: JobEvent::AttemptStarted { attempt: 1, of: 3 } },
            EventKind::Job { job: ids[0], event: JobEvent::LinesOmitted(1411) },
            EventKind::Job { job: ids[0], event: JobEvent::AttemptStarted { attempt: 2, of: 3 } },
        ];
        assert_eq!(seen[MAX_WAITING..], expected);
    }

    #[test]
    fn a_subscriber_that_has_caught_up_gets_lines_again() {
        let mut events = Events::new(run());
        let mut slow = events.subscribe();
        for number in 0..MAX_WAITING + 5 {
            line(&events, 0, number);
        }
        assert_eq!(slow.by_ref().take(MAX_WAITING).count(), MAX_WAITING);
        line(&events, 0, 9);
        drop(events);
        let texts: Vec<JobEvent> = slow
            .filter_map(|event| match &event.kind {
                EventKind::Job { event, .. } => Some(event.clone()),
                EventKind::RunStarted { .. } | EventKind::RunStopping { .. } => None,
            })
            .collect();
        assert_eq!(texts, [JobEvent::LinesOmitted(5), JobEvent::Line("9".to_owned())]);
    }
}
