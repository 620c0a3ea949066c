//! Gathers what is on record of gaps at some time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::decide::explain::{PastFacts, RunsThen, Then, then};
use crate::plan::decide::retention::KeptSince;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::retention::Retention;
use crate::plan::remember::arrivals::ArrivalQuery;
use crate::plan::remember::past::{JobQuery, PastDecision, PastRun, RunQuery, TimeSpan};
use crate::store::{self, History};

/// So many of the latest jobs of a gap are looked at.
const LATEST_JOBS: u32 = 20;

/// What was done about these gaps at this time, and the runs around it. Where none is named, about all that a run had decided not to make.
///
/// # Errors
/// When the database fails.
pub async fn why_then(
    store: &dyn History,
    gaps: &[GapKey],
    at: DateTime<Utc>,
    retention: &Retention,
) -> store::Result<(Vec<Then>, RunsThen)> {
    let decisions = store.decisions_at(gaps, at).await?;
    let runs = runs_around(store, at, retention).await?;
    let deciding: BTreeSet<RunId> = decisions.iter().map(|decision| decision.run).collect();
    let mut decided_by = BTreeMap::new();
    for id in deciding {
        decided_by.insert(id, run(store, id).await?);
    }
    let all: Vec<GapKey> = if gaps.is_empty() { decisions.iter().map(|decision| decision.gap.clone()).collect() } else { gaps.to_vec() };
    let mut found = Vec::new();
    for gap in all {
        let decision = decisions.iter().rfind(|decision| decision.gap == gap);
        let run = decision.and_then(|decision| decided_by.get(&decision.run)).and_then(Option::as_ref);
        found.push(one(store, &gap, (decision, run), &runs, at).await?);
    }
    Ok((found, runs))
}

/// The decisions against windows of a source that was asked for by itself.
async fn held_back(store: &dyn History, gap: &GapKey, at: DateTime<Utc>) -> store::Result<Vec<PastDecision>> {
    let GapKey::Source(id) = gap else { return Ok(Vec::new()) };
    let mut decisions = store.decisions_at(&[], at).await?;
    decisions.retain(|decision| matches!(&decision.gap, GapKey::Window { source, .. } if source == id));
    Ok(decisions)
}

async fn one(
    store: &dyn History,
    gap: &GapKey,
    (decision, decided_by): (Option<&PastDecision>, Option<&PastRun>),
    runs: &RunsThen,
    at: DateTime<Utc>,
) -> store::Result<Then> {
    let planned = TimeSpan { since: None, until: Some(just_after(at)) };
    let query = match gap {
        GapKey::Source(source) => JobQuery { filled_by: vec![source.clone()], ..JobQuery::default() },
        GapKey::Report { .. } | GapKey::Window { .. } | GapKey::Group { .. } => JobQuery { gaps: vec![gap.clone()], ..JobQuery::default() },
    };
    let jobs = store.jobs(&JobQuery { planned, limit: LATEST_JOBS, ..query }).await?;
    let owner = match jobs.iter().find(|job| job.ended_at.is_none_or(|end| at < end)) {
        Some(job) => run(store, job.run).await?,
        None => None,
    };
    let orders = store.orders_on(&with_groups(gap), at).await?;
    let held_back = held_back(store, gap, at).await?;
    let arrivals = match gap {
        GapKey::Report { bank, period, .. } => store.arrivals(ArrivalQuery::Data(bank, *period)).await?,
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => Vec::new(),
    };
    let (owner, held_back, arrivals) = (owner.as_ref(), held_back.as_slice(), arrivals.as_slice());
    Ok(then(gap, PastFacts { at, decision, decided_by, jobs: &jobs, owner, orders: &orders, held_back, runs, arrivals }))
}

/// The gap, and what an order on which is one on the gap too.
fn with_groups(gap: &GapKey) -> Vec<GapKey> {
    let mut all = vec![gap.clone()];
    match gap {
        GapKey::Report { bank, etl, .. } => {
            let group = |bank: Option<&String>, etl: Option<&String>| GapKey::Group { bank: bank.cloned(), etl: etl.cloned() };
            all.extend([group(Some(bank), None), group(None, Some(etl)), group(Some(bank), Some(etl))]);
        }
        GapKey::Window { source, .. } => all.push(GapKey::source(source)),
        GapKey::Source(_) | GapKey::Group { .. } => {}
    }
    all
}

async fn runs_around(store: &dyn History, at: DateTime<Utc>, retention: &Retention) -> store::Result<RunsThen> {
    let by_then = TimeSpan { since: None, until: Some(just_after(at)) };
    let later = TimeSpan { since: Some(just_after(at)), until: None };
    let last = store.runs(&RunQuery { started: by_then, limit: 1, ..RunQuery::default() }).await?.pop();
    let next = store.runs(&RunQuery { started: later, limit: 1, oldest_first: true, ..RunQuery::default() }).await?.pop();
    let is_kept = KeptSince::of(retention, Utc::now()).idle_runs.is_none_or(|first| first <= at);
    Ok(RunsThen { last, next, idle_kept: (!is_kept).then_some(retention.idle_runs) })
}

async fn run(store: &dyn History, id: RunId) -> store::Result<Option<PastRun>> {
    Ok(store.runs(&RunQuery { id: Some(id.to_string()), limit: 1, ..RunQuery::default() }).await?.pop())
}

/// The databases know microseconds.
fn just_after(at: DateTime<Utc>) -> DateTime<Utc> {
    at.checked_add_signed(TimeDelta::microseconds(1)).unwrap_or(at)
}
