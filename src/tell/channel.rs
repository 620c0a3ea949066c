//! The port of the channels, and what feeds them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::events::Subscription;
use crate::plan::run::event::Event;
use crate::plan::run::told::{RunBegin, RunEnd};

/// A receiver that is told of runs.
#[async_trait::async_trait]
pub trait Channel: Send + Sync {
    /// Its key below `tell:`.
    fn name(&self) -> &'static str;

    /// Tells of a run. It is called when the run begins, goes on beside it, and is dropped unfinished where it takes too long after the end.
    /// It shares the thread of the run, so that it must not block.
    ///
    /// # Errors
    /// When the receiver was not told everything.
    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble>;

    /// Sends something that the receiver can tell from what is told of a run. The answer says in a sentence what was sent and what came of
    /// it.
    ///
    /// # Errors
    /// When it was not received.
    async fn test(&self) -> Result<String, Trouble>;
}

/// Why something could not be told: a sentence, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// What a channel learns of a run.
#[derive(Debug)]
pub struct Feed {
    pub(super) events: Subscription,
    pub(super) end: watch::Receiver<Option<Arc<RunEnd>>>,
    pub(super) report: Report,
}

impl Feed {
    /// The next event; `None` once the run has ended.
    pub async fn event(&mut self) -> Option<Arc<Event>> {
        self.events.recv().await
    }

    /// Waits for the end of the run, without its remaining events. `None` where the process ends without one.
    pub async fn end(self) -> Option<Arc<RunEnd>> {
        let Self { events, mut end, .. } = self;
        drop(events);
        let end = end.wait_for(Option::is_some).await.ok()?;
        end.clone()
    }

    /// Something could not be told, but the channel goes on.
    pub fn failed(&self, trouble: &Trouble) {
        self.report.failed(trouble);
    }
}

/// Where a channel says what it could not tell.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) channel: &'static str,
    pub(super) troubles: Troubles,
}

impl Report {
    /// Something could not be told, but the channel goes on.
    pub(super) fn failed(&self, trouble: &Trouble) {
        self.troubles.note(self.channel, trouble);
    }

    /// Something was lost. That is told however often it happens.
    pub(super) fn lost(&self, what: &str) {
        self.troubles.log(format!("{} lost", self.channel), &format!("tell.{}: {what}", self.channel));
    }
}

/// What channels could not tell, as far as the run has come.
#[derive(Debug, Clone, Default)]
pub struct Troubles {
    /// Of each channel the first. Further ones are not told: they have the same reason.
    first: Arc<Mutex<BTreeMap<&'static str, String>>>,
    /// What is not in the log yet. `None` where it is logged when it happens.
    unsaid: Option<Arc<Mutex<Unsaid>>>,
}

type Unsaid = Vec<(String, String)>;

impl Troubles {
    /// They are logged when they happen, or with `is_quiet` only when whoever runs says so.
    #[must_use]
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { unsaid: is_quiet.then(Arc::default), ..Self::default() }
    }

    pub(super) fn note(&self, channel: &'static str, trouble: &Trouble) {
        let mut first = locked(&self.first);
        first.entry(channel).or_insert_with(|| {
            let sentence = format!("tell.{channel}: {trouble}");
            self.log(channel.to_owned(), &sentence);
            sentence
        });
    }

    fn log(&self, what: String, sentence: &str) {
        if let Some(unsaid) = &self.unsaid {
            locked(unsaid).push((what, sentence.to_owned()));
        } else {
            tracing::warn!("{sentence}");
        }
    }

    /// The troubles so far, each in a sentence.
    pub(super) fn so_far(&self) -> Vec<String> {
        locked(&self.first).values().cloned().collect()
    }

    /// What is not in the log yet: a sentence of each trouble, with what stays the same as long as that lasts. A loss is news beside a receiver
    /// that is down.
    #[must_use]
    pub fn unsaid(&self) -> Vec<(String, String)> {
        self.unsaid.as_ref().map_or_else(Vec::new, |unsaid| locked(unsaid).clone())
    }
}

/// Nothing panics while it is held.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_apart_from_a_receiver_that_is_down() {
        let report = Report { channel: "opentelemetry", troubles: Troubles::new(true) };
        report.failed(&Trouble("refused".to_owned()));
        report.failed(&Trouble("refused again".to_owned()));
        report.lost("2 were dropped");
        let unsaid = report.troubles.unsaid();
        let [(down, _), (lost, sentence)] = unsaid.as_slice() else { panic!("{unsaid:?}") };
        assert_ne!(down, lost);
        assert_eq!(sentence, "tell.opentelemetry: 2 were dropped");
        assert_eq!(report.troubles.so_far(), ["tell.opentelemetry: refused"]);
    }
}
