//! One attempt of a job, from its claim to the record of its end. Everything is recorded before it is acted on.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use super::context::{Paths, RunContext};
use super::ledger::Recorded;
use super::spool::Record;
use super::verdict::{Judgement, Verdict};
use crate::execute::stop::StopSignal;
use crate::execute::{AttemptEvent, End, Ended};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, PlannedJob};
use crate::plan::model::collection::Collected;
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{Begun, Claim, ClaimRequest, ClaimTarget, Claimed, JobState};
use crate::plan::model::outcome::{Class, Outcome};
use crate::plan::model::target::Target;
use crate::plan::remember::failure_history::{Failure, FailureHistory};
use crate::plan::run::event::JobEvent;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::plan::run::schedule::{JobIndex, NextStep};
use crate::plan::run::stop::StopReason;
use crate::store::{self, StoreError};

/// An attempt that is over sooner has its pid recorded with its end only.
pub(super) const SHORT: Duration = Duration::from_secs(1);

/// What is said of a job whose ETL ended well while the database was away.
pub(super) const NOT_LOOKED_AT: &str = "exit 0, but the database is away; the next run looks for the report";

/// What is said of a job that is somebody else's by now.
pub(super) const CLAIM_LOST: &str = "its claim was taken by another invocation; nothing was recorded";

/// A job whose pool is full asks again after this long; who frees it may be another invocation.
const POOL_FULL: Duration = Duration::from_secs(1);

/// Lines of a child that wait to be shown; more are dropped from the display, not from the log.
const LINES_WAITING: usize = 256;

/// A job that is ours, between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveJob {
    /// The right to it.
    pub(super) claim: Claim,
    /// What the gap's runs had come to before.
    history: FailureHistory,
    /// The report that was there before, where one may be (`--force`).
    pub(super) before: Option<String>,
    /// The id of a service's job that was started for it and whose end was not seen.
    remote: Option<String>,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Report {
    /// Which job.
    pub(super) job: JobIndex,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
    /// What follows.
    pub(super) after: NextStep,
    /// What it meant; `None` where nothing was started.
    pub(super) class: Option<Class>,
    /// Why, unless it succeeded.
    pub(super) reason: Option<String>,
    /// The job, where it is ours and goes on.
    pub(super) held: Option<ActiveJob>,
    /// What is remembered of the gap now, and under which fence, where the job failed.
    pub(super) remembered: Option<(i64, FailureHistory)>,
    /// What it collected.
    pub(super) collected: Option<Collected>,
    /// Whether its end waits in the spool.
    pub(super) spooled: bool,
    /// Why no attempt could be begun, so that there is no use in beginning others.
    pub(super) trouble: Option<String>,
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
    pub(super) held: Option<ActiveJob>,
    /// Uniform in `0.0..1.0`, for the jitter of the wait that may follow.
    pub(super) random: f64,
    /// When it began, for the record. The same when it is begun again because the database did not say whether it was.
    pub(super) begins_at: DateTime<Utc>,
    /// To be set once that is on record.
    pub(super) is_begun: Arc<AtomicBool>,
}

impl RunContext {
    /// Carries out one attempt.
    ///
    /// # Errors
    /// When what the attempt came to is recorded nowhere: neither the database nor the spool takes it.
    pub(super) async fn attempt(&self, assignment: Assignment<'_>, stop: StopSignal) -> Result<Report, StoreError> {
        let Assignment { index, job, id, attempt, held, random, begins_at, is_begun } = assignment;
        let paths = self.paths(job, id, attempt);
        let report = |after, reason| Report {
            job: index,
            attempt,
            after,
            class: None,
            reason,
            held: None,
            remembered: None,
            collected: None,
            spooled: false,
            trouble: None,
        };
        let held = match self.take(job, id, attempt, held, &paths, begins_at).await {
            Taken::Ours(held) => held,
            Taken::NotOurs(after, why) => return Ok(report(after, Some(why))),
            Taken::Later(after, held) => return Ok(Report { held, ..report(after, None) }),
            Taken::Never(error, held) => {
                let why = format!("it could not be started: {error}");
                let spooled = match held {
                    Some(held) => self.record_cancelled(job, held.claim, &why).await? == Recorded::Spool,
                    None => false,
                };
                return Ok(Report { spooled, trouble: Some(error.to_string()), ..report(NextStep::Cancel, Some(why)) });
            }
        };
        is_begun.store(true, Ordering::Relaxed);
        let started = JobEvent::AttemptStarted { attempt, of: self.catalogue.retry(job).max_attempts };
        self.events.of_job(index, id, started);

        let (ended, verdict) = match prepare(&paths) {
            Ok(()) => {
                let ended = self.execute(index, job, id, &held, attempt, &paths, stop.clone()).await;
                let verdict = self.verdict(job, (id, attempt), &held, &ended, &paths, begins_at, stop.clone()).await;
                (ended, verdict)
            }
            Err(error) => unprepared(&paths, &error, &held),
        };
        let judge = |verdict: &Verdict| {
            let mut judgement =
                Judgement::new((&self.catalogue.work(job).exit_codes(), self.catalogue.retry(job)), verdict, attempt, random, &ended);
            if let (NextStep::Cancel, Some(reason)) = (judgement.after, stop.reason().filter(StopReason::is_of_job)) {
                judgement.reason = Some(reason.to_string());
            }
            judgement
        };
        let mut judgement = judge(&verdict);
        let mut job_end = self.job_end(job, id, &held, &verdict, &judgement);
        let recorded = match self.record(job, &held, &judgement, job_end.as_ref()).await {
            Err(error) if matches!(verdict, Verdict::Published(..)) && error.is_about_values() => {
                let verdict = Verdict::Outcome(Outcome::NoOutput(format!("exit 0, but the report's row cannot be written: {error}")));
                judgement = judge(&verdict);
                job_end = self.job_end(job, id, &held, &verdict, &judgement);
                self.record(job, &held, &judgement, job_end.as_ref()).await?
            }
            recorded => recorded?,
        };
        let Judgement { class, mut after, mut reason, .. } = judgement;
        let spooled = match recorded {
            Recorded::Database(Finished::ClaimLost) => return Ok(report(NextStep::Fail, Some(CLAIM_LOST.to_owned()))),
            Recorded::Database(Finished::Recorded(JobState::Succeeded)) => {
                (after, reason) = (NextStep::Succeed, None);
                false
            }
            Recorded::Database(Finished::Recorded(_)) => {
                if matches!(verdict, Verdict::Unverified(_)) {
                    reason = Some("exit 0, but the report was not there when it could be looked at".to_owned());
                }
                false
            }
            Recorded::Spool => true,
        };
        if spooled && matches!(after, NextStep::Retry(_)) {
            after = NextStep::Cancel;
        }
        if after == NextStep::Succeed {
            clear(&paths.work_dir);
        }
        let (remembered, collected) = match job_end {
            Some(JobEnd::Failed { history, .. }) if history != held.history => (Some((held.claim.fence, history)), None),
            Some(JobEnd::Succeeded { artifact: Artifact::Collection(collected), .. }) => (None, Some(*collected)),
            Some(
                JobEnd::Succeeded { artifact: Artifact::Report | Artifact::ReportRow(_), .. }
                | JobEnd::Failed { .. }
                | JobEnd::Unverified { .. }
                | JobEnd::Skipped { .. }
                | JobEnd::Cancelled { .. }
                | JobEnd::Lost { .. },
            )
            | None => (None, None),
        };
        let held = matches!(after, NextStep::Retry(_)).then(|| ActiveJob { remote: ended.open.clone(), ..held });
        let trouble = if spooled { self.ledger.hopeless() } else { None };
        Ok(Report { class: Some(class), held, remembered, collected, spooled, trouble, ..report(after, reason) })
    }

    /// Records the end of an attempt, and of its job unless another attempt follows.
    async fn record(
        &self,
        job: &PlannedJob,
        held: &ActiveJob,
        judgement: &Judgement,
        job_end: Option<&JobEnd>,
    ) -> Result<Recorded, StoreError> {
        let record = |end| Record { claim: held.claim, gap: job.key.clone(), remote: judgement.open.clone(), end };
        if let Some(end) = job_end {
            return self.ledger.finish(&record(end.clone())).await;
        }
        let attempt = &judgement.end;
        match self.ledger.end_attempt(held.claim, attempt, judgement.open.as_deref()).await {
            Ok(true) => Ok(Recorded::Database(Finished::Recorded(JobState::Running))),
            Ok(false) => Ok(Recorded::Database(Finished::ClaimLost)),
            Err(error) if error.is_about_values() => Err(error),
            // A job that cannot be tried again, because that could not be recorded, is over.
            Err(error) => {
                let reason = "the database was away, so that no further attempt could be recorded".to_owned();
                self.ledger.spool(&record(JobEnd::Cancelled { attempt: Some(attempt.clone()), reason, at: attempt.ended_at }), error)
            }
        }
    }

    /// How the job ends by this attempt; `None` where another one follows.
    fn job_end(&self, job: &PlannedJob, id: JobId, held: &ActiveJob, verdict: &Verdict, judgement: &Judgement) -> Option<JobEnd> {
        let Judgement { class, after, end, reason, .. } = judgement;
        let attempt = end.clone();
        let why = reason.clone().unwrap_or_default();
        Some(match (verdict, after) {
            (Verdict::Unverified(report), _) => JobEnd::Unverified { attempt, report: report.clone(), before: held.before.clone() },
            (Verdict::Published(gap, published), NextStep::Succeed) => {
                let symbol = match &job.target {
                    Target::Report { data_symbol, .. } => data_symbol.as_str(),
                    Target::Collection(_) => "",
                };
                let row = self.report_row(*gap, symbol, id, end.attempt, published.content.clone(), end.ended_at);
                JobEnd::Succeeded { attempt, artifact: Artifact::ReportRow(Box::new(row)) }
            }
            (Verdict::Collected(collected), NextStep::Succeed) => {
                JobEnd::Succeeded { attempt, artifact: Artifact::Collection(collected.clone()) }
            }
            (_, NextStep::Succeed) => JobEnd::Succeeded { attempt, artifact: Artifact::Report },
            (_, NextStep::Retry(_) | NextStep::Later(_) | NextStep::PoolFull(_)) => return None,
            (_, NextStep::Fail) => {
                let is_charged = !is_our_own(&end.outcome) && *class != Class::Configuration;
                let history = if job.collection().is_some() && !is_charged {
                    held.history.told(&why)
                } else if !is_charged {
                    held.history.clone()
                } else {
                    let failure = Failure {
                        class: *class,
                        probe: job.gate == Gate::Probe,
                        error: &why,
                        fingerprint: job.fingerprint.as_ref(),
                        at: end.ended_at,
                    };
                    held.history.failed(failure, &self.cooldown)
                };
                JobEnd::Failed { attempt, error: why, history }
            }
            (_, NextStep::Skip) => {
                let history = held.history.not_ready(&why, job.fingerprint.as_ref(), end.ended_at, &self.cooldown);
                JobEnd::Skipped { attempt, reason: why, history }
            }
            (_, NextStep::Cancel) => JobEnd::Cancelled { attempt: Some(attempt), reason: why, at: end.ended_at },
        })
    }

    /// Records that a job which is ours is not tried again.
    async fn record_cancelled(&self, job: &PlannedJob, claim: Claim, why: &str) -> Result<Recorded, StoreError> {
        let end = JobEnd::Cancelled { attempt: None, reason: why.to_owned(), at: Utc::now() };
        self.ledger.finish(&Record { claim, gap: job.key.clone(), remote: None, end }).await
    }

    /// Claims the job for its first attempt, or records a further one.
    async fn take(&self, job: &PlannedJob, id: JobId, attempt: u32, held: Option<ActiveJob>, paths: &Paths, at: DateTime<Utc>) -> Taken {
        let taken = match &held {
            None => self.claim(job, id, paths, at).await,
            Some(held) => self.begin(job, held, attempt, paths, at).await,
        };
        match taken {
            Ok(taken) => {
                self.ledger.is_back();
                taken
            }
            Err(error) => match self.ledger.wait_after(&error) {
                Some(wait) => Taken::Later(NextStep::Later(wait), held),
                None => Taken::Never(error, held),
            },
        }
    }

    async fn begin(&self, job: &PlannedJob, held: &ActiveJob, attempt: u32, paths: &Paths, at: DateTime<Utc>) -> store::Result<Taken> {
        let log = paths.log.to_string_lossy();
        let begun = self.store.begin_attempt(held.claim, attempt, self.catalogue.pool(job), &log, at).await?;
        Ok(match begun {
            Begun::Yes => Taken::Ours(held.clone()),
            Begun::PoolFull => Taken::Later(NextStep::PoolFull(POOL_FULL), Some(held.clone())),
            Begun::ClaimLost => Taken::NotOurs(NextStep::Fail, CLAIM_LOST.to_owned()),
        })
    }

    async fn claim(&self, job: &PlannedJob, id: JobId, paths: &Paths, at: DateTime<Utc>) -> store::Result<Taken> {
        let key = job.report().map(|gap| self.report_key(gap));
        let (wanted, before, remote) = match (&job.target, &key) {
            (Target::Report { gap, .. }, Some(key)) => {
                let before = match (&self.etl(*gap).reports, job.why) {
                    (ReportsBy::Etl, Why::Forced) => self.store.report_fingerprint(key).await?,
                    (ReportsBy::Etl, Why::Missing) | (ReportsBy::Orchestrator { .. }, _) => None,
                };
                (ClaimTarget::Report(key), before, None)
            }
            (Target::Collection(collection), _) => {
                let wanted = ClaimTarget::Windows { source: &self.source(collection).id, window: collection.window };
                (wanted, None, collection.remote.clone())
            }
            (Target::Report { .. }, None) => unreachable!("a report has a key"),
        };
        let request = ClaimRequest {
            job: id,
            wanted,
            planned_fence: job.planned_fence,
            pool: self.catalogue.pool(job),
            log: &paths.log.to_string_lossy(),
            at,
        };
        Ok(match self.store.claim(&request).await? {
            Claimed::Yes { claim, history } => Taken::Ours(ActiveJob { claim, history, before, remote }),
            Claimed::AlreadyDone if key.is_none() => Taken::NotOurs(NextStep::Succeed, "it was collected elsewhere meanwhile".to_owned()),
            Claimed::AlreadyDone => Taken::NotOurs(NextStep::Succeed, "its report was made elsewhere meanwhile".to_owned()),
            Claimed::Elsewhere { owner } => Taken::NotOurs(NextStep::Skip, format!("already running as {owner}")),
            Claimed::Ordered(skip) => Taken::NotOurs(NextStep::Skip, format!("{} had it skipped: {}", skip.by, skip.reason)),
            Claimed::HeldBack => Taken::NotOurs(NextStep::Skip, "another invocation failed at it meanwhile".to_owned()),
            Claimed::PoolFull => Taken::Later(NextStep::PoolFull(POOL_FULL), None),
            Claimed::Gone => Taken::NotOurs(NextStep::Cancel, "another invocation cancelled it".to_owned()),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "an attempt has that many sides")]
    async fn execute(
        &self,
        index: JobIndex,
        job: &PlannedJob,
        id: JobId,
        held: &ActiveJob,
        attempt: u32,
        paths: &Paths,
        stop: StopSignal,
    ) -> Ended {
        let task = self.task(job, id, attempt, (held.claim, held.remote.as_deref()), paths);
        let (said, mut hear) = mpsc::channel(LINES_WAITING);
        let (started, mut has_started) = oneshot::channel();
        let listen = async {
            let mut started = Some(started);
            while let Some(said) = hear.recv().await {
                match said {
                    AttemptEvent::Spawned(pid) => drop(started.take().map(|started| started.send(pid))),
                    AttemptEvent::Line(text) => self.events.of_job(index, id, JobEvent::Line(text)),
                    AttemptEvent::LinesOmitted(lines) => self.events.of_job(index, id, JobEvent::LinesOmitted(lines)),
                    AttemptEvent::Triggered(remote) => self.follow(held.claim, attempt, Some(&remote)).await,
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
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = &mut record => run.await,
        };
        if self.catalogue.work(job).has_remote_id() && ended.open.is_none() && !matches!(ended.end, End::Completed) {
            self.follow(held.claim, attempt, None).await;
        }
        ended
    }

    /// Has recorded which job of a service is to be followed, should this process die. If that is not recorded at worst another job is
    /// triggered, or one that has ended is looked at once more.
    pub(super) async fn follow(&self, claim: Claim, attempt: u32, remote: Option<&str>) {
        if let Err(error) = self.ledger.insist(|| self.store.follow(claim, attempt, remote)).await {
            tracing::warn!("{error}");
        }
    }
}

/// Whether it is this host that lacks room or rights, and not the gap that fails: such failures are not charged to it.
fn is_our_own(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::SpawnFailed { .. })
}

enum Taken {
    Ours(ActiveJob),
    NotOurs(NextStep, String),
    /// Not now: the pool is full, or the database away.
    Later(NextStep, Option<ActiveJob>),
    /// The database is away for too long, or in trouble that does not pass.
    Never(StoreError, Option<ActiveJob>),
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

/// The end of an attempt that has no workspace.
fn unprepared(paths: &Paths, error: &io::Error, held: &ActiveJob) -> (Ended, Verdict) {
    let why = format!("cannot prepare {}: {error}", paths.work_dir.display());
    let ended = Ended {
        end: End::SpawnFailed(why.clone()),
        duration: Duration::ZERO,
        tail: String::new(),
        pid: None,
        answer: None,
        open: held.remote.clone(),
    };
    (ended, Verdict::Outcome(Outcome::SpawnFailed { why, may_pass: true }))
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
