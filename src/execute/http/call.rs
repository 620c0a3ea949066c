//! One call: triggers a job, or resumes one of an earlier attempt, and asks for its state until the job has ended.

mod asking;
mod closing;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::super::record::{Record, Recorded};
use super::super::stop::StopSignal;
use super::super::task::{AttemptEvent, Call};
use super::clients::Pair;
use super::following::{self, JobStatus, StateAnswer};
use super::hosts::Hosts;
use super::interrupt::{Interrupt, Watch};
use super::journal::Journal;
use super::neighbours::{Neighbours, Place};
use super::request::Requests;
use super::triggering::{self, Refusal};
use super::waits::{SHORTEST_TOLD, Waits};
use crate::plan::model::outcome::Fault;
use crate::plan::run::ended::{End, Ended};
use crate::plan::run::event::{ServiceWait, WaitReason};
use crate::plan::text::secrets::Secrets;
use crate::plan::text::span;

/// After this many status requests in a row without a usable answer the attempt ends.
const MOST_FAILURES: u32 = 5;
/// After such requests the pause doubles up to this, or stays at `status.every` if that is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The receiver of events has this long to take the id of a job.
const LONGEST_HEARING: Duration = Duration::from_secs(10);

enum CallEnd {
    Ended {
        end: End,
        /// The job that the next attempt resumes.
        remote_id: Option<String>,
    },
    /// Stopped, or out of time.
    Interrupted(Interrupt),
}

impl From<Interrupt> for CallEnd {
    fn from(interrupt: Interrupt) -> Self {
        Self::Interrupted(interrupt)
    }
}

impl CallEnd {
    fn reported(why: String, fault: Fault, remote_id: Option<String>) -> Self {
        Self::Ended { end: End::Reported { why, fault }, remote_id }
    }
}

/// Runs a call whose requests can be sent.
pub(super) async fn run(
    call: &Call,
    clients: Pair,
    hosts: &Hosts,
    secrets: Secrets,
    stop: StopSignal,
    said: mpsc::Sender<AttemptEvent>,
) -> Ended {
    let started = Instant::now();
    // A trigger that cannot be made begins no job.
    let neighbours = Requests(call).trigger().map(|trigger| hosts.of(&trigger.url, call.spec.rate).neighbours.clone()).unwrap_or_default();
    let mut conversation = Conversation {
        call,
        clients,
        hosts,
        neighbours,
        journal: Journal::new(Record::new(call.log.clone(), said.clone(), Secrets::default(), Utc::now()), secrets.clone()),
        secrets,
        waits: Waits::new(said.clone()),
        said,
        watch: Watch::new(stop, call.spec.timeout),
        remote_id: call.remote_id.clone(),
        started,
        answer: None,
        last_state: None,
        last_line: String::new(),
        waiting_told: None,
        is_unreadable: false,
    };
    let call_end = conversation.carry_out().await;
    let (end, remote_id) = conversation.close(call_end).await;
    let Conversation { journal, answer, secrets, remote_id: service_job, .. } = conversation;
    let Recorded { tail, said, error } = journal.finish(end == End::Completed);
    Ended { end, duration: started.elapsed(), tail, pid: None, said, error, answer, service_job, remote_id }.without(&secrets)
}

/// A call under way.
struct Conversation<'a> {
    call: &'a Call,
    clients: Pair,
    hosts: &'a Hosts,
    /// The jobs of its host.
    neighbours: Arc<Neighbours>,
    secrets: Secrets,
    journal: Journal,
    said: mpsc::Sender<AttemptEvent>,
    waits: Waits,
    watch: Watch,
    /// The id of the job that is followed.
    remote_id: Option<String>,
    started: Instant,
    answer: Option<Value>,
    /// The last state of the job, as the service wrote it.
    last_state: Option<String>,
    last_line: String,
    /// When it was last told that a request waits for its turn, since there was other news.
    waiting_told: Option<Instant>,
    /// Whether the service was asked for the state of the job and said nothing that could be read.
    is_unreadable: bool,
}

/// The kinds of request that are sent until the job has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    Trigger,
    Status,
}

impl Conversation<'_> {
    async fn carry_out(&mut self) -> CallEnd {
        if let Some(job) = self.call.remote_id.clone() {
            let place = self.neighbours.found();
            match self.follow(&job, true, place).await {
                Ok(()) => {}
                Err(end) => return end,
            }
            self.journal.write(&format!("the service no longer knows {job}; triggering again"));
            (self.remote_id, self.is_unreadable) = (None, false);
        }
        match self.begin().await {
            Ok(()) => CallEnd::Ended { end: End::Vanished, remote_id: None },
            Err(end) => end,
        }
    }

    /// Starts a job, once its host may have it, and follows it.
    async fn begin(&mut self) -> Result<(), CallEnd> {
        let neighbours = self.neighbours.clone();
        if neighbours.are_separate() {
            self.journal.write("the service lost several jobs at once, so they are begun one at a time; waiting for the others");
        }
        let place = self.wait_for_others(&neighbours).await?;
        if neighbours.are_separate() {
            self.watch.restart(self.call.spec.timeout);
        }
        let job = self.trigger().await?;
        self.follow(&job, false, place).await
    }

    /// Waits until the host may have another job.
    async fn wait_for_others(&mut self, neighbours: &Arc<Neighbours>) -> Result<Place, Interrupt> {
        let host = Requests(self.call).trigger().map(|trigger| trigger.host()).unwrap_or_default();
        let mut begun = std::pin::pin!(self.watch.during_without_deadline(neighbours.begin()));
        if let Ok(place) = timeout(SHORTEST_TOLD, begun.as_mut()).await {
            return place;
        }
        self.waits.tell(Some(ServiceWait { host: self.secrets.clean(&host).into_owned(), reason: WaitReason::OtherJobs }));
        let place = begun.await;
        self.waits.tell(None);
        place
    }

    /// Starts a job.
    async fn trigger(&mut self) -> Result<String, CallEnd> {
        let request = Requests(self.call).trigger().map_err(|why| self.not_sendable(why))?;
        let asked = self.ask(&request, RequestKind::Trigger).await?;
        match triggering::judge(asked, &request, &Requests(self.call)) {
            Ok((job, status)) => {
                self.triggered(&job, status).await;
                Ok(job)
            }
            Err(Refusal { why, fault }) => {
                self.journal.write(&why);
                Err(CallEnd::reported(why, fault, None))
            }
        }
    }

    async fn triggered(&mut self, job: &str, status: StatusCode) {
        // The id must be recorded, so wait for the receiver, unlike with lines. If the receiver is gone, the job is followed all the same.
        let _ = self.said.send_timeout(AttemptEvent::Triggered(job.to_owned()), LONGEST_HEARING).await;
        self.journal.write(&format!("triggered: job {job} (HTTP {})", status.as_u16()));
        self.remote_id = Some(job.to_owned());
    }

    /// Asks for a job's state until the job has ended. `Ok` when the service does not know the job, which says nothing of how it ended.
    async fn follow(&mut self, job: &str, from_before: bool, mut place: Place) -> Result<(), CallEnd> {
        let every = self.call.spec.every;
        let request = Requests(self.call).status(job).map_err(|why| self.not_sendable(why))?;
        let (mut failures, mut was_seen) = (0, !from_before);
        if !from_before {
            self.watch.during(sleep(every)).await?;
        }
        loop {
            let asked = self.ask(&request, RequestKind::Status).await?;
            match following::judge(asked, &request, &self.call.spec) {
                JobStatus::Running(state) => {
                    (failures, was_seen) = (0, true);
                    place.seen();
                    self.note(state);
                }
                JobStatus::Succeeded(state) => {
                    self.note(state);
                    return Err(CallEnd::Ended { end: End::Completed, remote_id: None });
                }
                JobStatus::Failed(state, why) => {
                    self.note(state);
                    return Err(CallEnd::reported(why, Fault::Transient, None));
                }
                JobStatus::Unknown(status) => {
                    let is_common = place.lost();
                    return if was_seen { Err(self.lost(job, status, is_common)) } else { Ok(()) };
                }
                JobStatus::Refused(Refusal { why, fault }) => {
                    self.journal.write(&why);
                    let remote_id = (fault == Fault::Configuration).then(|| job.to_owned());
                    return Err(CallEnd::reported(why, fault, remote_id));
                }
                JobStatus::NoAnswer { why, is_reached } => {
                    failures += 1;
                    self.is_unreadable |= is_reached;
                    self.journal.write(&why);
                    if failures == MOST_FAILURES {
                        return Err(self.without_answers(job, &why, is_reached));
                    }
                }
            }
            let pause = every.saturating_mul(1 << failures).min(LONGEST_PAUSE.max(every));
            self.watch.during(sleep(pause)).await?;
        }
    }

    /// The service does not know a job that it knew.
    fn lost(&mut self, job: &str, status: StatusCode, is_common: bool) -> CallEnd {
        let why = format!("the service does not know its job {job} any more ({})", status.as_u16());
        if is_common {
            let why = format!("{why}, while others were under way there: it was restarted, or went down");
            self.journal.write(&why);
            return CallEnd::reported(why, Fault::JobsLost, None);
        }
        self.journal.write(&why);
        CallEnd::Ended { end: End::Vanished, remote_id: None }
    }

    /// Several requests for a job's state in a row had no usable answer. A job that was triggered so long ago that it must have ended is
    /// followed no more, so that a state that nobody can read does not block the work for ever. A service that was not reached says nothing.
    fn without_answers(&mut self, job: &str, last: &str, is_reached: bool) -> CallEnd {
        let why = format!("{last}; {MOST_FAILURES} times in a row");
        if is_reached && self.is_overdue(job) {
            let timeout = span::exact(self.call.spec.timeout);
            let why = format!(
                "{why}, and the job {job} was triggered more than {timeout} ago: it is given up, though the service may still be working on it"
            );
            self.journal.write(&why);
            return CallEnd::reported(why, Fault::Uncertain, None);
        }
        CallEnd::reported(format!("{why}, the job {job} is followed further by the next attempt"), Fault::Transient, Some(job.to_owned()))
    }

    /// Whether a job of an earlier attempt was triggered longer ago than a job may take.
    fn is_overdue(&self, job: &str) -> bool {
        self.call.remote_id.as_deref() == Some(job) && self.call.triggered_before + self.started.elapsed() >= self.call.spec.timeout
    }

    fn note(&mut self, state: StateAnswer) {
        self.journal.progress(state.done, state.of);
        self.answer = Some(state.answer);
        self.last_state = Some(state.name);
        if state.line != self.last_line {
            self.journal.write(&state.line);
            self.last_line = state.line;
            self.waiting_told = None;
        }
    }

    /// A value that only this request has cannot be sent.
    fn not_sendable(&mut self, why: String) -> CallEnd {
        self.journal.write(&why);
        CallEnd::Ended { end: End::SpawnFailed(why), remote_id: self.remote_id.clone() }
    }
}
