//! The events of a run, as one stream that every subscriber receives.
//!
//! It does not know what subscribers do with events, and never waits for one.

pub mod events;
