//! Delivers messages to a receiver, in the order in which they were made. Each is in the [`Outbox`] before it is sent, and until it was received or
//! refused for good: a receiver that is down, or a run that dies, costs a delay.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::channel::{Feed, Report, Trouble};
use super::http::{self, Http, Post, Refused};
use super::outbox::{Dropped, LIMITS, Outbox};
use crate::plan::model::tell::{Address, Headers};
use crate::plan::run::delivery::Retry;
use crate::plan::run::event::Event;
use crate::plan::run::told::{RunBegin, RunEnd};

/// While a run goes on, a receiver that took nothing is asked again after this long, unless it says when.
const PAUSE: Duration = Duration::from_secs(60);

/// Delivers JSON by POST.
pub(super) struct Delivery {
    pub(super) http: Http,
    /// After the end of a run it may take this long.
    pub(super) timeout: Duration,
    /// Where messages wait.
    pub(super) directory: PathBuf,
}

/// Where messages go.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// An address of the configuration.
    pub(super) base: &'a Address,
    /// The path below that.
    pub(super) path: &'static str,
    pub(super) headers: &'a Headers,
    /// What the answer of a receiver that has taken a message complains of all the same.
    pub(super) complaint: fn(&[u8]) -> Option<String>,
}

/// What messages are made from.
pub(super) enum News<'a> {
    Event(&'a Event),
    End(&'a RunEnd),
}

impl Target<'_> {
    /// Sends a message. Returns the status of the answer, and what it complains of.
    pub(super) async fn post(&self, http: &Http, body: Vec<u8>) -> Result<(u16, Option<Trouble>), Refused> {
        let post = Post {
            url: http::url_below(self.base, self.path)?,
            shown: self.base,
            headers: self.headers,
            content_type: "application/json",
            body,
        };
        let (status, answer) = http.ask(post).await?;
        Ok((status, (self.complaint)(&answer).map(|complaint| Trouble(format!("{} {complaint}", self.base)))))
    }
}

impl Delivery {
    /// Delivers what earlier runs have left, and what `messages` makes of this one.
    ///
    /// # Errors
    /// When something is left.
    pub(super) async fn deliver(
        &self,
        target: Target<'_>,
        run: &RunBegin,
        feed: Feed,
        messages: impl FnMut(News<'_>) -> Vec<Vec<u8>>,
    ) -> Result<(), Trouble> {
        let report = feed.report.clone();
        let (outbox, found) = Outbox::open(self.directory.clone(), run.id, run.at).await;
        match found {
            Ok(dropped) => report_dropped(&report, dropped),
            Err(error) => report.failed(&Trouble(format!("cannot read {}: {error}", self.directory.display()))),
        }
        let (over, is_over) = watch::channel(None);
        let collecting = async {
            collect(feed, &outbox, messages).await;
            // There is time left to say what is left.
            over.send_replace(Some(Instant::now() + self.timeout / 10 * 9));
        };
        let sending = Sending { http: &self.http, target, outbox: &outbox, report: &report, is_over };
        tokio::join!(collecting, sending.all()).1
    }
}

/// Puts the messages of a run into the outbox, until it ends.
async fn collect(mut feed: Feed, outbox: &Outbox, mut messages: impl FnMut(News<'_>) -> Vec<Vec<u8>>) {
    let report = feed.report.clone();
    let mut dropped = 0;
    let mut add = async |bodies: Vec<Vec<u8>>| {
        for body in bodies {
            let (too_many, kept) = outbox.add(body, Utc::now()).await;
            dropped += too_many;
            if let Err(error) = kept {
                report.failed(&Trouble(format!("what is not received is lost at the end of this run, as it cannot be kept: {error}")));
            }
        }
    };
    while let Some(event) = feed.event().await {
        add(messages(News::Event(&event))).await;
    }
    if let Some(end) = feed.end().await {
        add(messages(News::End(&end))).await;
    }
    report_dropped(&report, dropped);
}

fn report_dropped(report: &Report, dropped: Dropped) {
    if dropped > 0 {
        report.lost(&format!("{dropped} of the oldest messages were dropped before they were received: {LIMITS}"));
    }
}

/// Empties an outbox.
struct Sending<'a> {
    http: &'a Http,
    target: Target<'a>,
    outbox: &'a Outbox,
    report: &'a Report,
    /// Until when it may take, once nothing more is added.
    is_over: watch::Receiver<Option<Instant>>,
}

impl Sending<'_> {
    /// Sends everything until nothing more is added, or there is no more time.
    async fn all(mut self) -> Result<(), Trouble> {
        loop {
            // Looked at before, so that nothing is added after.
            let was_over = self.is_over.borrow().is_some();
            let sent = tokio::select! {
                sent = self.waiting() => sent,
                () = out_of_time(self.is_over.clone()) => Err(Refused::from(Trouble("not everything was received in time".to_owned()))),
            };
            let Err(refused) = sent else {
                if was_over {
                    return Ok(());
                }
                self.until_more().await;
                continue;
            };
            let left = self.left(&refused.why);
            self.report.failed(&left);
            if !self.may_try_again(was_over, refused.retry_after).await {
                return Err(left);
            }
        }
    }

    /// Sends what waits, the oldest first.
    ///
    /// # Errors
    /// Why something waits still.
    async fn waiting(&self) -> Result<(), Refused> {
        let (mut refused_for_good, mut failed, mut after) = (0, None, None);
        let sent = loop {
            let Some((name, body)) = self.outbox.next(after.as_ref()).await else { break failed.map_or(Ok(()), Err) };
            let refused = match self.target.post(self.http, body).await {
                Ok((_, complaint)) => {
                    self.outbox.remove(&name).await;
                    if let Some(complaint) = complaint {
                        self.report.failed(&complaint);
                    }
                    continue;
                }
                Err(refused) => refused,
            };
            match Retry::after(refused.status) {
                Retry::Never => {
                    self.outbox.remove(&name).await;
                    self.report.failed(&Trouble(format!("{}; this message is not sent again", refused.why)));
                    refused_for_good += 1;
                }
                Retry::AfterOthers if failed.is_none() => (failed, after) = (Some(refused), Some(name)),
                Retry::AfterOthers | Retry::Later => break Err(refused),
            }
        };
        if refused_for_good > 0 {
            self.report.lost(&format!("{refused_for_good} messages were refused, and are not sent again"));
        }
        sent
    }

    async fn until_more(&mut self) {
        tokio::select! {
            () = self.outbox.grown() => {}
            // It fails where nothing more is added.
            _ = self.is_over.wait_for(Option::is_some) => {}
        }
    }

    /// Waits until the receiver may be asked again. `false` when there is no time left for that.
    async fn may_try_again(&mut self, was_over: bool, retry_after: Option<Duration>) -> bool {
        let failed_at = Instant::now();
        if !was_over {
            tokio::select! {
                () = sleep(retry_after.unwrap_or(PAUSE)) => return true,
                _ = self.is_over.wait_for(Option::is_some) => {}
            }
        }
        let deadline = self.is_over.borrow().unwrap_or(failed_at);
        match retry_after.map(|wait| failed_at + wait) {
            None => !was_over,
            Some(due) if due < deadline => {
                sleep_until(due).await;
                true
            }
            Some(_) => false,
        }
    }

    fn left(&self, why: &Trouble) -> Trouble {
        // Without their number: it changes, and `-q` says what lasts only once.
        Trouble(format!("{why}; what it has not taken is kept in {}", self.outbox.directory().display()))
    }
}

/// Once nothing more is added, and the time after that has passed.
async fn out_of_time(mut is_over: watch::Receiver<Option<Instant>>) {
    if let Some(deadline) = is_over.wait_for(Option::is_some).await.ok().and_then(|over| *over) {
        sleep_until(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::channel::Troubles;
    use super::*;
    use crate::plan::model::ids::RunId;

    #[tokio::test(start_paused = true)]
    async fn a_receiver_is_asked_again_while_there_is_time() {
        let (long, short) = (Duration::from_secs(3600), Duration::from_secs(5));
        // Whether the run was over, when it ends, how long the receiver asks to be left alone, and when it is asked again.
        for (was_over, ends_after, retry_after, asked_after) in [
            (false, long, None, Some(PAUSE)),
            (false, long, Some(short), Some(short)),
            (false, short, None, Some(short)),
            (false, short, Some(long), None),
            (false, short, Some(2 * short), Some(2 * short)),
            (true, Duration::ZERO, None, None),
            (true, Duration::ZERO, Some(short), Some(short)),
            (true, Duration::ZERO, Some(long), None),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let (outbox, _) = Outbox::open(dir.path().to_owned(), RunId::new(uuid::Uuid::nil()), Utc::now()).await;
            let (http, address) = (Http::new(long), Address::new("http://h/".to_owned(), "http://h"));
            let report = Report { channel: "test", troubles: Troubles::default() };
            let (over, is_over) = watch::channel(None);
            let over = Arc::new(over);
            let began = Instant::now();
            let end = {
                let over = over.clone();
                async move {
                    sleep(ends_after).await;
                    over.send_replace(Some(Instant::now() + 3 * short));
                }
            };
            if was_over {
                end.await;
            } else {
                drop(tokio::spawn(end));
            }
            let target = Target { base: &address, path: "/", headers: &Headers::new(), complaint: |_| None };
            let mut sending = Sending { http: &http, target, outbox: &outbox, report: &report, is_over };
            let asked = sending.may_try_again(was_over, retry_after).await;
            assert_eq!(asked.then(|| began.elapsed()), asked_after, "{was_over} {ends_after:?} {retry_after:?}");
        }
    }
}
