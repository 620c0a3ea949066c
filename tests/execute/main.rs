//! Drives the command executor with real, and mostly hostile, processes.
//!
//! Nothing here waits for a fixed time: a child tells that it is ready by printing a line, and every wait has a deadline
//! that only a defect reaches.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod ending;
mod output;
mod starting;
mod whole_process;
