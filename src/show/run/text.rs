//! The summary as text, in the layout that its users know.

use std::collections::BTreeMap;

use super::super::escape::escaped;
use super::super::sources;
use super::super::unmatched::UnmatchedView;
use super::super::words::{brief, count, grouped};
use super::condensed::Extent;
use super::forecast::ForecastView;
use super::page::Page;
use super::{FinishedJob, JobOutcome, ReportJob, ResultsView, RunView, condensed};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::Gate;
use crate::plan::model::job::JobState;

/// The whole summary in so many columns, ending in a newline: how things stand, what the run came to, what it found.
pub(super) fn page(run: &RunView<'_>, width: usize) -> String {
    let mut page = Page::new(width);
    head(run, &mut page);
    page.limit_entries(condensed::most_lines(run));
    if let Some(results) = &run.results {
        execution(results, run.is_full, &mut page);
    }
    if run.has_reports {
        page.gap();
        gaps(run, &mut page);
        let others = super::not_planned::lines(run);
        match condensed::in_this_run(run) {
            Some(planned) => [vec![planned], others].concat().iter().for_each(|line| page.line(line)),
            None => page.block(others),
        }
    }
    page.limit_entries(None);
    disclosure_sources(run, &mut page);
    page.block(run.forecast.as_ref().map(ForecastView::lines).unwrap_or_default());
    page.section("Warnings:", "⚠", &run.warnings);
    page.rule('=');
    page.into_text()
}

fn head(run: &RunView<'_>, page: &mut Page) {
    page.rule('=');
    page.line("ETL ORCHESTRATOR EXECUTION SUMMARY");
    page.rule('=');
    page.line(super::status::line(run));
    page.line("");
    page.line(format!("Timestamp: {}", run.timestamp));
    if let Some(id) = run.run_id {
        page.line(format!("Run: {}", id.short()));
    }
    if run.has_reports {
        page.line(format!("Monitored Institutions: {}", count(run.institutions as u64, "bank")));
    }
    for available in &run.availability {
        let combinations = count(available.combinations, "bank-period combination");
        page.line(format!("Data Availability: {combinations} with {}", available.tags.join(", ")));
    }
    // A dry run only says what would be done.
    let is_dry = run.run_id.is_none();
    if run.learnt_from_files > 0 {
        let entries = if run.learnt_from_files == 1 { "1 entry".to_owned() } else { format!("{} entries", run.learnt_from_files) };
        page.line(format!("New Data: {entries} {} from files", if is_dry { "to be learnt" } else { "learnt" }));
    }
    if run.respooled > 0 {
        let recorded = if is_dry { "To be recorded" } else { "Recorded" };
        page.line(format!("{recorded} from the spool: {}", count(run.respooled, "attempt")));
    }
    if run.has_reports {
        page.line(format!("Existing Reports: {}", count(run.existing_reports, "report")));
        let places: Vec<_> = run.reports_in.iter().map(|place| escaped(place)).collect();
        if !places.is_empty() {
            page.line(format!("Reports In: {}", places.join(", ")));
        }
    }
}

fn gaps(run: &RunView<'_>, page: &mut Page) {
    let gaps = &run.gaps;
    if gaps.total == 0 {
        page.line(no_gaps(run));
        return;
    }
    let is_forced = run.jobs.iter().any(|job| job.why == Why::Forced);
    let what = match (gaps.total, is_forced) {
        (1, true) => "1 report to be made".to_owned(),
        (1, false) => "1 missing report".to_owned(),
        (total, true) => format!("{} reports to be made", grouped(total)),
        (total, false) => format!("{} missing reports", grouped(total)),
    };
    let is_resting = gaps.quarantined + gaps.cooling_down > 0 && gaps.claimed + gaps.unrecorded == 0;
    let none = if gaps.planned == 0 && is_resting { ", none to be made now" } else { "" };
    page.line(format!("📋 GAPS IDENTIFIED: {what}{none}"));
    page.rule('-');
    if condensed::in_this_run(run).is_none() {
        planned(run, page);
    }
}

/// The planned reports, by bank.
fn planned(run: &RunView<'_>, page: &mut Page) {
    let (listed, counted) = condensed::reports(run);
    let mut by_bank: Vec<Vec<&ReportJob<'_>>> = Vec::new();
    for job in listed {
        match by_bank.iter_mut().find(|jobs| jobs.first().is_some_and(|first| first.bank == job.bank)) {
            Some(jobs) => jobs.push(job),
            None => by_bank.push(vec![job]),
        }
    }
    for jobs in by_bank {
        page.line("");
        if let Some(first) = jobs.first() {
            page.line(format!("{} ({}):", escaped(first.bank_name), first.symbol));
        }
        for job in jobs {
            let expected = job.prospect.as_ref().map(|words| format!(", {words}")).unwrap_or_default();
            page.line(format!("  • {}: {}{}{expected}", job.period, job.etl, notes(job)));
        }
    }
    page.block(counted);
}

/// What is special about a planned report: ` (exists; forced by ann since 2026-…: why) (the probe)`.
fn notes(job: &ReportJob<'_>) -> String {
    let why = match (job.why, &job.order) {
        (Why::Missing, None) => String::new(),
        (Why::Missing, Some(order)) => format!(" ({})", order.text()),
        (Why::Forced, None) => " (exists; forced)".to_owned(),
        (Why::Forced, Some(order)) => format!(" (exists; {})", order.text()),
    };
    let gate = match job.gate {
        Gate::Open => "",
        Gate::Probe => " (the probe)",
        Gate::BehindProbe => " (waits for the probe)",
    };
    why + gate
}

/// What it means that there are no gaps. Nothing is called fine that could not be read.
fn no_gaps(run: &RunView<'_>) -> String {
    let exist = count(run.existing_reports, "report");
    let do_exist = if run.existing_reports == 1 { "1 report exists".to_owned() } else { format!("{exist} exist") };
    let skipped = if run.gaps.skipped == 1 { "1 is".to_owned() } else { format!("{} are", run.gaps.skipped) };
    let unread = count(run.invalid_rows, "row");
    if run.gaps.skipped > 0 && run.invalid_rows == 0 {
        format!("NO GAPS: {do_exist}, {skipped} skipped")
    } else if run.gaps.skipped > 0 {
        format!("NO GAPS in the rows that could be read: {do_exist}, {skipped} skipped; {unread} could not be read")
    } else if run.existing_reports > 0 && run.invalid_rows == 0 {
        format!("✅ NO GAPS: all {exist} that the data allows for exist")
    } else if run.existing_reports > 0 {
        format!("NO GAPS in the rows that could be read; {unread} could not be read")
    } else if run.invalid_rows > 0 {
        format!("NO DATA: {unread} could not be read")
    } else if run.unmatched.as_ref().is_some_and(UnmatchedView::is_not_selected) {
        "NO DATA: none of the data is in the selection (see below)".to_owned()
    } else if run.misnamed.unknown_tags.is_empty() {
        "NO DATA: no monitored bank has the required data".to_owned()
    } else {
        "NO DATA: no data has a tag that is required (see below)".to_owned()
    }
}

/// The sources in the selection, if there are any.
fn disclosure_sources(run: &RunView<'_>, page: &mut Page) {
    if run.sources.is_empty() {
        return;
    }
    page.gap();
    page.line(sources::heading(run.sources.iter()));
    page.rule('-');
    page.list("•", &sources::lines(&run.sources));
}

fn execution(results: &ResultsView<'_>, is_full: bool, page: &mut Page) {
    if results.jobs.is_empty() && results.error.is_none() {
        return;
    }
    page.gap();
    page.rule('-');
    page.line("EXECUTION RESULTS");
    page.rule('-');
    page.line(format!("Total Jobs: {}", grouped(results.total)));
    page.line(format!("Successful: {} ✅", grouped(results.succeeded)));
    page.line(format!("Failed: {} ❌", grouped(results.failed)));
    if results.skipped > 0 {
        page.line(format!("Skipped: {}", grouped(results.skipped)));
    }
    if results.not_run > 0 {
        page.line(format!("Not run: {}", grouped(results.not_run)));
    }
    page.line(format!("Duration: {}", brief(results.duration)));
    if !results.metrics.is_empty() {
        page.line(format!("Costs: {}", results.metrics.line()));
    }
    if results.stopped {
        page.line("Stopped by a signal; the next run goes on with what was not done");
    }
    if let Some(error) = &results.error {
        page.line(format!("Not complete: {error}"));
    }
    page.section("Collected:", "✅", &collected(&results.jobs));
    let extent = Extent::of(results.jobs.len(), is_full);
    page.section("Failed Jobs:", "❌", &reasons(&results.jobs, JobState::Failed, extent));
    page.section("Skipped Jobs:", "•", &reasons(&results.jobs, JobState::Skipped, extent));
    page.section("Not Run:", "•", &not_run(&results.jobs));
}

/// What the jobs of sources collected.
fn collected(jobs: &[FinishedJob<'_>]) -> Vec<String> {
    let line = |job: &FinishedJob<'_>| Some(format!("{}: {}", job.label, sources::collected(job.collected?)));
    jobs.iter().filter_map(line).collect()
}

/// The jobs that ended in this state, each with its reason.
fn reasons(jobs: &[FinishedJob<'_>], state: JobState, extent: Extent) -> Vec<String> {
    let jobs = jobs.iter().filter(|job| job.outcome.state == state);
    condensed::with_reasons(&jobs.map(|job| (job, reason(&job.outcome))).collect::<Vec<_>>(), extent)
}

/// Why a job did not succeed; its users know these words where its retries were used up.
fn reason(outcome: &JobOutcome<'_>) -> String {
    let why = outcome.reason.as_ref().map_or("no reason was recorded".to_owned(), ToString::to_string);
    if outcome.exhausted && outcome.attempts > 1 { format!("Max retries exceeded - {why}") } else { why }
}

/// Jobs that were cancelled or never started, counted by reason: after Ctrl-C there may be hundreds. Those that wait for a probe are
/// told of with their broken ETL.
fn not_run(jobs: &[FinishedJob<'_>]) -> Vec<String> {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let others = jobs.iter().filter(|job| !job.is_deferred);
    for job in others.filter(|job| matches!(job.outcome.state, JobState::Cancelled | JobState::Queued)) {
        let reason = job.outcome.reason.as_ref().map_or("the run ended".to_owned(), ToString::to_string);
        *reasons.entry(reason).or_default() += 1;
    }
    reasons.into_iter().map(|(reason, jobs)| format!("{}: {reason}", count(jobs, "job"))).collect()
}
