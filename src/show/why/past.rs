//! What was done about a gap at some time, in sentences and for programs.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::blocked::quarantined;
use super::super::command_line::CommandLine;
use super::super::escape::excerpt;
use super::super::history::runs::options;
use super::super::words::{Time, Untrusted, count};
use super::sentences::{NAMED, names};
use super::{FactView, GapView, values, words};
use crate::plan::decide::explain::{RunsThen, StateThen, Then, Weight};
use crate::plan::model::job::{JobState, RunState};
use crate::plan::model::retention::Keep;
use crate::plan::remember::arrivals::Arrival;
use crate::plan::remember::failure_history::RestReason;
use crate::plan::remember::past::{PastDecision, PastJob, PastOrder, PastRun};
use crate::plan::remember::stored_decision::StoredDecision;

/// The page of a gap; `next` begins the command.
pub(super) fn view(then: &Then, next: &CommandLine) -> GapView {
    GapView {
        expected: None,
        next_try: None,
        prospect: None,
        gap: Untrusted::from(then.gap.to_string()).to_string(),
        decision: name(&then.state),
        reason: reason(&then.state),
        until: until(&then.state).map(Time),
        facts: [decision, windows, job, orders, runs].iter().map(|fact| fact(then)).chain(data(then)).chain([unknown(then)]).collect(),
        commands: vec![next.of(format!("why {}", words(&then.gap)))],
        way_out: "How it is now:".to_owned(),
        title: words(&then.gap),
        is_fine: matches!(then.state, StateThen::Made(_) | StateThen::Running(_) | StateThen::Queued(_)),
    }
}

fn name(state: &StateThen) -> &'static str {
    match state {
        StateThen::Running(_) => "running",
        StateThen::Queued(_) => "queued",
        StateThen::Unrecorded(_) => "unrecorded",
        StateThen::NotMade(decided) => decided.decision.name(),
        StateThen::Made(_) => "done",
        StateThen::Ended(job) => job.state.name(),
        StateThen::MaybeCapped(_) | StateThen::Unknown => "unknown",
    }
}

fn until(state: &StateThen) -> Option<DateTime<Utc>> {
    match state {
        StateThen::NotMade(decided) => match &decided.decision {
            StoredDecision::CoolingDown(rest) => Some(rest.until),
            StoredDecision::Skipped { until, .. } => *until,
            _ => None,
        },
        _ => None,
    }
}

fn reason(state: &StateThen) -> String {
    match state {
        StateThen::Running(job) => format!("it was being made by job {}", job.id.short()),
        StateThen::Queued(job) => format!("job {} was to make it, and had not begun", job.id.short()),
        StateThen::Unrecorded(job) => format!("its job {} had ended, and how is not on record", job.id.short()),
        StateThen::NotMade(decided) => held_back(&decided.decision),
        StateThen::Made(job) if job.window.is_some() => "its last job had succeeded".to_owned(),
        StateThen::Made(_) => "it was made already".to_owned(),
        StateThen::Ended(job) if job.started_at.is_none() => {
            let why = job.error.as_deref().map(|error| format!(": {}", excerpt(error))).unwrap_or_default();
            format!("its last job was not started{why}")
        }
        StateThen::Ended(job) => format!("its last job had ended as {}", job.state.name()),
        StateThen::MaybeCapped(capped) => {
            format!("unknown; the last run left {} for later ones by max_jobs, perhaps this one too", count(*capped, "gap"))
        }
        StateThen::Unknown => "unknown; nothing of it is on record".to_owned(),
    }
}

fn held_back(decision: &StoredDecision) -> String {
    match decision {
        StoredDecision::Invalid { problem } => format!("its row of data was wrong: {}", excerpt(problem)),
        StoredDecision::Paused { since, by, reason } => format!("paused by {} since {}: {}", excerpt(by), Time(*since), excerpt(reason)),
        StoredDecision::Skipped { since, until, by, reason } => {
            let until = until.map(|until| format!(" until {}", Time(until))).unwrap_or_default();
            format!("skipped by {} since {}{until}: {}", excerpt(by), Time(*since), excerpt(reason))
        }
        StoredDecision::Unrecorded { job, why } => {
            format!("the end of its job {} was not in the database: {}", job.short(), excerpt(why))
        }
        StoredDecision::Claimed { host, pid } => format!("process {pid} on {} was making it", excerpt(host)),
        StoredDecision::Waiting { need } => format!("it waited for {}", excerpt(need)),
        StoredDecision::Quarantined(quarantine) => format!("quarantined {}", quarantined(*quarantine)),
        StoredDecision::CoolingDown(rest) => {
            let what = if rest.why == RestReason::Failed { "cooling down" } else { "its input was not ready; it waited" };
            format!("{what} until {}", Time(rest.until))
        }
        StoredDecision::Deferred { since } => format!("its ETL was taken for broken since {}", Time(*since)),
    }
}

fn fact(name: &'static str, value: serde_json::Value, weight: Weight, lines: Vec<String>) -> FactView {
    let verdict = if weight == Weight::Decides { "decides" } else { "told" };
    FactView { name, value, verdict, lines, weight }
}

/// What a run had decided, with that run and its options.
fn decision(then: &Then) -> FactView {
    let StateThen::NotMade(decided) = &then.state else {
        return fact("decision", serde_json::Value::Null, Weight::Told, Vec::new());
    };
    let mut lines = vec![format!("decided by run {} at {}: {}", decided.run.short(), Time(decided.since), held_back(&decided.decision))];
    if let Some(run) = &then.decided_by {
        let options = options(&run.options);
        lines.push(if options.is_empty() {
            "that run was a plain one, without options".to_owned()
        } else {
            format!("that run was started as {options}")
        });
    }
    lines.push(match decided.until {
        Some(until) => format!("a later run decided otherwise at {}", Time(until)),
        None => "no later run has decided otherwise".to_owned(),
    });
    let value = json!({
        "since": Time(decided.since),
        "until": decided.until.map(Time),
        "run": then.decided_by.as_ref().map(values::run),
        "reason": held_back(&decided.decision),
    });
    fact("decision", value, Weight::Decides, lines)
}

/// The windows of a source that were held back, each for itself.
fn windows(then: &Then) -> FactView {
    let of = &then.held_back;
    let gap = |decided: &PastDecision| Untrusted::from(decided.gap.to_string()).to_string();
    let mut lines: Vec<String> = Vec::new();
    if !of.is_empty() {
        lines.push(format!("held back: {}", count(of.len() as u64, "window")));
        lines.extend(of.iter().take(NAMED).map(|decided| format!("{}: {}", gap(decided), held_back(&decided.decision))));
        lines.extend(of.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more")));
    }
    let value = |decided: &PastDecision| {
        let (name, reason) = (decided.decision.name(), held_back(&decided.decision));
        json!({"gap": gap(decided), "decision": name, "reason": reason, "since": Time(decided.since), "run": decided.run})
    };
    fact("held_back", of.iter().map(value).collect(), Weight::Told, lines)
}

fn job(then: &Then) -> FactView {
    let Some(job) = &then.job else {
        return fact("last_job", serde_json::Value::Null, Weight::Told, vec!["last job: none was on record".to_owned()]);
    };
    let weight = if matches!(then.state, StateThen::NotMade(_)) { Weight::Told } else { Weight::Decides };
    fact("last_job", values::job(job), weight, of_job(job, then.at))
}

fn of_job(job: &PastJob, at: DateTime<Utc>) -> Vec<String> {
    let planned = format!("last job: {} of run {}, planned at {}", job.id.short(), job.run.short(), Time(job.queued_at));
    let started = job.started_at.filter(|start| *start <= at).map(|start| format!(", begun at {}", Time(start))).unwrap_or_default();
    let end = match job.ended_at {
        Some(end) if end <= at => format!(", {} at {}", job.state.name(), Time(end)),
        Some(end) => format!("; later it ended as {} at {}", job.state.name(), Time(end)),
        None => String::new(),
    };
    let mut lines = vec![format!("{planned}{started}{end}")];
    if job.state == JobState::Lost {
        lines.push("its owner died; when is not known".to_owned());
    }
    if job.state != JobState::Succeeded && job.started_at.is_some() {
        lines.extend(job.error.as_deref().map(|error| excerpt(error).into_owned()));
    }
    lines.extend(job.attempts.last().map(|attempt| format!("log: {}", Untrusted::from(attempt.log.as_str()))));
    lines
}

fn orders(then: &Then) -> FactView {
    let line = |order: &PastOrder| {
        let until = order.until.map(|until| format!(" until {}", Time(until))).unwrap_or_default();
        let (on, by) = (Untrusted::from(order.gap.to_string()).to_string(), excerpt(&order.by));
        format!("order in force: {} {on}{until}, by {by} at {}: {}", excerpt(&order.kind), Time(order.at), excerpt(&order.reason))
    };
    let value = |order: &PastOrder| {
        let text = |text: &str| Untrusted::from(text).to_string();
        let (gap, kind, by, reason) = (text(&order.gap.to_string()), text(&order.kind), text(&order.by), text(&order.reason));
        json!({"gap": gap, "kind": kind, "by": by, "at": Time(order.at), "until": order.until.map(Time), "reason": reason})
    };
    let lines = if then.orders.is_empty() { vec!["order in force: none".to_owned()] } else { then.orders.iter().map(line).collect() };
    fact("orders", then.orders.iter().map(value).collect(), Weight::Told, lines)
}

/// Which runs were there at this time.
pub(super) fn runs_around(runs: &RunsThen, at: DateTime<Utc>) -> String {
    let next = runs.next.as_ref().map_or_else(
        || "none has begun since".to_owned(),
        |run| format!("the next, {}, began at {}", run.id.short(), Time(run.started_at)),
    );
    match (runs.during(at), &runs.last) {
        (Some(run), _) => format!("run {} was under way, begun at {}{}", run.id.short(), Time(run.started_at), with_options(run)),
        (None, Some(last)) => {
            let end = last.ended_at.map(|end| format!(" ended at {}", Time(end))).unwrap_or_default();
            let none = runs.idle_kept.map_or_else(|| "no run was there at that time".to_owned(), not_on_record);
            format!("{none}: the last before it, {},{end}; {next}", last.id.short())
        }
        (None, None) => {
            runs.idle_kept.map_or_else(|| format!("no run had ever begun; {next}"), |keep| format!("{}; {next}", not_on_record(keep)))
        }
    }
}

fn not_on_record(idle_kept: Keep) -> String {
    format!("no run is on record at that time (those with nothing to do are kept for {idle_kept})")
}

fn runs(then: &Then) -> FactView {
    let during = then.runs.during(then.at);
    let mut lines = vec![runs_around(&then.runs, then.at)];
    if then.runs.last.as_ref().is_some_and(|run| run.state == RunState::Lost) {
        lines.push("that run died; its end is when a later one noticed".to_owned());
    }
    let value = json!({
        "during": during.map(values::run),
        "last": then.runs.last.as_ref().map(values::run),
        "next": then.runs.next.as_ref().map(values::run),
    });
    fact("runs", value, Weight::Told, lines)
}

fn with_options(run: &PastRun) -> String {
    let options = options(&run.options);
    if options.is_empty() { String::new() } else { format!(", started as {options}") }
}

/// When the data arrived, where that is on record.
fn data(then: &Then) -> Option<FactView> {
    let line = |arrival: &Arrival| {
        let there = if arrival.first_seen_at <= then.at { "there" } else { "not there yet" };
        let tags = serde_json::from_str::<Vec<String>>(&arrival.tags).unwrap_or_default();
        format!("data with {}: {there}, first seen at {}", names(&tags), Time(arrival.first_seen_at))
    };
    let value = |arrival: &Arrival| {
        let tags = serde_json::from_str::<Vec<String>>(&arrival.tags).unwrap_or_default();
        json!({"tags": values::texts(&tags), "first_seen_at": Time(arrival.first_seen_at)})
    };
    let lines = then.arrivals.iter().map(line).collect();
    (!then.arrivals.is_empty()).then(|| fact("data", then.arrivals.iter().map(value).collect(), Weight::Told, lines))
}

/// What is not on record.
fn unknown(then: &Then) -> FactView {
    let mut what = if then.arrivals.is_empty() { vec!["which data was there"] } else { Vec::new() };
    if !matches!(then.state, StateThen::Made(_)) {
        what.push("whether somebody else had made it");
    }
    if !matches!(&then.state, StateThen::NotMade(decided) if matches!(decided.decision, StoredDecision::Deferred { .. })) {
        what.push("whether its ETL was taken for broken");
    }
    let line = format!("not on record: {}", what.join(", "));
    fact("unknown", json!(what), Weight::Told, vec![line])
}
