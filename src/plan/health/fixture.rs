//! One of each trouble, for the tests of those that show them.

use std::iter::successors;
use std::time::Duration;

use uuid::Uuid;

use super::issue::{SourceTrouble, Trouble};
use crate::plan::decide::data_trouble::DataTrouble;
use crate::plan::decide::late_banks::{Behind, LateBank};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::listed::Listed;

const HOUR: Duration = Duration::from_secs(3600);

/// One of each kind, of the first ETL and the first source. A new kind does not compile until it has its place here.
pub(crate) fn one_of_each() -> Vec<Trouble> {
    successors(Some(Trouble::NoRun), after).collect()
}

/// The next kind, in the order of declaration.
fn after(trouble: &Trouble) -> Option<Trouble> {
    let source = |trouble| Some(Trouble::Source { source: 0, trouble });
    match trouble {
        Trouble::NoRun => Some(Trouble::Silent { limit: HOUR }),
        Trouble::Silent { .. } => Some(Trouble::RunAhead),
        Trouble::RunAhead => Some(Trouble::RunDied { run: RunId::new(Uuid::nil()), host: "h".into(), pid: 7 }),
        Trouble::RunDied { .. } => Some(Trouble::RunFailed { run: RunId::new(Uuid::nil()) }),
        Trouble::RunFailed { .. } => Some(Trouble::RunStopped { run: RunId::new(Uuid::nil()) }),
        Trouble::RunStopped { .. } => Some(Trouble::ClockUnset),
        Trouble::ClockUnset => source(SourceTrouble::NeverCollected),
        Trouble::Source { trouble, .. } => after_in_source(trouble).map_or(Some(Trouble::Data(DataTrouble::NoData)), source),
        Trouble::Data(trouble) => Some(after_in_data(trouble).map_or_else(missing, Trouble::Data)),
        Trouble::Missing { .. } => Some(Trouble::Quarantined { gaps: gaps(&["2025Q2"]), error: Some(error()) }),
        Trouble::Quarantined { .. } => Some(Trouble::Failing { gaps: gaps(&["2025Q2"]), error: Some(error()) }),
        Trouble::Failing { .. } => Some(Trouble::BreakerOpen { etl: 0, error: Some(error()) }),
        Trouble::BreakerOpen { .. } => Some(Trouble::Unrecorded { gaps: gaps(&["2025Q2"]), why: "refused".into() }),
        Trouble::Unrecorded { .. } => Some(Trouble::InvalidRows { rows: 2, first: Some(("RY 2025 Q5".into(), "no quarter".into())) }),
        Trouble::InvalidRows { .. } => Some(Trouble::BanksWithoutData(vec!["BMO-CA".into()])),
        Trouble::BanksWithoutData(_) => Some(Trouble::BankLate(late())),
        Trouble::BankLate(_) => Some(Trouble::Unseen("the spool cannot be read".into())),
        Trouble::Unseen(_) => Some(Trouble::Noted("w".into())),
        Trouble::Noted(_) => None,
    }
}

fn after_in_source(trouble: &SourceTrouble) -> Option<SourceTrouble> {
    match trouble {
        SourceTrouble::NeverCollected => Some(SourceTrouble::Ahead),
        SourceTrouble::Ahead => Some(SourceTrouble::Overdue { limit: HOUR * 13, error: Some(error()) }),
        SourceTrouble::Overdue { .. } => Some(SourceTrouble::Late { limit: HOUR * 7, error: None }),
        SourceTrouble::Late { .. } => Some(SourceTrouble::TooOld { limit: HOUR * 7 }),
        SourceTrouble::TooOld { .. } => Some(SourceTrouble::Quarantined { windows: None, error: Some(error()) }),
        SourceTrouble::Quarantined { .. } => Some(SourceTrouble::Failing { windows: Some(2), error: None }),
        SourceTrouble::Failing { .. } => Some(SourceTrouble::Paused { by: "ann".into(), reason: "r".into() }),
        SourceTrouble::Paused { .. } => Some(SourceTrouble::Skipped { by: "ann".into(), reason: "r".into() }),
        SourceTrouble::Skipped { .. } => Some(SourceTrouble::Empty { successes: 3 }),
        SourceTrouble::Empty { .. } => None,
    }
}

fn after_in_data(trouble: &DataTrouble) -> Option<DataTrouble> {
    match trouble {
        DataTrouble::NoData => Some(DataTrouble::NothingMatches { symbols: vec!["XX".into(), "YY".into()] }),
        DataTrouble::NothingMatches { .. } => Some(DataTrouble::NoRowFor { etl: 0, unknown: vec!["transcripts".into()] }),
        DataTrouble::NoRowFor { .. } => Some(DataTrouble::TypeMisspelled { etl: 0, found: "call_summary".into() }),
        DataTrouble::TypeMisspelled { .. } => None,
    }
}

fn missing() -> Trouble {
    Trouble::Missing { etl: 0, limit: HOUR * 24, is_error: true, gaps: gaps(&["2025Q2", "2025Q1"]) }
}

fn late() -> LateBank {
    let behind = Behind { bank: "BMO-CA".into(), period: "2025Q1".parse().unwrap(), arrived: 2, peers: 3 };
    LateBank { behind, tags: vec!["transcripts".into()], expected_by: "2025-04-25".parse().unwrap(), known: 3 }
}

fn error() -> String {
    "exit code 1: no\u{1b}[31m".to_owned()
}

pub(crate) fn gaps(periods: &[&str]) -> Listed<GapKey> {
    let key = |period: &&str| GapKey::Report { bank: "RY-CA".into(), period: period.parse().unwrap(), etl: "call_summary".into() };
    periods.iter().map(key).collect()
}
