//! The work of an attempt, by its executor.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, oneshot};

use super::Attempt;
use super::said::Heard;
use crate::execute::AttemptEvent;
use crate::plan::run::ended::{End, Ended};
use crate::plan::run::event::JobEvent;

/// The pid of an attempt is recorded once it has run for so long; of a shorter one, with its end only.
const SHORT: Duration = Duration::from_secs(1);

/// Lines of a child that wait to be shown; more are dropped from the display, not from the log.
const LINES_WAITING: usize = 256;

impl Attempt<'_> {
    /// Has the work done, and passes on what it says meanwhile.
    pub(super) async fn execute(&self) -> Ended {
        let (sender, mut receiver) = mpsc::channel(LINES_WAITING);
        let (spawned, has_spawned) = oneshot::channel();
        let heard = Heard::default();
        let listen = async {
            let mut spawned = Some(spawned);
            while let Some(event) = receiver.recv().await {
                match event {
                    AttemptEvent::Spawned(pid) => drop(spawned.take().map(|spawned| spawned.send(pid))),
                    AttemptEvent::Line(text) => self.tell(JobEvent::Line(text)),
                    AttemptEvent::Progress(state) => self.tell(JobEvent::ProgressBar(state)),
                    AttemptEvent::Said(said) => self.hear(&heard, said),
                    AttemptEvent::Waits(wait) => self.tell(JobEvent::WaitsForService(wait)),
                    AttemptEvent::LinesOmitted(lines) => self.tell(JobEvent::LinesOmitted(lines)),
                    AttemptEvent::Triggered(remote_id) => self.follow(Some(&remote_id)).await,
                }
            }
        };
        let triggered_before = self.take_up().await;
        let run = async {
            let work = self.order.context.executor.run(self.task(triggered_before), self.order.stop.clone(), sender);
            let mut ended = tokio::join!(work, listen).0;
            self.hear_last(&heard, std::mem::take(&mut ended.said));
            ended
        };
        let run = async { tokio::join!(run, self.record_said(&heard)).0 };
        let record_pid = self.record_pid(has_spawned);
        tokio::pin!(run, record_pid);
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = &mut record_pid => run.await,
        };
        if self.work().has_remote_id() && ended.remote_id.is_none() && !matches!(ended.end, End::Completed) {
            self.follow(None).await;
        }
        ended
    }

    /// Records that the attempt follows a service's job that was triggered before. Returns how long before; zero where that is not known.
    async fn take_up(&self) -> Duration {
        let Some(remote_id) = &self.active.remote_id else { return Duration::ZERO };
        self.follow(Some(remote_id)).await;
        match self.order.context.store.triggered_at(self.active.claim, remote_id).await {
            Ok(at) => at.and_then(|at| (Utc::now() - at).to_std().ok()).unwrap_or_default(),
            Err(error) => {
                tracing::warn!("{error}");
                Duration::ZERO
            }
        }
    }

    /// Records the process of an attempt that is not over at once, for people who look while it runs. The end has it in any case.
    async fn record_pid(&self, has_spawned: oneshot::Receiver<u32>) {
        let Ok(pid) = has_spawned.await else { return };
        tokio::time::sleep(SHORT).await;
        if let Err(error) = self.order.context.store.attempt_spawned(self.active.claim, self.order.number, pid).await {
            tracing::warn!("{error}");
        }
    }

    /// Records which job of a service is to be followed should this process die; `None`: none. If that fails, at worst another job is
    /// triggered, or one that has ended is asked for once more.
    pub(super) async fn follow(&self, remote_id: Option<&str>) {
        let context = self.order.context;
        let followed = context.ledger.insist(|| context.store.follow(self.active.claim, self.order.number, remote_id)).await;
        if let Err(error) = followed {
            tracing::warn!("{error}");
        }
    }
}
