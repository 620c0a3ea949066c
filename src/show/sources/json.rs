//! A source for programs.

use serde::Serialize;

use super::super::escape::escaped;
use super::super::json::Outcome;
use super::super::summary::time;
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::Owner;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::source_state::{LastSuccess, Pause};
use crate::plan::run::summary::JobResult;

/// A source and what is done about it.
#[derive(Serialize)]
pub(in crate::show) struct SourceEntry<'a> {
    id: &'a str,
    name: &'a str,
    standing: &'static str,
    behind: u64,
    missing: Option<Span>,
    left: u64,
    next_due: String,
    lateness: &'static str,
    frontier: Option<String>,
    paused: Option<Paused>,
    skipped: Option<Skipped>,
    claimed: Option<Claimed>,
    quarantined: Option<Rests>,
    cooling_down: Option<Rests>,
    last: Option<Last>,
    failed_runs: u32,
    error: Option<String>,
    jobs: Vec<Job>,
}

#[derive(Serialize)]
struct Span {
    start: String,
    end: String,
}

#[derive(Serialize)]
struct Paused {
    by: String,
    since: String,
    reason: String,
}

#[derive(Serialize)]
struct Skipped {
    by: String,
    since: String,
    until: Option<String>,
    reason: String,
}

#[derive(Serialize)]
struct Claimed {
    host: String,
    pid: u32,
}

#[derive(Serialize)]
struct Rests {
    why: &'static str,
    since: String,
    until: Option<String>,
}

#[derive(Serialize)]
struct Last {
    at: String,
    #[serde(flatten)]
    collected: Came,
}

#[derive(Serialize)]
struct Came {
    window: Span,
    seen: &'static str,
    records: Option<i64>,
    message: Option<String>,
}

#[derive(Serialize)]
struct Job {
    gap: String,
    window: Span,
    windows: u64,
    resumed: bool,
    result: Option<JobEnd>,
}

#[derive(Serialize)]
struct JobEnd {
    #[serde(flatten)]
    outcome: Outcome,
    collected: Option<Came>,
}

/// The entry of a source; `result` says what became of a job of its, if that was run.
pub(in crate::show) fn entry<'a>(
    plan: &SourcePlan,
    catalogue: &'a Catalogue,
    result: impl Fn(&Collection) -> Option<&'a JobResult>,
) -> SourceEntry<'a> {
    let source = &catalogue.sources[plan.source];
    let job = |job: &Collection| Job {
        gap: GapKey::source(&source.id).to_string(),
        window: span(job.window),
        windows: job.windows,
        resumed: job.remote.is_some(),
        result: result(job).map(|result| JobEnd { outcome: Outcome::of(result), collected: result.collected().map(came) }),
    };
    let mut entry = SourceEntry {
        id: &source.id,
        name: &source.name,
        standing: "",
        behind: plan.behind,
        missing: plan.missing.map(span),
        left: plan.left,
        next_due: time(plan.next_due),
        lateness: match plan.lateness {
            Lateness::OnTime => "on_time",
            Lateness::Late => "late",
            Lateness::Overdue => "overdue",
            Lateness::Ahead => "ahead",
        },
        frontier: plan.state.frontier.map(time),
        paused: plan.state.paused.as_ref().map(paused),
        skipped: None,
        claimed: None,
        quarantined: None,
        cooling_down: None,
        last: plan.state.last.as_ref().map(last),
        failed_runs: plan.failed_runs,
        error: plan.error.as_deref().map(safe),
        jobs: plan.jobs.iter().map(job).collect(),
    };
    entry.standing = match &plan.standing {
        SourceStatus::UpToDate => "up_to_date",
        SourceStatus::Paused(_) => "paused",
        SourceStatus::Skipped(order) => {
            entry.skipped = Some(skipped(order));
            "skipped"
        }
        SourceStatus::Claimed(Owner { host, pid, .. }) => {
            entry.claimed = Some(Claimed { host: safe(host), pid: *pid });
            "claimed"
        }
        SourceStatus::Quarantined(Quarantine { since, why }) => {
            entry.quarantined = Some(Rests { why: why.name(), since: time(*since), until: None });
            "quarantined"
        }
        SourceStatus::CoolingDown(Rest { since, until, why }) => {
            entry.cooling_down = Some(Rests { why: why.name(), since: time(*since), until: Some(time(*until)) });
            "cooling_down"
        }
        SourceStatus::Due => "due",
    };
    entry
}

fn safe(text: &str) -> String {
    escaped(text).into_owned()
}

fn span(window: Window) -> Span {
    Span { start: time(window.start), end: time(window.end) }
}

fn paused(pause: &Pause) -> Paused {
    Paused { by: safe(&pause.by), since: time(pause.since), reason: safe(&pause.reason) }
}

fn skipped(order: &SkipOrder) -> Skipped {
    Skipped { by: safe(&order.by), since: time(order.since), until: order.until.map(time), reason: safe(&order.reason) }
}

fn last(last: &LastSuccess) -> Last {
    Last { at: time(last.at), collected: came(&last.collected) }
}

fn came(collected: &Collected) -> Came {
    Came {
        window: span(collected.window),
        seen: collected.seen.name(),
        records: collected.records,
        message: collected.message.as_deref().map(safe),
    }
}
