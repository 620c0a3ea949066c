//! What would change a decision, ending with what to type.

use super::super::command_line::CommandLine;
use super::words;
use crate::plan::decide::decision::Decision;
use crate::plan::decide::explain::{Explanation, MissingTag, NeedState, Verdict, What};
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::gap::GapKey;
use crate::plan::model::selection::Filter;

/// A sentence and the commands that it speaks of.
pub(super) struct WayOut {
    pub(super) text: String,
    pub(super) commands: Vec<String>,
}

/// What stands for a reason in a command.
pub(in crate::show) const REASON: &str = "--reason \"...\"";

/// What would change it; `next` begins the commands.
pub(super) fn way_out(explanation: &Explanation, next: &CommandLine) -> WayOut {
    let gap = words(&explanation.gap);
    let (text, commands) = match &explanation.verdict {
        Verdict::NoData => no_data(explanation),
        Verdict::Capped => ("A later run makes it. At once:", vec![run(&explanation.gap, "")]),
        Verdict::Decided(decision) => decided(decision, explanation, &gap),
        Verdict::Source(status) => source(status, explanation, &gap),
    };
    WayOut { text: text.to_owned(), commands: commands.iter().map(|words| next.of(words)).collect() }
}

/// A sentence, and the words of commands.
type Words = (&'static str, Vec<String>);

/// A run of this gap alone.
fn run(gap: &GapKey, more: &str) -> String {
    match gap {
        GapKey::Report { bank, period, etl } => {
            format!("run --bank-symbol {bank} --period {} --etl-type {etl}{more}", period.compact())
        }
        GapKey::Source(source) | GapKey::Window { source, .. } => format!("run --source {source}{more}"),
        GapKey::Group { .. } => format!("run{more}"),
    }
}

fn no_data(explanation: &Explanation) -> Words {
    let is_misnamed = explanation.facts.iter().any(|fact| {
        let is_odd = |one: &MissingTag| !one.is_known || !one.similar.is_empty();
        matches!(&fact.what, What::Data(data) if !data.similar.is_empty() || !data.rows.is_empty() && data.missing.iter().any(is_odd))
    });
    let text = if is_misnamed {
        "Once the names in the data and in the configuration agree, a run makes it:"
    } else {
        "Once there is data of it in the availability table, a run makes it:"
    };
    (text, vec![run(&explanation.gap, "")])
}

fn decided(decision: &Decision, explanation: &Explanation, gap: &str) -> Words {
    let key = &explanation.gap;
    match decision {
        Decision::Invalid(_) => ("Once the row is corrected, a run makes it:", vec![run(key, "")]),
        Decision::Filtered(Filter::FromYear) => {
            let year = if let GapKey::Report { period, .. } = key { period.year() } else { 0 };
            ("To have it made all the same:", vec![run(key, &format!(" --from-year {year}"))])
        }
        Decision::Filtered(_) => ("To have it made:", vec![run(key, "")]),
        Decision::Done => ("To have it made again:", vec![run(key, " --force")]),
        Decision::Skipped(_) => ("To end that:", vec![format!("unskip {} {REASON}", skipped_by(explanation))]),
        Decision::Unrecorded(_) => {
            ("The next run records it. To give up how the job ended, and start anew:", vec![format!("retry {gap} {REASON}")])
        }
        Decision::Claimed(_) => {
            ("To watch it, or to stop it:", vec![format!("logs {gap} -f"), format!("cancel {} {REASON}", job(explanation))])
        }
        Decision::Waiting(_) => ("When that report is there, the same run makes this one. Why it is not:", needs(explanation)),
        Decision::Quarantined(_) => {
            ("It is tried again once its data or its ETL changes. To have the next run try:", vec![format!("retry {gap} {REASON}")])
        }
        Decision::CoolingDown(_) => {
            ("The first run after that tries again. To have the next run try:", vec![format!("retry {gap} {REASON}")])
        }
        Decision::Deferred => ("To try it now, whatever happened to others:", vec![run(key, " --force")]),
        Decision::Run(_) => ("To have it made now:", vec![run(key, "")]),
    }
}

/// What an order to skip it is on.
fn skipped_by(explanation: &Explanation) -> String {
    let on = explanation.facts.iter().find_map(|fact| if let What::Skip(Some((on, _))) = &fact.what { Some(on) } else { None });
    words(on.unwrap_or(&explanation.gap))
}

/// The id of its running job.
fn job(explanation: &Explanation) -> String {
    let running =
        explanation.facts.iter().find_map(|fact| if let What::Running(Some(running)) = &fact.what { running.job.as_ref() } else { None });
    running.map_or_else(|| words(&explanation.gap), |job| job.id.short())
}

fn needs(explanation: &Explanation) -> Vec<String> {
    let needs = explanation.facts.iter().find_map(|fact| if let What::Needs(needs) = &fact.what { Some(needs) } else { None });
    let missing = needs.into_iter().flatten().filter(|need| matches!(need.state, NeedState::Missing(_)));
    let GapKey::Report { bank, period, .. } = &explanation.gap else { return Vec::new() };
    missing.map(|need| format!("why {bank} {period} {}", need.etl)).collect()
}

fn source(status: &SourceStatus, explanation: &Explanation, gap: &str) -> Words {
    let retry = || vec![format!("retry {gap} {REASON}")];
    match status {
        SourceStatus::Paused(_) => ("To end that:", vec![format!("sources resume {gap} {REASON}")]),
        SourceStatus::Skipped(_) => ("To end that:", vec![format!("unskip {gap} {REASON}")]),
        SourceStatus::UpToDate => ("To collect its last window again:", vec![format!("sources enqueue {gap} --now")]),
        SourceStatus::Unrecorded(_) => ("The next run records it. To give up how the job ended, and start anew:", retry()),
        SourceStatus::Claimed(_) => {
            ("To watch it, or to stop it:", vec![format!("logs {gap} -f"), format!("cancel {} {REASON}", job(explanation))])
        }
        SourceStatus::Quarantined(_) => ("It is tried again once another window is due. To have the next run try:", retry()),
        SourceStatus::CoolingDown(_) => ("The first run after that tries again. To have the next run try:", retry()),
        SourceStatus::Due => ("To have it collected now:", vec![run(&explanation.gap, "")]),
    }
}
