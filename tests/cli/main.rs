//! The real binary, as a user runs it, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod jobs;
