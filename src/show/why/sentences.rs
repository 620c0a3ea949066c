//! Each fact in sentences: the first names what was looked at, the others tell more of it.

use chrono::{DateTime, Utc};

use super::super::blocked::{OrderView, quarantined, skipped, unrecorded};
use super::super::escape::excerpt;
use super::super::history::runs::options;
use super::super::words::{Time, Untrusted, brief, count};
use super::verdict::{ago, ahead, cools_down, filtered_by};
use crate::plan::decide::decision::Decision;
use crate::plan::decide::explain::{DataFact, Due, Failures, Need, NeedState, Running, Turn, What};
use crate::plan::decide::source_plan::{GivenUpSpan, HeldBack, Lateness, SourceStatus};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::model::orders::PendingOrder;
use crate::plan::model::period::Period;
use crate::plan::model::selection::Filter;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::SkipOrder;
use crate::plan::remember::past::{PastJob, PastRun};
use crate::plan::remember::source_state::LastSuccess;

/// Entries of a list that are named; the others are counted.
pub(super) const NAMED: usize = 5;

/// The sentences; none where there is nothing to tell.
pub(super) fn lines(what: &What, now: DateTime<Utc>) -> Vec<String> {
    match what {
        What::Monitored { key, name, id, place } => vec![format!("monitored: {key} ({}), id {id}, {}", excerpt(name), excerpt(place))],
        What::Selected { filter, from_year } => vec![selected(*filter, *from_year)],
        What::Data(data) => of_data(data),
        What::Report { exists, report_type, made_by, misspelled, order } => {
            let mut lines = vec![report(&excerpt(report_type), *exists, made_by.as_ref())];
            lines.extend(misspelled.as_deref().map(|text| excerpt(text).into_owned()));
            lines.extend(order.as_ref().map(|order| OrderView::from(order).text()));
            lines
        }
        What::Skip(order) => vec![skip(order.as_ref())],
        What::Spool(end) => end.iter().map(|end| format!("spool: {}", unrecorded(end))).collect(),
        What::Running(running) => vec![running.as_ref().map_or_else(|| "not running".to_owned(), |running| runs(running, now))],
        What::Needs(needs) if needs.is_empty() => Vec::new(),
        What::Needs(needs) => vec![format!("needs: {}", needs.iter().map(|one| need(one, now)).collect::<Vec<_>>().join("; "))],
        What::Failures(failures) => of_failures(failures, now),
        What::Breaker(breaker) => {
            vec![breaker.as_ref().map_or_else(|| "breaker of its ETL: closed".to_owned(), |open| of_breaker(open, now))]
        }
        What::Turn(turn) => of_turn(turn),
        What::LastJob(job) => job.iter().flat_map(|job| last_job(job, now)).collect(),
        What::LastRun(run) => vec![run.as_ref().map_or_else(|| "last run: none is on record".to_owned(), |run| last_run(run, now))],
        What::Source { name, every } => vec![format!("source: {}, every {}", excerpt(name), brief(*every))],
        What::Paused(None) => vec!["not paused".to_owned()],
        What::Paused(Some(pause)) => {
            vec![format!("paused by {} since {}: {}", excerpt(&pause.by), Time(pause.since), excerpt(&pause.reason))]
        }
        What::Due(due) => of_due(due, now),
        What::Collected { frontier, last, lateness } => of_collected(*frontier, last.as_ref(), *lateness, now),
        What::HeldBack(windows) => held_back(windows, now),
        What::GivenUp(spans) => given_up(spans),
    }
}

fn selected(filter: Option<Filter>, from_year: Option<u16>) -> String {
    match (filter, from_year) {
        (Some(Filter::FromYear), Some(year)) => format!("selected: no, its fiscal year is before from_year: {year}"),
        (Some(filter), _) => format!("selected: no, {} leaves it out", filtered_by(filter)),
        (None, Some(year)) => format!("selected: from_year: {year} includes it"),
        (None, None) => "selected: the configuration leaves nothing out".to_owned(),
    }
}

pub(super) fn names<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| excerpt(name.as_ref()).into_owned()).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn of_data(data: &DataFact) -> Vec<String> {
    let mut lines = Vec::new();
    let periods: Vec<String> = data.periods.iter().map(Period::to_string).collect();
    if data.rows.is_empty() && data.from_files.is_empty() {
        let others = if periods.is_empty() { String::new() } else { format!("; there is data of {}", names(&periods)) };
        let whose = if periods.is_empty() { "of this bank" } else { "of this period" };
        lines.push(format!("data: no row {whose}{others}"));
    }
    for row in &data.rows {
        let version = row.version.as_ref().map(|version| format!(", version {}", excerpt(version))).unwrap_or_default();
        let tags = row.tags.as_ref().map_or_else(|| "database_names is no array of names".to_owned(), |tags| tags_in(tags));
        lines.push(format!("data of {}: {tags}{version}", excerpt(&row.symbol)));
        lines.extend(row.problem.iter().map(|problem| excerpt(problem).into_owned()));
    }
    if !data.from_files.is_empty() {
        lines.push(format!("data in files, which the next run adds to the table: {}", names(&data.from_files)));
    }
    if !data.requires.is_empty() && (!data.rows.is_empty() || !data.missing.is_empty()) {
        lines.push(format!("required: {}", names(&data.requires)));
    }
    lines.extend(data.first_seen.map(|at| format!("there since {}, when a run saw it first", Time(at))));
    for one in data.missing.iter().filter(|_| !data.rows.is_empty()) {
        let nobody = if one.is_known { "" } else { ", which no row of any bank has" };
        let similar = if one.similar.is_empty() { String::new() } else { format!("; the data has {}", names(&one.similar)) };
        lines.push(format!("missing: {}{nobody}{similar}", excerpt(&one.tag)));
    }
    for row in data.wrong.iter().take(NAMED) {
        lines.push(format!("wrong row {}: {}", excerpt(&row.which), excerpt(row.problem.as_deref().unwrap_or_default())));
    }
    if !data.similar.is_empty() {
        let similar: Vec<String> = data.similar.iter().map(|one| format!("{} ({})", one.name, count(one.rows, "row"))).collect();
        lines.push(format!("in the data, and monitored by nobody: {}", names(&similar)));
    }
    lines
}

fn tags_in(tags: &[String]) -> String {
    if tags.is_empty() { "no tags".to_owned() } else { names(tags) }
}

fn report(report_type: &str, exists: bool, made_by: Option<&PastJob>) -> String {
    match (exists, made_by) {
        (false, _) => format!("not there yet: report {report_type}"),
        (true, None) => format!("report ({report_type}): there; no job on record made it"),
        (true, Some(job)) => {
            let at = job.ended_at.map(|at| format!(" at {}", Time(at))).unwrap_or_default();
            format!("report ({report_type}): there, made by job {} of run {}{at}", job.id.short(), job.run.short())
        }
    }
}

fn skip(order: Option<&(GapKey, SkipOrder)>) -> String {
    match order {
        None => "not skipped".to_owned(),
        Some((GapKey::Group { bank, etl }, order)) => {
            let all = [bank, etl].into_iter().flatten().map(|name| excerpt(name)).collect::<Vec<_>>().join(" ");
            format!("skipped, as all of {all} is, {}", skipped(order))
        }
        Some((_, order)) => format!("skipped {}", skipped(order)),
    }
}

fn runs(running: &Running, now: DateTime<Utc>) -> String {
    let by = format!("running: process {} on {}", running.pid, excerpt(&running.host));
    let Some(job) = &running.job else { return by };
    let since = job.started_at.map(|at| format!(" since {}{}", Time(at), ago(at, now))).unwrap_or_default();
    let attempt = job.attempts.last().map(|attempt| format!(", attempt {}", attempt.n)).unwrap_or_default();
    format!("{by}, job {}{since}{attempt}", job.id.short())
}

fn need(need: &Need, now: DateTime<Utc>) -> String {
    let etl = excerpt(&need.etl);
    match &need.state {
        NeedState::Exists => format!("{etl} is there"),
        NeedState::MadeBefore => format!("{etl} is made before it"),
        NeedState::Missing(None) => format!("{etl} is missing, and there is no data for it"),
        NeedState::Missing(Some(decision)) => format!("{etl} is missing{}", because(decision, now)),
    }
}

fn because(decision: &Decision, now: DateTime<Utc>) -> String {
    match decision {
        Decision::Skipped(order) => format!(", skipped {}", skipped(order)),
        Decision::Quarantined(quarantine) => format!(", quarantined {}", quarantined(*quarantine)),
        Decision::CoolingDown(rest) => format!(", {}", cools_down(*rest, now)),
        Decision::Claimed(_) => ", and is being made now".to_owned(),
        Decision::Waiting(_) => ", and waits itself".to_owned(),
        Decision::Unrecorded(_) => ", and the end of its job waits in the spool".to_owned(),
        Decision::Invalid(_) | Decision::Filtered(_) | Decision::Done | Decision::Deferred | Decision::Run(_) => String::new(),
    }
}

fn of_failures(failures: &Failures, now: DateTime<Utc>) -> Vec<String> {
    let Failures { failed_runs, quarantine_after, not_ready, lost, .. } = failures;
    let counted = match (failed_runs, not_ready, lost) {
        (0, 0, 0) => String::new(),
        (0, 0, lost) => format!("after {} that died over it", count(u64::from(*lost), "run")),
        (0, not_ready, _) => format!("not ready in {}", count(u64::from(*not_ready), "run")),
        (failed, _, _) => format!("after {} in a row; quarantine after {quarantine_after}", count(u64::from(*failed), "failed run")),
    };
    let first = match (failures.quarantine, failures.rest) {
        _ if failures.has_changed => format!("failures: its data or its ETL has changed since the last one; {counted}"),
        (Some(quarantine), _) => format!("failures: quarantined {}; {counted}", quarantined(quarantine)),
        (None, Some(rest)) if now < rest.until => format!("failures: {}, {counted}", cools_down(rest, now)),
        (None, Some(rest)) => format!("failures: the cool-down ended at {}; {counted}", Time(rest.until)),
        (None, None) if counted.is_empty() => return vec!["failures: none that count".to_owned()],
        (None, None) => format!("failures: {counted}"),
    };
    let mut lines = vec![first.trim_end_matches([',', ' ', ';']).to_owned()];
    lines.extend(failures.error.as_ref().map(|error| format!("last error: {}", excerpt(error))));
    lines.extend(failures.log.as_ref().map(|log| format!("log: {}", Untrusted::from(log.as_str()))));
    lines
}

fn of_breaker(breaker: &OpenBreaker, now: DateTime<Utc>) -> String {
    let probed = match (&breaker.probed, breaker.probed_at) {
        (Some(bank), Some(at)) => format!("; last probe: {} at {}{}", excerpt(bank), Time(at), ago(at, now)),
        (Some(_) | None, _) => "; not probed yet".to_owned(),
    };
    format!(
        "breaker of its ETL: open since {}, as it failed for {}{probed}; each run tries one gap first",
        Time(breaker.since),
        names(&breaker.banks)
    )
}

fn of_turn(turn: &Turn) -> Vec<String> {
    let mut lines = Vec::new();
    match turn.position {
        Some(position) => {
            let probe = if turn.is_probe { ", as the probe of its ETL" } else { "" };
            let chain = if turn.before_in_chain > 0 {
                format!(", after {} of its bank", count(turn.before_in_chain as u64, "job"))
            } else {
                String::new()
            };
            lines.push(format!("turn: job {position} of {} in the next run{probe}{chain}", turn.jobs));
        }
        None if turn.capped > 0 => {
            lines.push(format!(
                "turn: none in the next run; max_jobs: {} leaves {} for later ones",
                turn.max_jobs,
                count(turn.capped, "gap")
            ));
        }
        None => {}
    }
    lines.extend(turn.pool.as_ref().map(|pool| format!("pool {}: {} at once, of all runs", excerpt(&pool.name), pool.limit)));
    lines
}

fn last_job(job: &PastJob, now: DateTime<Utc>) -> Vec<String> {
    let at = job.ended_at.or(job.started_at).unwrap_or(job.queued_at);
    let first = format!("last job: {} {} at {}{}, in run {}", job.id.short(), job.state.name(), Time(at), ago(at, now), job.run.short());
    let why = job.error.as_deref().filter(|_| job.state != JobState::Succeeded).map(|error| excerpt(error).into_owned());
    std::iter::once(first).chain(why).collect()
}

fn last_run(run: &PastRun, now: DateTime<Utc>) -> String {
    let options = options(&run.options);
    let options = if options.is_empty() { String::new() } else { format!(", started as {options}") };
    let state = if run.state == RunState::Running { "is running" } else { run.state.name() };
    format!("last run: {} began at {}{}, {state}{options}", run.id.short(), Time(run.started_at), ago(run.started_at, now))
}

fn of_due(due: &Due, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = Vec::new();
    match due.missing {
        Some(window) => {
            let jobs = if due.jobs > 0 { format!(", in {} of the next run", count(due.jobs as u64, "job")) } else { String::new() };
            lines.push(format!("due: {}, {window}{jobs}", count(due.behind, "window")));
        }
        None => lines.push(format!("due: nothing before {}{}", Time(due.next), ahead(due.next, now))),
    }
    if due.left > 0 {
        lines.push(format!("max_windows or max_jobs leaves {} for later runs", count(due.left, "window")));
    }
    if due.queued > 0 {
        lines.push(format!("queue: {}", count(due.queued, "window")));
    }
    lines.extend(due.order.as_ref().map(order));
    lines
}

fn order(order: &PendingOrder) -> String {
    OrderView::from(order).text()
}

fn of_collected(frontier: Option<DateTime<Utc>>, last: Option<&LastSuccess>, lateness: Lateness, now: DateTime<Utc>) -> Vec<String> {
    let late = match lateness {
        Lateness::OnTime => "",
        Lateness::Late => "; that is late (warn_after)",
        Lateness::Overdue => "; that is overdue (error_after)",
        Lateness::Ahead => "; that is in the future: the clock went backwards",
    };
    let mut lines = match frontier {
        Some(frontier) => vec![format!("collected until {}{}{late}", Time(frontier), ago(frontier, now))],
        None => vec![format!("nothing was collected yet{late}")],
    };
    lines.extend(last.map(|last| format!("last success at {}{}", Time(last.at), ago(last.at, now))));
    lines
}

fn held_back(windows: &[HeldBack], now: DateTime<Utc>) -> Vec<String> {
    if windows.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("held back: {}", count(windows.len() as u64, "window"))];
    for one in windows.iter().take(NAMED) {
        let why = match &one.status {
            SourceStatus::Skipped(order) => format!("skipped {}", skipped(order)),
            SourceStatus::Quarantined(quarantine) => format!("quarantined {}", quarantined(*quarantine)),
            SourceStatus::CoolingDown(rest) => cools_down(*rest, now),
            SourceStatus::Claimed(_) => "it is being collected now".to_owned(),
            SourceStatus::Unrecorded(end) => unrecorded(end),
            SourceStatus::Paused(_) | SourceStatus::UpToDate | SourceStatus::Due => String::new(),
        };
        let error = one.error.as_ref().map(|error| format!(": {}", excerpt(error))).unwrap_or_default();
        lines.push(format!("{}: {why}{error}", one.window));
    }
    lines.extend(windows.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more")));
    lines
}

fn given_up(spans: &[GivenUpSpan]) -> Vec<String> {
    let one = |span: &GivenUpSpan| {
        format!(
            "given up: {}, {}, by {} at {}: {}",
            count(span.windows, "window"),
            span.window,
            excerpt(&span.order.by),
            Time(span.order.since),
            excerpt(&span.order.reason)
        )
    };
    spans.iter().take(NAMED).map(one).collect()
}
