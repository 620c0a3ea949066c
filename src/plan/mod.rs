//! What can be decided without I/O is decided here.
//!
//! Pure: no tokio, sqlx, clap, tracing, file system, environment or clock. Time, randomness and facts are arguments.

pub mod etl;
pub mod facts;
pub mod gap;
pub mod ids;
pub mod institution;
pub mod job;
pub mod nearest;
pub mod outcome;
pub mod period;
pub mod retry;
pub mod settings;
pub mod template;
