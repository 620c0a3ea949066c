//! The part of a run before its first job starts: recovers, plans, and records the plan.

use std::path::Path;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::decision_log;
use super::error::RunError;
use super::invocation::Invocation;
use super::plan_input::PlanInput;
use super::planning::{self, Planned};
use super::recover::{self, Recovery};
use super::{spool, sync};
use crate::os::identity::this_process;
use crate::plan::decide::decision::Why;
use crate::plan::decide::decision_changes::changes;
use crate::plan::decide::plan::Plan;
use crate::plan::model::etl::{Etl, looks_at_reports, writes_reports};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::NewRun;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::settings::{DatabaseTarget, SyncRule};
use crate::plan::model::target::Target;
use crate::plan::remember::recorded_job::{JobSubject, NewJob};
use crate::plan::remember::stored_state::StoredState;
use crate::plan::text::size::grouped;
use crate::plan::text::span::brief;
use crate::store::{MissingRights, Store, StoreError, TableUse};

/// A plan that is on record, ready to be executed.
pub(super) struct Prepared {
    /// How many (bank, period, tag) were added to the database from files.
    pub(super) synced: u64,
    pub(super) plan: Plan,
    pub(super) stored: StoredState,
    /// The ids of the jobs, by their position in the plan.
    pub(super) ids: Vec<JobId>,
    /// When the lease was last renewed.
    pub(super) lease_renewed_at: Instant,
}

/// Checks that a SQLite file which is not there may be made: in a new one, ends that are in the spool would find no job and be dropped.
///
/// # Errors
/// When there are such ends.
pub fn check_database_file(database: &DatabaseTarget, state_dir: &Path) -> Result<(), RunError> {
    let DatabaseTarget::Sqlite(path) = database else { return Ok(()) };
    // A spool that cannot be read stops a run later, and says so.
    if path.exists() || spool::entries(state_dir).map_or(true, |entries| entries.is_empty()) {
        return Ok(());
    }
    Err(RunError::DatabaseGone(database.to_string(), spool::directory(state_dir)))
}

impl Invocation {
    /// Learns from files which data is available. Where the run makes no reports it reads none.
    pub(super) fn learn(&self) -> Result<sync::Learnt, RunError> {
        let rules = if self.has_reports() { self.sync.as_slice() } else { &[] };
        let began = Instant::now();
        let learnt = sync::learn(rules, &self.catalogue.institutions, &self.selection).map_err(RunError::Sync)?;
        if !rules.is_empty() {
            let (files, span) = (learnt.available.len(), brief(began.elapsed()));
            tracing::debug!(files, "Looked for files of availability.sync: {} found ({span})", grouped(files as u64));
        }
        Ok(learnt)
    }

    /// Checks that the data tables have what reports need, and that the database lets what a run does be recorded. Returns what it does
    /// not.
    ///
    /// # Errors
    /// When the database fails, or does not let the tables be read.
    pub(super) async fn check_tables(&self) -> Result<Option<RunError>, RunError> {
        if self.has_reports() { check_tables(&*self.store, &self.catalogue.etls, &self.sync).await } else { Ok(None) }
    }

    pub(super) fn plan_input<'a>(&'a self, stamps: &'a sync::Stamps) -> PlanInput<'a> {
        PlanInput {
            catalogue: &self.catalogue,
            env_files: &self.env_files,
            settings: &self.settings,
            selection: &self.selection,
            sync: &self.sync,
            stamps,
        }
    }

    /// Checks the data tables, closes what dead runs left, and records this run as begun.
    pub(super) async fn begin(&self, started_at: DateTime<Utc>) -> Result<Recovery, RunError> {
        if let Some(cannot_write) = self.check_tables().await? {
            return Err(cannot_write);
        }
        let recovery = recover::recover(&*self.store, &self.state_dir).await?;
        self.store.begin_run(&self.new_run(started_at)).await?;
        Ok(recovery)
    }

    /// Adds what was learnt to the database, plans, and records the planned jobs as queued.
    pub(super) async fn prepare(
        &self,
        learnt: &sync::Learnt,
        recovery: &Recovery,
        started_at: DateTime<Utc>,
    ) -> Result<Prepared, RunError> {
        let news = self.store.not_yet_available(&learnt.available).await?;
        if !news.is_empty() {
            self.store.add_availability(&news).await?;
        }
        let planned = planning::plan(&*self.store, self.plan_input(&learnt.stamps), recovery, Vec::new(), None).await?;
        let Planned { plan, stored, stale_breakers } = planned;
        decision_log::log(&plan, &stored, &self.catalogue);
        for etl in stale_breakers {
            self.store.set_breaker(&etl, None, &[]).await?;
        }
        let in_force = self.store.decisions().await?.into_iter().collect();
        let changes = changes(&plan, &stored, &self.catalogue, &self.selection, &in_force);
        self.store.record_decisions(self.id, &changes, stored.now).await?;
        if !plan.newly_seen.is_empty() {
            self.store.record_seen(&plan.newly_seen).await?;
        }
        self.queue_windows(&plan, started_at).await?;
        self.store.order_force(&plan.forced.order, &self.user, started_at).await?;
        let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId::new(Uuid::new_v4())).collect();
        let lease_renewed_at = Instant::now();
        if !ids.is_empty() {
            // Planning may have taken a good part of the lease.
            if !self.store.renew(self.id, self.settings.lease).await? {
                return Err(RunError::LeaseLost);
            }
            self.store.enqueue(self.id, &self.new_jobs(&plan, &ids), started_at).await?;
        }
        Ok(Prepared { synced: news.len() as u64, plan, stored, ids, lease_renewed_at })
    }

    fn new_run(&self, started_at: DateTime<Utc>) -> NewRun {
        NewRun {
            id: self.id,
            owner: this_process(),
            state_dir: spool::state_dir_on_record(&self.state_dir),
            version: env!("CARGO_PKG_VERSION"),
            options: self.options.clone(),
            lease: self.settings.lease,
            started_at,
        }
    }

    fn new_jobs(&self, plan: &Plan, ids: &[JobId]) -> Vec<NewJob> {
        let jobs = plan.jobs.iter().zip(ids).enumerate();
        jobs.map(|(position, (job, id))| {
            let subject = match &job.target {
                Target::Report { gap, .. } => JobSubject::Report { bank_id: self.catalogue.institutions.get(gap.bank).id },
                Target::Collection(collection) => JobSubject::Windows(collection.window),
            };
            NewJob {
                id: *id,
                gap: job.key.clone(),
                subject,
                position,
                forced: job.why == Why::Forced,
                fingerprint: job.fingerprint.clone(),
                destination: job.report().and_then(|gap| self.catalogue.destination(gap)),
            }
        })
        .collect()
    }

    /// Puts the windows that became due into the queue, and those that `--force` is to collect again.
    async fn queue_windows(&self, plan: &Plan, at: DateTime<Utc>) -> Result<(), StoreError> {
        for found in &plan.sources {
            let source = &self.catalogue.source(found.source).id;
            if let Some(begin) = found.begin {
                self.store.begin_source(source, begin).await?;
            }
            if !found.new.is_empty() {
                self.store.enqueue_windows(source, &found.new, at).await?;
            }
            if !found.again.is_empty() {
                let kind = SourceOrderKind::Collect(found.again.clone());
                let order = SourceOrder { source: source.clone(), kind, by: self.user.clone(), reason: "--force".to_owned(), at };
                self.store.order_source(&order).await?;
            }
        }
        Ok(())
    }
}

/// Checks the data tables for these ETLs, and the rights of the database user. Returns those that it lacks to record what a run does.
///
/// # Errors
/// When the database fails, a table is not as it must be, or the tables may not be read.
pub(super) async fn check_tables(store: &dyn Store, etls: &[Etl], sync: &[SyncRule]) -> Result<Option<RunError>, RunError> {
    let (writes_reports, writes_availability) = (writes_reports(etls), !sync.is_empty());
    store.check_data_tables(writes_reports, writes_availability).await?;
    let table_use = TableUse { writes_reports, looks_at_reports: looks_at_reports(etls), writes_availability };
    let MissingRights { to_read, to_write, to_prune: _ } = store.missing_rights(table_use).await?;
    let lacks_reading = !to_read.is_empty();
    let missing = [to_read, to_write].concat();
    if missing.is_empty() {
        return Ok(None);
    }
    let error = RunError::Rights(missing.join("; "));
    if lacks_reading { Err(error) } else { Ok(Some(error)) }
}
