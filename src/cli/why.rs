//! `etl-orch why`: why a report or a source is made, or is not.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::SELECT;
use super::moment::Moment;
use super::names;
use super::orders::args::GapWords;
use super::orders::one_job;
use super::orders::target::{OrderTarget, of_gaps};
use super::run;
use crate::plan::decide::mismatch::NameCount;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::institution::{SelectError, stem};
use crate::plan::text::nearest::nearest;
use crate::run::why::{Answer, Asked};
use crate::run::why_then;
use crate::show::why::{UnmonitoredView, WhyView};
use crate::store::{Access, Store};

/// Options of `why`.
#[derive(Debug, Clone, Args)]
pub(super) struct WhyArgs {
    #[command(flatten)]
    gaps: GapWords,
    /// At this time instead of now
    ///
    /// From what is on record: a date (2026-11-14), a time ("2026-11-14 09:00", 2026-11-14T09:00:00Z), or a span before now (3d).
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = SELECT)]
    at: Option<Moment>,
}

pub(super) async fn command(context: &Context<'_>, args: &WhyArgs) -> Result<Exit, Failure> {
    let catalogue = &context.config.catalogue;
    if let Some(at) = args.at {
        return then(context, args, at).await;
    }
    if args.gaps.list().is_empty() && args.gaps.etl_type.is_empty() {
        return all(context).await;
    }
    let target = match (of_gaps(catalogue, &args.gaps), unknown_bank(catalogue, &args.gaps.list())) {
        (Ok(target), _) => target,
        (Err(failure), None) => return Err(failure),
        (Err(failure), Some(symbol)) => return unmonitored(context, &symbol, failure).await,
    };
    let (answer, about) = context.with_store(Access::ReadOnly, async |store| answer(context, store, target).await).await?;
    answer.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let view = WhyView::new(&answer.explanations, (answer.done, answer.filtered), &about, &context.command_line(), Utc::now());
    context.print(&view.expecting(answer.expectation.as_ref()))?;
    Ok(Exit::Success)
}

/// What was done at an earlier time.
async fn then(context: &Context<'_>, args: &WhyArgs, at: Moment) -> Result<Exit, Failure> {
    let now = Utc::now();
    let at = at.before(now).map_err(|problem| Failure::Usage(format!("--at: {problem}")))?;
    if at > now {
        return Err(Failure::Usage("--at: that time has not come yet; without --at `why` tells what a run would do now".to_owned()));
    }
    // A time in whole seconds, as it is written and shown, stands for all of that second.
    let at = if at.timestamp_subsec_nanos() == 0 { at + TimeDelta::microseconds(999_999) } else { at };
    let everything = args.gaps.list().is_empty() && args.gaps.etl_type.is_empty();
    let target = if everything { None } else { Some(of_gaps(&context.config.catalogue, &args.gaps)?) };
    let about = target.as_ref().map(ToString::to_string).unwrap_or_default();
    let found = context.with_store(Access::ReadOnly, async |store| {
        let (gaps, groups) = match target {
            None => (Vec::new(), Vec::new()),
            Some(OrderTarget::Gaps(gaps)) => (gaps, Vec::new()),
            Some(OrderTarget::Job(prefix)) => (vec![one_job(&*store, &prefix).await?.gap], Vec::new()),
            Some(OrderTarget::Sweep(sweep)) => (Vec::new(), sweep.groups()),
        };
        let (mut found, runs) = why_then(&*store, &gaps, at, &context.config.retention).await?;
        found.retain(|then| groups.is_empty() || groups.iter().any(|group| group.covers(&then.gap)));
        Ok((found, runs))
    });
    let (found, runs) = found.await?;
    context.print(&WhyView::then(&found, &about, at, &context.command_line(), now).with_runs(&runs))?;
    Ok(Exit::Success)
}

/// Everything that is held up.
async fn all(context: &Context<'_>) -> Result<Exit, Failure> {
    let answer = context.with_store(Access::ReadOnly, async |store| Ok(run::plain(context, store)?.why_all().await?)).await?;
    answer.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let next = context.command_line();
    context.print(&WhyView::of_all(&answer.explanations, answer.capped, answer.last_run.as_ref(), &next, Utc::now()))?;
    Ok(Exit::Success)
}

/// The answer, and what was asked for in words.
async fn answer(context: &Context<'_>, store: Arc<dyn Store>, target: OrderTarget) -> Result<(Answer, String), Failure> {
    let about = target.to_string();
    let gaps = match target {
        OrderTarget::Gaps(gaps) => gaps,
        OrderTarget::Job(prefix) => vec![one_job(&*store, &prefix).await?.gap],
        OrderTarget::Sweep(sweep) => sweep.groups(),
    };
    let invocation = run::plain(context, store)?;
    let catalogue = &context.config.catalogue;
    if let Some(GapKey::Source(id) | GapKey::Window { source: id, .. }) = gaps.first() {
        let source = names::source(catalogue, id).map_err(Failure::Usage)?;
        return Ok((invocation.why_source(source).await?, about));
    }
    Ok((invocation.why_reports(&asked(catalogue, &gaps)?).await?, about))
}

/// The banks, the period and the ETLs of these gaps.
fn asked(catalogue: &Catalogue, gaps: &[GapKey]) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    for gap in gaps {
        let (bank, etl) = match gap {
            GapKey::Report { bank, period, etl } => {
                asked.period = Some(*period);
                (Some(bank), Some(etl))
            }
            GapKey::Group { bank, etl } => (bank.as_ref(), etl.as_ref()),
            GapKey::Source(_) | GapKey::Window { .. } => (None, None),
        };
        if let Some(bank) = bank {
            asked.banks.insert(names::bank(catalogue, bank).map_err(|problem| Failure::Usage(problem.to_string()))?);
        }
        if let Some(etl) = etl {
            asked.etls.insert(names::etl(catalogue, etl).map_err(Failure::Usage)?);
        }
    }
    if asked.banks.is_empty() {
        asked.banks = catalogue.institutions.iter().map(|(index, _)| index).collect();
    }
    Ok(asked)
}

/// The bank that these words name and that nobody monitors.
fn unknown_bank(catalogue: &Catalogue, words: &[&str]) -> Option<String> {
    let word = words.first()?.split('/').next()?;
    match names::bank(catalogue, word) {
        Err(SelectError::Unknown { .. }) => Some(word.to_owned()),
        Err(SelectError::Ambiguous { .. }) | Ok(_) => None,
    }
}

/// What the data has of a bank that nobody monitors. Where it has nothing, that is a mistake on the command line.
async fn unmonitored(context: &Context<'_>, symbol: &str, failure: Failure) -> Result<Exit, Failure> {
    let symbols = context.with_store(Access::ReadOnly, async |store| Ok(store.availability_symbols().await?)).await;
    let (symbols, failure) = match (symbols, failure) {
        (Ok(symbols), failure) => (symbols, failure),
        (Err(error), Failure::Usage(problem)) => {
            (Vec::new(), Failure::Usage(format!("{problem}; the data could not be looked at: {}", error.message().replace('\n', " "))))
        }
        (Err(_), failure) => (Vec::new(), failure),
    };
    let is_it = |one: &&NameCount| one.name.eq_ignore_ascii_case(symbol) || stem(&one.name).eq_ignore_ascii_case(symbol);
    let in_data: Vec<NameCount> = symbols.iter().filter(is_it).cloned().collect();
    if in_data.is_empty() {
        let is_unmonitored = |one: &&NameCount| context.config.catalogue.institutions.by_data_symbol(&one.name).is_none();
        let close = nearest(symbol, symbols.iter().filter(is_unmonitored).map(|one| one.name.as_str()));
        return Err(match (failure, close.as_slice()) {
            (Failure::Usage(problem), [_, ..]) => {
                Failure::Usage(format!("{problem}; the data has {}, which nobody monitors", close.join(", ")))
            }
            (failure, _) => failure,
        });
    }
    let catalogue = &context.config.catalogue;
    let monitored = catalogue.institutions.iter().flat_map(|(_, bank)| [bank.key.as_str(), bank.symbol()]);
    let file = context.config.institutions_file.display().to_string();
    let (similar, next) = (nearest(symbol, monitored), context.command_line());
    context.print(&UnmonitoredView::new(symbol, &in_data, &similar, &file, &next, Utc::now()))?;
    Ok(Exit::Success)
}
