//! `etl-orch run-one`: one job by hand, started, watched, verified and recorded as in any run.

use std::borrow::Cow;

use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::{OUTPUT, RUN};
use super::super::orders::one_job;
use super::super::orders::target::{OrderTarget, of_words};
use super::args::{ByHand, MaxParallel, PeriodArgs, RunArgs};
use super::request::RunRequest;
use super::{after, planned, run_guard};
use crate::config::{Config, looks_secret};
use crate::plan::decide::plan::Plan;
use crate::plan::model::gap::GapKey;
use crate::plan::model::work::is_of_attempt;
use crate::plan::text::secrets::Secrets;
use crate::run::guard::link::has_guard;
use crate::show::run::one::not_started;
use crate::show::shell_env::ShellEnvView;
use crate::store::Access;

/// Options of `run-one`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RunOneArgs {
    /// BANK YEAR QUARTER ETL; or a gap, source or job
    ///
    /// RY 2025 Q2 call_summary; RY-CA/2025Q2/call_summary; us_house, whose next job is started; or the beginning of a job's id.
    #[arg(value_name = "GAP", required = true, num_args = 1..=4)]
    words: Vec<String>,
    /// Make the report again although it exists
    ///
    /// Of a source, collect its last window again.
    #[arg(long, help_heading = RUN)]
    force: bool,
    /// Start it although a run would not
    ///
    /// While it cools down, is quarantined, lacks a report that it needs, or is before run.from_year.
    #[arg(long, help_heading = RUN)]
    anyway: bool,
    /// Print what would be started, and start nothing
    ///
    /// As lines for a POSIX shell; secrets are left out.
    #[arg(long, help_heading = OUTPUT)]
    shell_env: bool,
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &RunOneArgs) -> Result<Exit, Failure> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let target = of_words(&context.config.catalogue, &words)?;
    if matches!(target, OrderTarget::Job(_)) && !args.shell_env && !has_guard() {
        // The guard opens no database.
        return run_guard().await;
    }
    let gap = named_gap(context, target).await?;
    let by_hand = ByHand { gap: gap.clone(), anyway: args.anyway || args.shell_env, user: context.user.clone() };
    let run = RunArgs {
        force: args.force || args.shell_env,
        max_jobs: Some(1),
        max_parallel: Some(MaxParallel::Chains(1)),
        no_lock: true,
        verbose: true,
        by_hand: Some(by_hand),
        ..selecting(&gap)?
    };
    if args.shell_env {
        return shell_env(&RunRequest::new(context.clone(), &run)?, &gap).await;
    }
    let may_start = async {
        let request = RunRequest::new(context.clone(), &run)?;
        let summary = planned(&request, |_, summary| summary).await?;
        if summary.plan.jobs.is_empty() { Err(refusal(&gap, &summary.plan, &context.config)) } else { Ok(()) }
    };
    Box::pin(after(context, &run, may_start)).await
}

/// The only gap that is named.
async fn named_gap(context: &Context<'_>, target: OrderTarget) -> Result<GapKey, Failure> {
    let what = target.to_string();
    let several = || Failure::Usage(format!("{what} may be several reports; name one like RY 2025 Q2 call_summary"));
    match target {
        OrderTarget::Job(prefix) => context.with_store(Access::ReadOnly, async |store| Ok(one_job(&*store, &prefix).await?.gap)).await,
        OrderTarget::Gaps(mut gaps) => gaps.pop().filter(|_| gaps.is_empty()).ok_or_else(several),
        OrderTarget::Sweep(_) => Err(several()),
    }
}

/// A run of this gap alone.
fn selecting(gap: &GapKey) -> Result<RunArgs, Failure> {
    let plain = RunArgs::plain();
    match gap {
        GapKey::Report { bank, period, etl } => Ok(RunArgs {
            bank_symbol: vec![bank.clone()],
            periods: PeriodArgs { period: vec![*period], ..PeriodArgs::default() },
            etl_type: vec![etl.clone()],
            ..plain
        }),
        GapKey::Source(id) => Ok(RunArgs { source: vec![id.clone()], ..plain }),
        GapKey::Window { source, .. } | GapKey::Group { etl: Some(source), .. } => {
            let text = format!("{gap} cannot be named here; `etl-orch sources enqueue {source} --window WINDOW --now` collects a window");
            Err(Failure::Usage(text))
        }
        GapKey::Group { etl: None, .. } => Err(Failure::Usage(format!("{gap} is no single report"))),
    }
}

/// Why there was nothing to start.
pub(super) fn refusal(gap: &GapKey, plan: &Plan, config: &Config) -> Failure {
    Failure::Usage(not_started(gap, plan, &config.catalogue, config.run.from_year))
}

async fn shell_env(request: &RunRequest<'_>, gap: &GapKey) -> Result<Exit, Failure> {
    let (plan, preview) = planned(request, |invocation, summary| {
        let preview = summary.plan.jobs.first().map(|job| invocation.preview(job));
        (summary.plan, preview)
    })
    .await?;
    let config = &request.context.config;
    let preview = preview.ok_or_else(|| refusal(gap, &plan, config))?;
    let preview =
        preview.ok_or_else(|| Failure::Usage(format!("{} is done by a service; there is no program to start", gap.filled_by())))?;
    let program = preview.program;
    let hidden = |value: String| (!holds_secret(&request.secrets, &value)).then_some(value);
    let of_env = |(name, value): (String, String)| {
        let is_named = looks_secret(&name) && !is_of_attempt(&name) && !value.is_empty();
        let value = if is_named { None } else { hidden(value) };
        (name, value)
    };
    let env: Vec<(String, Option<String>)> = program.env.into_iter().map(of_env).collect();
    let argv: Vec<Option<String>> = program.argv.into_iter().map(hidden).collect();
    request.context.print(&ShellEnvView::new(gap, [&preview.work_dir, &program.cwd], &env, &argv))?;
    Ok(Exit::Success)
}

fn holds_secret(secrets: &Secrets, text: &str) -> bool {
    matches!(secrets.clean(text), Cow::Owned(_))
}
