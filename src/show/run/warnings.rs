//! What a person should look at after a run.

use super::super::escape::escaped;
use super::super::sources;
use super::super::words::count;
use crate::plan::decide::census::{DataIssues, MOST_UNMONITORED};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::run::summary::RunSummary;

/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

/// Each in a line that is safe to show.
pub(super) fn warnings(summary: &RunSummary, catalogue: &Catalogue) -> Vec<String> {
    let issues = &summary.plan.data_issues;
    let mut lines: Vec<String> = summary.warnings.iter().map(|warning| escaped(warning).into_owned()).collect();
    lines.extend(summary.lost.iter().map(|gap| {
        let again = if summary.plan.jobs.iter().any(|job| job.key == *gap) { "; it is planned again" } else { "" };
        format!("{}: the run that was filling it died{again}", escaped(&gap.to_string()))
    }));
    lines.extend(invalid_rows(issues));
    lines.extend(sources::warnings(summary, catalogue));
    let at_least = if issues.unmonitored.len() >= MOST_UNMONITORED { "at least " } else { "" };
    lines.extend(named(at_least, "symbol", "in the data that nobody monitors", issues.unmonitored.iter()));
    let twice = "under two symbols in the data, so that a period may be counted twice";
    lines.extend(named("", "bank", twice, issues.spelled_twice.iter()));
    lines.extend(named("", "monitored bank", "without any data", issues.without_data.iter()));
    lines
}

fn invalid_rows(issues: &DataIssues) -> Vec<String> {
    let first = issues.invalid.named.iter().take(NAMED);
    let mut lines: Vec<String> =
        first.map(|rows| format!("invalid {}: {}: {}", count(rows.rows, "row"), escaped(&rows.which), escaped(&rows.problem))).collect();
    if issues.invalid.total > NAMED as u64 {
        lines.push(format!("invalid rows: {} in all", issues.invalid_rows));
    }
    lines
}

/// `2 banks without any data: RY-CA, TD-CA`; nothing where there are none.
fn named<'a>(at_least: &str, noun: &str, what: &str, all: impl ExactSizeIterator<Item = &'a String>) -> Option<String> {
    let total = all.len();
    let names: Vec<_> = all.take(NAMED).map(|name| escaped(name)).collect();
    let more = if total > NAMED { format!(" and {} more", total - NAMED) } else { String::new() };
    (total > 0).then(|| format!("{at_least}{} {what}: {}{more}", count(total as u64, noun), names.join(", ")))
}
