//! What a run would start, for people who want to see it or to start it themselves.

use std::path::PathBuf;

use chrono::Utc;
use uuid::Uuid;

use super::attempt::{Paths, Setting};
use super::context::Layout;
use super::invocation::Invocation;
use crate::execute::Program;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::ids::JobId;

/// A program as the first attempt of a job would start it.
pub struct Preview {
    pub program: Program,
    /// The workspace that is made before.
    pub work_dir: PathBuf,
}

impl Invocation {
    /// The program of a planned job, which nobody has claimed: its ids are on no record, and its fence is that of the next claim. `None` where
    /// a service does the work.
    #[must_use]
    pub fn preview(&self, job: &PlannedJob) -> Option<Preview> {
        let command = self.catalogue.work(job).program()?;
        let layout = Layout { state_dir: &self.state_dir, catalogue: &self.catalogue, started_at: Utc::now() };
        let (id, number) = (JobId::new(Uuid::new_v4()), 1);
        let paths = Paths::of(layout, job, id, number);
        let setting = Setting {
            catalogue: &self.catalogue,
            env_files: &self.env_files,
            run: self.id,
            trace: self.trace,
            job,
            id,
            number,
            fence: job.planned_fence + 1,
            paths: &paths,
        };
        let program = setting.program(command, paths.log.clone(), &setting.values());
        Some(Preview { program, work_dir: paths.work_dir })
    }
}
