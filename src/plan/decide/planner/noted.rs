//! The decisions on single gaps, for who explains them or puts them on record.

use std::collections::BTreeMap;

use crate::plan::decide::data_row::RowProblem;
use crate::plan::decide::decision::{Decided, Decision};
use crate::plan::model::gap::GapKey;

/// So many decisions are noted, whatever the tables hold.
pub const MOST_NOTED: usize = 10_000;

/// Notes decisions: those on gaps that are not made, or all.
#[derive(Debug, Default)]
pub(super) struct Noted {
    of_all: bool,
    first: BTreeMap<GapKey, Decided>,
}

impl Noted {
    pub(super) fn of_all() -> Self {
        Self { of_all: true, ..Self::default() }
    }

    pub(super) fn note(&mut self, key: &GapKey, decided: Decided) {
        let is_held_back = match &decided.decision {
            // What is to be made has a job.
            Decision::Filtered(_) | Decision::Done | Decision::Run(_) => false,
            Decision::Invalid(_)
            | Decision::Skipped(_)
            | Decision::Unrecorded(_)
            | Decision::Claimed(_)
            | Decision::Waiting(_)
            | Decision::Quarantined(_)
            | Decision::CoolingDown(_)
            | Decision::Deferred => true,
        };
        if self.of_all || is_held_back {
            self.first.insert(key.clone(), decided);
            self.cut();
        }
    }

    /// Notes a wrong row, unless another row of the gap is good.
    pub(super) fn invalid(&mut self, key: GapKey, problem: RowProblem, exists: bool) {
        self.first.entry(key).or_insert_with(|| Decided { decision: Decision::Invalid(problem), exists, unmet: Vec::new() });
        self.cut();
    }

    fn cut(&mut self) {
        if self.first.len() > MOST_NOTED {
            self.first.pop_last();
        }
    }

    pub(super) fn finish(self) -> BTreeMap<GapKey, Decided> {
        self.first
    }
}
