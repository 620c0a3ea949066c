//! The live state of all jobs of a run, by their position in its plan.

use std::ops::{Index, IndexMut};

use super::progress::JobProgress;
use crate::plan::model::ids::JobId;
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::summary::JobResult;

/// One for each job of the plan. A position comes from the schedule, which was made for the same plan.
#[derive(Debug)]
pub(super) struct Jobs(Vec<JobProgress>);

impl Jobs {
    /// The jobs that are recorded under these ids.
    pub(super) fn new(ids: &[JobId]) -> Self {
        Self(ids.iter().map(|id| JobProgress::new(*id)).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &JobProgress> {
        self.0.iter()
    }

    pub(super) fn into_results(self) -> Vec<JobResult> {
        self.0.into_iter().map(|progress| progress.result).collect()
    }
}

#[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "the schedule knows no other position"))]
impl Index<JobIndex> for Jobs {
    type Output = JobProgress;

    fn index(&self, job: JobIndex) -> &JobProgress {
        &self.0[job]
    }
}

#[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "the schedule knows no other position"))]
impl IndexMut<JobIndex> for Jobs {
    fn index_mut(&mut self, job: JobIndex) -> &mut JobProgress {
        &mut self.0[job]
    }
}
