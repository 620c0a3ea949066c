//! Long lists in a few lines: what is alike is counted, so that the summary of a run in which everything fails fits on a screen.

use std::collections::{BTreeSet, HashMap};

use super::super::words::count;
use super::{FinishedJob, ReportJob, RunView};
use crate::plan::decide::plan::Gate;

/// Reports that are listed one by one.
const MOST_REPORTS: usize = 40;

/// Lines of any other list.
pub(super) const MOST_LINES: usize = 10;

/// Jobs that are named where alike ones are counted.
const MOST_NAMES: usize = 3;

/// Where the rest is.
pub(super) const ALL_OF_THEM: &str = "all of them: -v or --format json";

/// The planned reports that are listed one by one, and lines about those that are only counted. A dry run lists all that may start.
pub(super) fn reports<'a>(run: &'a RunView<'_>) -> (Vec<&'a ReportJob<'a>>, Vec<String>) {
    let all = || run.jobs.iter();
    if run.is_full || run.jobs.len() <= MOST_REPORTS {
        return (all().collect(), Vec::new());
    }
    let waits = |job: &&ReportJob<'_>| job.gate == Gate::BehindProbe;
    let listed: Vec<&ReportJob<'_>> = all().filter(|job| !waits(job)).collect();
    if listed.len() <= MOST_REPORTS || run.results.is_none() {
        let counted = all().filter(waits).collect::<Vec<_>>();
        return (listed, by_etl(&counted));
    }
    (Vec::new(), by_etl(&all().collect::<Vec<_>>()))
}

/// A line for each ETL: how many of its reports, of how many banks, and from which period to which.
fn by_etl(jobs: &[&ReportJob<'_>]) -> Vec<String> {
    let mut etls: Vec<&str> = Vec::new();
    for job in jobs {
        if !etls.contains(&job.etl) {
            etls.push(job.etl);
        }
    }
    let line = |etl: &&str| {
        let of_etl: Vec<_> = jobs.iter().filter(|job| job.etl == *etl).collect();
        let banks: BTreeSet<&str> = of_etl.iter().map(|job| job.bank).collect();
        let periods = || of_etl.iter().map(|job| job.period);
        let (Some(first), Some(last)) = (periods().min(), periods().max()) else { return String::new() };
        let span = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let waiting = match of_etl.iter().filter(|job| job.gate == Gate::BehindProbe).count() {
            0 => String::new(),
            1 => "; 1 waits for the probe".to_owned(),
            waiting => format!("; {waiting} wait for the probe"),
        };
        format!("  • {etl}: {} of {}, {span}{waiting}", count(of_etl.len() as u64, "report"), count(banks.len() as u64, "bank"))
    };
    let mut lines: Vec<String> = etls.iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(format!("  ({ALL_OF_THEM})"));
    }
    lines
}

/// A line for each job and its reason or, of many, a line for those of one ETL or source with the same reason.
pub(super) fn with_reasons(jobs: &[(&FinishedJob<'_>, String)], is_full: bool) -> Vec<String> {
    if is_full || jobs.len() <= MOST_LINES {
        return jobs.iter().map(|(job, reason)| format!("{}: {reason}", job.label)).collect();
    }
    let mut alike: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    for (job, reason) in jobs {
        let index = *known.entry((job.of, reason)).or_insert(alike.len());
        match alike.get_mut(index) {
            Some((.., labels)) => labels.push(&job.label),
            None => alike.push((job.of, reason, vec![&job.label])),
        }
    }
    let line = |(of, reason, labels): &(&str, &str, Vec<&str>)| {
        if let [label] = labels.as_slice() {
            return format!("{label}: {reason}");
        }
        let suffix = format!(" [{of}]");
        let names: Vec<&str> = labels.iter().take(MOST_NAMES).map(|label| label.strip_suffix(suffix.as_str()).unwrap_or(label)).collect();
        let more = if labels.len() > MOST_NAMES { format!(" and {} more", labels.len() - MOST_NAMES) } else { String::new() };
        format!("{} of {of}: {reason} ({}{more})", count(labels.len() as u64, "job"), names.join(", "))
    };
    let mut lines: Vec<String> = alike.iter().take(MOST_LINES).map(line).collect();
    let left: usize = alike.iter().skip(MOST_LINES).map(|(.., labels)| labels.len()).sum();
    if left > 0 {
        lines.push(format!("and {} more ({ALL_OF_THEM})", count(left as u64, "job")));
    }
    lines
}
