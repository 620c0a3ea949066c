//! How a call ends: what becomes of its job at the service.

use reqwest::StatusCode;

use super::super::exchange;
use super::super::interrupt::Interrupt;
use super::super::request::Requests;
use super::{CallEnd, Conversation};
use crate::plan::model::outcome::Fault;
use crate::plan::run::ended::End;

impl Conversation<'_> {
    /// Cancels the job if the call was interrupted. Returns the end, and the job that the next attempt resumes.
    pub(super) async fn close(&mut self, call_end: CallEnd) -> (End, Option<String>) {
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
                let state = self.last_state.as_ref().map(|state| format!(" in state {state:?}")).unwrap_or_default();
                if is_cancelled {
                    self.journal.write(&format!("time is up{state}; the job {job} was cancelled"));
                    (End::TimedOut, None)
                } else if self.call.remote_id.as_ref() == Some(job) && (self.answer.is_some() || self.is_unreadable) {
                    // This job has timed out in two attempts. It is given up, so that a stuck job does not block the work for ever.
                    let why = format!("time is up again{state}; its job {job} is given up, though the service may still be working on it");
                    self.journal.write(&why);
                    (End::Reported { why, fault: Fault::Uncertain }, None)
                } else {
                    let why = format!("time is up{state}; the service may still be working on its job {job}, which is followed further");
                    self.journal.write(&why);
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
        let sending = exchange::send(&self.clients.fresh, &request, self.call.spec.request_timeout, &self.secrets);
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
