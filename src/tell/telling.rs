//! Runs the channels beside a run, and gives them a bounded time after its end. A channel that fails or panics costs only itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::channel::{Channel, Feed, Report, Trouble, Troubles};
use super::events::Events;
use crate::plan::run::told::{RunBegin, RunEnd};
use crate::plan::text::span;

/// The channels of a run that goes on. When it is dropped, they are told no more.
#[derive(Debug)]
pub struct Telling {
    timeout: Duration,
    end: watch::Sender<Option<Arc<RunEnd>>>,
    tasks: Vec<Task>,
    troubles: Troubles,
}

#[derive(Debug)]
struct Task {
    channel: &'static str,
    handle: JoinHandle<Result<(), Trouble>>,
}

/// What became of a channel in a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Its key below `tell:`.
    pub channel: &'static str,
    /// Why its receiver was not told everything.
    pub result: Result<(), Trouble>,
}

impl Telling {
    /// Starts to tell of a run that has just begun. With `is_quiet`, [`Troubles::unsaid`] has what could not be told, and the log does not.
    #[must_use]
    pub fn begin(channels: Vec<Arc<dyn Channel>>, (timeout, is_quiet): (Duration, bool), run: RunBegin, events: &mut Events) -> Self {
        let (end, receiver) = watch::channel(None);
        let troubles = Troubles::new(is_quiet);
        let run = Arc::new(run);
        let start = |channel: Arc<dyn Channel>| {
            let name = channel.name();
            let report = Report { channel: name, troubles: troubles.clone() };
            let feed = Feed { events: events.subscribe(), end: receiver.clone(), report };
            let run = run.clone();
            // Log lines have what those of the run have.
            let told = async move { channel.tell(&run, feed).await }.instrument(tracing::error_span!("tell", channel = name));
            Task { channel: name, handle: tokio::spawn(told) }
        };
        let tasks = channels.into_iter().map(start).collect();
        Self { timeout, end, tasks, troubles }
    }

    /// What could not be told so far, each in a sentence.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.so_far()
    }

    /// Where troubles are noted, also those of the end.
    #[must_use]
    pub fn notes(&self) -> Troubles {
        self.troubles.clone()
    }

    /// Tells how the run ended, and waits for all channels at the same time, until the time that they have is over or `hurry` resolves.
    /// What is not told then is not told. The events of the run must have ended.
    pub async fn finish(self, end: RunEnd, hurry: impl Future<Output = ()>) -> Vec<Told> {
        let Self { timeout, end: sender, tasks, troubles } = self;
        let deadline = Instant::now() + timeout;
        // It fails when no channel is left to be told.
        let _ = sender.send(Some(Arc::new(end)));
        let hurry = futures::FutureExt::shared(hurry);
        let wait = |Task { channel, mut handle }| {
            let hurry = hurry.clone();
            async move {
                let late = format!("not everything was told within {}", span::exact(timeout));
                let result = tokio::select! {
                    biased;
                    done = timeout_at(deadline, &mut handle) => match done {
                        Ok(Ok(result)) => result,
                        Ok(Err(_)) => Err(Trouble("it failed by a bug of etl-orch".to_owned())),
                        Err(_) => Err(Trouble(late)),
                    },
                    () = hurry => Err(Trouble("not everything was told before the process was asked to end".to_owned())),
                };
                handle.abort();
                Told { channel, result }
            }
        };
        let told = futures::future::join_all(tasks.into_iter().map(wait)).await;
        for Told { channel, result } in &told {
            if let Err(trouble) = result {
                troubles.note(channel, trouble);
            }
        }
        told
    }
}

/// What became of a message that was sent to try a channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Tested {
    /// Its key below `tell:`.
    pub channel: &'static str,
    /// What was sent, or why it was not received.
    pub result: Result<String, Trouble>,
}

/// Tries all channels at the same time.
pub async fn test(channels: Vec<Arc<dyn Channel>>, timeout: Duration) -> Vec<Tested> {
    let try_one = |channel: Arc<dyn Channel>| async move {
        // A request that takes too long says so itself.
        let tried = tokio::time::timeout(timeout + Duration::from_secs(1), channel.test()).await;
        let result = tried.unwrap_or_else(|_| Err(Trouble(format!("no answer within {}", span::exact(timeout)))));
        Tested { channel: channel.name(), result }
    };
    futures::future::join_all(channels.into_iter().map(try_one)).await
}
