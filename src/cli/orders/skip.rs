//! `etl-orch skip`: leaves gaps alone.

use chrono::Utc;
use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::ORDER;
use super::super::moment::Moment;
use super::args::{GapOrderArgs, GapWords};
use super::target;
use crate::plan::model::orders::GapOrderKind;

/// Options of `skip`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SkipArgs {
    #[command(flatten)]
    gaps: GapWords,
    /// When it ends by itself: a date, a time, or 3d
    ///
    /// A date (2026-12-01), a time ("2026-12-01 09:00", 2026-12-01T09:00:00Z), or a duration from now (3d).
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = ORDER)]
    until: Option<Moment>,
    #[command(flatten)]
    order: GapOrderArgs,
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &SkipArgs) -> Result<Exit, Failure> {
    let until = args.until.map(|until| until.after(Utc::now())).transpose();
    let until = until.map_err(|problem| Failure::Usage(format!("--until: {problem}")))?;
    let target = target::of_gaps(&context.config.catalogue, &args.gaps)?;
    super::give(context, GapOrderKind::Skip { until }, &target, &args.order).await
}
