//! `etl-orch coverage`: which reports there are and which are missing.

use chrono::Utc;
use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::SELECT;
use super::run::args::{PeriodArgs, RunArgs};
use super::run::request::RunRequest;
use super::run::survey;
use crate::run::check_database_file;
use crate::show::coverage::CoverageView;
use crate::store::Access;

/// Options of `coverage`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CoverageArgs {
    /// Only these banks: RY or RY-CA, in any case
    #[arg(value_name = "BANK")]
    banks: Vec<String>,
    /// Only this ETL
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = SELECT)]
    etl_type: Vec<String>,
    #[command(flatten)]
    periods: PeriodArgs,
}

pub(super) async fn command(context: &Context<'_>, args: &CoverageArgs) -> Result<Exit, Failure> {
    let selection =
        RunArgs { bank_symbol: args.banks.clone(), etl_type: args.etl_type.clone(), periods: args.periods.clone(), ..RunArgs::plain() };
    let request = RunRequest::new(context.clone(), &selection)?;
    check_database_file(&context.config.database.target, &context.config.state_dir)?;
    let (summary, coverage) = context.with_store(Access::ReadOnly, async |store| survey(store, &request).await).await?;
    summary.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    context.print(&CoverageView::new(&coverage, &context.config.catalogue, Utc::now(), context.global.paper(context.environment)))?;
    Ok(Exit::Success)
}
