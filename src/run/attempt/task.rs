//! What an attempt is to do, with every placeholder filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;

use super::workspace::Paths;
use super::{Assignment, Attempt};
use crate::execute::{Call, Program, Task};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::target::Target;
use crate::plan::model::trace_context::{SpanId, TraceContext};
use crate::plan::model::work::{CommandSpec, Work, is_of_attempt};
use crate::plan::text::placeholder::{Placeholder, Values};
use crate::run::context::shown;

impl Attempt<'_> {
    /// The task for the executor. A service's job that is followed was triggered so long before.
    pub(super) fn task(&self, triggered_before: Duration) -> Task {
        match self.work() {
            Work::Command { command, .. } => Task::Command(self.program(command, self.paths.log.clone(), &self.values())),
            Work::Http(spec) => Task::Http(Box::new(Call {
                spec: (**spec).clone(),
                values: self.values(),
                remote_id: self.active.remote_id.clone(),
                triggered_before,
                traceparent: self.setting().known_traceparent(),
                log: self.paths.log.clone(),
            })),
        }
    }

    /// A program of the attempt.
    pub(super) fn program(&self, command: &CommandSpec, log: PathBuf, values: &Values) -> Program {
        self.setting().program(command, log, values)
    }

    /// What placeholders stand for.
    pub(super) fn values(&self) -> Values {
        self.setting().values()
    }

    fn setting(&self) -> Setting<'_> {
        let Assignment { context, job, id, number, .. } = &self.order;
        Setting {
            catalogue: &context.catalogue,
            env_files: &context.env_files,
            run: context.run,
            trace: context.trace,
            job,
            id: *id,
            number: *number,
            fence: self.active.claim.fence,
            paths: &self.paths,
        }
    }
}

/// What the arguments and the environment of a program are made from.
pub(in crate::run) struct Setting<'a> {
    pub(in crate::run) catalogue: &'a Catalogue,
    pub(in crate::run) env_files: &'a EnvFiles,
    pub(in crate::run) run: RunId,
    pub(in crate::run) trace: TraceContext,
    pub(in crate::run) job: &'a PlannedJob,
    pub(in crate::run) id: JobId,
    /// Number of the attempt, from 1.
    pub(in crate::run) number: u32,
    pub(in crate::run) fence: i64,
    pub(in crate::run) paths: &'a Paths,
}

impl Setting<'_> {
    /// A program of the attempt. Of a variable that is set several times the last counts: ours, the `env_file`'s, then `env:`.
    pub(in crate::run) fn program(&self, command: &CommandSpec, log: PathBuf, values: &Values) -> Program {
        let mut env = self.own_variables(values);
        let of_file = command.variables(self.env_files).into_iter().flatten();
        env.extend(of_file.filter(|(name, _)| !is_of_attempt(name)).map(|(name, value)| (name.clone(), value.clone())));
        env.extend(command.env.iter().map(|(name, template)| (name.clone(), template.fill(values))));
        Program {
            argv: command.argv.iter().map(|template| template.fill(values)).collect(),
            cwd: command.cwd.clone(),
            env: env.into_iter().collect(),
            timeout: command.timeout,
            grace: command.grace,
            log,
            progress: command.progress.clone(),
        }
    }

    /// What placeholders stand for.
    pub(in crate::run) fn values(&self) -> Values {
        let mut values = match &self.job.target {
            Target::Report { gap, .. } => self.catalogue.report_values(*gap),
            Target::Collection(collection) => self.catalogue.source(collection.source).window_values(collection.window, Utc::now()),
        };
        values.extend([
            (Placeholder::JobId, self.id.to_string()),
            (Placeholder::RunId, self.run.to_string()),
            (Placeholder::Attempt, self.number.to_string()),
            (Placeholder::WorkDir, shown(&self.paths.work_dir)),
        ]);
        values.extend(self.paths.output.as_deref().map(|output| (Placeholder::Output, shown(output))));
        values
    }

    /// What etl-orch puts into the environment of a program.
    fn own_variables(&self, values: &Values) -> BTreeMap<String, String> {
        let named = values.iter().map(|(placeholder, value)| (format!("ETL_ORCH_{}", placeholder.name().to_uppercase()), value.clone()));
        let mut own: BTreeMap<String, String> = named.collect();
        own.insert("ETL_ORCH_FENCE".to_owned(), self.fence.to_string());
        own.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        own.insert("TRACEPARENT".to_owned(), self.traceparent());
        if self.job.report().is_some() && self.job.why == Why::Forced {
            own.insert("ETL_ORCH_FORCE".to_owned(), "1".to_owned());
        }
        own
    }

    /// A program that is told of a trace that nobody looks at loses nothing; a service may begin to record traces because of it.
    fn known_traceparent(&self) -> Option<String> {
        self.trace.is_known.then(|| self.traceparent())
    }

    /// The span of the attempt.
    fn traceparent(&self) -> String {
        self.trace.within(SpanId::of_attempt(self.id, self.number))
    }
}
