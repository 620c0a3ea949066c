//! What a person should look at after a run.

use serde::Serialize;

use super::super::escape::{escaped, excerpt};
use super::super::late_banks;
use super::super::misnamed;
use super::super::sources;
use super::super::unmatched;
use super::super::words::{Untrusted, count};
use crate::plan::decide::census::{DataIssues, InvalidRows, MOST_UNMONITORED};
use crate::plan::decide::data_trouble;
use crate::plan::decide::unmatched::WhyUnmatched;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::Collection;
use crate::plan::run::summary::{LeftEnd, RunSummary};

/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

/// Rows that are wrong in the same way.
#[derive(Debug, Serialize)]
pub(super) struct Invalid<'a> {
    which: Untrusted<'a>,
    problem: Untrusted<'a>,
    rows: u64,
}

impl<'a> Invalid<'a> {
    pub(super) fn new(rows: &'a InvalidRows) -> Self {
        Self { which: rows.which.as_str().into(), problem: rows.problem.as_str().into(), rows: rows.rows }
    }
}

/// Each in a line that is safe to show.
pub(super) fn warnings(summary: &RunSummary, catalogue: &Catalogue) -> Vec<String> {
    let issues = &summary.plan.data_issues;
    let mut lines: Vec<String> = summary.warnings.iter().map(|warning| escaped(warning).into_owned()).collect();
    lines.extend(misnamed::lines(&issues.names, catalogue));
    // That no row has the tags is said of each tag already, where nobody supplies it.
    let unmatched = issues.unmatched.as_ref().filter(|one| one.why != WhyUnmatched::NoTags || issues.names.unknown_tags.is_empty());
    lines.extend(unmatched.map(|unmatched| unmatched::line(unmatched, &summary.plan.etls, catalogue)));
    let without_rows = data_trouble::without_rows_alone(issues).into_iter();
    lines.extend(without_rows.map(|etl| escaped(&data_trouble::explain_without_rows(catalogue.etl(etl))).into_owned()));
    lines.extend(left_in_spool(&summary.left));
    lines.extend(summary.lost.iter().map(|gap| {
        let again = summary.plan.jobs.iter().find(|job| job.key == *gap).map_or("", |job| match job.collection() {
            Some(Collection { remote_id: Some(_), .. }) => "; its job at the service is followed further",
            None if catalogue.work(job).has_remote_id() => "; its job at the service is followed further, if it was begun",
            Some(_) | None => "; it is planned again",
        });
        format!("{}: the run that was filling it died{again}", escaped(&gap.to_string()))
    }));
    lines.extend(invalid_rows(issues));
    lines.extend(sources::warnings(summary, catalogue));
    let at_least = if issues.unmonitored.len() >= MOST_UNMONITORED { "at least " } else { "" };
    lines.extend(named(at_least, "symbol", "in the data that nobody monitors", issues.unmonitored.iter()));
    let twice = "under two symbols in the data, so that a period may be counted twice";
    lines.extend(named("", "bank", twice, issues.spelled_twice.iter()));
    lines.extend(issues.late_banks.iter().map(late_banks::line));
    lines.extend(named("", "monitored bank", "without data for any ETL", issues.without_data.iter()));
    lines
}

/// What waits in the spool, why, and the way out of it.
fn left_in_spool(left: &[LeftEnd]) -> Option<String> {
    let first = left.first()?;
    let (ends, it) = if left.len() == 1 {
        ("the end of 1 job waits".to_owned(), "it")
    } else {
        (format!("the ends of {} jobs wait", left.len()), "them")
    };
    let names: Vec<_> = left.iter().take(NAMED).map(|end| escaped(&end.gap.to_string()).into_owned()).collect();
    let more = if left.len() > NAMED { format!(" and {} more", left.len() - NAMED) } else { String::new() };
    let directory = first.path.parent().unwrap_or(&first.path).display().to_string();
    Some(format!(
        "{ends} in {} until the database takes {it}: {}{more}: {}; to give one up, `etl-orch retry GAP --reason TEXT` has the work done \
         again, and `etl-orch cancel JOB --reason TEXT` leaves the gap alone",
        escaped(&directory),
        names.join(", "),
        excerpt(&first.why),
    ))
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

/// `2 banks without data for any ETL: RY-CA, TD-CA`; nothing where there are none.
fn named<'a>(at_least: &str, noun: &str, what: &str, all: impl ExactSizeIterator<Item = &'a String>) -> Option<String> {
    let total = all.len();
    let names: Vec<_> = all.take(NAMED).map(|name| escaped(name)).collect();
    let more = if total > NAMED { format!(" and {} more", total - NAMED) } else { String::new() };
    (total > 0).then(|| format!("{at_least}{} {what}: {}{more}", count(total as u64, noun), names.join(", ")))
}
