//! What is wrong with a job, and what could not be checked, in sentences.

use serde::Serialize;

use super::super::words::{Untrusted, brief, count};
use crate::plan::model::job::JobState;
use crate::plan::remember::trace::Output;
use crate::plan::remember::trace::issues::{Findings, Issue, Place, Unchecked};

/// Something that a person should look at, or that could not be checked.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What kind it is, for programs.
    kind: &'static str,
    attempt: Option<u32>,
    stage: Option<String>,
    pub(super) message: String,
}

/// What was found, and what could not be checked.
#[derive(Debug, Serialize)]
pub(super) struct FindingsEntry {
    pub(super) issues: Vec<Finding>,
    pub(super) not_checked: Vec<Finding>,
}

impl FindingsEntry {
    pub(super) fn new(findings: &Findings<'_>) -> Self {
        Self {
            issues: findings.issues.iter().map(Finding::of_issue).collect(),
            not_checked: findings.unchecked.iter().map(Finding::of_unchecked).collect(),
        }
    }

    /// `None` is said only where everything was checked.
    pub(super) fn lines(&self) -> Vec<String> {
        lines(self.issues.iter().map(|issue| issue.message.clone()), self.not_checked.iter().map(|finding| finding.message.clone()))
    }
}

/// The lines of the section.
pub(super) fn lines(issues: impl Iterator<Item = String>, not_checked: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = issues.collect();
    let not_checked: Vec<String> = not_checked.map(|message| format!("not checked: {message}")).collect();
    match (lines.is_empty(), not_checked.is_empty()) {
        (true, true) => lines.push("None".to_owned()),
        (true, false) => lines.push("none in what was checked".to_owned()),
        (false, _) => {}
    }
    lines.extend(not_checked);
    lines
}

impl Finding {
    fn of_issue(issue: &Issue<'_>) -> Self {
        let (kind, attempt, stage) = match issue {
            Issue::Ended { state, .. } => (state.name(), None, None),
            Issue::OwnerLost => ("lost", None, None),
            Issue::Retried { .. } => ("retried", None, None),
            Issue::SucceededAllTheSame { attempt } => ("succeeded_all_the_same", Some(attempt.n), None),
            Issue::NotPlaced { .. } => ("not_placed", None, None),
            Issue::ReportedError { attempt, .. } => ("reported_error", Some(*attempt), None),
            Issue::OverLimit { place, .. } => ("over_warn_after", Some(place.attempt), place.stage),
            Issue::Slow { place, .. } => ("slower_than_usual", Some(place.attempt), place.stage),
            Issue::NoRecords { place, .. } => ("no_records", Some(place.attempt), place.stage),
            Issue::Unbalanced { place, .. } => ("records_differ", Some(place.attempt), place.stage),
            Issue::LeftOpen { place } => ("stage_left_open", Some(place.attempt), place.stage),
            Issue::Incomplete { place } => ("stage_incomplete", Some(place.attempt), place.stage),
            Issue::Truncated { attempt, .. } => ("log_truncated", Some(attempt.n), None),
            Issue::NoLog { attempt } => ("log_missing", Some(attempt.n), None),
            Issue::NotStored { log } => ("not_stored", Some(log.attempt), None),
        };
        let stage = stage.map(|stage| Untrusted::from(stage.name.as_str()).to_string());
        Self { kind, attempt, stage, message: sentence(issue) }
    }

    fn of_unchecked(unchecked: &Unchecked<'_>) -> Self {
        let (kind, attempt, stage, message) = match unchecked {
            Unchecked::Usual => ("usual", None, None, "durations and records against earlier successes: none is on record".to_owned()),
            Unchecked::UsualOf(place) => {
                let message = format!("{} against earlier successes: none had this stage", name(*place));
                ("usual", Some(place.attempt), place.stage, message)
            }
            Unchecked::Records => ("records", None, None, "records: nothing was counted".to_owned()),
            Unchecked::Log { attempt, why } => {
                ("log", Some(*attempt), None, format!("the log of attempt {attempt}: it {}", Untrusted::from(*why).excerpt()))
            }
        };
        let stage = stage.map(|stage| Untrusted::from(stage.name.as_str()).to_string());
        Self { kind, attempt, stage, message }
    }
}

/// A stage, or the attempt that named none.
fn name(place: Place<'_>) -> String {
    let name = place.stage.map(|stage| Untrusted::from(stage.name.as_str()).excerpt().into_owned());
    name.unwrap_or_else(|| format!("attempt {}", place.attempt))
}

fn colon(text: Option<&str>) -> String {
    text.map(|text| format!(": {}", Untrusted::from(text).excerpt())).unwrap_or_default()
}

fn sentence(issue: &Issue<'_>) -> String {
    match issue {
        Issue::Ended { state, error } => format!("{}{}", state.name(), colon(*error)),
        Issue::OwnerLost => format!("{}: its run died before it ended", JobState::Lost.name()),
        Issue::Retried { attempts } => format!("retried: {attempts} attempts were made"),
        Issue::SucceededAllTheSame { attempt } => {
            let end = attempt.error.as_deref().or(attempt.outcome.as_deref());
            format!("the report is there, although attempt {} did not succeed{}", attempt.n, colon(end))
        }
        Issue::NotPlaced { destination } => {
            let path = destination.to_string_lossy();
            format!("its file may still lie beside its place, where the next run finds it: {}", Untrusted::from(path))
        }
        Issue::ReportedError { attempt, error } => format!("attempt {attempt} reported an error{}", colon(*error)),
        Issue::OverLimit { place, took, warn_after } => {
            format!("{} took {}, longer than warn_after ({})", name(*place), brief(*took), brief(*warn_after))
        }
        Issue::Slow { place, took, usual } => {
            let of = match usual.successes {
                1 => "the last success".to_owned(),
                several => format!("median of the last {}", successes(several)),
            };
            format!("{} took {}, usually {} ({of})", name(*place), brief(*took), brief(usual.of))
        }
        Issue::NoRecords { place, successes, is_told } => {
            let what = if *is_told { "had no records" } else { "did not say how many records it had" };
            format!("{} {what}, while {successes} of the last successes had some", name(*place))
        }
        Issue::Unbalanced { place, read, written, rejected } => {
            let through = written.saturating_add(rejected.unwrap_or_default());
            let rejected = rejected.map_or("did not say how many it rejected".to_owned(), |rejected| format!("rejected {rejected}"));
            let difference =
                if through < *read { format!("{} are missing", read - through) } else { format!("{} too many", through - read) };
            format!("{} read {read}, wrote {written} and {rejected}: {difference}", name(*place))
        }
        Issue::LeftOpen { place } => format!("{} began and did not end", name(*place)),
        Issue::Incomplete { place } => format!("{} ended incomplete", name(*place)),
        Issue::Truncated { attempt, output } => {
            let lacks = match output {
                Output::LeftOut(bytes) => format!("lacks {}, as logs are limited", count(*bytes, "byte")),
                _ => "could not be written to its end".to_owned(),
            };
            format!("the log of attempt {} {lacks}", attempt.n)
        }
        Issue::NoLog { attempt } => format!("the log of attempt {} is not there: {}", attempt.n, Untrusted::from(attempt.log.as_str())),
        Issue::NotStored { log } => {
            format!("attempt {} said more than is on record: {}", log.attempt, Untrusted::from(log.log.message.as_str()).excerpt())
        }
    }
}

fn successes(number: usize) -> String {
    format!("{number} successes")
}
