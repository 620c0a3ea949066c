//! What can be decided without I/O is decided here.
//!
//! Pure: no tokio, sqlx, clap, tracing, file system, environment or clock. Time, randomness and facts are arguments.

pub mod body;
pub mod breaker;
pub mod catalogue;
pub mod census;
pub mod collecting;
pub mod collection;
pub mod decision;
pub mod etl;
pub mod event;
pub mod facts;
pub mod fingerprint;
pub mod freshness;
pub mod gap;
pub mod ids;
pub mod institution;
pub mod job;
pub mod known;
pub mod liveness;
pub mod memory;
pub mod nearest;
pub mod operator;
pub mod outcome;
pub mod pattern;
pub mod period;
pub mod planner;
pub mod records;
pub mod report;
pub mod retry;
pub mod row;
pub mod schedule;
pub mod selection;
pub mod settings;
pub mod source;
pub mod template;
#[cfg(test)]
pub(crate) mod test_support;
pub mod window;
