//! Connections that the server ended: the error may pass, and the next call works.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use etl_orch::plan::model::outcome::Outcome;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claimed, end, queued, wish, yes};

const END_ALL: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn one_error_at_most_follows_however_many_connections_there_were() {
    let fixture = Fixture::postgres().await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    // As many connections as there may be.
    tokio::join!(
        async { store.watch(begin_run(&*store).await).await.unwrap() },
        store.gap_states(),
        store.running_jobs(),
        store.open_breakers()
    )
    .1
    .unwrap();
    fixture.rows(END_ALL).await;
    let error = store.running_jobs().await.unwrap_err();
    assert!(error.may_pass(), "{error:?}");
    for _ in 0..4 {
        assert_eq!(store.running_jobs().await.unwrap()[0].claim, claim);
    }
    let ended = end(1, Outcome::ExitCode(1));
    fixture.rows(END_ALL).await;
    assert!(store.end_attempt(claim, &ended).await.is_err_and(|error| error.may_pass()));
    assert!(store.end_attempt(claim, &ended).await.unwrap());
}

#[tokio::test]
async fn what_was_idle_for_a_while_is_looked_at_before_it_is_used() {
    let fixture = Fixture::postgres().await;
    let store = fixture.open().await;
    let job = queued(&*store).await;
    fixture.rows(END_ALL).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let report = crate::fixture::key();
    yes(store.claim(&wish(job.id, &report)).await.unwrap());
}

/// Waits until a query has a row.
async fn seen(fixture: &Fixture, what: &str, query: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while fixture.rows(query).await.is_empty() {
        assert!(Instant::now() < deadline, "waited 60 s until {what}");
        // What is waited for may be done by this thread too.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_a_severed_claim_did_is_undone() {
    let fixture = Fixture::postgres().await;
    let store = fixture.open().await;
    let (job, report) = (queued(&*store).await, crate::fixture::key());
    // The claim waits for the gap's row, which somebody holds, until its connection is ended.
    fixture.sql("INSERT INTO etl_orch.gap_states (gap_key, fence) VALUES ('RY-CA/2025Q2/call_summary', 4)").await;
    let mut blocker = fixture.psql().stdin(Stdio::piped()).spawn().unwrap();
    blocker.stdin.as_mut().unwrap().write_all(b"BEGIN; UPDATE etl_orch.gap_states SET fence = 5;\n").unwrap();
    let held = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    seen(&fixture, "the row is held", held).await;
    let wish = wish(job.id, &report);
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'etl-orch' AND wait_event_type = 'Lock'";
    let (claimed, ()) = tokio::join!(store.claim(&wish), seen(&fixture, "the claim waits for the row", waiting));
    assert!(claimed.is_err_and(|error| error.may_pass()));
    // The end of its input is the end of its transaction.
    drop(blocker.stdin.take());
    blocker.wait().unwrap();
    assert_eq!(yes(store.claim(&wish).await.unwrap()).fence, 5);
    assert!(
        store
            .lose(yes(store.claim(&wish).await.unwrap()), &etl_orch::plan::remember::failure_history::FailureHistory::default(), at(9))
            .await
            .unwrap()
    );
}
