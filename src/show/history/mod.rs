//! What was done, from the record: `jobs`, `runs`, `logs`.

mod jobs;
mod logs;
mod runs;
mod table;

pub use jobs::JobsView;
pub use logs::{JobLogsView, LogPrinter, log_end, log_head, no_log};
pub use runs::RunsView;
