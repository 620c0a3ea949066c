//! One call: triggers a job, or takes up one from before, and asks for its state until that is the last.

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
use super::following::{self, Seen};
use super::hosts::Hosts;
use super::interrupt::{Interrupt, Watch};
use super::journal::{Journal, Redaction};
use super::request::{Request, Requests};
use super::triggering::{self, PERHAPS, Refusal};
use super::unanswered::Unanswered;
use crate::plan::model::outcome::Fault;
use crate::plan::run::ended::{End, Ended};

/// After so many questions in a row that found nothing out the attempt is over.
const MOST_FAILURES: u32 = 5;
/// Waits between them grow up to this, or to the usual one where that is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Waits that nobody asked for in seconds grow up to this.
const LONGEST_GUESS: Duration = Duration::from_secs(300);

/// For so long whoever listens may take to hear of a job's id.
const LONGEST_HEARING: Duration = Duration::from_secs(10);

/// How a call comes to its end.
enum Over {
    /// By itself.
    Ended {
        end: End,
        /// The job that is to be followed further.
        open: Option<String>,
    },
    /// Something broke in.
    Interrupted(Interrupt),
}

impl From<Interrupt> for Over {
    fn from(interrupt: Interrupt) -> Self {
        Self::Interrupted(interrupt)
    }
}

impl Over {
    fn reported(why: String, fault: Fault, open: Option<String>) -> Self {
        Self::Ended { end: End::Reported { why, fault }, open }
    }
}

/// Runs a call whose requests can be sent.
pub(super) async fn run(
    call: &Call,
    client: Client,
    hosts: &Hosts,
    secrets: Vec<String>,
    stop: StopSignal,
    said: mpsc::Sender<AttemptEvent>,
) -> Ended {
    let started = std::time::Instant::now();
    let mut conversation = Conversation {
        call,
        client,
        hosts,
        redaction: Redaction::new(secrets),
        journal: Journal::new(Record::new(call.log.clone(), said.clone())),
        said,
        watch: Watch::new(stop, call.spec.timeout),
        job: call.resume.clone(),
        answer: None,
        last_line: String::new(),
    };
    let over = conversation.carry_out().await;
    let (end, open) = conversation.close(over).await;
    let Conversation { journal, answer, .. } = conversation;
    Ended { end, duration: started.elapsed(), tail: journal.finish(), pid: None, answer, open }
}

/// A call under way.
struct Conversation<'a> {
    call: &'a Call,
    client: Client,
    hosts: &'a Hosts,
    redaction: Redaction,
    journal: Journal,
    said: mpsc::Sender<AttemptEvent>,
    watch: Watch,
    /// The job that is followed.
    job: Option<String>,
    answer: Option<Value>,
    last_line: String,
}

/// Which request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Trigger,
    Status,
}

impl Conversation<'_> {
    async fn carry_out(&mut self) -> Over {
        if let Some(job) = self.call.resume.clone() {
            match self.follow(&job, true).await {
                Ok(()) => {}
                Err(over) => return over,
            }
            self.journal.tell(&format!("the service no longer knows {job}; triggering again"));
            self.job = None;
        }
        match self.trigger().await {
            Ok(job) => match self.follow(&job, false).await {
                Ok(()) => Over::Ended { end: End::Vanished, open: None },
                Err(over) => over,
            },
            Err(over) => over,
        }
    }

    /// Starts a job.
    async fn trigger(&mut self) -> Result<String, Over> {
        let request = Requests(self.call).trigger().map_err(|why| self.not_sendable(why))?;
        let asked = self.ask(&request, Asked::Trigger).await?;
        match triggering::judge(asked, &request, &self.call.spec.job_id) {
            Ok((job, status)) => {
                self.triggered(&job, status).await;
                Ok(job)
            }
            Err(Refusal { why, fault }) => {
                self.journal.tell(&why);
                Err(Over::reported(why, fault, None))
            }
        }
    }

    async fn triggered(&mut self, job: &str, status: StatusCode) {
        // Who is to keep the id is waited for a little, unlike with lines. The listener may have gone away; the job goes on.
        let _ = self.said.send_timeout(AttemptEvent::Triggered(job.to_owned()), LONGEST_HEARING).await;
        self.journal.tell(&format!("triggered: job {job} (HTTP {})", status.as_u16()));
        self.job = Some(job.to_owned());
    }

    /// Asks for a job's state until that is the last one. Comes back only when one from before is not known.
    async fn follow(&mut self, job: &str, from_before: bool) -> Result<(), Over> {
        let every = self.call.spec.every;
        let request = Requests(self.call).status(job).map_err(|why| self.not_sendable(why))?;
        let (mut failures, mut was_seen) = (0, !from_before);
        if !from_before {
            self.watch.during(sleep(every)).await?;
        }
        loop {
            let asked = self.ask(&request, Asked::Status).await?;
            match following::judge(asked, &request, &self.call.spec) {
                Seen::GoesOn(state) => {
                    (failures, was_seen) = (0, true);
                    self.answer = Some(state.answer);
                    self.tell_change(state.line);
                }
                Seen::Succeeded(state) => {
                    self.answer = Some(state.answer);
                    self.tell_change(state.line);
                    return Err(Over::Ended { end: End::Completed, open: None });
                }
                Seen::Failed(state, why) => {
                    self.answer = Some(state.answer);
                    self.tell_change(state.line);
                    return Err(Over::reported(why, Fault::Transient, None));
                }
                Seen::Unknown(_) if !was_seen => return Ok(()),
                Seen::Unknown(status) => {
                    self.journal.tell(&format!("the service does not know its job {job} any more ({})", status.as_u16()));
                    return Err(Over::Ended { end: End::Vanished, open: None });
                }
                Seen::Refused(Refusal { why, fault }) => {
                    self.journal.tell(&why);
                    let open = (fault == Fault::Configuration).then(|| job.to_owned());
                    return Err(Over::reported(why, fault, open));
                }
                Seen::Nothing(why) => {
                    failures += 1;
                    self.journal.tell(&why);
                    if failures == MOST_FAILURES {
                        let why = format!("{why}; {failures} times in a row, the job {job} is followed further by the next attempt");
                        return Err(Over::reported(why, Fault::Transient, Some(job.to_owned())));
                    }
                }
            }
            let pause = every.saturating_mul(1 << failures).min(LONGEST_PAUSE.max(every));
            self.watch.during(sleep(pause)).await?;
        }
    }

    /// Sends a request when it is its turn, and again as long as the service asks to wait.
    async fn ask(&mut self, request: &Request, what: Asked) -> Result<Result<Answer, Unanswered>, Over> {
        let spec = &self.call.spec;
        let host = self.hosts.of(&request.url, spec.rate);
        let mut guess = (spec.rate.per / spec.rate.requests.max(1)).clamp(Duration::from_secs(1), LONGEST_GUESS);
        loop {
            let turn = match self.watch.during(host.turn(self.watch.deadline)).await? {
                Ok(turn) => turn,
                Err(until) => return Err(self.busy(until)),
            };
            let sending = exchange::send(&self.client, request, spec.request_timeout, &self.redaction);
            let asked = match what {
                Asked::Status => self.watch.during(sending).await?,
                Asked::Trigger => match self.watch.see_through(sending).await {
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
                    host.leave_alone(until);
                    if until > self.watch.deadline {
                        return Err(self.busy(until));
                    }
                    self.journal.tell(&format!("429: waiting {} s {words}", wait.as_secs_f64().ceil()));
                }
                other => return Ok(other),
            }
        }
    }

    /// The trigger was under way when something broke in.
    async fn broken_off(&mut self, interrupt: Interrupt, asked: Option<Result<Answer, Unanswered>>, request: &Request) -> Over {
        let judged = asked.map(|asked| triggering::judge(asked, request, &self.call.spec.job_id));
        match judged {
            Some(Ok((job, status))) => self.triggered(&job, status).await,
            Some(Err(refusal)) => self.journal.tell(&refusal.why),
            None => {
                let why = format!("{} had no answer yet; {PERHAPS}", request.shown());
                self.journal.tell(&why);
                if interrupt == Interrupt::TimeUp {
                    return Over::reported(why, Fault::Uncertain, None);
                }
            }
        }
        Over::Interrupted(interrupt)
    }

    /// The service wants to be left alone for longer than there is time.
    fn busy(&mut self, until: Instant) -> Over {
        let wait = TimeDelta::from_std(until.saturating_duration_since(Instant::now())).unwrap_or_default();
        let until = (Utc::now() + wait).to_rfc3339_opts(SecondsFormat::Secs, true);
        let why = format!("the service has too much to do, and wants to be left alone until {until}");
        self.journal.tell(&why);
        Over::reported(why, Fault::Busy, self.job.clone())
    }

    /// A value that only this request has cannot be sent.
    fn not_sendable(&mut self, why: String) -> Over {
        self.journal.tell(&why);
        Over::Ended { end: End::SpawnFailed(why), open: self.job.clone() }
    }

    fn tell_change(&mut self, line: String) {
        if line != self.last_line {
            self.journal.tell(&line);
            self.last_line = line;
        }
    }

    /// Says the last words, and what is left open.
    async fn close(&mut self, over: Over) -> (End, Option<String>) {
        match over {
            Over::Ended { end, open } => (end, open),
            Over::Interrupted(Interrupt::StoppedAtOnce) => self.stopped(false),
            Over::Interrupted(Interrupt::Stopped) => {
                let is_cancelled = self.cancel().await;
                self.stopped(is_cancelled)
            }
            Over::Interrupted(Interrupt::TimeUp) => {
                let is_cancelled = self.cancel().await;
                let Some(job) = &self.job else {
                    let why = "the service was not asked: it takes only so many requests at a time, and the turn of this one did not come";
                    self.journal.tell(why);
                    return (End::Reported { why: why.to_owned(), fault: Fault::Busy }, None);
                };
                if is_cancelled {
                    self.journal.tell(&format!("time is up; the job {job} was cancelled"));
                    (End::TimedOut, None)
                } else if self.call.resume.as_ref() == Some(job) && self.answer.is_some() {
                    // Twice is enough: what is stuck there must not keep the work from being done for ever.
                    let why = format!("time is up again; its job {job} is given up, though the service may still be working on it");
                    self.journal.tell(&why);
                    (End::Reported { why, fault: Fault::Uncertain }, None)
                } else {
                    self.journal.tell(&format!("time is up; the service may still be working on its job {job}, which is followed further"));
                    (End::TimedOut, Some(job.clone()))
                }
            }
        }
    }

    fn stopped(&mut self, is_cancelled: bool) -> (End, Option<String>) {
        let open = self.job.clone().filter(|_| !is_cancelled);
        match (&self.job, &open) {
            (Some(_), Some(job)) => {
                self.journal.tell(&format!("stopped; the service may still be working on its job {job}, which the next attempt follows"));
            }
            (Some(job), None) => self.journal.tell(&format!("stopped; the job {job} was cancelled")),
            (None, _) => {}
        }
        (End::Stopped, open)
    }

    /// Has the job cancelled, where that is possible. Whether it is.
    async fn cancel(&mut self) -> bool {
        let Some(request) = self.job.as_deref().and_then(|job| Requests(self.call).cancel(job)) else { return false };
        let request = match request {
            Ok(request) => request,
            Err(why) => {
                self.journal.tell(&why);
                return false;
            }
        };
        let _turn = self.hosts.of(&request.url, self.call.spec.rate).turn_now();
        let sending = exchange::send(&self.client, &request, self.call.spec.request_timeout, &self.redaction);
        match self.watch.last_words(sending).await {
            Some(Ok(answer)) => {
                self.journal.tell(&format!("{} answers {}", request.shown(), answer.words()));
                // What the service does not know needs no cancelling.
                answer.is_good() || matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE)
            }
            Some(Err(unanswered)) => {
                self.journal.tell(unanswered.why());
                false
            }
            None => {
                self.journal.tell(&format!("{} has no answer in time", request.shown()));
                false
            }
        }
    }
}
