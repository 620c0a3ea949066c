//! What is remembered between runs, and what follows from it.

pub mod alert;
pub mod arrivals;
pub mod breaker;
pub mod claim;
pub mod daily;
pub mod durations;
pub mod failure_history;
pub mod fingerprint;
pub mod liveness;
pub mod past;
pub mod recorded_job;
pub mod rhythm;
pub mod source_state;
pub mod stored_decision;
pub mod stored_state;
pub mod trace;
pub mod unfinished;
