//! What was done, from the record: `jobs`, `runs`, `logs`.

mod days;
mod jobs;
mod logs;
pub(super) mod runs;
pub(super) mod table;

pub use days::DaysView;
pub(super) use jobs::JobEntry;
pub use jobs::JobsView;
pub use logs::{JobLogsView, LogPrinter, log_end, log_head, no_log};
pub use runs::RunsView;
pub(super) use runs::{RunEntry, came_to, options as run_options};
