//! Where the attempts of a run are carried out, and what is the same for all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::ledger::Ledger;
use crate::execute::{Executor, Task};
use crate::plan::decision::Why;
use crate::plan::etl::{Etl, ReportsBy};
use crate::plan::ids::{JobId, RunId};
use crate::plan::institution::Institutions;
use crate::plan::job::{Claim, ReportKey, ReportRow};
use crate::plan::memory::Cooldown;
use crate::plan::planner::PlannedJob;
use crate::plan::settings::Variables;
use crate::plan::template::Placeholder;
use crate::store::Store;

/// What every attempt of a run needs.
pub(super) struct Workshop {
    /// The run.
    pub(super) run: RunId,
    /// How long its claims are good without being renewed.
    pub(super) lease: Duration,
    /// The database.
    pub(super) store: Arc<dyn Store>,
    /// Where the ends of attempts are recorded.
    pub(super) ledger: Ledger,
    /// How often a gap that fails is tried.
    pub(super) cooldown: Cooldown,
    /// What starts the programs.
    pub(super) executor: Arc<dyn Executor>,
    /// The monitored banks.
    pub(super) institutions: Institutions,
    /// The ETLs.
    pub(super) etls: Vec<Etl>,
    /// The variables of each ETL's `env_file`, in the order of `etls`.
    pub(super) env_files: Vec<Variables>,
    /// Directory for logs and workspaces.
    pub(super) state_dir: PathBuf,
    /// When the lease was last renewed.
    pub(super) leased_since: Instant,
    /// When the lock was taken: the deadline counts from there.
    pub(super) since: Instant,
    /// When the run began; names the day's log directory.
    pub(super) started_at: DateTime<Utc>,
}

/// The files of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths {
    /// Everything that it prints.
    pub(super) log: PathBuf,
    /// The gap's workspace: the same for every attempt, in every run.
    pub(super) work_dir: PathBuf,
    /// The fresh path where it is to write its report, where etl-orch takes it from there.
    pub(super) output: Option<PathBuf>,
}

impl Workshop {
    /// The ETL of a job.
    pub(super) fn etl(&self, job: &PlannedJob) -> &Etl {
        &self.etls[job.gap.etl]
    }

    /// The report that a job makes.
    pub(super) fn report_key(&self, job: &PlannedJob) -> ReportKey {
        ReportKey {
            bank_id: self.institutions.get(job.gap.bank).id,
            period: job.gap.period,
            report_type: self.etl(job).report_type.clone(),
        }
    }

    /// The files of an attempt. Names come from the configuration, which checked them, and from ids.
    pub(super) fn paths(&self, job: &PlannedJob, id: JobId, attempt: u32) -> Paths {
        let bank = self.institutions.get(job.gap.bank);
        let etl = self.etl(job);
        let day = self.started_at.format("%Y-%m-%d").to_string();
        let log = self.state_dir.join("logs").join(day).join(id.to_string()).join(format!("{attempt}.log"));
        // One level: a directory is the dearest thing that a small job makes. Neither periods nor ETLs have dots in their names.
        let work_dir = self.state_dir.join("work").join(format!("{}.{}.{}", bank.key, job.gap.period.compact(), etl.name));
        let output = match &etl.reports {
            ReportsBy::Etl => None,
            ReportsBy::Orchestrator { .. } => {
                let place = self.place(job).unwrap_or_default();
                let extension = place.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
                Some(work_dir.join(format!("output-{}-{attempt}{extension}", id.short())))
            }
        };
        Paths { log, work_dir, output }
    }

    /// Where the report belongs, when etl-orch puts it there.
    pub(super) fn place(&self, job: &PlannedJob) -> Option<PathBuf> {
        match &self.etl(job).reports {
            ReportsBy::Etl => None,
            ReportsBy::Orchestrator { output } => Some(PathBuf::from(output.render(|placeholder| self.fact(job, placeholder)))),
        }
    }

    /// The program of an attempt with everything filled in.
    pub(super) fn task(&self, job: &PlannedJob, id: JobId, attempt: u32, claim: Claim, paths: &Paths) -> Task {
        let etl = self.etl(job);
        let value = |placeholder| match placeholder {
            Placeholder::Output => paths.output.as_deref().map(shown).unwrap_or_default(),
            Placeholder::WorkDir => shown(&paths.work_dir),
            Placeholder::JobId => id.to_string(),
            Placeholder::RunId => self.run.to_string(),
            Placeholder::Attempt => attempt.to_string(),
            other => self.fact(job, other),
        };
        let mut env: BTreeMap<String, String> = Placeholder::ALL
            .iter()
            .filter(|placeholder| paths.output.is_some() || **placeholder != Placeholder::Output)
            .map(|placeholder| (format!("ETL_ORCH_{}", placeholder.name().to_uppercase()), value(*placeholder)))
            .collect();
        env.insert("ETL_ORCH_FENCE".to_owned(), claim.fence.to_string());
        if job.why == Why::Forced {
            env.insert("ETL_ORCH_FORCE".to_owned(), "1".to_owned());
        }
        env.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        env.insert("TRACEPARENT".to_owned(), trace_parent(self.run, id));
        env.extend(self.env_files[job.gap.etl].clone());
        env.extend(etl.command.env.iter().map(|(name, template)| (name.clone(), template.render(value))));
        Task {
            argv: etl.command.argv.iter().map(|template| template.render(value)).collect(),
            cwd: etl.command.cwd.clone(),
            env: env.into_iter().collect(),
            timeout: etl.command.timeout,
            grace: etl.command.grace,
            log: paths.log.clone(),
        }
    }

    /// The row of a report that etl-orch put in its place.
    pub(super) fn report_row(&self, job: &PlannedJob, id: JobId, attempt: u32, content: Option<String>, at: DateTime<Utc>) -> ReportRow {
        let bank = self.institutions.get(job.gap.bank);
        let etl = self.etl(job);
        ReportRow {
            key: self.report_key(job),
            report_name: format!("{} - {} {}", etl.report_type, bank.name, job.gap.period),
            report_description: etl
                .description
                .clone()
                .unwrap_or_else(|| format!("{} of {} for fiscal {}", etl.report_type, bank.name, job.gap.period)),
            bank_name: bank.name.clone(),
            bank_symbol: job.data_symbol.clone(),
            local_filepath: self.place(job).map(|place| shown(&place)).unwrap_or_default(),
            markdown_content: content,
            generation_date: at,
            generated_by: concat!("etl-orch ", env!("CARGO_PKG_VERSION")).to_owned(),
            execution_id: self.run,
            metadata: serde_json::json!({
                "job_id": id,
                "attempt": attempt,
                "etl": etl.name,
                "sources": etl.requires,
            }),
        }
    }

    /// A value that is the same for every attempt of a gap.
    fn fact(&self, job: &PlannedJob, placeholder: Placeholder) -> String {
        let bank = self.institutions.get(job.gap.bank);
        let etl = self.etl(job);
        match placeholder {
            Placeholder::BankSymbol => bank.symbol().to_owned(),
            Placeholder::BankKey => bank.key.clone(),
            Placeholder::BankId => bank.id.to_string(),
            Placeholder::BankName => bank.name.clone(),
            Placeholder::FiscalYear => job.gap.period.year().to_string(),
            Placeholder::Quarter => job.gap.period.quarter().as_str().to_owned(),
            Placeholder::Period => job.gap.period.compact(),
            Placeholder::Etl => etl.name.clone(),
            Placeholder::ReportType => etl.report_type.clone(),
            // These belong to an attempt; configuration refuses them where only a gap is known.
            Placeholder::Output | Placeholder::JobId | Placeholder::RunId | Placeholder::Attempt | Placeholder::WorkDir => String::new(),
        }
    }
}

/// A W3C trace context: the run is the trace, the job its span.
fn trace_parent(run: RunId, job: JobId) -> String {
    let hex = |id: String| id.replace('-', "");
    format!("00-{}-{}-01", hex(run.to_string()), &hex(job.to_string())[..16])
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
