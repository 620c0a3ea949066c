//! The real binary, as a user runs it, on both databases.

#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "../support/mod.rs"]
mod support;

mod jobs;
mod pages;
mod quickstart;
mod timers;
