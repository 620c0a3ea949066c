//! Sends the requests of a call when their host takes them.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use tokio::time::Instant;

use super::super::exchange::{self, Answer, Later};
use super::super::interrupt::Interrupt;
use super::super::rates::Reason;
use super::super::request::{Request, Requests};
use super::super::triggering::{self, MAY_HAVE_STARTED};
use super::super::unanswered::Unanswered;
use super::super::waits::SHORTEST_TOLD;
use super::{CallEnd, Conversation, RequestKind};
use crate::plan::model::outcome::Fault;
use crate::plan::run::event::{ServiceWait, WaitReason};

/// After a 429 without `Retry-After` the wait begins with this, and doubles up to the next.
const SHORTEST_GUESS: Duration = Duration::from_secs(1);
const LONGEST_GUESS: Duration = Duration::from_secs(300);

/// Where there is no other news, the log tells a wait again after this long.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

impl Conversation<'_> {
    /// Sends a request when the limit of its host allows it, and again as long as the service asks to come later.
    pub(super) async fn ask(&mut self, request: &Request, what: RequestKind) -> Result<Result<Answer, Unanswered>, CallEnd> {
        let spec = &self.call.spec;
        let host = self.hosts.of(&request.url, spec.rate);
        let guess = spec.rate.map_or(SHORTEST_GUESS, |rate| rate.per / rate.requests.max(1));
        let mut guess = guess.clamp(SHORTEST_GUESS, LONGEST_GUESS);
        loop {
            self.tell_wait(request, host.expected_wait(&request.route));
            let turn = match self.watch.during(host.turn(&request.route, self.watch.deadline)).await? {
                Ok(turn) => turn,
                Err(until) => return Err(self.busy(until)),
            };
            self.waits.tell(None);
            let client = match what {
                RequestKind::Status => &self.clients.shared,
                RequestKind::Trigger => &self.clients.fresh,
            };
            let sending = exchange::send(client, request, spec.request_timeout, &self.secrets);
            let asked = match what {
                RequestKind::Status => self.watch.during(sending).await?,
                RequestKind::Trigger => match self.watch.during_or_while_closing(sending).await {
                    Ok(asked) => asked,
                    Err((interrupt, asked)) => return Err(self.broken_off(interrupt, asked, request).await),
                },
            };
            drop(turn);
            match asked {
                Ok(answer) => {
                    let Some(later) = answer.later() else { return Ok(Ok(answer)) };
                    let (wait, words) = match later {
                        Later::After(wait) => (wait, "as the service asks"),
                        Later::Sometime => (guess, "as the service does not say how long"),
                    };
                    guess = (guess * 2).min(LONGEST_GUESS);
                    host.pause(&request.route, wait);
                    let until = Instant::now() + wait;
                    if until > self.watch.deadline {
                        return Err(self.busy(until));
                    }
                    self.journal.write(&format!("{}: waiting {} s {words}", answer.status.as_u16(), seconds(wait)));
                    self.waiting_told = Some(Instant::now());
                }
                Err(unanswered) => return Ok(Err(unanswered)),
            }
        }
    }

    /// Tells how long a request waits for its turn; in the log not again while there is no other news, or only after a while.
    fn tell_wait(&mut self, request: &Request, (wait, reason): (Duration, Reason)) {
        if wait < SHORTEST_TOLD {
            return;
        }
        let host = request.host();
        let told = match reason {
            Reason::Rate => WaitReason::Rate,
            Reason::Asked => WaitReason::Pause(Utc::now() + TimeDelta::from_std(wait).unwrap_or_default()),
        };
        self.waits.tell(Some(ServiceWait { host: self.secrets.clean(&host).into_owned(), reason: told }));
        if self.waiting_told.is_some_and(|at| at.elapsed() < TOLD_AGAIN) {
            return;
        }
        let wait = seconds(wait);
        self.journal.write(&match reason {
            Reason::Rate => format!("waiting {wait}s for the rate of {host}"),
            Reason::Asked => format!("waiting {wait}s, as {host} has too much to do"),
        });
        self.waiting_told = Some(Instant::now());
    }

    /// The call was interrupted while the trigger was under way.
    async fn broken_off(&mut self, interrupt: Interrupt, asked: Option<Result<Answer, Unanswered>>, request: &Request) -> CallEnd {
        let judged = asked.map(|asked| triggering::judge(asked, request, &Requests(self.call)));
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
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
