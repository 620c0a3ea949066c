//! Tests the executors with real, mostly hostile, processes, and with a fake of the users' service.
//!
//! Nothing here waits for a fixed time: a child prints a line when it is ready, and every wait has a deadline that only a defect
//! reaches.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod ending;
mod http;
mod http_answers;
mod http_interrupts;
mod http_wire;
mod output;
mod saying;
#[path = "../support/service.rs"]
mod service;
mod starting;
mod whole_process;
#[path = "../support/wire.rs"]
mod wire;
