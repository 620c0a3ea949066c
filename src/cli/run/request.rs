//! What a run is asked to do: the options and the configuration, checked together.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use super::super::args::Format;
use super::super::context::Context;
use super::super::exit::Failure;
use super::super::names;
use super::args::{MaxParallel, RunArgs};
use crate::config::{self, Config, ReadEnvFiles};
use crate::execute::Executors;
use crate::plan::model::ids::RunId;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::trace_context::TraceContext;
use crate::plan::text::secrets::Secrets;
use crate::run::{Invocation, check_state_dir};
use crate::show;
use crate::store::Store;
use crate::tell::events::Events;

pub(in crate::cli) struct RunRequest<'a> {
    /// Its configuration has the values of the options that override one.
    pub(in crate::cli) context: Context<'a>,
    pub(super) args: &'a RunArgs,
    pub(super) selection: Selection,
    env_files: EnvFiles,
    /// What must not be logged, stored or shown.
    pub(super) secrets: Secrets,
    /// What other users may do with files that decide what runs.
    pub(super) warnings: Vec<String>,
}

impl<'a> RunRequest<'a> {
    pub(in crate::cli) fn new(mut context: Context<'a>, args: &'a RunArgs) -> Result<Self, Failure> {
        let ReadEnvFiles { files: env_files, warnings: of_env_files, secrets } = context.config.env_files(context.environment)?;
        let secrets = context.config.secrets.and(&secrets);
        show::hide(secrets.clone());
        let of_state_dir = check_state_dir(&context.config.state_dir)?;
        let warnings = [std::mem::take(&mut context.config.warnings), of_env_files, of_state_dir].concat();
        let config = &mut context.config;
        let selection = select(config, args)?;
        if let Some(max_parallel) = args.max_parallel {
            config.run.max_parallel = match max_parallel {
                MaxParallel::Auto => config::automatic_parallelism(),
                MaxParallel::Chains(chains) => chains,
            };
        }
        if let Some(max_jobs) = args.max_jobs {
            config.run.max_jobs = usize::try_from(max_jobs).unwrap_or(usize::MAX);
        }
        Ok(Self { context, args, selection, env_files, secrets, warnings })
    }

    /// The same request with the configuration as it is now.
    pub(super) fn reload(&self) -> Result<Self, Failure> {
        Self::new(Context::load(self.context.global, self.context.environment)?, self.args)
    }

    /// Whether only what is worth reading is printed. Whoever asks for an object gets one.
    pub(super) fn is_quiet(&self) -> bool {
        self.args.quiet && self.context.global.format == Format::Text
    }

    /// Whether it is narrower than a plain run, or makes reports again.
    pub(in crate::cli) fn is_special(&self) -> bool {
        let args = self.args;
        self.selection.is_narrowed()
            || args.force
            || args.periods.from_year.is_some()
            || args.periods.until_year.is_some()
            || !self.selection.excluded_banks.is_empty()
    }

    /// The trace of a run of this id.
    pub(super) fn trace(&self, id: RunId) -> TraceContext {
        let trace = TraceContext::new(id, self.context.environment.get("TRACEPARENT").map(String::as_str));
        if self.context.config.tell.opentelemetry.is_some() { trace.received() } else { trace }
    }

    pub(super) fn invocation(&self, store: Arc<dyn Store>, id: RunId, events: Events) -> Invocation {
        let config = &self.context.config;
        Invocation {
            id,
            trace: self.trace(id),
            catalogue: config.catalogue.clone(),
            env_files: self.env_files.clone(),
            settings: config.run.clone(),
            selection: self.selection.clone(),
            fail_fast: self.args.fail_fast,
            sync: config.sync.clone(),
            state_dir: config.state_dir.clone(),
            user: self.context.user.clone(),
            options: self.args.record(),
            store,
            executor: Arc::new(Executors::new(self.secrets.clone())),
            is_watched: super::detail(&self.context, self.args).is_live,
            events: Arc::new(events),
        }
    }
}

/// What the words of an option name; a word that names nothing is a problem.
fn all<P: Display>(option: &str, words: &[String], find: impl Fn(&str) -> Result<usize, P>, problems: &mut Vec<String>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for word in words {
        match find(word.trim()) {
            Ok(index) => drop(found.insert(index)),
            Err(problem) => problems.push(format!("{option}: {problem}")),
        }
    }
    found
}

fn select(config: &Config, args: &RunArgs) -> Result<Selection, Failure> {
    let catalogue = &config.catalogue;
    let anyway = args.by_hand.as_ref().is_some_and(|by_hand| by_hand.anyway);
    let mut problems = Vec::new();
    let selection = Selection {
        banks: all("--bank-symbol", &args.bank_symbol, |symbol| names::bank(catalogue, symbol), &mut problems),
        excluded_banks: all("--exclude-bank", &args.exclude_bank, |symbol| names::bank(catalogue, symbol), &mut problems),
        etls: all("--etl-type", &args.etl_type, |name| names::etl(catalogue, name), &mut problems),
        sources: all("--source", &args.source, |id| names::source(catalogue, id), &mut problems),
        periods: args.periods.period.iter().copied().collect(),
        from_year: args.periods.from_year.or(config.run.from_year.filter(|_| !anyway)),
        until_year: args.periods.until_year,
        force: args.force,
        anyway,
    };
    if problems.is_empty() && !selection.banks.is_empty() && selection.banks.is_subset(&selection.excluded_banks) {
        problems.push("--exclude-bank leaves out every bank of --bank-symbol; nothing would be looked at".to_owned());
    }
    if let (Some(from), Some(until)) = (selection.from_year, selection.until_year)
        && until < from
    {
        let by = if args.periods.from_year.is_some() { "--from-year" } else { "run.from_year" };
        problems.push(format!("--until-year {until} is before {by} {from}; no year is left"));
    }
    if problems.is_empty() && args.force && !selection.is_narrowed() {
        problems.push("--force would make every report again; say which with --bank-symbol, --etl-type, --period or --source".to_owned());
    }
    if problems.is_empty() { Ok(selection) } else { Err(Failure::Usage(problems.join("\nerror: "))) }
}
