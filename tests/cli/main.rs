//! The real binary, as a user runs it, on both databases.

#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "../support/mod.rs"]
mod support;

mod bad_rows;
mod chains;
mod child;
mod data;
mod dry_run;
mod exits;
mod files;
mod jobs;
mod needs;
mod printed;
mod records;
mod retries;
mod selection;
mod verify;
