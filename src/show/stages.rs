//! A stage of an attempt's work in words.

use super::words::{brief, grouped};
use crate::plan::model::said::{Records, Stage, StageState};

/// `DNC Check: done in 2.3s, 594 read, 45 in DNC`. What the child called it is in it as it was said.
pub(super) fn in_words(stage: &Stage) -> String {
    let took = stage.ended_at.and_then(|end| (end - stage.started_at).to_std().ok()).map(brief).unwrap_or_default();
    let now = match stage.state {
        StageState::Started => "started".to_owned(),
        StageState::Running => String::new(),
        StageState::Complete => format!("done in {took}"),
        StageState::Incomplete => format!("incomplete after {took}"),
    };
    let parts: Vec<String> = [now, records(&stage.records), counts(stage)].into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}: {}", stage.name, if parts.is_empty() { "running".to_owned() } else { parts.join(", ") })
}

/// `245 of 300 read, 198 written, 2 rejected`; empty where nothing was said.
pub(super) fn records(records: &Records) -> String {
    let all = records.estimate.map(|all| format!(" of {}", grouped(all))).unwrap_or_default();
    let read = match (records.read, records.written) {
        (None, None) if !all.is_empty() => Some(format!("0{all} read")),
        (read, _) => read.map(|read| format!("{}{all} read", grouped(read))),
    };
    let all_written = if records.read.is_none() { all.as_str() } else { "" };
    let written = records.written.map(|written| format!("{}{all_written} written", grouped(written)));
    let rejected = records.rejected.map(|rejected| format!("{} rejected", grouped(rejected)));
    [read, written, rejected].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `594 phones checked, 12 flagged`; empty where nothing was counted.
pub(super) fn counts(stage: &Stage) -> String {
    stage.counts.iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;

    #[test]
    fn a_stage_says_what_it_came_to() {
        let started_at = Utc::now();
        let stage = Stage {
            n: 1,
            name: "DNC Check".to_owned(),
            state: StageState::Started,
            started_at,
            ended_at: None,
            records: Records::default(),
            counts: Vec::new(),
        };
        let ended = |state| Stage { state, ended_at: Some(started_at + TimeDelta::milliseconds(2300)), ..stage.clone() };
        let records = Records { read: Some(1594), written: Some(20), rejected: Some(1), estimate: Some(3000) };
        let told = |records| Stage { state: StageState::Running, records, ..stage.clone() };
        let lines = [
            stage.clone(),
            told(Records::default()),
            told(Records { estimate: Some(30), ..Records::default() }),
            told(Records { estimate: Some(30), written: Some(3), ..Records::default() }),
            Stage { counts: vec![("flagged".to_owned(), 12), ("in DNC".to_owned(), 4500)], records, ..ended(StageState::Complete) },
            ended(StageState::Incomplete),
        ];
        insta::assert_snapshot!(lines.iter().map(in_words).collect::<Vec<_>>().join("\n"), @r"
        DNC Check: started
        DNC Check: running
        DNC Check: 0 of 30 read
        DNC Check: 3 of 30 written
        DNC Check: done in 2.3s, 1,594 of 3,000 read, 20 written, 1 rejected, 12 flagged, 4,500 in DNC
        DNC Check: incomplete after 2.3s
        ");
    }
}
