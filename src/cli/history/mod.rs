//! `etl-orch jobs`, `runs`, `logs` and `trace`: what was done, from the record. They need neither the lock nor the right to write.

mod args;
pub(super) mod jobs;
mod log_file;
pub(super) mod logs;
pub(super) mod runs;
pub(super) mod trace;
