//! One attempt of a job, from its claim to the record of its end. Everything is recorded before it is acted on.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, oneshot, watch};

use super::output::{self, Published};
use super::workshop::{Paths, Workshop};
use crate::execute::{End, Ended, Said, Stop};
use crate::plan::decision::Why;
use crate::plan::etl::{Etl, ReportsBy};
use crate::plan::event::Event;
use crate::plan::ids::JobId;
use crate::plan::job::{AttemptEnd, Claim, Claimed, ReportRow};
use crate::plan::memory::Memory;
use crate::plan::outcome::{Class, Outcome};
use crate::plan::planner::PlannedJob;
use crate::plan::schedule::{After, JobIndex, after};
use crate::store::{self, StoreError};

/// An attempt that is over sooner has its pid recorded with its end only.
const SHORT: Duration = Duration::from_secs(1);

/// Lines of a child that wait to be shown; more are dropped from the display, not from the log.
const LINES_WAITING: usize = 256;

/// A job that is ours, between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The right to it.
    pub(super) claim: Claim,
    /// The report that was there before, where one may be (`--force`).
    before: Option<String>,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Report {
    /// Which job.
    pub(super) job: JobIndex,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
    /// What follows.
    pub(super) after: After,
    /// What it meant; `None` where nothing was started.
    pub(super) class: Option<Class>,
    /// Why, unless it succeeded.
    pub(super) reason: Option<String>,
    /// The job, where it is ours and goes on.
    pub(super) held: Option<Held>,
}

/// Which attempt of which job.
#[derive(Debug)]
pub(super) struct Assignment<'a> {
    /// Its position in the plan.
    pub(super) index: JobIndex,
    /// The job.
    pub(super) job: &'a PlannedJob,
    /// Its id.
    pub(super) id: JobId,
    /// From 1.
    pub(super) attempt: u32,
    /// From the attempt before, unless this is the first.
    pub(super) held: Option<Held>,
    /// Uniform in `0.0..1.0`, for the jitter of the wait that may follow.
    pub(super) random: f64,
}

impl Workshop {
    /// Carries out one attempt.
    ///
    /// # Errors
    /// When the database fails: then nothing is known to be recorded.
    pub(super) async fn attempt(
        &self,
        assignment: Assignment<'_>,
        stop: watch::Receiver<Stop>,
        events: &(dyn Fn(Event) + Send + Sync),
    ) -> Result<Report, StoreError> {
        let Assignment { index, job, id, attempt, held, random } = assignment;
        let paths = self.paths(job, id, attempt);
        let report = |after, class, reason, held| Report { job: index, attempt, after, class, reason, held };
        let held = match self.take(job, id, attempt, held, &paths).await? {
            Taken::Ours(held) => held,
            Taken::NotOurs(after, why) => return Ok(report(after, None, Some(why), None)),
        };
        let etl = self.etl(job);
        events(Event::AttemptStarted { job: index, attempt, of: etl.retry.max_attempts });

        let (ended, (outcome, published)) = match prepare(&paths) {
            Ok(()) => {
                let ended = self.execute(index, job, id, &held, attempt, &paths, stop, events).await;
                let outcome = self.outcome(job, &held, &ended, &paths).await?;
                (ended, outcome)
            }
            Err(error) => {
                let why = format!("cannot prepare {}: {error}", paths.work_dir.display());
                let ended = Ended { end: End::SpawnFailed(why.clone()), duration: Duration::ZERO, tail: String::new(), pid: None };
                (ended, (Outcome::SpawnFailed { why, may_pass: true }, None))
            }
        };
        let judge = |outcome| Judgement::new(etl, outcome, attempt, random, &ended);
        let mut judgement = judge(outcome);
        let row = published.map(|published| self.report_row(job, id, attempt, published.content, judgement.end.ended_at));
        let recorded = match self.record(held.claim, &judgement, row.as_ref()).await {
            Err(error) if row.is_some() && error.is_about_values() => {
                judgement = judge(Outcome::NoOutput(format!("exit 0, but the report's row cannot be written: {error}")));
                self.record(held.claim, &judgement, None).await?
            }
            recorded => recorded?,
        };
        let Judgement { class, after, reason, .. } = judgement;
        if !recorded {
            let lost = "its claim was taken by another invocation; nothing was recorded".to_owned();
            return Ok(report(After::Fail, Some(class), Some(lost), None));
        }
        if after == After::Succeed {
            clear(&paths.work_dir);
        }
        Ok(report(after, Some(class), reason, Some(held)))
    }

    /// Records the end of an attempt and what follows; whether the claim was still ours.
    async fn record(&self, claim: Claim, judgement: &Judgement, row: Option<&ReportRow>) -> store::Result<bool> {
        let Judgement { after, end, .. } = judgement;
        let why = judgement.reason.as_deref().unwrap_or_default();
        match after {
            After::Succeed => self.store.succeed(claim, end, row).await,
            After::Retry(_) | After::Later(_) => self.store.end_attempt(claim, end).await,
            After::Fail => self.store.fail(claim, end, why, &Memory::default()).await,
            After::Skip => self.store.skip(claim, end, why, &Memory::default()).await,
            After::Cancel => self.store.cancel(claim, Some(end), why, end.ended_at).await,
        }
    }

    /// Claims the job for its first attempt, or records a further one.
    async fn take(&self, job: &PlannedJob, id: JobId, attempt: u32, held: Option<Held>, paths: &Paths) -> store::Result<Taken> {
        let log = paths.log.to_string_lossy();
        if let Some(held) = held {
            let recorded = self.store.begin_attempt(held.claim, attempt, None, &log, Utc::now()).await? == crate::plan::job::Begun::Yes;
            return Ok(if recorded { Taken::Ours(held) } else { Taken::lost() });
        }
        let key = self.report_key(job);
        let before = match (&self.etl(job).reports, job.why) {
            (ReportsBy::Etl, Why::Forced) => self.store.report_fingerprint(&key).await?,
            (ReportsBy::Etl, Why::Missing) | (ReportsBy::Orchestrator { .. }, _) => None,
        };
        Ok(
            match self
                .store
                .claim(&crate::plan::job::ClaimRequest { job: id, report: &key, planned_fence: 0, pool: None, log: &log, at: Utc::now() })
                .await?
            {
                Claimed::Yes { claim, .. } => Taken::Ours(Held { claim, before }),
                Claimed::AlreadyDone => Taken::NotOurs(After::Succeed, "its report was made elsewhere meanwhile".to_owned()),
                Claimed::Elsewhere { owner } => {
                    Taken::NotOurs(After::Skip, format!("process {} on {} is making its report", owner.pid, owner.host))
                }
                Claimed::Gone | Claimed::HeldBack | Claimed::PoolFull | Claimed::Ordered(_) => Taken::lost(),
            },
        )
    }

    #[expect(clippy::too_many_arguments, reason = "an attempt has that many sides")]
    async fn execute(
        &self,
        index: JobIndex,
        job: &PlannedJob,
        id: JobId,
        held: &Held,
        attempt: u32,
        paths: &Paths,
        stop: watch::Receiver<Stop>,
        events: &(dyn Fn(Event) + Send + Sync),
    ) -> Ended {
        let task = self.task(job, id, attempt, held.claim, paths);
        let (said, mut hear) = mpsc::channel(LINES_WAITING);
        let (started, mut has_started) = oneshot::channel();
        let listen = async {
            let mut started = Some(started);
            while let Some(said) = hear.recv().await {
                match said {
                    Said::Spawned(pid) => drop(started.take().map(|started| started.send(pid))),
                    Said::Line(text) => events(Event::Line { job: index, text }),
                }
            }
        };
        // The pid is for people who look while it runs; it is recorded with the end in any case.
        let record = async {
            let Ok(pid) = (&mut has_started).await else { return };
            tokio::time::sleep(SHORT).await;
            if let Err(error) = self.store.attempt_spawned(held.claim, attempt, pid).await {
                tracing::warn!("{error}");
            }
        };
        let run = async { tokio::join!(self.executor.run(task, stop, said), listen).0 };
        tokio::pin!(run, record);
        tokio::select! {
            ended = &mut run => ended,
            () = &mut record => run.await,
        }
    }

    /// What the end of the process means: exit 0 is a success only when the report is there.
    async fn outcome(&self, job: &PlannedJob, held: &Held, ended: &Ended, paths: &Paths) -> store::Result<(Outcome, Option<Published>)> {
        let etl = self.etl(job);
        let outcome = match &ended.end {
            End::Exited(0) => return self.verify(job, held, paths).await,
            End::Exited(code) => etl.exit_codes.outcome(*code),
            End::Signalled(signal) => Outcome::Signal(*signal),
            End::TimedOut => Outcome::TimedOut(etl.command.timeout),
            End::Stopped => Outcome::Interrupted,
            End::SpawnFailed(why) => Outcome::SpawnFailed { why: why.clone(), may_pass: false },
            End::Unseen(_) => Outcome::Lost,
        };
        Ok((outcome, None))
    }

    async fn verify(&self, job: &PlannedJob, held: &Held, paths: &Paths) -> store::Result<(Outcome, Option<Published>)> {
        if let (Some(place), Some(written)) = (self.place(job), paths.output.clone()) {
            let published = tokio::task::spawn_blocking(move || output::publish(&written, &place)).await;
            return Ok(match published {
                Ok(Ok(published)) => (Outcome::Succeeded, Some(published)),
                Ok(Err(unusable)) => (Outcome::NoOutput(unusable.to_string()), None),
                Err(panic) => (Outcome::NoOutput(panic.to_string()), None),
            });
        }
        let key = self.report_key(job);
        let outcome = match self.store.report_fingerprint(&key).await? {
            None => Outcome::NoOutput(format!(
                "exit 0, but the reports table has no {} for bank_id {}, {}",
                key.report_type, key.bank_id, key.period
            )),
            now if now == held.before => Outcome::NoOutput(format!("exit 0, but the {} is the one that was there before", key.report_type)),
            Some(_) => Outcome::Succeeded,
        };
        Ok((outcome, None))
    }
}

/// What the end of an attempt means, and what follows.
struct Judgement {
    class: Class,
    after: After,
    reason: Option<String>,
    end: AttemptEnd,
}

impl Judgement {
    fn new(etl: &Etl, outcome: Outcome, attempt: u32, random: f64, ended: &Ended) -> Self {
        let class = etl.exit_codes.classify(&outcome);
        Self {
            class,
            after: after(class, attempt, &etl.retry, random),
            reason: (outcome != Outcome::Succeeded).then(|| explain(&outcome, &ended.tail)),
            end: AttemptEnd {
                attempt,
                outcome,
                ended_at: Utc::now(),
                duration_ms: i64::try_from(ended.duration.as_millis()).unwrap_or(i64::MAX),
                tail: ended.tail.clone(),
                pid: ended.pid,
            },
        }
    }
}

enum Taken {
    Ours(Held),
    NotOurs(After, String),
}

impl Taken {
    fn lost() -> Self {
        Self::NotOurs(After::Fail, "its record was changed by another invocation".to_owned())
    }
}

/// Makes the workspace, and clears it of outputs that earlier attempts left: what this attempt is taken for, it made.
fn prepare(paths: &Paths) -> io::Result<()> {
    let mut directory = std::fs::DirBuilder::new();
    match directory.mode(0o700).create(&paths.work_dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(_) => directory.recursive(true).create(&paths.work_dir)?,
    }
    for entry in std::fs::read_dir(&paths.work_dir)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("output-") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The gap is filled: what the ETL left in its workspace goes. The directory itself stays until the run is over
/// ([`remove_workspaces`]), as file systems are slow at making what was removed a moment ago.
fn clear(work_dir: &Path) {
    let is_empty = std::fs::read_dir(work_dir).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty && let Err(error) = std::fs::remove_dir_all(work_dir) {
        tracing::warn!("cannot remove the workspace {}: {error}", work_dir.display());
    }
}

/// Removes the workspaces of filled gaps.
pub(super) fn remove_workspaces(work_dirs: impl Iterator<Item = PathBuf>) {
    for work_dir in work_dirs {
        // Gone already, or not empty: then its removal has failed before, and was told.
        let _ = std::fs::remove_dir(work_dir);
    }
}

/// The outcome, and the last line that the process printed: usually what went wrong.
fn explain(outcome: &Outcome, tail: &str) -> String {
    let speaks = matches!(outcome, Outcome::ExitCode(_) | Outcome::Signal(_) | Outcome::NotReady(_) | Outcome::TimedOut(_));
    match tail.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(last) if speaks => format!("{outcome} - {}", last.trim()),
        _ => outcome.to_string(),
    }
}
