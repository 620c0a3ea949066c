//! `etl-orch jobs`: the jobs on record.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::SELECT;
use super::super::names;
use super::super::orders::args::GapWords;
use super::super::orders::target::of_gaps;
use super::args::{ListArgs, run_prefix};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::job::JobState;
use crate::plan::remember::past::JobQuery;
use crate::show::history::JobsView;
use crate::store::Access;

/// Options of `jobs`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct JobsArgs {
    #[command(flatten)]
    gaps: GapWords,
    /// Only this disclosure source
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = SELECT)]
    source: Vec<String>,
    /// Only jobs in this state
    ///
    /// Repeatable, or a list.
    #[arg(long, value_delimiter = ',', value_parser = states(), hide_possible_values = true, help_heading = SELECT)]
    state: Vec<JobState>,
    /// Only jobs that failed, or whose owner died
    ///
    /// Short for --state failed,lost.
    #[arg(long, conflicts_with = "state", help_heading = SELECT)]
    failed: bool,
    /// Only jobs that are running
    #[arg(long, conflicts_with_all = ["state", "failed"], help_heading = SELECT)]
    running: bool,
    /// Only jobs of this run: its id or the beginning
    #[arg(long, value_name = "RUN", value_parser = run_prefix, help_heading = SELECT)]
    run: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

fn states() -> impl TypedValueParser<Value = JobState> {
    let names = JobState::ALL.map(JobState::name);
    PossibleValuesParser::new(names).try_map(|name| JobState::parse(&name).ok_or("is not a state"))
}

impl JobsArgs {
    fn query(&self, catalogue: &Catalogue, now: DateTime<Utc>) -> Result<JobQuery, Failure> {
        let names_gaps = !self.gaps.list().is_empty() || !self.gaps.etl_type.is_empty();
        let mut query = if names_gaps { of_gaps(catalogue, &self.gaps)?.job_query() } else { JobQuery::default() };
        for id in &self.source {
            names::source(catalogue, id).map_err(|problem| Failure::Usage(format!("--source: {problem}")))?;
        }
        query.filled_by.extend(self.source.iter().cloned());
        query.states = match (self.failed, self.running) {
            (true, _) => vec![JobState::Failed, JobState::Lost],
            (_, true) => vec![JobState::Running],
            (false, false) => self.state.clone(),
        };
        Ok(JobQuery { run: self.run.clone(), planned: self.list.span(now)?, limit: self.list.limit, ..query })
    }
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &JobsArgs) -> Result<Exit, Failure> {
    let now = Utc::now();
    let query = args.query(&context.config.catalogue, now)?;
    let jobs = context.with_store(Access::ReadOnly, async |store| Ok(store.jobs(&query).await?)).await?;
    context.print(&JobsView::new(&jobs, now))?;
    Ok(Exit::Success)
}
