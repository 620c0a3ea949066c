//! Log lines about the database: what was done there, how many rows it gave, and how long it took.

use std::time::{Duration, Instant};

use crate::plan::text::size::count;
use crate::plan::text::span::{brief, seconds};
use crate::store::{Result, StoreError};

/// Carries out an operation, and logs it.
pub(in crate::store) async fn logged<T>(doing: &'static str, operation: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let answer = operation.await;
    log(doing, began, answer.as_ref().map(|_| None));
    answer
}

/// Logs an operation that began then. It gave so many rows, where they were counted.
pub(in crate::store) fn log(doing: &'static str, began: Instant, answer: std::result::Result<Option<usize>, &StoreError>) {
    let took = began.elapsed();
    let (span, duration_seconds) = (brief(took), seconds(took));
    match answer {
        Ok(None) => tracing::debug!(doing, duration_seconds, "Database: {doing} ({span})"),
        Ok(Some(rows)) => {
            tracing::debug!(doing, rows, duration_seconds, "Database: {doing} ({}, {span})", count(rows as u64, "row"));
        }
        Err(error) => tracing::debug!(doing, duration_seconds, "Database: {error} (after {span})"),
    }
}

/// Logs a new connection, whose making took so long.
pub(in crate::store) fn log_connection(target: &str, took: Duration) {
    tracing::debug!(database = target, duration_seconds = seconds(took), "Connected to {target} ({})", brief(took));
}

/// Logs which version our own tables have.
pub(in crate::store) fn log_version(target: &str, found: Option<i64>, known: i64) {
    let state = found.map_or("are not there yet".to_owned(), |version| format!("have version {version}"));
    tracing::debug!(database = target, version = found, known, "The state tables {state}; this etl-orch knows versions up to {known}");
}
