//! Drives the schedule: starts attempts, waits for their ends, and tells what happens. It owns all live state of the jobs.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::attempt::{Assignment, Held, Report, remove_workspaces};
use super::workshop::Workshop;
use crate::execute::Stop;
use crate::plan::event::Event;
use crate::plan::ids::JobId;
use crate::plan::job::JobState;
use crate::plan::outcome::Class;
use crate::plan::planner::Plan;
use crate::plan::report::{JobResult, Results};
use crate::plan::schedule::{After, JobIndex, NotStarted, Schedule, Step};
use crate::store::StoreError;

/// Something under way: an attempt, or the record of a job that will not be started (again). Nothing is awaited outside of
/// these, so that a slow database never keeps a child from being stopped.
type Work<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

enum Done {
    Attempt(JobIndex, Result<Report, StoreError>),
    Record(Result<(), StoreError>),
    Renewal(Result<bool, StoreError>),
}

/// The jobs of a run, being worked on.
pub(super) struct Dispatch<'a> {
    workshop: &'a Workshop,
    plan: &'a Plan,
    schedule: Schedule,
    stop: watch::Receiver<Stop>,
    /// What attempts see: the signals' stop, or ours when the database fails.
    brake: watch::Sender<Stop>,
    events: &'a (dyn Fn(Event) + Send + Sync),
    jobs: Vec<Live>,
    work: FuturesUnordered<Work<'a>>,
    started: Instant,
    /// When the lease was last known to be renewed.
    leased_since: Instant,
    renew_at: Instant,
    renewing: bool,
    broken: Option<String>,
}

#[derive(Debug)]
struct Live {
    result: JobResult,
    held: Option<Held>,
    since: Option<Instant>,
}

impl<'a> Dispatch<'a> {
    /// Ready to work on `plan`, whose jobs are recorded under `ids`. `since` is when the lock was taken.
    pub(super) fn new(
        workshop: &'a Workshop,
        plan: &'a Plan,
        ids: &[JobId],
        schedule: Schedule,
        stop: watch::Receiver<Stop>,
        events: &'a (dyn Fn(Event) + Send + Sync),
        since: Instant,
    ) -> Self {
        let jobs = ids
            .iter()
            .map(|id| Live {
                result: JobResult {
                    id: *id,
                    state: JobState::Queued,
                    attempts: 0,
                    exhausted: false,
                    duration: Duration::ZERO,
                    reason: None,
                },
                held: None,
                since: None,
            })
            .collect();
        let (brake, _) = watch::channel(Stop::No);
        let now = Instant::now();
        Self {
            workshop,
            plan,
            schedule,
            stop,
            brake,
            events,
            jobs,
            work: FuturesUnordered::new(),
            started: since,
            leased_since: now,
            renew_at: now + workshop.lease / 3,
            renewing: false,
            broken: None,
        }
    }

    /// Works until nothing is left to do or to wait for.
    pub(super) async fn run(mut self) -> Results {
        let began = Instant::now();
        let mut asked = Stop::No;
        loop {
            let more = *self.stop.borrow();
            if more > asked {
                asked = more;
                self.stop_as_asked(asked);
            }
            let until = match self.schedule.step(self.plan, self.started.elapsed()) {
                Step::Start { job, attempt } => {
                    self.start(job, attempt);
                    continue;
                }
                Step::Drop { job, reason } => {
                    self.leave(job, reason);
                    continue;
                }
                Step::GiveUp { job, reason } => {
                    self.give_up(job, reason);
                    continue;
                }
                Step::Finished if self.work.is_empty() => break,
                Step::Finished => None,
                Step::Wait { until } => until.map(|until| self.started + until),
            };
            tokio::select! {
                Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done),
                () = sleep_until(until) => {}
                () = tokio::time::sleep_until(self.renew_at), if !self.renewing => self.renew(),
                () = more_than(&mut self.stop, asked) => {}
            }
        }
        let filled = self.plan.jobs.iter().zip(&self.jobs).filter(|(_, live)| live.result.state == JobState::Succeeded);
        remove_workspaces(filled.map(|(job, live)| self.workshop.paths(job, live.result.id, 1).work_dir));
        Results {
            jobs: self.jobs.into_iter().map(|job| job.result).collect(),
            duration: began.elapsed(),
            stopped: asked != Stop::No,
            broken: self.broken,
        }
    }

    fn stop_as_asked(&mut self, asked: Stop) {
        self.brake.send_replace(asked);
        self.schedule.halt(NotStarted::Stopped);
        (self.events)(Event::Stopping { at_once: asked == Stop::AtOnce });
    }

    fn start(&mut self, index: JobIndex, attempt: u32) {
        let live = &mut self.jobs[index];
        live.since.get_or_insert_with(Instant::now);
        live.result.state = JobState::Running;
        live.result.attempts = attempt;
        let assignment =
            Assignment { index, job: &self.plan.jobs[index], id: live.result.id, attempt, held: live.held.take(), random: random() };
        let (workshop, events, stop) = (self.workshop, self.events, self.brake.subscribe());
        self.work.push(Box::pin(async move { Done::Attempt(index, workshop.attempt(assignment, stop, events).await) }));
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Attempt(_, Ok(report)) => self.ended(report),
            Done::Attempt(job, Err(error)) => self.unrecorded(job, &error),
            Done::Record(Ok(())) => {}
            Done::Record(Err(error)) => self.broke(&error.to_string()),
            Done::Renewal(renewed) => self.renewed(renewed),
        }
    }

    fn ended(&mut self, report: Report) {
        let Report { job, attempt, after, class, reason, held } = report;
        self.jobs[job].held = held;
        if let After::Retry(delay) = after {
            (self.events)(Event::Retrying { job, attempt, error: reason.unwrap_or_default(), delay });
        } else {
            let state = match after {
                After::Succeed if class.is_none() => JobState::Skipped,
                After::Succeed => JobState::Succeeded,
                After::Fail => JobState::Failed,
                After::Skip => JobState::Skipped,
                After::Cancel | After::Retry(_) | After::Later(_) => JobState::Cancelled,
            };
            self.jobs[job].result.exhausted = after == After::Fail && matches!(class, Some(Class::Transient | Class::Crash));
            self.finish(job, state, reason);
        }
        self.schedule.ended(self.plan, job, class, after, attempt, self.started.elapsed());
    }

    /// Renews the lease when a third of it has passed, one renewal at a time.
    fn renew(&mut self) {
        self.renewing = true;
        let (store, run, lease) = (&self.workshop.store, self.workshop.run, self.workshop.lease);
        self.work.push(Box::pin(async move { Done::Renewal(store.renew(run, lease).await) }));
    }

    fn renewed(&mut self, renewed: Result<bool, StoreError>) {
        self.renewing = false;
        self.renew_at = Instant::now() + self.workshop.lease / 3;
        match renewed {
            Ok(true) => self.leased_since = Instant::now(),
            Ok(false) => self.broke("another host took this run for dead; its claims are gone"),
            // Children are stopped while the claims on them are still good.
            Err(error) if self.leased_since.elapsed() * 2 >= self.workshop.lease => self.broke(&error.to_string()),
            Err(error) => {
                tracing::warn!("{error}; trying again");
                self.renew_at = Instant::now() + self.workshop.lease / 30;
            }
        }
    }

    /// The database failed during an attempt: how it ended is not on record.
    fn unrecorded(&mut self, job: JobIndex, error: &StoreError) {
        self.broke(&error.to_string());
        self.finish(job, JobState::Failed, Some(format!("its end could not be recorded: {error}")));
        self.schedule.ended(self.plan, job, None, After::Cancel, 1, self.started.elapsed());
    }

    /// A job that will not be started. When the run is stopping its end closes the records of all of them at once.
    fn leave(&mut self, job: JobIndex, reason: NotStarted) {
        let words = self.words(reason);
        if reason != NotStarted::Stopped {
            let (store, id, words) = (&self.workshop.store, self.jobs[job].result.id, words.clone());
            self.work.push(Box::pin(async move { Done::Record(store.drop_queued(id, &words, Utc::now()).await.map(drop)) }));
        }
        self.finish(job, JobState::Cancelled, Some(words));
    }

    /// A job whose retry will not come: what failed before is not undone by that.
    fn give_up(&mut self, job: JobIndex, reason: NotStarted) {
        let words = self.words(reason);
        if let Some(held) = self.jobs[job].held.take() {
            let (store, words) = (&self.workshop.store, words.clone());
            self.work.push(Box::pin(async move { Done::Record(store.cancel(held.claim, None, &words, Utc::now()).await.map(drop)) }));
        }
        self.finish(job, JobState::Cancelled, Some(words));
    }

    fn finish(&mut self, job: JobIndex, state: JobState, reason: Option<String>) {
        let live = &mut self.jobs[job];
        live.result.state = state;
        live.result.duration = live.since.map(|since| since.elapsed()).unwrap_or_default();
        live.result.reason.clone_from(&reason);
        (self.events)(Event::Ended { job, state, duration: live.result.duration, reason });
    }

    /// The database failed: what cannot be recorded is not started, and what runs is stopped.
    fn broke(&mut self, error: &str) {
        self.broken.get_or_insert_with(|| error.to_owned());
        self.brake.send_if_modified(|stop| {
            let more = *stop < Stop::Gracefully;
            if more {
                *stop = Stop::Gracefully;
            }
            more
        });
        self.schedule.halt(NotStarted::Stopped);
    }

    fn words(&self, reason: NotStarted) -> String {
        let name = |etl: usize| &self.workshop.etls[etl].name;
        match reason {
            NotStarted::Stopped => "the run was stopped".to_owned(),
            NotStarted::FailFast => "another job failed, and --fail-fast was given".to_owned(),
            NotStarted::Deadline => "the run's deadline was past".to_owned(),
            NotStarted::EtlStopped(etl) => format!("{} is set up wrongly, as another job showed", name(etl)),
            NotStarted::Breaker(etl) => format!("{} fails for one bank after the other", name(etl)),
            NotStarted::BankStopped => "its bank failed in several periods in a row".to_owned(),
            NotStarted::NeedUnmet(need) => format!("it needs {}, which was not made", name(need)),
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Waits until more is asked for than `asked`.
async fn more_than(stop: &mut watch::Receiver<Stop>, asked: Stop) {
    if stop.wait_for(|stop| *stop > asked).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

/// Uniform in `0.0..1.0`, from the generator that makes the ids.
fn random() -> f64 {
    let (bits, _) = Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
