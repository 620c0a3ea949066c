//! Each fact as programs read it.

use serde_json::{Value, json};

use super::super::words::{Time, Untrusted};
use super::verdict;
use crate::plan::decide::explain::{DataFact, Due, Failures, Need, NeedState, RowFact, Running, Turn, Verdict, What};
use crate::plan::decide::source_plan::{GivenUpSpan, HeldBack};
use crate::plan::model::gap::GapKey;
use crate::plan::model::window::Window;
use crate::plan::remember::past::{PastJob, PastRun};

/// The name of a fact. Names are never changed; consumers compare them.
pub(super) fn name(what: &What) -> &'static str {
    match what {
        What::Monitored { .. } => "monitored",
        What::Selected { .. } => "selected",
        What::Data(_) => "data",
        What::Report { .. } => "report",
        What::Skip(_) => "skip",
        What::Spool(_) => "spool",
        What::Running(_) => "running",
        What::Needs(_) => "needs",
        What::Failures(_) => "failures",
        What::Breaker(_) => "breaker",
        What::Turn(_) => "turn",
        What::LastJob(_) => "last_job",
        What::LastRun(_) => "last_run",
        What::Source { .. } => "source",
        What::Paused(_) => "paused",
        What::Due(_) => "due",
        What::Collected { .. } => "collected",
        What::HeldBack(_) => "held_back",
        What::GivenUp(_) => "given_up",
    }
}

/// Its value; null where there is none.
pub(super) fn value(what: &What) -> Value {
    match what {
        What::Monitored { key, name, id, place } => json!({"bank_key": text(key), "name": text(name), "id": id, "place": text(place)}),
        What::Selected { filter, from_year } => json!({"left_out_by": filter.map(verdict::filtered_by), "from_year": from_year}),
        What::Data(data) => of_data(data),
        What::Report { exists, report_type, made_by, misspelled, order } => json!({
            "exists": exists,
            "report_type": text(report_type),
            "made_by": made_by.as_ref().map(job),
            "misspelled": misspelled.as_deref().map(text),
            "order": order.as_ref().map(|order| {
                json!({"kind": order.kind.name(), "by": text(&order.by), "since": Time(order.at), "reason": text(&order.reason)})
            }),
        }),
        What::Skip(order) => order.as_ref().map_or(Value::Null, |(on, order)| {
            let (by, reason) = (text(&order.by), text(&order.reason));
            json!({"on": key(on), "by": by, "since": Time(order.since), "until": order.until.map(Time), "reason": reason})
        }),
        What::Spool(end) => end.as_ref().map_or(Value::Null, |end| json!({"job": end.job, "why": text(&end.why)})),
        What::Running(running) => running.as_ref().map_or(Value::Null, of_running),
        What::Needs(needs) => needs.iter().map(need).collect(),
        What::Failures(failures) => of_failures(failures),
        What::Breaker(breaker) => breaker.as_ref().map_or(Value::Null, |open| {
            let (banks, probed) = (texts(&open.banks), open.probed.as_deref().map(text));
            json!({"since": Time(open.since), "banks": banks, "probed": probed, "probed_at": open.probed_at.map(Time)})
        }),
        What::Turn(turn) => of_turn(turn),
        What::LastJob(last) => last.as_ref().map_or(Value::Null, job),
        What::LastRun(last) => last.as_ref().map_or(Value::Null, run),
        What::Source { name, every } => json!({"name": text(name), "every_seconds": every.as_secs()}),
        What::Paused(pause) => pause
            .as_ref()
            .map_or(Value::Null, |pause| json!({"by": text(&pause.by), "since": Time(pause.since), "reason": text(&pause.reason)})),
        What::Due(due) => of_due(due),
        What::Collected { frontier, last, lateness } => json!({
            "frontier": frontier.map(Time),
            "last_success": last.as_ref().map(|last| json!({"at": Time(last.at), "window": window(last.collected.window)})),
            "lateness": super::super::names::Named::name(lateness),
        }),
        What::HeldBack(windows) => windows.iter().map(held_back).collect(),
        What::GivenUp(spans) => spans.iter().map(given_up).collect(),
    }
}

fn text(text: &str) -> String {
    Untrusted::from(text).to_string()
}

pub(super) fn texts(all: &[String]) -> Vec<String> {
    all.iter().map(|one| text(one)).collect()
}

fn key(gap: &GapKey) -> String {
    text(&gap.to_string())
}

fn window(window: Window) -> Value {
    json!({"start": Time(window.start), "end": Time(window.end)})
}

fn of_data(data: &DataFact) -> Value {
    let row = |row: &RowFact| {
        let (tags, version) = (row.tags.as_deref().map(texts), row.version.as_deref().map(text));
        json!({"row": text(&row.which), "tags": tags, "version": version, "problem": row.problem.as_deref().map(text)})
    };
    json!({
        "rows": data.rows.iter().map(row).collect::<Vec<_>>(),
        "from_files": texts(&data.from_files),
        "requires": texts(&data.requires),
        "first_seen_at": data.first_seen.map(Time),
        "missing": data.missing.iter().map(|one| {
            json!({"tag": text(&one.tag), "in_data": one.is_known, "similar": texts(&one.similar)})
        }).collect::<Vec<_>>(),
        "other_periods": data.periods.iter().map(|period| period.compact()).collect::<Vec<_>>(),
        "wrong_rows": data.wrong.iter().map(row).collect::<Vec<_>>(),
        "similar_symbols": data.similar.iter().map(|one| json!({"symbol": text(&one.name), "rows": one.rows})).collect::<Vec<_>>(),
    })
}

pub(super) fn job(job: &PastJob) -> Value {
    json!({
        "id": job.id,
        "run_id": job.run,
        "state": job.state.name(),
        "error": job.error.as_deref().map(text),
        "queued_at": Time(job.queued_at),
        "started_at": job.started_at.map(Time),
        "ended_at": job.ended_at.map(Time),
        "log": job.attempts.last().map(|attempt| text(&attempt.log)),
    })
}

pub(super) fn run(run: &PastRun) -> Value {
    let (started_at, ended_at) = (Time(run.started_at), run.ended_at.map(Time));
    json!({"id": run.id, "state": run.state.name(), "started_at": started_at, "ended_at": ended_at, "options": run.options})
}

fn of_running(running: &Running) -> Value {
    json!({"host": text(&running.host), "pid": running.pid, "job": running.job.as_ref().map(job)})
}

fn need(need: &Need) -> Value {
    let (state, why) = match &need.state {
        NeedState::Exists => ("exists", None),
        NeedState::MadeBefore => ("made_before", None),
        NeedState::Missing(None) => ("missing", Some("no_data")),
        NeedState::Missing(Some(decision)) => ("missing", Some(verdict::name(&Verdict::Decided(decision.clone())))),
    };
    json!({"etl": text(&need.etl), "state": state, "decision": why})
}

fn of_failures(failures: &Failures) -> Value {
    json!({
        "failed_runs": failures.failed_runs,
        "quarantine_after": failures.quarantine_after,
        "not_ready": failures.not_ready,
        "lost": failures.lost,
        "cooling_down": failures.rest.map(|rest| json!({"why": rest.why.name(), "since": Time(rest.since), "until": Time(rest.until)})),
        "quarantined": failures.quarantine.map(|one| json!({"why": one.why.name(), "since": Time(one.since)})),
        "changed_since": failures.has_changed,
        "error": failures.error.as_deref().map(text),
        "log": failures.log.as_deref().map(text),
    })
}

fn of_turn(turn: &Turn) -> Value {
    json!({
        "position": turn.position,
        "jobs": turn.jobs,
        "max_jobs": turn.max_jobs,
        "capped": turn.capped,
        "probe": turn.is_probe,
        "before_in_chain": turn.before_in_chain,
        "pool": turn.pool.as_ref().map(|pool| json!({"name": text(&pool.name), "limit": pool.limit})),
    })
}

fn of_due(due: &Due) -> Value {
    json!({
        "behind": due.behind,
        "missing": due.missing.map(window),
        "left": due.left,
        "jobs": due.jobs,
        "queued": due.queued,
        "next_due": Time(due.next),
        "order": due.order.as_ref().map(|order| {
            json!({"kind": order.kind.name(), "by": text(&order.by), "since": Time(order.at), "reason": text(&order.reason)})
        }),
    })
}

fn held_back(held: &HeldBack) -> Value {
    json!({
        "window": window(held.window),
        "decision": verdict::name(&Verdict::Source(held.status.clone())),
        "failed_runs": held.failed_runs,
        "error": held.error.as_deref().map(text),
    })
}

fn given_up(span: &GivenUpSpan) -> Value {
    let (by, reason) = (text(&span.order.by), text(&span.order.reason));
    json!({"window": window(span.window), "windows": span.windows, "by": by, "since": Time(span.order.since), "reason": reason})
}
