//! The part of a run before anything is started: finds out what there is to do, and records it as planned.

use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{Access, AtFlags, CWD};
use tokio::time::Instant;
use uuid::Uuid;

use super::error::RunError;
use super::invocation::Invocation;
use super::plan_input::PlanInput;
use super::planning::{self, Planned};
use super::{recover, sync};
use crate::os::files;
use crate::os::identity::this_process;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::Plan;
use crate::plan::model::etl::writes_reports;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::NewRun;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::target::Target;
use crate::plan::remember::recorded_job::{JobSubject, NewJob};
use crate::plan::remember::stored_state::StoredState;
use crate::store::StoreError;

/// What there is to do, and what was found out on the way.
pub(super) struct Prepared {
    /// How many (bank, period, tag) were learnt from files.
    pub(super) synced: u64,
    pub(super) plan: Plan,
    pub(super) stored: StoredState,
    /// The ids of the jobs, by their position in the plan.
    pub(super) ids: Vec<JobId>,
    /// When the lease was last renewed.
    pub(super) leased_since: Instant,
}

/// Makes the directories for logs and workspaces, and sees that they can be written to: better now than for every job.
///
/// # Errors
/// When they cannot.
pub fn prepare_state_dir(state_dir: &Path) -> Result<(), RunError> {
    for directory in ["logs", "work", "spool"].map(|name| state_dir.join(name)) {
        let made = files::create_private_dir(&directory);
        let writable = made.and_then(|()| Ok(rustix::fs::accessat(CWD, &directory, Access::WRITE_OK, AtFlags::EACCESS)?));
        writable.map_err(|error| RunError::StateDir(directory, error))?;
    }
    Ok(())
}

impl Invocation {
    /// What files say is available, where that matters.
    pub(super) fn learn(&self) -> Result<sync::Learnt, RunError> {
        let rules = if self.has_reports() { self.sync.as_slice() } else { &[] };
        sync::learn(rules, &self.catalogue.institutions).map_err(RunError::Sync)
    }

    pub(super) async fn check_tables(&self) -> Result<(), StoreError> {
        if self.has_reports() {
            self.store.check_data_tables(writes_reports(&self.catalogue.etls), !self.sync.is_empty()).await?;
        }
        Ok(())
    }

    pub(super) fn input<'a>(&'a self, stamps: &'a sync::Stamps) -> PlanInput<'a> {
        PlanInput { catalogue: &self.catalogue, env_files: &self.env_files, settings: &self.settings, selection: &self.selection, stamps }
    }

    /// Checks what is there, closes what dead runs left, and records this one.
    pub(super) async fn begin(&self, started_at: DateTime<Utc>) -> Result<recover::Found, RunError> {
        self.check_tables().await?;
        let found = recover::recover(&*self.store, &self.state_dir).await?;
        self.store.begin_run(&self.record(started_at)).await?;
        Ok(found)
    }

    /// Finds out what there is to do, and records it as planned.
    pub(super) async fn prepare(
        &self,
        learnt: &sync::Learnt,
        found: &recover::Found,
        started_at: DateTime<Utc>,
    ) -> Result<Prepared, RunError> {
        let news = self.store.not_yet_available(&learnt.available).await?;
        if !news.is_empty() {
            self.store.add_availability(&news).await?;
        }
        let planned = planning::plan(&*self.store, self.input(&learnt.stamps), found, Vec::new()).await?;
        let Planned { plan, stored, stale_breakers } = planned;
        for etl in stale_breakers {
            self.store.set_breaker(&etl, None, &[]).await?;
        }
        self.queue_windows(&plan, started_at).await?;
        let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId::new(Uuid::new_v4())).collect();
        let leased_since = Instant::now();
        if !ids.is_empty() {
            // Planning may have taken a good part of the lease.
            if !self.store.renew(self.id, self.settings.lease).await? {
                return Err(RunError::TakenForDead);
            }
            self.store.enqueue(self.id, &self.new_jobs(&plan, &ids), &self.user, started_at).await?;
        }
        Ok(Prepared { synced: news.len() as u64, plan, stored, ids, leased_since })
    }

    fn record(&self, started_at: DateTime<Utc>) -> NewRun {
        NewRun {
            id: self.id,
            owner: this_process(),
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
            }
        })
        .collect()
    }

    /// Puts into the queue what became due, and what `--force` asks for again.
    async fn queue_windows(&self, plan: &Plan, at: DateTime<Utc>) -> Result<(), StoreError> {
        for found in &plan.sources {
            let source = &self.catalogue.sources[found.source].id;
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
