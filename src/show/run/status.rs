//! One line that says how things stand after a run, or what a dry run found.

use chrono::{DateTime, Utc};

use super::super::words::{Time, count, grouped};
use super::{JobOutcome, RunView};
use crate::plan::decide::decision::Why;
use crate::plan::decide::source_plan::Lateness;
use crate::plan::model::job::JobState;
use crate::plan::remember::failure_history::Eligibility;

/// `14 banks · 31 of 32 reports · 1 quarantined · next try 11:03`.
pub(super) fn line(run: &RunView<'_>) -> String {
    let mut parts = Vec::new();
    if run.has_reports {
        parts.push(count(run.institutions as u64, "bank"));
        parts.push(reports(run));
    }
    if !run.sources.is_empty() {
        parts.push(count(run.sources.len() as u64, "source"));
    }
    let held = |is: fn(Eligibility) -> bool| outcomes(run).filter(|outcome| is(outcome.held)).count() as u64;
    let failed = outcomes(run).filter(|outcome| outcome.state == JobState::Failed).count() as u64;
    let to_make = if run.results.is_none() { run.gaps.startable as u64 } else { 0 };
    let late = |lateness| run.sources.iter().filter(|source| source.lateness == lateness).count() as u64;
    let counts = [
        ("to be made", to_make),
        ("failed", failed),
        ("running elsewhere", run.gaps.claimed),
        ("quarantined", run.gaps.quarantined + held(|held| matches!(held, Eligibility::Quarantined(_)))),
        ("cooling down", run.gaps.cooling_down + held(|held| matches!(held, Eligibility::Resting(_)))),
        ("skipped", run.gaps.skipped),
        ("late", if run.results.is_none() { late(Lateness::Late) } else { 0 }),
        ("overdue", if run.results.is_none() { late(Lateness::Overdue) } else { 0 }),
    ];
    parts.extend(counts.into_iter().filter(|(_, number)| *number > 0).map(|(name, number)| format!("{} {name}", grouped(number))));
    parts.extend((!run.late_banks.is_empty()).then(|| format!("data of {} late", count(run.late_banks.len() as u64, "bank"))));
    parts.extend(run.unmatched.is_some().then(|| "nothing matches".to_owned()));
    parts.extend((run.invalid_rows > 0).then(|| format!("{} unreadable", count(run.invalid_rows, "row"))));
    parts.extend(next_try(run).map(|at| format!("next try {}", Time(at).beside(run.timestamp))));
    parts.join(" · ")
}

/// `31 of 32 reports`: those that exist now, of those that the data allows for.
fn reports(run: &RunView<'_>) -> String {
    let is_new = |why: Why| matches!(why, Why::Missing);
    let missing = run.jobs.iter().filter(|job| is_new(job.why));
    let made = missing.filter(|job| job.result.as_ref().is_some_and(|result| result.state == JobState::Succeeded)).count() as u64;
    let again = run.jobs.iter().filter(|job| !is_new(job.why)).count() as u64;
    let all = run.existing_reports + run.gaps.total.saturating_sub(again);
    format!("{} of {}", grouped(run.existing_reports + made), count(all, "report"))
}

/// When the first of the gaps that cool down may be tried again.
fn next_try(run: &RunView<'_>) -> Option<DateTime<Utc>> {
    let resting = outcomes(run).filter_map(|outcome| match outcome.held {
        Eligibility::Resting(rest) => Some(rest.until),
        Eligibility::Free | Eligibility::Quarantined(_) => None,
    });
    // Not all of many are named.
    let named = (run.cooling_down.len() as u64 == run.gaps.cooling_down).then_some(&run.cooling_down);
    let resting: Vec<_> = resting.chain(named.into_iter().flatten().map(|gap| gap.until.0)).collect();
    resting.into_iter().min().filter(|_| named.is_some())
}

/// Of the jobs of reports and of sources.
fn outcomes<'a>(run: &'a RunView<'_>) -> impl Iterator<Item = &'a JobOutcome<'a>> {
    run.results.iter().flat_map(|results| results.jobs.iter().map(|job| &job.outcome))
}
