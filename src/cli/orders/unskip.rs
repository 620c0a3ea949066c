//! `etl-orch unskip`: takes `skip` back.

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::args::SweepArgs;
use super::target;
use crate::plan::model::orders::GapOrderKind;

pub(in crate::cli) async fn command(context: &Context<'_>, args: &SweepArgs) -> Result<Exit, Failure> {
    let target = target::of_sweep(&context.config.catalogue, args)?;
    super::give(context, GapOrderKind::Unskip, &target, &args.order).await
}
