//! `etl-orch coverage`: which reports there are and which are missing.

use chrono::Utc;
use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::run::args::RunArgs;
use super::run::request::RunRequest;
use super::run::survey;
use crate::plan::model::period::Period;
use crate::run::check_database_file;
use crate::show::coverage::CoverageView;
use crate::store::Access;

/// Options of `coverage`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CoverageArgs {
    /// Only these banks: RY or RY-CA, in any case
    #[arg(value_name = "BANK")]
    banks: Vec<String>,
    /// Only this ETL (repeatable, or a list)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    etl_type: Vec<String>,
    /// Only this fiscal period, such as 2025Q2 (repeatable, or a list)
    #[arg(long, value_name = "PERIOD", value_delimiter = ',')]
    period: Vec<Period>,
    /// Only this fiscal year and later ones
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(1900..=2999))]
    from_year: Option<u16>,
    /// Only this fiscal year and earlier ones
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(1900..=2999))]
    until_year: Option<u16>,
}

pub(super) async fn command(context: &Context<'_>, args: &CoverageArgs) -> Result<Exit, Failure> {
    let selection = RunArgs {
        bank_symbol: args.banks.clone(),
        etl_type: args.etl_type.clone(),
        period: args.period.clone(),
        from_year: args.from_year,
        until_year: args.until_year,
        ..RunArgs::plain()
    };
    let request = RunRequest::new(context.clone(), &selection)?;
    check_database_file(&context.config.database.target, &context.config.state_dir)?;
    let (summary, coverage) = context.with_store(Access::ReadOnly, async |store| survey(store, &request).await).await?;
    summary.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    context.print(&CoverageView::new(&coverage, &context.config.catalogue, Utc::now(), context.global.paper(context.environment)))?;
    Ok(Exit::Success)
}
