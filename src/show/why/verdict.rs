//! What is done about a gap, as a name and as the end of a sentence.

use chrono::{DateTime, Utc};

use super::super::blocked::{quarantined, skipped};
use super::super::escape::excerpt;
use super::super::words::{Time, Untrusted, brief};
use crate::plan::decide::decision::{Decision, Why};
use crate::plan::decide::explain::{Explanation, NeedState, Turn, Verdict, What};
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::JobState;
use crate::plan::model::selection::Filter;
use crate::plan::remember::failure_history::{Rest, RestReason};

/// The name of the decision, for programs.
pub(super) fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::NoData => "no_data",
        Verdict::Capped => "capped",
        Verdict::Decided(decision) => match decision {
            Decision::Invalid(_) => "invalid",
            Decision::Filtered(_) => "filtered",
            Decision::Done => "done",
            Decision::Skipped(_) => "skipped",
            Decision::Unrecorded(_) => "unrecorded",
            Decision::Claimed(_) => "claimed",
            Decision::Waiting(_) => "waiting",
            Decision::Quarantined(_) => "quarantined",
            Decision::CoolingDown(_) => "cooling_down",
            Decision::Deferred => "deferred",
            Decision::Run(_) => "run",
        },
        Verdict::Source(status) => match status {
            SourceStatus::Paused(_) => "paused",
            SourceStatus::Skipped(_) => "skipped",
            SourceStatus::UpToDate => "up_to_date",
            SourceStatus::Unrecorded(_) => "unrecorded",
            SourceStatus::Claimed(_) => "claimed",
            SourceStatus::Quarantined(_) => "quarantined",
            SourceStatus::CoolingDown(_) => "cooling_down",
            SourceStatus::Due => "run",
        },
    }
}

/// Whether nothing keeps it back: it is there, or about to be made.
pub(super) fn is_fine(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Decided(Decision::Done | Decision::Run(_)) | Verdict::Source(SourceStatus::UpToDate | SourceStatus::Due))
}

/// The decision in few words, for a line of a list.
pub(super) fn brief_reason(explanation: &Explanation, now: DateTime<Utc>) -> String {
    match &explanation.verdict {
        // A row's value is not alike in two rows.
        Verdict::Decided(Decision::Invalid(_)) => "its row of data is wrong".to_owned(),
        Verdict::Decided(Decision::Quarantined(_)) | Verdict::Source(SourceStatus::Quarantined(_)) => "quarantined".to_owned(),
        Verdict::NoData | Verdict::Capped | Verdict::Decided(_) | Verdict::Source(_) => reason(explanation, now),
    }
}

/// When it ends by itself.
pub(super) fn until(verdict: &Verdict) -> Option<DateTime<Utc>> {
    match verdict {
        Verdict::Decided(Decision::CoolingDown(rest)) | Verdict::Source(SourceStatus::CoolingDown(rest)) => Some(rest.until),
        Verdict::Decided(Decision::Skipped(order)) | Verdict::Source(SourceStatus::Skipped(order)) => order.until,
        Verdict::NoData | Verdict::Capped | Verdict::Decided(_) | Verdict::Source(_) => None,
    }
}

/// The decision in words.
pub(super) fn reason(explanation: &Explanation, now: DateTime<Utc>) -> String {
    match &explanation.verdict {
        Verdict::NoData => no_data(explanation),
        Verdict::Capped => "max_jobs leaves it for a later run".to_owned(),
        Verdict::Decided(decision) => decided(decision, explanation, now),
        Verdict::Source(status) => source(status, now),
    }
}

fn no_data(explanation: &Explanation) -> String {
    let data = explanation.facts.iter().find_map(|fact| if let What::Data(data) = &fact.what { Some(data) } else { None });
    match data {
        Some(data) if data.rows.iter().any(|row| row.problem.is_some()) => "its row of data is wrong".to_owned(),
        Some(data) if !data.rows.is_empty() => {
            let tags: Vec<&str> = data.missing.iter().map(|one| one.tag.as_str()).collect();
            format!("its data lacks {}", tags.join(", "))
        }
        Some(data) if !data.periods.is_empty() => "there is no data of this period".to_owned(),
        Some(_) | None => "there is no data of this bank".to_owned(),
    }
}

fn decided(decision: &Decision, explanation: &Explanation, now: DateTime<Utc>) -> String {
    match decision {
        Decision::Invalid(problem) => format!("its row of data is wrong: {}", excerpt(&problem.to_string())),
        Decision::Filtered(filter) => format!("{} leaves it out", filtered_by(*filter)),
        Decision::Done => "the report is there".to_owned(),
        Decision::Skipped(order) => format!("skipped {}", skipped(order)),
        Decision::Unrecorded(_) => "its job has ended, which the database does not have yet".to_owned(),
        Decision::Claimed(_) => "it is being made now".to_owned(),
        Decision::Waiting(_) => waits_for(explanation),
        Decision::Quarantined(quarantine) => format!("quarantined {}", quarantined(*quarantine)),
        Decision::CoolingDown(rest) => cools_down(*rest, now),
        Decision::Deferred if turn(explanation).is_some_and(|turn| turn.is_probe) => {
            "the next run tries by it whether its ETL works again".to_owned()
        }
        Decision::Deferred => "it waits until its ETL, which is taken for broken, works again".to_owned(),
        Decision::Run(why) => match (queued_in(explanation), why) {
            (Some(run), _) => format!("it is in the queue of run {}", run.short()),
            (None, Why::Missing) => "the next run makes it".to_owned(),
            (None, Why::Forced) => "the next run makes it again".to_owned(),
        },
    }
}

/// The run whose queue has the job.
fn queued_in(explanation: &Explanation) -> Option<RunId> {
    let last = explanation.facts.iter().find_map(|fact| if let What::LastJob(job) = &fact.what { job.as_ref() } else { None });
    last.filter(|job| job.state == JobState::Queued).map(|job| job.run)
}

pub(super) fn filtered_by(filter: Filter) -> &'static str {
    match filter {
        Filter::Bank => "--bank-symbol or --exclude-bank",
        Filter::Etl => "--etl-type",
        Filter::Period => "--period",
        Filter::FromYear => "from_year",
        Filter::UntilYear => "--until-year",
    }
}

fn turn(explanation: &Explanation) -> Option<&Turn> {
    explanation.facts.iter().find_map(|fact| if let What::Turn(turn) = &fact.what { Some(turn) } else { None })
}

fn waits_for(explanation: &Explanation) -> String {
    let needs = explanation.facts.iter().find_map(|fact| if let What::Needs(needs) = &fact.what { Some(needs) } else { None });
    let missing = needs.into_iter().flatten().filter(|need| matches!(need.state, NeedState::Missing(_)));
    let names: Vec<String> = missing.map(|need| Untrusted::from(need.etl.as_str()).to_string()).collect();
    format!("it waits for {}", names.join(", "))
}

pub(super) fn cools_down(rest: Rest, now: DateTime<Utc>) -> String {
    let what = match rest.why {
        RestReason::Failed => "cooling down",
        RestReason::NotReady => "its input was not ready; it waits",
    };
    format!("{what} until {}{}", Time(rest.until), ahead(rest.until, now))
}

/// ` (in 14m)`.
pub(super) fn ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (at - now).to_std() {
        Ok(span) if span.as_secs() > 0 => format!(" (in {})", brief(coarse(span))),
        Ok(_) | Err(_) => String::new(),
    }
}

/// ` (14m ago)`.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at).to_std() {
        Ok(span) if span.as_secs() > 0 => format!(" ({} ago)", brief(coarse(span))),
        Ok(_) | Err(_) => String::new(),
    }
}

/// Without seconds where there are minutes, and without minutes where there are days.
fn coarse(span: std::time::Duration) -> std::time::Duration {
    let unit = match span.as_secs() {
        0..120 => 1,
        120..86_400 => 60,
        _ => 3600,
    };
    std::time::Duration::from_secs(span.as_secs() / unit * unit)
}

fn source(status: &SourceStatus, now: DateTime<Utc>) -> String {
    match status {
        SourceStatus::Paused(pause) => {
            format!("paused by {} since {}: {}", excerpt(&pause.by), Time(pause.since), excerpt(&pause.reason))
        }
        SourceStatus::Skipped(order) => format!("skipped {}", skipped(order)),
        SourceStatus::UpToDate => "nothing is to be collected".to_owned(),
        SourceStatus::Unrecorded(_) => "its job has ended, which the database does not have yet".to_owned(),
        SourceStatus::Claimed(_) => "it is being collected now".to_owned(),
        SourceStatus::Quarantined(quarantine) => format!("quarantined {}", quarantined(*quarantine)),
        SourceStatus::CoolingDown(rest) => cools_down(*rest, now),
        SourceStatus::Due => "the next run collects it".to_owned(),
    }
}
