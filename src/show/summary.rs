//! The summary of a run or dry run as text, in the layout that its users know.

mod not_planned;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::escape::escaped;
use super::sources;
use crate::plan::decide::census::MOST_UNMONITORED;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::Etl;
use crate::plan::model::gap::Gap;
use crate::plan::model::job::JobState;
use crate::plan::run::summary::{JobResult, Results, RunSummary};

pub(super) use not_planned::{last_error, quarantined, resting, skipped, time};

const WIDTH: usize = 80;
/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

/// The whole summary, ending in a newline.
pub fn run_as_text(report: &RunSummary, catalogue: &Catalogue) -> String {
    let mut page = Page { text: String::new(), report, catalogue };
    page.head();
    if !report.plan.is_of_sources_alone() {
        page.gaps();
        page.not_planned();
    }
    page.sources();
    if let Some(results) = &report.results {
        page.results(results);
    }
    page.warnings();
    page.rule('=');
    page.text
}

struct Page<'a> {
    text: String,
    report: &'a RunSummary,
    catalogue: &'a Catalogue,
}

impl Page<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    fn rule(&mut self, character: char) {
        let rule: String = std::iter::repeat_n(character, WIDTH).collect();
        self.line(rule);
    }

    fn head(&mut self) {
        self.rule('=');
        self.line("ETL ORCHESTRATOR EXECUTION SUMMARY");
        self.rule('=');
        let at = self.report.started_at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
        self.line(format!("Timestamp: {at}"));
        if let Some(run) = self.report.run {
            self.line(format!("Run: {}", run.short()));
        }
        let reports = !self.report.plan.is_of_sources_alone();
        if reports {
            self.line(format!("Monitored Institutions: {}", count(self.catalogue.institutions.len() as u64, "bank")));
        }
        for (tags, combinations) in availability(self.report, &self.catalogue.etls) {
            self.line(format!("Data Availability: {} with {tags}", count(combinations, "bank-period combination")));
        }
        if self.report.synced > 0 {
            let verb = if self.report.run.is_some() { "learnt" } else { "to be learnt" };
            let entries = if self.report.synced == 1 { "1 entry".to_owned() } else { format!("{} entries", self.report.synced) };
            self.line(format!("New Data: {entries} {verb} from files"));
        }
        if self.report.respooled > 0 {
            let verb = if self.report.run.is_some() { "Recorded" } else { "To be recorded" };
            self.line(format!("{verb} from the spool: {}", count(self.report.respooled, "attempt")));
        }
        if reports {
            self.line(format!("Existing Reports: {}", count(self.report.plan.existing, "report")));
        }
        self.line("");
    }

    fn gaps(&mut self) {
        let plan = &self.report.plan;
        let gaps = plan.gaps();
        if gaps == 0 {
            self.line(no_gaps(self.report));
            return;
        }
        let forced = plan.jobs.iter().any(|job| job.why == Why::Forced);
        let what = if forced { "report to be made" } else { "missing report" };
        let what = if gaps == 1 { format!("1 {what}") } else { format!("{gaps} {}", what.replacen("report", "reports", 1)) };
        let resting = plan.quarantined.total + plan.cooling_down.total > 0 && plan.claimed.total == 0;
        let none = if plan.reports() == 0 && resting { ", none to be made now" } else { "" };
        self.line(format!("📋 GAPS IDENTIFIED: {what}{none}"));
        self.rule('-');
        let mut by_bank: Vec<(usize, Vec<(Gap, &PlannedJob)>)> = Vec::new();
        for (gap, job) in plan.jobs.iter().filter_map(|job| Some((job.report()?, job))) {
            match by_bank.iter_mut().find(|(bank, _)| *bank == gap.bank) {
                Some((_, jobs)) => jobs.push((gap, job)),
                None => by_bank.push((gap.bank, vec![(gap, job)])),
            }
        }
        for (bank, jobs) in by_bank {
            let bank = self.catalogue.institutions.get(bank);
            self.line("");
            self.line(format!("{} ({}):", escaped(&bank.name), self.catalogue.institutions.data_symbol(bank)));
            for (gap, job) in jobs {
                let again = if job.why == Why::Forced { " (exists; forced)" } else { "" };
                let gate = match job.gate {
                    Gate::Open => "",
                    Gate::Probe => " (the probe)",
                    Gate::BehindProbe => " (waits for the probe)",
                };
                self.line(format!("  • {}: {}{again}{gate}", gap.period, self.catalogue.etls[gap.etl].name));
            }
        }
    }

    /// The sources in the selection, where there are any.
    fn sources(&mut self) {
        let plans = &self.report.plan.sources;
        if plans.is_empty() {
            return;
        }
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
        self.line(sources::heading(plans));
        self.rule('-');
        for line in sources::lines(plans, self.catalogue) {
            self.line(format!("  • {line}"));
        }
    }

    fn results(&mut self, results: &Results) {
        if results.jobs.is_empty() && results.broken.is_none() {
            return;
        }
        let counts = results.counts();
        self.line("");
        self.rule('-');
        self.line("EXECUTION RESULTS");
        self.rule('-');
        self.line(format!("Total Jobs: {}", counts.planned));
        self.line(format!("Successful: {} ✅", counts.succeeded));
        self.line(format!("Failed: {} ❌", counts.failed));
        if counts.skipped > 0 {
            self.line(format!("Skipped: {}", counts.skipped));
        }
        if counts.cancelled > 0 {
            self.line(format!("Not run: {}", counts.cancelled));
        }
        self.line(format!("Duration: {:.1}s", results.duration.as_secs_f64()));
        if results.stopped {
            self.line("Stopped by a signal; what was not done is planned again by the next run");
        }
        if let Some(error) = &results.broken {
            self.line(format!("Stopped: {}", escaped(error)));
        }
        self.collected(results);
        self.listed(results, "Failed Jobs:", JobState::Failed, "❌");
        self.listed(results, "Skipped Jobs:", JobState::Skipped, "•");
        self.not_run(results);
    }

    /// What jobs of sources came to, as far as that is known.
    fn collected(&mut self, results: &Results) {
        let jobs = self.report.plan.jobs.iter().zip(&results.jobs);
        let collected = jobs.filter_map(|(job, result)| Some((job, result.collected()?)));
        let lines: Vec<String> =
            collected.map(|(job, collected)| format!("  ✅ {}: {}", self.catalogue.label(job), sources::collected(collected))).collect();
        if !lines.is_empty() {
            self.line("");
            self.line("Collected:");
            for line in lines {
                self.line(line);
            }
        }
    }

    fn listed(&mut self, results: &Results, title: &str, state: JobState, mark: &str) {
        let jobs = self.report.plan.jobs.iter().zip(&results.jobs).filter(|(_, result)| result.state == state);
        let lines: Vec<String> =
            jobs.map(|(job, result)| format!("  {mark} {}: {}", self.catalogue.label(job), escaped(&reason(result)))).collect();
        if !lines.is_empty() {
            self.line("");
            self.line(title);
            for line in lines {
                self.line(line);
            }
        }
    }

    /// Jobs that were cancelled or never started, counted by reason: after Ctrl-C that may be hundreds.
    fn not_run(&mut self, results: &Results) {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for result in results.jobs.iter().filter(|result| matches!(result.state, JobState::Cancelled | JobState::Queued)) {
            *reasons.entry(result.reason.as_deref().unwrap_or("the run ended")).or_default() += 1;
        }
        if !reasons.is_empty() {
            self.line("");
            self.line("Not Run:");
            for (reason, jobs) in reasons {
                self.line(format!("  • {}: {}", count(jobs, "job"), escaped(reason)));
            }
        }
    }

    fn warnings(&mut self) {
        let lines = warnings(self.report, self.catalogue);
        if !lines.is_empty() {
            if !self.text.ends_with("\n\n") {
                self.line("");
            }
            self.line("Warnings:");
            for line in lines {
                self.line(format!("  ⚠ {line}"));
            }
        }
    }
}

/// What no gaps mean. Nothing is called fine because it could not be looked at.
fn no_gaps(report: &RunSummary) -> String {
    let plan = &report.plan;
    let exist = count(plan.existing, "report");
    let do_exist = if plan.existing == 1 { "1 report exists".to_owned() } else { format!("{exist} exist") };
    let skipped = if plan.skipped.total == 1 { "1 is".to_owned() } else { format!("{} are", plan.skipped.total) };
    let unread = count(plan.data_issues.invalid_rows, "row");
    if plan.skipped.total > 0 && plan.data_issues.invalid_rows == 0 {
        format!("NO GAPS: {do_exist}, {skipped} skipped")
    } else if plan.skipped.total > 0 {
        format!("NO GAPS in the rows that could be read: {do_exist}, {skipped} skipped; {unread} could not")
    } else if plan.existing > 0 && plan.data_issues.invalid_rows == 0 {
        format!("✅ NO GAPS: all {exist} that the data allows for exist")
    } else if plan.existing > 0 {
        format!("NO GAPS in the rows that could be read; {unread} could not")
    } else if plan.data_issues.invalid_rows > 0 {
        format!("NOTHING TO GO BY: no row could be read; {unread} could not")
    } else {
        "NOTHING TO GO BY: no monitored bank has data that was asked for".to_owned()
    }
}

/// What a person should look at, each in a line that is safe to show.
pub(super) fn warnings(report: &RunSummary, catalogue: &Catalogue) -> Vec<String> {
    let odd = &report.plan.data_issues;
    let mut lines: Vec<String> = report.warnings.iter().map(|warning| escaped(warning).into_owned()).collect();
    lines.extend(report.lost.iter().map(|gap| {
        let again = if report.plan.jobs.iter().any(|job| job.key == *gap) { "; it is planned again" } else { "" };
        format!("{}: the run that was filling it died{again}", escaped(&gap.to_string()))
    }));
    for rows in odd.invalid.named.iter().take(NAMED) {
        let which = escaped(&rows.which);
        lines.push(format!("invalid {}: {which}: {}", count(rows.rows, "row"), escaped(&rows.problem)));
    }
    if odd.invalid.total > NAMED as u64 {
        lines.push(format!("invalid rows: {} in all", odd.invalid_rows));
    }
    lines.extend(sources::warnings(report, catalogue));
    let at_least = if odd.unmonitored.len() >= MOST_UNMONITORED { "at least " } else { "" };
    let unmonitored = odd.unmonitored.iter().map(String::as_str).collect();
    lines.extend(named(at_least, "symbol", "in the data that nobody monitors", unmonitored));
    let spelled_twice = odd.spelled_twice.iter().map(String::as_str).collect();
    lines.extend(named("", "bank", "under two symbols in the data, so that counts may have a period twice", spelled_twice));
    let without_data = odd.without_data.iter().map(String::as_str).collect();
    lines.extend(named("", "monitored bank", "without any data", without_data));
    lines
}

/// `2 banks without any data: RY-CA, TD-CA`; nothing where there are none.
fn named(at_least: &str, noun: &str, what: &str, all: Vec<&str>) -> Option<String> {
    (!all.is_empty()).then(|| format!("{at_least}{} {what}: {}", count(all.len() as u64, noun), names(&all)))
}

/// Why a job did not succeed, in the words that its users know where its retries were used up.
pub(super) fn reason(result: &JobResult) -> String {
    let why = result.reason.as_deref().unwrap_or("no reason was recorded");
    if result.exhausted && result.attempts > 1 { format!("Max retries exceeded - {why}") } else { why.to_owned() }
}

/// Counts of available combinations, by the tags that ETLs require.
pub(super) fn availability(report: &RunSummary, etls: &[Etl]) -> Vec<(String, u64)> {
    let mut seen: Vec<(String, u64)> = Vec::new();
    for (index, etl) in report.plan.etls.iter().map(|index| (*index, &etls[*index])) {
        let mut tags = etl.requires.clone();
        tags.sort();
        let tags = tags.join(", ");
        if !seen.iter().any(|(known, _)| *known == tags) {
            seen.push((tags, report.plan.census.available_for(index)));
        }
    }
    seen
}

fn names(all: &[&str]) -> String {
    let mut text = all.iter().take(NAMED).map(|name| escaped(name)).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {} more", all.len() - NAMED);
    }
    text
}

/// `1 bank`, `2 banks`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
