//! Where the attempts of a run are carried out, and what is the same for all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::ledger::Ledger;
use crate::execute::{Call, Executor, Program, Task};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::Claim;
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::target::Target;
use crate::plan::model::work::{CommandSpec, Work};
use crate::plan::text::placeholder::{Placeholder, Values};
use crate::store::Store;
use crate::tell::events::Events;

/// What every attempt of a run needs.
pub(super) struct RunContext {
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
    /// What happens is sent there.
    pub(super) events: Arc<Events>,
    /// The banks, ETLs and sources.
    pub(super) catalogue: Arc<Catalogue>,
    /// The variables of `env_file`s, by path.
    pub(super) env_files: EnvFiles,
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

impl RunContext {
    /// The files of an attempt. Names come from the configuration, which checked them, and from ids.
    pub(super) fn paths(&self, job: &PlannedJob, id: JobId, attempt: u32) -> Paths {
        let day = self.started_at.format("%Y-%m-%d").to_string();
        let log = self.state_dir.join("logs").join(day).join(id.to_string()).join(format!("{attempt}.log"));
        let work = self.state_dir.join("work");
        // One level: a directory is the dearest thing that a small job makes. Names of periods, ETLs and sources have no dots.
        match &job.target {
            Target::Report { gap, .. } => {
                let bank = self.catalogue.institutions.get(gap.bank);
                let work_dir = work.join(format!("{}.{}.{}", bank.key, gap.period.compact(), self.etl(*gap).name));
                let output = self.place(*gap).map(|place| {
                    let extension = place.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
                    work_dir.join(format!("output-{}-{attempt}{extension}", id.short()))
                });
                Paths { log, work_dir, output }
            }
            Target::Collection(collection) => {
                Paths { log, work_dir: work.join(format!("source.{}", self.source(collection).id)), output: None }
            }
        }
    }

    /// What an attempt has to do, with everything filled in. `remote` is a service's job that is to be followed further.
    pub(super) fn task(&self, job: &PlannedJob, id: JobId, attempt: u32, held: (Claim, Option<&str>), paths: &Paths) -> Task {
        let (claim, remote) = held;
        let values = self.values(job, id, attempt, paths);
        match self.catalogue.work(job) {
            Work::Command { command, .. } => {
                Task::Command(self.program(command, self.own_variables(job, claim, &values), &values, paths.log.clone()))
            }
            Work::Http(spec) => {
                Task::Http(Box::new(Call { spec: (**spec).clone(), values, resume: remote.map(str::to_owned), log: paths.log.clone() }))
            }
        }
    }

    /// A program with everything filled in. `own` is what we put into its environment; what configuration says of it goes before.
    pub(super) fn program(&self, command: &CommandSpec, own: BTreeMap<String, String>, values: &Values, log: PathBuf) -> Program {
        let mut env = own;
        env.extend(command.variables(&self.env_files).cloned().unwrap_or_default());
        env.extend(command.env.iter().map(|(name, template)| (name.clone(), template.fill(values))));
        Program {
            argv: command.argv.iter().map(|template| template.fill(values)).collect(),
            cwd: command.cwd.clone(),
            env: env.into_iter().collect(),
            timeout: command.timeout,
            grace: command.grace,
            log,
        }
    }

    /// What a program of a job finds in its environment.
    pub(super) fn own_variables(&self, job: &PlannedJob, claim: Claim, values: &Values) -> BTreeMap<String, String> {
        let named = values.iter().map(|(placeholder, value)| (format!("ETL_ORCH_{}", placeholder.name().to_uppercase()), value.clone()));
        let mut own: BTreeMap<String, String> = named.collect();
        own.insert("ETL_ORCH_FENCE".to_owned(), claim.fence.to_string());
        own.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        own.insert("TRACEPARENT".to_owned(), trace_parent(self.run, claim.job));
        if job.report().is_some() && job.why == Why::Forced {
            own.insert("ETL_ORCH_FORCE".to_owned(), "1".to_owned());
        }
        own
    }

    /// What placeholders stand for in an attempt.
    pub(super) fn values(&self, job: &PlannedJob, id: JobId, attempt: u32, paths: &Paths) -> Values {
        let mut values = match &job.target {
            Target::Report { gap, .. } => self.report_values(*gap),
            Target::Collection(collection) => self.source(collection).window_values(collection.window, Utc::now()),
        };
        values.extend([
            (Placeholder::JobId, id.to_string()),
            (Placeholder::RunId, self.run.to_string()),
            (Placeholder::Attempt, attempt.to_string()),
            (Placeholder::WorkDir, shown(&paths.work_dir)),
        ]);
        values.extend(paths.output.as_deref().map(|output| (Placeholder::Output, shown(output))));
        values
    }
}

/// A W3C trace context: the run is the trace, the job its span.
fn trace_parent(run: RunId, job: JobId) -> String {
    let hex = |id: String| id.replace('-', "");
    format!("00-{}-{}-01", hex(run.to_string()), &hex(job.to_string())[..16])
}

pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
