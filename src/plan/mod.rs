//! What can be decided without I/O is decided here.
//!
//! Pure: no tokio, sqlx, clap, tracing, file system, environment or clock. Time, randomness and facts are arguments.

pub mod decide;
pub mod health;
pub mod model;
pub mod remember;
pub mod run;
#[cfg(test)]
pub(crate) mod test_events;
#[cfg(test)]
pub(crate) mod test_support;
pub mod text;
