//! What is remembered between runs, and what follows from it.

pub mod breaker;
pub mod failure_history;
pub mod fingerprint;
pub mod liveness;
pub mod source_state;
pub mod stored_state;
