//! `etl-orch trace`: a job or a run from planning to output.

mod facts;

use chrono::Utc;
use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::orders::args::GapWords;
use super::super::orders::target::{JobPrefix, OrderTarget, of_gaps};
use crate::plan::remember::past::{JobQuery, PastJob, PastRun, RunQuery};
use crate::show::trace::{JobTraceView, RunTraceView, job_list, run_list};
use crate::store::{Access, Store};
use facts::Gathering;

/// Options of `trace`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct TraceArgs {
    #[command(flatten)]
    gaps: GapWords,
}

/// How many jobs or runs an error message lists.
const LISTED: u32 = 10;

/// Jobs of a run that are traced.
const MOST_JOBS: u32 = 100_000;

/// What is traced.
enum Subject {
    Job(PastJob),
    Run(PastRun),
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &TraceArgs) -> Result<Exit, Failure> {
    let target = of_gaps(&context.config.catalogue, &args.gaps)?;
    let work = async |store: std::sync::Arc<dyn Store>| {
        let gathering = Gathering { store: &*store, config: &context.config, now: Utc::now() };
        match find(&*store, target).await? {
            Subject::Job(job) => {
                let run = store.runs(&RunQuery { id: Some(job.run.to_string()), limit: 1, ..RunQuery::default() }).await?.pop();
                let facts = gathering.facts(vec![job], run.as_ref()).await?;
                facts.first().map(|facts| context.print(&JobTraceView::new(facts, run.as_ref()))).transpose()
            }
            Subject::Run(run) => {
                let query = JobQuery { run: Some(run.id.to_string()), limit: MOST_JOBS, ..JobQuery::default() };
                let jobs = store.jobs(&query).await?;
                let facts = gathering.facts(jobs, Some(&run)).await?;
                context.print(&RunTraceView::new(&run, &facts, gathering.now)).map(Some)
            }
        }
    };
    context.with_store(Access::ReadOnly, work).await?;
    Ok(Exit::Success)
}

async fn find(store: &dyn Store, target: OrderTarget) -> Result<Subject, Failure> {
    if let OrderTarget::Job(prefix) = target {
        return by_id(store, &prefix).await;
    }
    let words = target.to_string();
    let last = store.jobs(&JobQuery { limit: 1, ..target.job_query() }).await?.pop();
    last.map(Subject::Job).ok_or_else(|| Failure::Orchestrator(format!("no job of {words} is on record")))
}

/// The only job or run whose id begins so.
async fn by_id(store: &dyn Store, prefix: &JobPrefix) -> Result<Subject, Failure> {
    let id = Some(prefix.text.clone());
    let mut jobs = store.jobs(&JobQuery { id: id.clone(), limit: LISTED, ..JobQuery::default() }).await?;
    let mut runs = store.runs(&RunQuery { id, limit: LISTED, ..RunQuery::default() }).await?;
    match (jobs.len(), runs.len()) {
        (1, 0) => jobs.pop().map(Subject::Job).ok_or_else(|| unknown(prefix, &[])),
        (0, 1) => runs.pop().map(Subject::Run).ok_or_else(|| unknown(prefix, &[])),
        (0, 0) => Err(unknown(prefix, &store.jobs(&JobQuery { limit: LISTED, ..JobQuery::default() }).await?)),
        _ => {
            let found = job_list(&jobs) + &run_list(&runs);
            Err(Failure::Usage(format!("several ids begin with {}; write more of it{found}", prefix.text)))
        }
    }
}

fn unknown(prefix: &JobPrefix, latest: &[PastJob]) -> Failure {
    let follows = if latest.is_empty() { "there is no job yet" } else { "the latest jobs are" };
    Failure::Usage(format!("no job or run has an id that begins with {}; {follows}{}", prefix.text, job_list(latest)))
}
