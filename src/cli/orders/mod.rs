//! `etl-orch retry`, `skip`, `unskip` and `cancel`: what an operator orders, with who and why.

pub(super) mod args;
pub(super) mod cancel;
mod gaps;
mod said;
mod target;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::args::Global;
use super::exit::{Exit, Failure};
use super::user::user;
use crate::config::{self, Config};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{FoundJob, GapOrder, GapOrderKind};
use crate::plan::model::settings::Variables;
use crate::show;
use crate::show::escape::escaped;
use crate::store::{self, Access, Store};
use args::{OrderArgs, SkipArgs, SweepArgs};
use gaps::OrderEffect;
use target::{Jobs, Target};

/// `etl-orch retry`.
pub(super) async fn retry(global: &Global, args: &SweepArgs, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let target = target::of_sweep(&config, args)?;
    order(global, &config, GapOrderKind::Retry, &target, &args.order, environment).await
}

/// `etl-orch skip`.
pub(super) async fn skip(global: &Global, args: &SkipArgs, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let until =
        args.until.map(|when| when.after(Utc::now())).transpose().map_err(|problem| Failure::Usage(format!("--until: {problem}")))?;
    let target = target::of_words(&config, &args.words.words())?;
    if let Target::Past { .. } = target {
        let text = "skip needs a period: write BANK YEAR QUARTER, such as RY 2025 Q2, with an ETL behind it for that one report";
        return Err(Failure::Usage(text.to_owned()));
    }
    order(global, &config, GapOrderKind::Skip { until }, &target, &args.order, environment).await
}

/// `etl-orch unskip`.
pub(super) async fn unskip(global: &Global, args: &SweepArgs, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let target = target::of_sweep(&config, args)?;
    order(global, &config, GapOrderKind::Unskip, &target, &args.order, environment).await
}

fn load(global: &Global, environment: &Variables) -> Result<Config, Failure> {
    let path = config::find(global.config.as_deref(), environment)?;
    Ok(config::load(&path, environment)?)
}

async fn order(
    global: &Global,
    config: &Config,
    kind: GapOrderKind,
    target: &Target,
    args: &OrderArgs,
    environment: &Variables,
) -> Result<Exit, Failure> {
    let order = GapOrder { kind, by: user(environment), reason: args.reason.clone(), at: Utc::now() };
    let store = store::open(&config.database, Access::ReadWrite).await?;
    let given = give(&store, &order, target).await;
    store.close().await;
    show::out(&said::page(global.format, &order, &given?))?;
    Ok(Exit::Success)
}

/// What became of an order.
struct Given {
    /// What it was about, in words, for when that is nothing.
    about: String,
    /// Each gap with what there is to say of it.
    gaps: Vec<(GapKey, OrderEffect)>,
    /// How many gaps the store changed.
    changed: u64,
}

async fn give(store: &Arc<dyn Store>, order: &GapOrder, target: &Target) -> Result<Given, Failure> {
    let named = match target {
        Target::Job(prefix) => Some(vec![one_job(store, prefix).await?.gap]),
        Target::Gaps(gaps) => Some(gaps.clone()),
        Target::Past { .. } => None,
    };
    let states = store.gap_states().await?;
    let running = store.running_jobs().await?;
    let gaps = match named {
        Some(named) => gaps::judge(order, named, &states, &running),
        None => gaps::judge(order, gaps::matching(order, target, &states), &states, &running),
    };
    let chosen: Vec<_> = gaps.iter().filter(|(_, verdict)| verdict.is_ordered()).map(|(gap, _)| gap.clone()).collect();
    let changed = if chosen.is_empty() { 0 } else { store.order(order, &chosen).await? };
    Ok(Given { about: target.to_string(), gaps, changed })
}

/// The only job whose id begins so.
async fn one_job(store: &Arc<dyn Store>, wanted: &Jobs) -> Result<FoundJob, Failure> {
    let mut found = store.find_jobs(&wanted.prefix, LISTED).await?;
    if found.len() == 1
        && let Some(job) = found.pop()
    {
        return Ok(job);
    }
    let (problem, jobs) = if found.is_empty() {
        let latest = store.find_jobs("", LISTED).await?;
        let follows = if latest.is_empty() { "there is none yet" } else { "the latest are" };
        (format!("{}; {follows}", wanted.unknown()), latest)
    } else {
        (format!("several jobs have an id that begins with {}; write more of it", wanted.prefix), found)
    };
    let lines = jobs.iter().map(|job| format!("\n  {}  {:9}  {}", job.id, job.state.name(), escaped(&job.gap.to_string())));
    Err(Failure::Usage(problem + &lines.collect::<String>()))
}

/// Jobs in a list of them.
const LISTED: u32 = 10;

/// A time as it is printed.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
