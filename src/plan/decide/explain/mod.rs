//! Why a gap is made or is not: the decision, and the facts behind it in the order in which [`decide`](super::decision::decide) looks.
//!
//! Nothing is decided here. What decides was decided by the planner of a run; the facts are laid beside it.

mod all;
mod data;
mod past;
mod report;
mod source;

pub use self::all::all;
pub use self::data::{DataFact, MissingTag, RowFact};
pub use self::past::{PastFacts, RunsThen, StateThen, Then, then};
pub use self::report::{ReportFacts, report};
pub use self::source::{SourceAsked, source};

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::decide::decision::Decision;
use crate::plan::decide::source_plan::{GivenUpSpan, HeldBack, Lateness, SourceStatus};
use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::PendingOrder;
use crate::plan::model::selection::Filter;
use crate::plan::model::window::Window;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::past::{PastJob, PastRun};
use crate::plan::remember::source_state::{LastSuccess, Pause};
use crate::plan::remember::unfinished::UnrecordedEnd;

/// A gap, what is done about it, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub gap: GapKey,
    pub verdict: Verdict,
    /// In the order in which they are looked at.
    pub facts: Vec<Fact>,
}

/// What a run that starts now does about a gap.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// There is nothing that the report could be made from.
    NoData,
    Decided(Decision),
    /// It is to be made, and `max_jobs` leaves it for a later run.
    Capped,
    Source(SourceStatus),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub what: What,
    pub weight: Weight,
}

/// What a fact means for the gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It lets the gap pass.
    Passes,
    /// It is why the gap is not made, or why it is.
    Decides,
    /// It would keep the gap back too, if what decides did not.
    Blocks,
    /// It decides nothing.
    Told,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Monitored {
        key: String,
        name: String,
        id: i64,
        /// As `FILE:LINE:COLUMN`.
        place: String,
    },
    /// What the configuration leaves out.
    Selected {
        filter: Option<Filter>,
        from_year: Option<u16>,
    },
    Data(DataFact),
    Report {
        exists: bool,
        report_type: String,
        /// The job on record that made it.
        made_by: Option<PastJob>,
        /// A row that is likely meant to be it, in a sentence.
        misspelled: Option<String>,
        order: Option<PendingOrder>,
    },
    /// An order to leave it alone, with the gap or the group that it is on.
    Skip(Option<(GapKey, SkipOrder)>),
    /// The end of its job that the database does not have yet.
    Spool(Option<UnrecordedEnd>),
    /// The job that fills it now.
    Running(Option<Running>),
    Needs(Vec<Need>),
    Failures(Failures),
    Breaker(Option<OpenBreaker>),
    Turn(Turn),
    /// Its latest job.
    LastJob(Option<PastJob>),
    /// The latest run.
    LastRun(Option<PastRun>),
    Source {
        name: String,
        every: Duration,
    },
    Paused(Option<Pause>),
    Due(Due),
    Collected {
        frontier: Option<DateTime<Utc>>,
        last: Option<LastSuccess>,
        lateness: Lateness,
    },
    HeldBack(Vec<HeldBack>),
    GivenUp(Vec<GivenUpSpan>),
}

/// Who fills a gap, and since when.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    pub host: String,
    pub pid: u32,
    pub job: Option<PastJob>,
}

/// A report that a report needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    pub etl: String,
    pub state: NeedState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum NeedState {
    Exists,
    /// A run makes it first.
    MadeBefore,
    /// It is not made, for this reason; `None` where there is nothing to make it from.
    Missing(Option<Decision>),
}

/// What a gap's runs have come to since its last success.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Failures {
    pub failed_runs: u32,
    pub quarantine_after: u32,
    pub not_ready: u32,
    pub lost: u32,
    pub rest: Option<Rest>,
    pub quarantine: Option<Quarantine>,
    /// Its sources or its ETL have changed since, which ends a rest or a quarantine.
    pub has_changed: bool,
    pub error: Option<String>,
    /// The log of the last attempt that failed, on the host of its run.
    pub log: Option<String>,
}

/// Its turn among all jobs of a run that starts now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// From 1; `None` where the run has no job of it.
    pub position: Option<usize>,
    pub jobs: usize,
    pub max_jobs: usize,
    /// How many gaps `max_jobs` leaves for later runs.
    pub capped: u64,
    pub is_probe: bool,
    /// How many jobs of its chain come before it.
    pub before_in_chain: usize,
    pub pool: Option<Pool>,
}

/// What is due of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    pub behind: u64,
    pub missing: Option<Window>,
    pub left: u64,
    pub jobs: usize,
    pub queued: u64,
    pub next: DateTime<Utc>,
    pub order: Option<PendingOrder>,
}

/// A fact that passes or, where it does not, keeps the gap back.
fn fact(what: What, passes: bool) -> Fact {
    Fact { what, weight: if passes { Weight::Passes } else { Weight::Blocks } }
}

fn told(what: What) -> Fact {
    Fact { what, weight: Weight::Told }
}

/// Marks the fact that decides; what comes before it let the gap pass.
fn mark(mut facts: Vec<Fact>, decides: impl Fn(&What) -> bool) -> Vec<Fact> {
    let Some(position) = facts.iter().position(|fact| decides(&fact.what)) else { return facts };
    for (place, fact) in facts.iter_mut().enumerate() {
        fact.weight = match fact.weight {
            _ if place == position => Weight::Decides,
            Weight::Blocks if place < position => Weight::Passes,
            weight => weight,
        };
    }
    facts
}
