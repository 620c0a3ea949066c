//! Every transition, and what guards it.

use std::time::Duration;

use etl_orch::plan::model::job::{Claim, RunCounts, RunState, RunningRun};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::Begun;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::plan::run::job_end::Artifact;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claim, claimed, end, enqueue, new_job, of_bank, owner};

crate::on_both_databases![
    a_run_is_recorded_from_beginning_to_end,
    the_end_of_a_run_cancels_what_it_did_not_start,
    jobs_are_recorded_all_or_none,
    attempts_follow_each_other_within_a_job,
    a_job_succeeds,
    a_job_fails,
    a_lease_ends_by_the_databases_clock_unless_it_is_renewed,
    a_job_is_skipped,
    a_job_is_cancelled_with_and_without_an_attempt,
    a_lost_job_loses_its_open_attempt,
    a_queued_job_is_dropped_once,
    another_fence_changes_nothing,
    an_ended_job_does_not_change,
    texts_with_nul_characters_are_kept_readable,
];

async fn a_run_is_recorded_from_beginning_to_end(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    assert_eq!(store.running_runs().await.unwrap(), [RunningRun { id: run, owner: owner(), expired: false }]);
    let counts = RunCounts { planned: 5, succeeded: 1, failed: 2, skipped: 1, cancelled: 1 };
    store.end_run(run, RunState::Failed, Some(counts), at(60)).await.unwrap();
    store.end_run(run, RunState::Succeeded, None, at(70)).await.unwrap();
    assert!(store.running_runs().await.unwrap().is_empty());
    let table = fixture.own("etl_runs");
    let row = format!("SELECT host, version, state, planned, succeeded, failed, skipped, cancelled FROM {table}");
    assert_eq!(fixture.rows(&row).await, ["here|1.2.3|failed|5|1|2|1|1"]);
    let time = if fixture.is_sqlite() { "ended_at" } else { "to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')" };
    assert_eq!(fixture.rows(&format!("SELECT {time} FROM {table}")).await, ["2025-06-01T12:01:00.000000Z"]);
}

async fn a_lease_ends_by_the_databases_clock_unless_it_is_renewed(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let expired = async || store.running_runs().await.unwrap()[0].expired;
    assert!(!expired().await);
    assert!(store.renew(run, Duration::ZERO).await.unwrap());
    while !expired().await {} // the clock has only to move on
    assert!(store.renew(run, Duration::from_secs(600)).await.unwrap());
    assert!(!expired().await);
    store.end_run(run, RunState::Lost, None, at(60)).await.unwrap();
    assert!(!store.renew(run, Duration::from_secs(600)).await.unwrap(), "a run that was taken for dead has no lease");
}

async fn the_end_of_a_run_cancels_what_it_did_not_start(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, other) = (begin_run(&*store).await, begin_run(&*store).await);
    let (jobs, theirs) = ([new_job(0), new_job(1), new_job(3)], [new_job(2)]);
    enqueue(&*store, run, &jobs).await;
    enqueue(&*store, other, &theirs).await;
    claim(&*store, jobs[0].id).await;
    store.drop_all(&[jobs[0].id, jobs[1].id], "its ETL is broken", at(8)).await.unwrap();
    store.drop_all(&[], "none", at(8)).await.unwrap();
    store.end_run(run, RunState::Cancelled, None, at(9)).await.unwrap();
    assert_eq!(fixture.jobs().await, ["running|", "cancelled|its ETL is broken", "queued|", "cancelled|its run ended"]);
    let counted = format!("SELECT planned, succeeded, cancelled FROM {} WHERE state = 'cancelled'", fixture.own("etl_runs"));
    assert_eq!(fixture.rows(&counted).await, ["3|0|2"], "of a run that cannot say what it came to the jobs are counted");
}

async fn jobs_are_recorded_all_or_none(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    fixture.sql(&format!("CREATE UNIQUE INDEX one_bank ON {} (bank_id)", fixture.own("etl_jobs"))).await;
    assert!(store.enqueue(run, &[NewJob { subject: of_bank(2), ..new_job(1) }, new_job(0), new_job(2)], at(1)).await.is_err());
    assert!(fixture.jobs().await.is_empty());
    fixture.sql(if fixture.is_sqlite() { "DROP INDEX one_bank" } else { "DROP INDEX etl_orch.one_bank" }).await;
    enqueue(&*store, run, &[]).await;
    let many: Vec<_> = (0..500).map(new_job).collect();
    enqueue(&*store, run, &many).await;
    assert_eq!(fixture.jobs().await.len(), 500);
    let row = format!(
        "SELECT gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position FROM {} WHERE position = 7",
        fixture.own("etl_jobs")
    );
    assert_eq!(fixture.rows(&row).await, ["RY-CA/2025Q2/call_summary|call_summary|RY-CA|1|2025|Q2|7"]);
}

async fn attempts_follow_each_other_within_a_job(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.attempt_spawned(claim, 1, 777).await.unwrap());
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(3))).await.unwrap());
    assert!(!store.end_attempt(claim, &end(1, Outcome::ExitCode(4))).await.unwrap(), "an attempt ends once");
    assert!(!store.attempt_spawned(claim, 1, 778).await.unwrap(), "an ended attempt has no process");
    assert_eq!(fixture.jobs().await, ["running|"]);
    assert_eq!(store.begin_attempt(claim, 2, None, "logs/2.log", at(20)).await.unwrap(), Begun::Yes);
    assert!(store.end_attempt(claim, &end(2, Outcome::Signal(9))).await.unwrap());
    assert_eq!(fixture.attempts().await, ["1|exit_code|3|exit code 3", "2|signal|9|ended by signal 9"]);
    let rest = format!("SELECT pid, log, tail, duration_ms FROM {} WHERE n = 1", fixture.own("etl_attempts"));
    assert_eq!(fixture.rows(&rest).await, ["777|logs/1.log|last line|1500"]);
}

async fn a_job_succeeds(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(fixture.jobs().await, ["succeeded|"]);
    assert_eq!(fixture.attempts().await, ["1|succeeded||"]);
    assert!(store.running_jobs().await.unwrap().is_empty());
}

async fn a_job_fails(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.fail(claim, &end(1, Outcome::NoOutput("no row".into())), "it made no report", &FailureHistory::default()).await.unwrap());
    assert_eq!(fixture.jobs().await, ["failed|it made no report"]);
    assert_eq!(fixture.attempts().await, ["1|no_output||no output: no row"]);
    let ended = format!("SELECT count(*) FROM {} WHERE ended_at > started_at", fixture.own("etl_jobs"));
    assert_eq!(fixture.rows(&ended).await, ["1"]);
}

async fn a_job_is_skipped(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.skip(claim, &end(1, Outcome::NotReady(66)), "its input is not ready", &FailureHistory::default()).await.unwrap());
    assert_eq!(fixture.jobs().await, ["skipped|its input is not ready"]);
    assert_eq!(fixture.attempts().await, ["1|not_ready|66|not ready"]);
}

async fn a_job_is_cancelled_with_and_without_an_attempt(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert!(store.cancel(first, Some(&end(1, Outcome::Interrupted)), "asked to stop", at(11)).await.unwrap());
    assert_eq!(fixture.attempts().await, ["1|interrupted||interrupted"]);
    let second = claimed(&*store).await;
    assert!(store.end_attempt(second, &end(1, Outcome::ExitCode(1))).await.unwrap());
    assert!(store.cancel(second, None, "asked to stop", at(12)).await.unwrap());
    assert_eq!(fixture.jobs().await, ["cancelled|asked to stop", "cancelled|asked to stop"]);
}

async fn a_lost_job_loses_its_open_attempt(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    assert_eq!(store.begin_attempt(claim, 2, None, "log", at(12)).await.unwrap(), Begun::Yes);
    assert!(store.lose(claim, &FailureHistory::default(), at(30)).await.unwrap());
    assert!(!store.lose(claim, &FailureHistory::default(), at(31)).await.unwrap());
    assert_eq!(fixture.jobs().await, ["lost|its owner died"]);
    assert_eq!(fixture.attempts().await, ["1|exit_code|1|exit code 1", "2|lost||lost"]);
}

async fn a_queued_job_is_dropped_once(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let jobs = [new_job(0), new_job(1)];
    enqueue(&*store, run, &jobs).await;
    claim(&*store, jobs[0].id).await;
    assert!(!store.drop_queued(jobs[0].id, "deadline", at(5)).await.unwrap());
    assert!(store.drop_queued(jobs[1].id, "deadline", at(5)).await.unwrap());
    assert!(!store.drop_queued(jobs[1].id, "again", at(6)).await.unwrap());
    assert_eq!(fixture.jobs().await, ["running|", "cancelled|deadline"]);
}

async fn another_fence_changes_nothing(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    nothing_changes(&fixture, &*store, Claim { fence: claim.fence + 1, ..claim }).await;
    assert_eq!(fixture.jobs().await, ["running|"]);
}

async fn an_ended_job_does_not_change(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.lose(claim, &FailureHistory::default(), at(5)).await.unwrap());
    nothing_changes(&fixture, &*store, claim).await;
}

/// Every transition of a running job says no, and leaves jobs, attempts and reports as they are.
async fn nothing_changes(fixture: &Fixture, store: &dyn etl_orch::store::Store, claim: Claim) {
    let (jobs, attempts) = (fixture.jobs().await, fixture.attempts().await);
    let end = end(1, Outcome::Succeeded);
    assert_eq!(store.begin_attempt(claim, 2, None, "log", at(9)).await.unwrap(), Begun::ClaimLost);
    assert!(!store.attempt_spawned(claim, 1, 1).await.unwrap());
    assert!(!store.end_attempt(claim, &end).await.unwrap());
    assert!(!store.succeed(claim, &end, Artifact::Report).await.unwrap());
    assert!(!store.succeed(claim, &end, Artifact::ReportRow(Box::new(crate::fixture::report_row()))).await.unwrap());
    assert!(!store.fail(claim, &end, "no", &FailureHistory::default()).await.unwrap());
    assert!(!store.skip(claim, &end, "no", &FailureHistory::default()).await.unwrap());
    assert!(!store.cancel(claim, Some(&end), "no", at(9)).await.unwrap());
    assert!(!store.lose(claim, &FailureHistory::default(), at(9)).await.unwrap());
    assert_eq!((fixture.jobs().await, fixture.attempts().await), (jobs, attempts));
    assert_eq!(fixture.rows("SELECT count(*) FROM aegis_reports").await, ["0"]);
}

async fn texts_with_nul_characters_are_kept_readable(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let mut end = end(1, Outcome::SpawnFailed { why: "no\0program".into(), may_pass: false });
    end.tail = "bin\0ary \u{1b}[31m \u{ffff}".into();
    assert!(store.fail(claim, &end, "a\0b", &FailureHistory::default()).await.unwrap());
    assert_eq!(fixture.jobs().await, ["failed|a\u{fffd}b"]);
    let tail = format!("SELECT tail FROM {}", fixture.own("etl_attempts"));
    assert_eq!(fixture.rows(&tail).await, ["bin\u{fffd}ary \u{1b}[31m \u{ffff}"]);
}
