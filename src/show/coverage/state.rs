//! The states of reports, for people and for programs.

use crate::plan::decide::coverage::ReportState;

/// How serious a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::show) enum Tone {
    /// All is well.
    Good,
    /// It is being done, or will be.
    Pending,
    /// Somebody may have to look at it.
    Bad,
    /// Nothing is to be done.
    Quiet,
}

/// How a state is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::show) struct Sign {
    /// Of one column. Letters stand for what needs somebody's eye.
    pub(in crate::show) mark: char,
    pub(in crate::show) tone: Tone,
    pub(in crate::show) words: &'static str,
}

/// The name that JSON has for a state.
pub(in crate::show) fn name(state: ReportState) -> &'static str {
    match state {
        ReportState::Made => "made",
        ReportState::Running => "running",
        ReportState::Unrecorded => "unrecorded",
        ReportState::Missing => "missing",
        ReportState::Waiting => "waiting",
        ReportState::NotReady => "not_ready",
        ReportState::CoolingDown => "cooling_down",
        ReportState::Deferred => "deferred",
        ReportState::Quarantined => "quarantined",
        ReportState::Skipped => "skipped",
        ReportState::DataIncomplete => "data_incomplete",
        ReportState::NoData => "no_data",
    }
}

pub(in crate::show) fn sign(state: ReportState) -> Sign {
    let (mark, tone, words) = match state {
        ReportState::Made => ('■', Tone::Good, "made"),
        ReportState::Running => ('▶', Tone::Pending, "running"),
        ReportState::Unrecorded => ('U', Tone::Bad, "ended, not on record yet"),
        ReportState::Missing => ('□', Tone::Pending, "missing, will be made"),
        ReportState::Waiting => ('W', Tone::Pending, "waits for another report"),
        ReportState::NotReady => ('N', Tone::Pending, "not ready, tried again later"),
        ReportState::CoolingDown => ('F', Tone::Bad, "failed, tried again later"),
        ReportState::Deferred => ('B', Tone::Bad, "its ETL is broken"),
        ReportState::Quarantined => ('Q', Tone::Bad, "quarantined"),
        ReportState::Skipped => ('-', Tone::Quiet, "skipped by an operator"),
        ReportState::DataIncomplete => ('d', Tone::Quiet, "waits for data"),
        ReportState::NoData => ('.', Tone::Quiet, "no data"),
    };
    Sign { mark, tone, words }
}

/// The state that stands for several: the most serious of those that should be there.
pub(in crate::show) fn worst(states: &[ReportState]) -> ReportState {
    let expected = states.iter().copied().filter(|state| state.is_expected()).max();
    expected.or_else(|| states.iter().copied().min()).unwrap_or(ReportState::NoData)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_states_look_alike() {
        let marks: BTreeSet<char> = ReportState::ALL.iter().map(|state| sign(*state).mark).collect();
        let words: BTreeSet<&str> = ReportState::ALL.iter().map(|state| sign(*state).words).collect();
        assert_eq!((marks.len(), words.len()), (ReportState::ALL.len(), ReportState::ALL.len()));
    }

    #[test]
    fn what_failed_stands_for_the_others() {
        use ReportState::{CoolingDown, DataIncomplete, Made, Missing, NoData, Quarantined, Skipped};
        assert_eq!(worst(&[Made, Quarantined, CoolingDown, Skipped]), Quarantined);
        assert_eq!(worst(&[Made, Missing, DataIncomplete]), Missing);
        assert_eq!(worst(&[DataIncomplete, Skipped]), Skipped);
        assert_eq!(worst(&[NoData, DataIncomplete]), DataIncomplete);
        assert_eq!(worst(&[]), NoData);
    }
}
