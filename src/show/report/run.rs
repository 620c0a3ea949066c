//! The last run as a chart of its chains and attempts, and the runs before it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::history::came_to as run_came_to;
use super::super::words::{Time, Untrusted, brief, count};
use super::html::{Html, Safe};
use super::lines::{WIDTH, chart, table};
use super::{LastRun, ReportView};
use crate::plan::model::gap::GapKey;
use crate::plan::model::institution::stem;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::remember::past::{PastAttempt, PastJob, PastRun};

/// Most attempts that are drawn and listed.
const MOST_ATTEMPTS: usize = 500;
/// Runs in the table.
const LISTED_RUNS: usize = 20;
/// Height of an attempt, and of what is around it.
const LANE: u64 = 16;
const BAR: u64 = 10;
/// Parts of the axis.
const TICKS: u32 = 4;

/// An attempt that is drawn.
#[derive(Clone, Copy)]
struct Bar<'a> {
    job: &'a PastJob,
    attempt: &'a PastAttempt,
    end: DateTime<Utc>,
}

/// The attempts of a bank or a source.
struct Chain<'a> {
    name: Safe,
    bars: Vec<Bar<'a>>,
    jobs: Vec<&'a PastJob>,
}

pub(super) fn section(html: &mut Html, view: &ReportView<'_>) {
    match &view.last_run {
        None => html.text_in("p", &[], "No run on record has made anything."),
        Some(last) => last_run(html, view, last),
    }
    if !view.facts.runs.is_empty() {
        runs(html, view);
    }
}

fn last_run(html: &mut Html, view: &ReportView<'_>, last: &LastRun<'_>) {
    let jobs = &view.facts.last_jobs;
    let (start, end) = (last.run.started_at, end_of(last.run, jobs, view.facts.now));
    let chains = chains(jobs, end);
    html.element("p", &[], |html| {
        html.text(("Run ", Safe::of(last.run.id.short()), " on ", Untrusted::from(last.run.host.as_str()), ", started "));
        html.time(Time(start));
        let took = last.run.took(view.facts.now).map_or_else(|| "died, nobody knows when".to_owned(), brief);
        let state = match last.run.state {
            RunState::Running => ", running for ",
            RunState::Lost => ", ",
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => ", took ",
        };
        html.text((state, Safe::of(took), ": ", Safe::of(came_to(jobs.iter()))));
    });
    html.markup(KEY);
    html.element("table", &[("class", &"gantt")], |html| {
        html.text_in("caption", &[], "Attempts of each bank and source in the time of the run");
        html.element("thead", &[], |html| axis(html, start, end));
        html.element("tbody", &[], |html| chains.iter().for_each(|chain| row(html, chain, start, end)));
    });
    html.line_end();
    attempts(html, &chains);
}

/// When a run ended, or now. Of one that died, the last time at which something of it is on record.
fn end_of(run: &PastRun, jobs: &[PastJob], now: DateTime<Utc>) -> DateTime<Utc> {
    if run.state != RunState::Lost {
        return run.ended_at.unwrap_or(now);
    }
    let attempts = jobs.iter().flat_map(|job| &job.attempts);
    attempts.flat_map(|attempt| [Some(attempt.started_at), attempt.seen_end()]).flatten().max().unwrap_or(run.started_at)
}

/// What the shapes mean.
const KEY: &str = "<ul class=\"legend\" aria-label=\"Shapes\">\
<li><svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"made\" x=\"1\" y=\"1\" width=\"24\" height=\"10\"></rect></svg> succeeded</li>\
<li><svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"failed\" x=\"2\" y=\"2\" width=\"22\" height=\"8\"></rect></svg> failed</li>\
<li><svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"open\" x=\"1\" y=\"1\" width=\"24\" height=\"10\"></rect></svg> running</li>\
<li><svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"other\" x=\"2\" y=\"2\" width=\"22\" height=\"8\"></rect></svg> not ready, stopped</li>\
</ul>\n";

/// The chains in the order in which they started.
fn chains(jobs: &[PastJob], run_end: DateTime<Utc>) -> Vec<Chain<'_>> {
    let mut chains: Vec<(&str, Chain<'_>)> = Vec::new();
    let mut sorted: Vec<&PastJob> = jobs.iter().filter(|job| !job.attempts.is_empty()).collect();
    sorted.sort_by_key(|job| job.started_at);
    for job in sorted {
        let key = chain_of(&job.gap);
        let place = chains.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            chains.push((key, Chain { name: Safe::of(stem(key)), bars: Vec::new(), jobs: Vec::new() }));
            chains.len() - 1
        });
        let Some((_, chain)) = chains.get_mut(place) else { continue };
        chain.jobs.push(job);
        let bar = |attempt| Bar { job, attempt, end: attempt.seen_end().unwrap_or(run_end) };
        chain.bars.extend(job.attempts.iter().map(bar));
    }
    chains.into_iter().map(|(_, chain)| chain).collect()
}

fn chain_of(gap: &GapKey) -> &str {
    match gap {
        GapKey::Report { bank, .. } => bank,
        GapKey::Source(source) | GapKey::Window { source, .. } => source,
        GapKey::Group { .. } => "",
    }
}

/// `3 succeeded, 1 failed`.
fn came_to<'j>(jobs: impl Iterator<Item = &'j PastJob> + Clone) -> String {
    let of = |state: JobState| (jobs.clone().filter(|job| job.state == state).count(), state.name());
    let counts = JobState::ALL.map(of).into_iter().filter(|(number, _)| *number > 0);
    counts.map(|(number, name)| format!("{number} {name}")).collect::<Vec<_>>().join(", ")
}

fn axis(html: &mut Html, start: DateTime<Utc>, end: DateTime<Utc>) {
    html.element("tr", &[], |html| {
        html.text_in("th", &[("scope", &"col")], "Chain");
        html.element("th", &[("scope", &"col"), ("class", &"bars")], |html| {
            html.element("div", &[("class", &"axis")], |html| {
                for tick in 0..=TICKS {
                    let at = (end - start).to_std().unwrap_or_default() * tick / TICKS;
                    html.text_in("span", &[], Safe::of(if tick == 0 { "start".to_owned() } else { format!("+{}", brief(rounded(at))) }));
                }
            });
        });
        html.text_in("th", &[("scope", &"col"), ("class", &"came")], "Jobs");
    });
}

/// Whole seconds, where there are several.
fn rounded(span: Duration) -> Duration {
    if span < Duration::from_secs(10) { span } else { Duration::from_secs(span.as_secs()) }
}

fn row(html: &mut Html, chain: &Chain<'_>, start: DateTime<Utc>, end: DateTime<Utc>) {
    let lanes = lanes(&chain.bars);
    let height = lanes.iter().map(|(_, lane)| lane + 1).max().unwrap_or(1) * LANE;
    let came_to = Safe::of(came_to(chain.jobs.iter().copied()));
    html.element("tr", &[], |html| {
        html.text_in("th", &[("scope", &"row")], &chain.name);
        html.element("td", &[("class", &"bars")], |html| {
            chart(html, height, (&chain.name, ": ", Safe::of(count(chain.bars.len() as u64, "attempt")), ", ", &came_to), |html| {
                for tick in 0..=TICKS {
                    let x = u64::from(tick) * WIDTH / u64::from(TICKS);
                    html.element("line", &[("class", &"grid"), ("x1", &x), ("x2", &x), ("y1", &0_u64), ("y2", &height)], |_| {});
                }
                for (bar, lane) in &lanes {
                    draw(html, bar, *lane, start, end);
                }
            });
        });
        html.text_in("td", &[("class", &"came")], &came_to);
    });
    html.line_end();
}

/// Attempts at the same time stand below each other.
fn lanes<'a>(bars: &[Bar<'a>]) -> Vec<(Bar<'a>, u64)> {
    let mut bars: Vec<Bar<'a>> = bars.to_vec();
    bars.sort_by_key(|bar| bar.attempt.started_at);
    let mut ends: Vec<DateTime<Utc>> = Vec::new();
    let place = |bar: Bar<'a>| {
        let lane = ends.iter().position(|end| *end <= bar.attempt.started_at).unwrap_or(ends.len());
        match ends.get_mut(lane) {
            Some(end) => *end = bar.end,
            None => ends.push(bar.end),
        }
        (bar, lane as u64)
    };
    bars.into_iter().take(MOST_ATTEMPTS).map(place).collect()
}

fn draw(html: &mut Html, bar: &Bar<'_>, lane: u64, start: DateTime<Utc>, end: DateTime<Utc>) {
    let whole = (end - start).num_milliseconds().max(1);
    let x = |at: DateTime<Utc>| {
        let part = (at - start).num_milliseconds().clamp(0, whole);
        u64::try_from(part * 1000 / whole).unwrap_or_default()
    };
    let (left, right) = (x(bar.attempt.started_at), x(bar.end));
    let width = right.saturating_sub(left).max(3);
    let (x, y) = (left.min(WIDTH - width.min(WIDTH)), lane * LANE + (LANE - BAR) / 2);
    let class = shape(bar.attempt);
    html.element("rect", &[("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &BAR)], |html| {
        html.text_in("title", &[], (gap(bar.job), ", attempt ", bar.attempt.n, ": ", outcome(bar.attempt), ", ", took(bar)));
    });
}

fn shape(attempt: &PastAttempt) -> &'static str {
    match attempt.outcome.as_deref() {
        None => "open",
        Some("succeeded") => "made",
        Some("not_ready" | "interrupted") => "other",
        Some(_) => "failed",
    }
}

fn gap(job: &PastJob) -> Safe {
    Safe::of(&job.gap)
}

fn outcome(attempt: &PastAttempt) -> Safe {
    let Some(outcome) = attempt.outcome.as_deref() else { return Safe::of("running") };
    let number = attempt.number.map(|number| format!(" {number}")).unwrap_or_default();
    Safe::of(format!("{}{number}", outcome.replace('_', " ")))
}

fn took(bar: &Bar<'_>) -> Safe {
    let measured = bar.attempt.duration_ms.map(Duration::from_millis);
    Safe::of(brief(measured.or_else(|| (bar.end - bar.attempt.started_at).to_std().ok()).unwrap_or_default()))
}

/// The same as a table.
fn attempts(html: &mut Html, chains: &[Chain<'_>]) {
    let bars: Vec<Bar<'_>> = chains.iter().flat_map(|chain| chain.bars.iter().copied()).collect();
    let listed = bars.len().min(MOST_ATTEMPTS);
    html.element("details", &[], |html| {
        html.text_in("summary", &[], ("The attempts as a table (", listed, " of ", bars.len(), ")"));
        let head = ["Gap", "Attempt", "Started", "Took", "Outcome", "Job"];
        table(html, "h-run", "Attempts of the run, by chain", &head, |html| {
            for bar in bars.iter().take(MOST_ATTEMPTS) {
                html.element("tr", &[], |html| {
                    html.text_in("th", &[("scope", &"row")], gap(bar.job));
                    html.text_in("td", &[], bar.attempt.n);
                    html.element("td", &[], |html| html.time(Time(bar.attempt.started_at)));
                    html.text_in("td", &[], took(bar));
                    html.text_in("td", &[], outcome(bar.attempt));
                    html.element("td", &[], |html| html.text_in("code", &[], Safe::of(bar.job.id.short())));
                });
                html.line_end();
            }
        });
    });
}

/// The runs on record: a stroke for each, and the last ones as a table.
fn runs(html: &mut Html, view: &ReportView<'_>) {
    let runs = &view.facts.runs;
    let failed = runs.iter().filter(|run| is_bad(run)).count();
    let idle = runs.iter().filter(|run| is_idle(run)).count();
    html.text_in("h3", &[], ("The last ", Safe::of(count(runs.len() as u64, "run")), ", the newest on the right"));
    let label = (Safe::of(count(runs.len() as u64, "run")), ": ", failed, " that failed, ", idle, " that had nothing to do");
    let longest = runs.iter().filter_map(|run| run.took(view.facts.now)).max().unwrap_or_default().as_secs_f64().max(0.001);
    let step = WIDTH / runs.len().max(1) as u64;
    chart(html, 48, label, |html| {
        for (n, run) in runs.iter().rev().enumerate() {
            // A root, so that short runs are seen beside long ones.
            let part = (run.took(view.facts.now).unwrap_or_default().as_secs_f64() / longest).clamp(0.0, 1.0).sqrt();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 44")]
            let height = if is_idle(run) { 3 } else { 4 + (part * 40.0) as u64 };
            let class = if is_bad(run) {
                "failed"
            } else if is_idle(run) {
                "idle"
            } else {
                "made"
            };
            let (x, y, width) = (n as u64 * step, 48 - height, step.saturating_sub(1).max(1));
            html.element("rect", &[("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)], |_| {});
        }
    });
    html.text_in("p", &[("class", &"soft")], (failed, " failed (in outline), ", idle, " had nothing to do; the taller, the longer."));
    html.element("details", &[], |html| {
        let listed = runs.len().min(LISTED_RUNS);
        html.text_in("summary", &[], ("The last ", listed, " as a table"));
        table(html, "h-run", "Runs, the newest first", &["Run", "Started", "Took", "State", "Jobs"], |html| {
            for run in runs.iter().take(LISTED_RUNS) {
                html.element("tr", &[], |html| {
                    html.text_in("th", &[("scope", &"row")], Safe::of(run.id.short()));
                    html.element("td", &[], |html| html.time(Time(run.started_at)));
                    html.text_in("td", &[], Safe::of(run.took(view.facts.now).map_or_else(|| "unknown".to_owned(), brief)));
                    html.text_in("td", &[], run.state.name());
                    html.text_in("td", &[], Safe::of(run.counts.map(|counts| run_came_to(run.state, counts)).unwrap_or_default()));
                });
                html.line_end();
            }
        });
    });
}

fn is_bad(run: &PastRun) -> bool {
    matches!(run.state, RunState::Failed | RunState::Lost)
}

fn is_idle(run: &PastRun) -> bool {
    run.state == RunState::Succeeded && run.counts.is_some_and(|counts| counts.planned == 0)
}
