//! Whether `health --recover` starts a run.

use super::judgement::Judgement;
use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::SourceStatus;

/// After so many recoveries in a row that did not help, there is no other.
pub const MOST_FRUITLESS: usize = 3;

/// What was done about what is wrong. The names are those that users' programs know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: nothing is behind, or nobody asked for it.
    None,
    /// A run was made.
    TriggeredCatchUp,
    /// Another run is at work.
    AlreadyRunning,
    /// The last recoveries did not help.
    CatchUpSuspended,
}

/// What is to be done, before it is known whether another run is at work. `fruitless` is how many recoveries in a row did not help.
#[must_use]
pub fn wanted(judgement: &Judgement, plan: &Plan, fruitless: usize) -> Action {
    let is_claimed = plan.claimed.total > 0 || plan.sources.iter().any(|source| matches!(source.standing, SourceStatus::Claimed(_)));
    let has_work = !plan.jobs.is_empty() || is_claimed;
    if judgement.issues.is_empty() || !has_work {
        Action::None
    } else if fruitless >= MOST_FRUITLESS {
        Action::CatchUpSuspended
    } else {
        Action::TriggeredCatchUp
    }
}

impl Action {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::TriggeredCatchUp => "triggered_catch_up",
            Self::AlreadyRunning => "already_running",
            Self::CatchUpSuspended => "catch_up_suspended",
        }
    }
}
