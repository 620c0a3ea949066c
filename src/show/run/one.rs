//! What `etl-orch run-one` did, or why it started nothing.

use std::path::Path;

use serde::Serialize;

use super::super::View;
use super::super::blocked::{last_error, quarantined, resting, skipped, unrecorded};
use super::super::escape::escaped;
use super::super::sources::{self, SourceView};
use super::super::terminal::stdout_width;
use super::super::words::{Untrusted, count, wrapped};
use super::{JobOutcome, condensed};
use crate::plan::decide::plan::{Plan, PlannedJob};
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::JobState;
use crate::plan::run::summary::{JobResult, RunSummary};

/// The only job of a run, and how it ended.
#[derive(Debug, Serialize)]
pub struct RunOneView<'a> {
    run_id: Option<RunId>,
    exit_code: u8,
    gap: &'a GapKey,
    #[serde(flatten)]
    outcome: JobOutcome<'a>,
    /// Where etl-orch has put the report.
    report: Option<Untrusted<'a>>,
    /// What was collected.
    collected: Option<String>,
    /// Why the run is not complete.
    error: Option<Untrusted<'a>>,
    warnings: Vec<Untrusted<'a>>,
}

impl<'a> RunOneView<'a> {
    /// The view of a run that ends with this exit code; `None` where it had no job.
    pub fn new(summary: &'a RunSummary, catalogue: &Catalogue, exit_code: u8) -> Option<Self> {
        let results = summary.results.as_ref()?;
        let (job, result): (&PlannedJob, &JobResult) = summary.plan.jobs.iter().zip(&results.jobs).next()?;
        let report = job.report().filter(|_| result.state == JobState::Succeeded).and_then(|gap| catalogue.destination(gap));
        Some(Self {
            run_id: summary.run,
            exit_code,
            gap: &job.key,
            outcome: JobOutcome::new(result),
            report: report.as_deref().map(Path::to_string_lossy).map(|path| path.into_owned().into()),
            collected: result.collected().map(sources::collected),
            error: results.broken.as_deref().map(Untrusted::from),
            warnings: summary.warnings.iter().map(|warning| warning.as_str().into()).collect(),
        })
    }
}

impl View for RunOneView<'_> {
    fn kind(&self) -> &'static str {
        "run_one"
    }

    fn text(&self) -> String {
        let JobOutcome { state, attempts, reason, .. } = &self.outcome;
        let tries = if *attempts > 1 { format!(" after {}", count(u64::from(*attempts), "attempt")) } else { String::new() };
        let result = match (state, &self.report, &self.collected) {
            (JobState::Succeeded, Some(report), _) => format!(": {report}"),
            (JobState::Succeeded, None, Some(collected)) => format!(": {collected}"),
            (JobState::Succeeded, None, None) => String::new(),
            _ => reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default(),
        };
        let place = condensed::where_it_failed(&self.outcome).map(|place| format!(" ({place})")).unwrap_or_default();
        let mut text = format!("run-one: {}: {}{tries}{result}{place}\n", escaped(&self.gap.to_string()), state.name());
        text.extend(self.error.iter().map(|error| format!("Not complete: {error}\n")));
        text.extend(self.warnings.iter().map(|warning| format!("⚠ {warning}\n")));
        let Some(width) = stdout_width() else { return text };
        text.lines().map(|line| wrapped(line, width).into_owned() + "\n").collect()
    }
}

/// Why a run would not start the job of this gap, and what starts it.
#[must_use]
pub fn not_started(gap: &GapKey, plan: &Plan, catalogue: &Catalogue, from_year: Option<u16>) -> String {
    let why = match plan.sources.first() {
        Some(source) => source_not_started(source, catalogue),
        None => report_not_started(gap, plan, catalogue, from_year),
    };
    format!("{}: {why}", escaped(&gap.to_string()))
}

const ANYWAY: &str = "--anyway starts it all the same";

fn report_not_started(gap: &GapKey, plan: &Plan, catalogue: &Catalogue, from_year: Option<u16>) -> String {
    if let Some((_, order)) = plan.skipped.named.first() {
        format!("it is skipped {}; `etl-orch unskip` takes that back", skipped(order))
    } else if let Some((_, end)) = plan.unrecorded.named.first() {
        format!("{}; the next run records it", unrecorded(end))
    } else if let Some((_, owner)) = plan.claimed.named.first() {
        format!("it is being made now, by {}; `etl-orch logs -f` follows that, `etl-orch cancel` stops it", escaped(&owner.to_string()))
    } else if let Some((_, need)) = plan.waiting.named.first() {
        format!("it needs {}, which is not there; {ANYWAY}", catalogue.etl(*need).name)
    } else if let Some((_, quarantine, last)) = plan.quarantined.named.first() {
        format!("it is quarantined {}{}; {ANYWAY}", quarantined(*quarantine), last_error(last.as_deref().map(Untrusted::from).as_ref()))
    } else if let Some((_, rest, last)) = plan.cooling_down.named.first() {
        format!("it is cooling down {}; {ANYWAY}", resting(*rest, last.as_deref().map(Untrusted::from).as_ref()))
    } else if plan.existing > 0 {
        "the report exists; --force makes it again".to_owned()
    } else {
        without_data(gap, plan, catalogue, from_year)
    }
}

fn without_data(gap: &GapKey, plan: &Plan, catalogue: &Catalogue, from_year: Option<u16>) -> String {
    if let (GapKey::Report { period, .. }, Some(year)) = (gap, from_year)
        && period.year() < year
    {
        return format!("it is before run.from_year, which is {year}; {ANYWAY}");
    }
    let tags = plan.etls.first().map(|etl| catalogue.etl(*etl).requires.join(", ")).unwrap_or_default();
    let bad = plan.data_issues.invalid_rows;
    let unread =
        if bad > 0 { format!("; {} of its bank could not be read, see `etl-orch --dry-run`", count(bad, "row")) } else { String::new() };
    format!("there is no data for it; it requires {tags}{unread}; `etl-orch why` says what there is")
}

fn source_not_started(source: &SourcePlan, catalogue: &Catalogue) -> String {
    let view = SourceView::new(source, catalogue, |_| None);
    let hint = match source.standing {
        SourceStatus::UpToDate => "; --force collects its last window again",
        SourceStatus::Quarantined(_) | SourceStatus::CoolingDown(_) => "; --anyway starts it all the same",
        SourceStatus::Paused(_) => "; `etl-orch sources resume` ends that",
        SourceStatus::Skipped(_) => "; `etl-orch unskip` takes that back",
        SourceStatus::Claimed(_) | SourceStatus::Unrecorded(_) | SourceStatus::Due => "",
    };
    format!("{}{hint}", sources::state(&view))
}
