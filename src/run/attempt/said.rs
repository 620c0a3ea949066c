//! Records what an attempt says of its work, while it says it, and tells whoever listens.
//!
//! Nothing waits for this: what the database does not take in time is merged with what comes later, and in the end left out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Attempt;
use crate::plan::model::said::{Metric, Said, Stage, StageState};
use crate::plan::run::event::JobEvent;

/// At most one record of an attempt in this time, and one event of a stage that gets on.
const BETWEEN: Duration = Duration::from_secs(1);
/// The same while the database is in trouble.
const BETWEEN_IN_TROUBLE: Duration = Duration::from_secs(10);
/// So long one record is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was heard and is not on record.
#[derive(Default)]
pub(super) struct Heard {
    state: Mutex<State>,
    has_news: Notify,
}

#[derive(Default)]
struct State {
    pending: Said,
    is_over: bool,
    /// The sums of its metrics.
    metrics: Vec<Metric>,
    /// How each stage was told last, and when.
    told: HashMap<u32, (StageState, Instant)>,
}

impl State {
    /// Whether this state of a stage is to be told: its start and its end are, and now and then that it gets on.
    fn is_worth_telling(&mut self, stage: &Stage) -> bool {
        let (now, is_open) = (Instant::now(), !stage.state.has_ended());
        match self.told.get(&stage.n) {
            Some((last, at)) if is_open && !last.has_ended() && now - *at < BETWEEN => false,
            Some(_) | None => {
                self.told.insert(stage.n, (stage.state, now));
                true
            }
        }
    }
}

impl Heard {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be recorded now, and whether nothing comes after it.
    fn take(&self) -> (Said, bool) {
        let mut state = self.state();
        (std::mem::take(&mut state.pending), state.is_over)
    }

    /// Puts back what could not be recorded, before what was heard meanwhile.
    fn put_back(&self, earlier: Said) {
        let mut state = self.state();
        let later = std::mem::replace(&mut state.pending, earlier);
        state.pending.merge(later);
    }

    fn is_over(&self) -> bool {
        self.state().is_over
    }

    async fn until_over(&self) {
        while !self.is_over() {
            self.has_news.notified().await;
        }
    }
}

impl Attempt<'_> {
    /// Takes news of the attempt.
    pub(super) fn hear(&self, heard: &Heard, said: Said) {
        if said.is_empty() {
            return;
        }
        let mut state = heard.state();
        for stage in &said.stages {
            if state.is_worth_telling(stage) {
                self.tell(JobEvent::Stage(stage.clone()));
            }
        }
        if !said.metrics.is_empty() {
            state.metrics.clone_from(&said.metrics);
        }
        state.pending.merge(said);
        heard.has_news.notify_one();
    }

    /// Takes the last news of the attempt: [`Self::record_said`] ends once they are on record, or cannot be.
    pub(super) fn hear_last(&self, heard: &Heard, said: Said) {
        self.hear(heard, said);
        let mut state = heard.state();
        state.is_over = true;
        self.order.metrics.lock().unwrap_or_else(PoisonError::into_inner).append(&mut state.metrics);
        heard.has_news.notify_one();
    }

    /// Records what is heard until the attempt is over.
    pub(super) async fn record_said(&self, heard: &Heard) {
        loop {
            heard.has_news.notified().await;
            let (said, is_last) = heard.take();
            let trouble = if said.is_empty() { None } else { self.record_batch(&said).await.err() };
            if is_last {
                if let Some(trouble) = trouble {
                    let (attempt, gap) = (self.order.number, &self.order.job.key);
                    tracing::warn!("stages, messages and metrics of attempt {attempt} of {gap} are not all on record: {trouble}");
                }
                return;
            }
            let pause = if trouble.is_some() { BETWEEN_IN_TROUBLE } else { BETWEEN };
            if trouble.is_some() {
                heard.put_back(said);
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = heard.until_over() => {}
            }
            // Waiting may have taken the notice of what came meanwhile.
            heard.has_news.notify_one();
        }
    }

    async fn record_batch(&self, said: &Said) -> Result<(), String> {
        let context = self.order.context;
        if context.ledger.is_away() {
            return Err("the database does not answer".to_owned());
        }
        match timeout(PATIENCE, context.store.record_said(self.active.claim, self.order.number, said)).await {
            // A claim that is lost is another's to speak for.
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}
