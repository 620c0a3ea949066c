//! Long lists in a few lines: what is alike is counted, so that the summary of a run in which everything fails fits on a screen.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::super::words::{count, grouped, where_to_look};
use super::{FinishedJob, JobOutcome, ReportJob, RunView};
use crate::plan::decide::plan::Gate;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;

/// Reports that are listed one by one.
const MOST_REPORTS: usize = 40;

/// Banks that have a line each.
const MOST_BANKS: usize = 20;

/// Lines of any other list.
pub(super) const MOST_LINES: usize = 10;

/// Failed jobs that are listed one by one.
const MOST_SINGLE: usize = 5;

/// Jobs that are named where alike ones are counted.
const MOST_NAMES: usize = 3;

/// Where the rest is.
pub(super) const ALL_OF_THEM: &str = "all of them: -v or --format json";

/// How much the text says of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything.
    Full,
    Usual,
    /// As little as there can be, as there is so much of it.
    Brief,
}

impl Extent {
    pub(super) fn of(jobs: usize, is_full: bool) -> Self {
        match (is_full, jobs > MOST_REPORTS) {
            (true, _) => Self::Full,
            (false, true) => Self::Brief,
            (false, false) => Self::Usual,
        }
    }
}

/// Most lines of an entry, where there is so much that all of it is to fit on a screen.
pub(super) fn most_lines(run: &RunView<'_>) -> Option<usize> {
    let jobs = run.results.as_ref().map_or(run.jobs.len(), |results| results.jobs.len());
    (Extent::of(jobs, run.is_full) == Extent::Brief).then_some(2)
}

/// The planned reports that are listed one by one, and lines about those that are only counted, by bank or by ETL.
pub(super) fn reports<'a>(run: &'a RunView<'_>) -> (Vec<&'a ReportJob<'a>>, Vec<String>) {
    let all = || run.jobs.iter();
    if Extent::of(run.jobs.len(), run.is_full) != Extent::Brief {
        return (all().collect(), Vec::new());
    }
    let (waiting, startable): (Vec<_>, Vec<_>) = all().partition(|job| job.gate == Gate::BehindProbe);
    let (listed, mut counted) = if startable.len() <= MOST_REPORTS {
        (startable, by_etl(&waiting))
    } else {
        (Vec::new(), [by_bank(&startable), by_etl(&waiting)].concat())
    };
    if !counted.is_empty() {
        counted.push(format!("  ({ALL_OF_THEM})"));
    }
    (listed, counted)
}

/// `In this run: 500 (167 call_summary, 333 key_themes)`, where a run has too many to list them: what became of them is told already.
pub(super) fn in_this_run(run: &RunView<'_>) -> Option<String> {
    if run.results.is_none() || Extent::of(run.jobs.len(), run.is_full) != Extent::Brief {
        return None;
    }
    let etls: Vec<_> = (alike(&run.jobs, |job| job.etl).iter())
        .filter_map(|of_etl| Some(format!("{} {}", grouped(of_etl.len() as u64), of_etl.first()?.etl)))
        .collect();
    Some(format!("In this run: {} ({})", grouped(run.jobs.len() as u64), etls.join(", ")))
}

/// A line for each bank: how many reports of it, of which ETLs, and from which period to which; where banks are many, for each ETL.
fn by_bank(jobs: &[&ReportJob<'_>]) -> Vec<String> {
    let mut banks: Vec<(&str, Vec<&ReportJob<'_>>)> = Vec::new();
    for job in jobs {
        match banks.iter_mut().find(|(bank, _)| *bank == job.bank) {
            Some((_, of_bank)) => of_bank.push(job),
            None => banks.push((job.bank, vec![job])),
        }
    }
    if banks.len() > MOST_BANKS {
        return by_etl(jobs);
    }
    let line = |(_, of_bank): &(&str, Vec<&ReportJob<'_>>)| {
        let mut etls: Vec<&str> = of_bank.iter().map(|job| job.etl).collect();
        etls.sort_unstable();
        etls.dedup();
        let (symbol, reports) = (of_bank.first().map_or("", |job| job.symbol), count(of_bank.len() as u64, "report"));
        format!("  • {symbol}: {reports}, {}: {}", periods(of_bank), etls.join(", "))
    };
    banks.iter().map(line).collect()
}

/// `2025 Q1 to 2025 Q4`.
fn periods(jobs: &[&ReportJob<'_>]) -> String {
    let periods = || jobs.iter().map(|job| job.period);
    match (periods().min(), periods().max()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (first, _) => first.map(|first| first.to_string()).unwrap_or_default(),
    }
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
        let of_etl: Vec<_> = jobs.iter().copied().filter(|job| job.etl == *etl).collect();
        let banks: BTreeSet<&str> = of_etl.iter().map(|job| job.bank).collect();
        let span = periods(&of_etl);
        let waiting = match of_etl.iter().filter(|job| job.gate == Gate::BehindProbe).count() {
            0 => String::new(),
            1 => "; 1 waits for the probe".to_owned(),
            waiting => format!("; {} wait for the probe", grouped(waiting as u64)),
        };
        format!("  • {etl}: {} of {}, {span}{waiting}", count(of_etl.len() as u64, "report"), count(banks.len() as u64, "bank"))
    };
    etls.iter().map(line).collect()
}

/// An entry for each job, its reason and where there is more about it or, of many, one for those of one ETL or source with the same reason;
/// of very many with different reasons, one for each ETL or source.
pub(super) fn with_reasons(jobs: &[(&FinishedJob<'_>, String)], extent: Extent) -> Vec<String> {
    if extent == Extent::Full || jobs.len() <= MOST_SINGLE {
        return jobs.iter().map(|(job, reason)| of_one(job, reason, extent)).collect();
    }
    let mut groups = alike(jobs, |(job, reason)| (job.of, reason.as_str()));
    if extent == Extent::Brief && groups.len() > MOST_SINGLE {
        groups = alike(jobs, |(job, _)| (job.of, ""));
    }
    let entry = |group: &Vec<&(&FinishedJob<'_>, String)>| match group.as_slice() {
        [(job, reason)] => of_one(job, reason, extent),
        jobs => of_several(jobs, extent),
    };
    let mut lines: Vec<String> = groups.iter().take(MOST_LINES).map(entry).collect();
    let left: usize = groups.iter().skip(MOST_LINES).map(Vec::len).sum();
    if left > 0 {
        lines.push(format!("and {} more ({ALL_OF_THEM})", count(left as u64, "job")));
    }
    lines
}

/// A gap that is not among the jobs of this run.
pub(super) trait HeldUp {
    fn gap(&self) -> &GapKey;

    /// Why, without times: what those that are alike have in common.
    fn why(&self) -> String;
}

/// A line for those of a bank with the same reason or, where these are many, of all banks; and how many gaps all lines stand for.
pub(super) fn held_up<T: HeldUp>(named: &[T], line: impl Fn(&T) -> String) -> (Vec<String>, usize) {
    let of_banks = alike(named, |gap| (bank(gap.gap()), gap.why()));
    let groups = if of_banks.len() <= MOST_LINES { of_banks } else { alike(named, |gap| ("", gap.why())) };
    let shown = groups.get(..MOST_LINES).unwrap_or(&groups);
    let text = |gaps: &Vec<&T>| match gaps.as_slice() {
        [] => String::new(),
        [gap] => line(gap),
        [first, others @ ..] => {
            let of_banks = match gaps.iter().map(|gap| bank(gap.gap())).collect::<BTreeSet<_>>().len() {
                1 => String::new(),
                banks => format!(", of {} in all", count(banks as u64, "bank")),
            };
            format!("{} and {} more{of_banks}: {}", first.gap(), others.len(), first.why())
        }
    };
    (shown.iter().map(text).collect(), shown.iter().map(Vec::len).sum())
}

fn alike<'a, T, K: Eq + Hash>(all: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<Vec<&'a T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut known: HashMap<K, usize> = HashMap::new();
    for one in all {
        let index = *known.entry(key(one)).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn bank(gap: &GapKey) -> &str {
    match gap {
        GapKey::Report { bank, .. } => bank,
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => "",
    }
}

/// Where there is more about a job that failed.
pub(super) fn where_it_failed(outcome: &JobOutcome<'_>) -> Option<String> {
    let log = outcome.log.as_ref().map(ToString::to_string);
    (outcome.state == JobState::Failed).then(|| where_to_look(outcome.id, log.as_deref()))
}

/// The same in so few words that it needs no line of its own.
fn command_for_log(outcome: &JobOutcome<'_>) -> Option<String> {
    let command = if outcome.log.is_some() { "etl-orch logs" } else { "job" };
    (outcome.state == JobState::Failed).then(|| format!("{command} {}", outcome.id.short()))
}

fn of_one(job: &FinishedJob<'_>, reason: &str, extent: Extent) -> String {
    if extent == Extent::Brief {
        let place = command_for_log(&job.outcome).map(|place| format!(" ({place})")).unwrap_or_default();
        return format!("{}{place}: {reason}", job.label);
    }
    let below = where_it_failed(&job.outcome).map(|place| format!("\n{place}")).unwrap_or_default();
    format!("{}: {reason}{below}", job.label)
}

/// Jobs of the same ETL or source, with the same reason or, briefly, with several.
fn of_several(jobs: &[&(&FinishedJob<'_>, String)], extent: Extent) -> String {
    let [(first, reason), ..] = jobs else { return String::new() };
    let reasons = jobs.iter().map(|(_, reason)| reason).collect::<BTreeSet<_>>().len();
    let jobs: Vec<&FinishedJob<'_>> = jobs.iter().map(|(job, _)| *job).collect();
    let (of, many) = (first.of, count(jobs.len() as u64, "job"));
    let suffix = format!(" [{of}]");
    let name = |job: &&FinishedJob<'_>| job.label.strip_suffix(suffix.as_str()).unwrap_or(&job.label).to_owned();
    if extent == Extent::Brief {
        let place = command_for_log(&first.outcome).map(|place| format!("; {place}")).unwrap_or_default();
        let reason = if reasons > 1 { format!("{reasons} errors, the first: {reason}") } else { reason.clone() };
        return format!("{many} of {of} ({} and {} more{place}): {reason}", name(first), jobs.len() - 1);
    }
    let names: Vec<String> = jobs.iter().take(MOST_NAMES).map(name).collect();
    let more = if jobs.len() > MOST_NAMES { format!(" and {} more", jobs.len() - MOST_NAMES) } else { String::new() };
    let below = where_it_failed(&first.outcome).map(|place| format!("\nthe first: {place}")).unwrap_or_default();
    format!("{many} of {of}: {reason} ({}{more}){below}", names.join(", "))
}
