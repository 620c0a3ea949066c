//! One call: triggers a job, or resumes one of an earlier attempt, and asks for its state until the job has ended.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::record::Record;
use super::super::stop::StopSignal;
use super::super::task::{AttemptEvent, Call};
use super::exchange::{self, Answer};
use super::following::{self, JobStatus};
use super::hosts::Hosts;
use super::interrupt::{Interrupt, Watch};
use super::journal::Journal;
use super::request::{Request, Requests};
use super::triggering::{self, MAY_HAVE_STARTED, Refusal};
use super::unanswered::Unanswered;
use crate::plan::model::outcome::Fault;
use crate::plan::run::ended::{End, Ended};
use crate::plan::text::secrets::Secrets;

/// After this many status requests in a row without a usable answer the attempt ends.
const MOST_FAILURES: u32 = 5;
/// After such requests the pause doubles up to this, or stays at `status.every` if that is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After a 429 without `Retry-After` the wait doubles up to this.
const LONGEST_GUESS: Duration = Duration::from_secs(300);

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
    client: Client,
    hosts: &Hosts,
    secrets: Secrets,
    stop: StopSignal,
    said: mpsc::Sender<AttemptEvent>,
) -> Ended {
    let started = std::time::Instant::now();
    let mut conversation = Conversation {
        call,
        client,
        hosts,
        journal: Journal::new(Record::new(call.log.clone(), said.clone(), Secrets::default()), secrets.clone()),
        secrets,
        said,
        watch: Watch::new(stop, call.spec.timeout),
        remote_id: call.remote_id.clone(),
        answer: None,
        last_line: String::new(),
    };
    let call_end = conversation.carry_out().await;
    let (end, remote_id) = conversation.close(call_end).await;
    let Conversation { journal, answer, secrets, .. } = conversation;
    Ended { end, duration: started.elapsed(), tail: journal.finish(), pid: None, answer, remote_id }.without(&secrets)
}

/// A call under way.
struct Conversation<'a> {
    call: &'a Call,
    client: Client,
    hosts: &'a Hosts,
    secrets: Secrets,
    journal: Journal,
    said: mpsc::Sender<AttemptEvent>,
    watch: Watch,
    /// The id of the job that is followed.
    remote_id: Option<String>,
    answer: Option<Value>,
    last_line: String,
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
            match self.follow(&job, true).await {
                Ok(()) => {}
                Err(end) => return end,
            }
            self.journal.write(&format!("the service no longer knows {job}; triggering again"));
            self.remote_id = None;
        }
        match self.trigger().await {
            Ok(job) => match self.follow(&job, false).await {
                Ok(()) => CallEnd::Ended { end: End::Vanished, remote_id: None },
                Err(end) => end,
            },
            Err(end) => end,
        }
    }

    /// Starts a job.
    async fn trigger(&mut self) -> Result<String, CallEnd> {
        let request = Requests(self.call).trigger().map_err(|why| self.not_sendable(why))?;
        let asked = self.ask(&request, RequestKind::Trigger).await?;
        match triggering::judge(asked, &request, &self.call.spec.job_id) {
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

    /// Asks for a job's state until the job has ended. `Ok` only when the service does not know a job of an earlier attempt (`from_before`).
    async fn follow(&mut self, job: &str, from_before: bool) -> Result<(), CallEnd> {
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
                    self.answer = Some(state.answer);
                    self.write_change(state.line);
                }
                JobStatus::Succeeded(state) => {
                    self.answer = Some(state.answer);
                    self.write_change(state.line);
                    return Err(CallEnd::Ended { end: End::Completed, remote_id: None });
                }
                JobStatus::Failed(state, why) => {
                    self.answer = Some(state.answer);
                    self.write_change(state.line);
                    return Err(CallEnd::reported(why, Fault::Transient, None));
                }
                JobStatus::Unknown(_) if !was_seen => return Ok(()),
                JobStatus::Unknown(status) => {
                    self.journal.write(&format!("the service does not know its job {job} any more ({})", status.as_u16()));
                    return Err(CallEnd::Ended { end: End::Vanished, remote_id: None });
                }
                JobStatus::Refused(Refusal { why, fault }) => {
                    self.journal.write(&why);
                    let remote_id = (fault == Fault::Configuration).then(|| job.to_owned());
                    return Err(CallEnd::reported(why, fault, remote_id));
                }
                JobStatus::NoAnswer(why) => {
                    failures += 1;
                    self.journal.write(&why);
                    if failures == MOST_FAILURES {
                        let why = format!("{why}; {failures} times in a row, the job {job} is followed further by the next attempt");
                        return Err(CallEnd::reported(why, Fault::Transient, Some(job.to_owned())));
                    }
                }
            }
            let pause = every.saturating_mul(1 << failures).min(LONGEST_PAUSE.max(every));
            self.watch.during(sleep(pause)).await?;
        }
    }

    /// Sends a request when the limit of its host allows it, and again as long as the service answers 429.
    async fn ask(&mut self, request: &Request, what: RequestKind) -> Result<Result<Answer, Unanswered>, CallEnd> {
        let spec = &self.call.spec;
        let host = self.hosts.of(&request.url, spec.rate);
        let mut guess = (spec.rate.per / spec.rate.requests.max(1)).clamp(Duration::from_secs(1), LONGEST_GUESS);
        loop {
            let turn = match self.watch.during(host.turn(self.watch.deadline)).await? {
                Ok(turn) => turn,
                Err(until) => return Err(self.busy(until)),
            };
            let sending = exchange::send(&self.client, request, spec.request_timeout, &self.secrets);
            let asked = match what {
                RequestKind::Status => self.watch.during(sending).await?,
                RequestKind::Trigger => match self.watch.during_or_while_closing(sending).await {
                    Ok(asked) => asked,
                    Err((interrupt, asked)) => return Err(self.broken_off(interrupt, asked, request).await),
                },
            };
            drop(turn);
            match asked {
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    let (wait, words) = match answer.retry_after {
                        Some(wait) => (wait, "as the service asks"),
                        None => (guess, "as the service does not say how long"),
                    };
                    guess = (guess * 2).min(LONGEST_GUESS);
                    let until = Instant::now() + wait;
                    host.pause_until(until);
                    if until > self.watch.deadline {
                        return Err(self.busy(until));
                    }
                    self.journal.write(&format!("429: waiting {} s {words}", wait.as_secs_f64().ceil()));
                }
                other => return Ok(other),
            }
        }
    }

    /// The call was interrupted while the trigger was under way.
    async fn broken_off(&mut self, interrupt: Interrupt, asked: Option<Result<Answer, Unanswered>>, request: &Request) -> CallEnd {
        let judged = asked.map(|asked| triggering::judge(asked, request, &self.call.spec.job_id));
        match judged {
            Some(Ok((job, status))) => self.triggered(&job, status).await,
            Some(Err(refusal)) => self.journal.write(&refusal.why),
            None => {
                let why = format!("{} had no answer yet; {MAY_HAVE_STARTED}", request.shown());
                self.journal.write(&why);
                if interrupt == Interrupt::TimeUp {
                    return CallEnd::reported(why, Fault::Uncertain, None);
                }
            }
        }
        CallEnd::Interrupted(interrupt)
    }

    /// The service refuses requests until after the deadline of the call.
    fn busy(&mut self, until: Instant) -> CallEnd {
        let wait = TimeDelta::from_std(until.saturating_duration_since(Instant::now())).unwrap_or_default();
        let until = (Utc::now() + wait).to_rfc3339_opts(SecondsFormat::Secs, true);
        let why = format!("the service has too much to do, and wants to be left alone until {until}");
        self.journal.write(&why);
        CallEnd::reported(why, Fault::Busy, self.remote_id.clone())
    }

    /// A value that only this request has cannot be sent.
    fn not_sendable(&mut self, why: String) -> CallEnd {
        self.journal.write(&why);
        CallEnd::Ended { end: End::SpawnFailed(why), remote_id: self.remote_id.clone() }
    }

    fn write_change(&mut self, line: String) {
        if line != self.last_line {
            self.journal.write(&line);
            self.last_line = line;
        }
    }

    /// Cancels the job if the call was interrupted. Returns the end, and the job that the next attempt resumes.
    async fn close(&mut self, call_end: CallEnd) -> (End, Option<String>) {
        match call_end {
            CallEnd::Ended { end, remote_id } => (end, remote_id),
            CallEnd::Interrupted(Interrupt::StoppedAtOnce) => self.stopped(false),
            CallEnd::Interrupted(Interrupt::Stopped) => {
                let is_cancelled = self.cancel().await;
                self.stopped(is_cancelled)
            }
            CallEnd::Interrupted(Interrupt::TimeUp) => {
                let is_cancelled = self.cancel().await;
                let Some(job) = &self.remote_id else {
                    let why = "no request was sent: the configured rate of the service allowed none before the timeout";
                    self.journal.write(why);
                    return (End::Reported { why: why.to_owned(), fault: Fault::Busy }, None);
                };
                if is_cancelled {
                    self.journal.write(&format!("time is up; the job {job} was cancelled"));
                    (End::TimedOut, None)
                } else if self.call.remote_id.as_ref() == Some(job) && self.answer.is_some() {
                    // This job has timed out in two attempts. It is given up, so that a stuck job does not block the work for ever.
                    let why = format!("time is up again; its job {job} is given up, though the service may still be working on it");
                    self.journal.write(&why);
                    (End::Reported { why, fault: Fault::Uncertain }, None)
                } else {
                    self.journal
                        .write(&format!("time is up; the service may still be working on its job {job}, which is followed further"));
                    (End::TimedOut, Some(job.clone()))
                }
            }
        }
    }

    fn stopped(&mut self, is_cancelled: bool) -> (End, Option<String>) {
        let remote_id = self.remote_id.clone().filter(|_| !is_cancelled);
        match (&self.remote_id, &remote_id) {
            (Some(_), Some(job)) => {
                self.journal.write(&format!("stopped; the service may still be working on its job {job}, which the next attempt follows"));
            }
            (Some(job), None) => self.journal.write(&format!("stopped; the job {job} was cancelled")),
            (None, _) => {}
        }
        (End::Stopped, remote_id)
    }

    /// Asks the service to cancel the job. Returns whether the job is cancelled; without a `cancel` request it never is.
    async fn cancel(&mut self) -> bool {
        let Some(request) = self.remote_id.as_deref().and_then(|job| Requests(self.call).cancel(job)) else { return false };
        let request = match request {
            Ok(request) => request,
            Err(why) => {
                self.journal.write(&why);
                return false;
            }
        };
        let _turn = self.hosts.of(&request.url, self.call.spec.rate).turn_now();
        let sending = exchange::send(&self.client, &request, self.call.spec.request_timeout, &self.secrets);
        match self.watch.while_closing(sending).await {
            Some(Ok(answer)) => {
                self.journal.write(&format!("{} answers {}", request.shown(), answer.summary()));
                // A job that the service does not know is not running.
                answer.is_good() || matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE)
            }
            Some(Err(unanswered)) => {
                self.journal.write(unanswered.why());
                false
            }
            None => {
                self.journal.write(&format!("{} has no answer in time", request.shown()));
                false
            }
        }
    }
}
