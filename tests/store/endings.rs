//! Ends of jobs: short ways to record them, and what is decided in the transaction that does.

use chrono::{DateTime, Utc};
use etl_orch::plan::model::job::{AttemptEnd, Claim, JobState};
use etl_orch::plan::model::orders::{GapOrder, GapOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::{Artifact, Finished, JobEnd};
use etl_orch::store::{Result, Store};

use crate::fixture::{Fixture, at, claimed, end, failed_runs, key};

crate::on_both_databases![
    an_unverified_end_is_a_success_only_if_the_report_is_new,
    an_unverified_end_stays_what_it_was_first_recorded_as,
    an_unverified_end_of_a_lost_claim_changes_nothing,
    a_report_keeps_the_id_of_a_service_until_it_is_not_followed_any_more,
    a_retry_forgets_the_job_of_a_service,
];

/// One method for each transition out of `running`. Each returns whether it is on record.
#[async_trait::async_trait]
pub(crate) trait Endings {
    async fn succeed(&self, claim: Claim, attempt: &AttemptEnd, artifact: Artifact) -> Result<bool>;
    async fn fail(&self, claim: Claim, attempt: &AttemptEnd, error: &str, history: &FailureHistory) -> Result<bool>;
    async fn skip(&self, claim: Claim, attempt: &AttemptEnd, reason: &str, history: &FailureHistory) -> Result<bool>;
    async fn cancel(&self, claim: Claim, attempt: Option<&AttemptEnd>, reason: &str, at: DateTime<Utc>) -> Result<bool>;
    async fn lose(&self, claim: Claim, history: &FailureHistory, at: DateTime<Utc>) -> Result<bool>;
}

async fn is_recorded(store: &(dyn Store + '_), claim: Claim, end: JobEnd) -> Result<bool> {
    let finished = store.finish(claim, &end).await?;
    assert!(matches!(finished, Finished::ClaimLost) || finished == Finished::Recorded(end.state()), "{end:?}: {finished:?}");
    Ok(finished != Finished::ClaimLost)
}

#[async_trait::async_trait]
impl Endings for dyn Store + '_ {
    async fn succeed(&self, claim: Claim, attempt: &AttemptEnd, artifact: Artifact) -> Result<bool> {
        is_recorded(self, claim, JobEnd::Succeeded { attempt: attempt.clone(), artifact }).await
    }

    async fn fail(&self, claim: Claim, attempt: &AttemptEnd, error: &str, history: &FailureHistory) -> Result<bool> {
        is_recorded(self, claim, JobEnd::Failed { attempt: attempt.clone(), error: error.into(), history: history.clone() }).await
    }

    async fn skip(&self, claim: Claim, attempt: &AttemptEnd, reason: &str, history: &FailureHistory) -> Result<bool> {
        is_recorded(self, claim, JobEnd::Skipped { attempt: attempt.clone(), reason: reason.into(), history: history.clone() }).await
    }

    async fn cancel(&self, claim: Claim, attempt: Option<&AttemptEnd>, reason: &str, at: DateTime<Utc>) -> Result<bool> {
        is_recorded(self, claim, JobEnd::Cancelled { attempt: attempt.cloned(), reason: reason.into(), at }).await
    }

    async fn lose(&self, claim: Claim, history: &FailureHistory, at: DateTime<Utc>) -> Result<bool> {
        is_recorded(self, claim, JobEnd::Lost { history: history.clone(), at }).await
    }
}

const REPORT: &str = "INSERT INTO aegis_reports VALUES (1, 2025, 'Q2', 'Call Summary')";

fn unverified(before: Option<String>) -> JobEnd {
    JobEnd::Unverified { attempt: end(1, Outcome::Succeeded), report: key(), before }
}

async fn an_unverified_end_is_a_success_only_if_the_report_is_new(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Cancelled));
    fixture.sql(REPORT).await;
    let before = store.report_fingerprint(&key()).await.unwrap();
    fixture.sql("DELETE FROM aegis_reports").await;
    let claim = claimed(&*store).await;
    fixture.sql(REPORT).await;
    assert_eq!(store.finish(claim, &unverified(before)).await.unwrap(), Finished::Recorded(JobState::Cancelled));
    fixture.sql("DELETE FROM aegis_reports").await;
    let claim = claimed(&*store).await;
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &FailureHistory { rest: None, ..failed_runs(1) }).await.unwrap());
    let claim = claimed(&*store).await;
    fixture.sql(REPORT).await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Succeeded));
    let ended = format!(
        "SELECT j.state, a.outcome, coalesce(j.error, '') FROM {} j JOIN {} a ON a.job_id = j.id ORDER BY j.fence",
        fixture.own("etl_jobs"),
        fixture.own("etl_attempts")
    );
    let not_there = "cancelled|no_output|its ETL reported success while the database was away, and the report is not there now";
    assert_eq!(fixture.rows(&ended).await, [not_there, not_there, "failed|exit_code|no", "succeeded|succeeded|"]);
    assert!(store.gap_states().await.unwrap().is_empty(), "a success ends the failure history");
}

/// When it is not known whether it was recorded, and the report appears in between.
async fn an_unverified_end_stays_what_it_was_first_recorded_as(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Cancelled));
    fixture.sql(REPORT).await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Cancelled));
    fixture.sql("DELETE FROM aegis_reports").await;
    let claim = claimed(&*store).await;
    fixture.sql(REPORT).await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Succeeded));
    fixture.sql("DELETE FROM aegis_reports").await;
    assert_eq!(store.finish(claim, &unverified(None)).await.unwrap(), Finished::Recorded(JobState::Succeeded));
}

async fn an_unverified_end_of_a_lost_claim_changes_nothing(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    fixture.sql(REPORT).await;
    let other = Claim { fence: claim.fence + 1, ..claim };
    assert_eq!(store.finish(other, &unverified(None)).await.unwrap(), Finished::ClaimLost);
    assert_eq!(fixture.jobs().await, ["running|"]);
}

async fn a_report_keeps_the_id_of_a_service_until_it_is_not_followed_any_more(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert_eq!(store.report_in_progress(first).await.unwrap(), None);
    assert!(store.follow(first, 1, Some("abc")).await.unwrap());
    assert!(!store.follow(Claim { fence: first.fence + 1, ..first }, 1, Some("other")).await.unwrap());
    assert!(store.lose(first, &FailureHistory::default(), at(5)).await.unwrap());
    let second = claimed(&*store).await;
    assert_eq!(store.report_in_progress(second).await.unwrap().as_deref(), Some("abc"));
    let started = store.triggered_at(second, "abc").await.unwrap();
    assert!(started.is_some(), "it is known from the attempt of the job before");
    assert!(store.follow(second, 1, Some("abc")).await.unwrap());
    assert_eq!(store.triggered_at(second, "abc").await.unwrap(), started, "the first attempt counts");
    assert_eq!(store.triggered_at(second, "other").await.unwrap(), None);
    assert!(store.follow(second, 1, None).await.unwrap());
    assert_eq!(store.report_in_progress(second).await.unwrap(), None);
    assert!(store.follow(second, 1, Some("def")).await.unwrap());
    assert!(store.succeed(second, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    let third = claimed(&*store).await;
    assert_eq!(store.report_in_progress(third).await.unwrap(), None, "a success leaves nothing to be followed");
    let attempts = format!("SELECT coalesce(remote_id, 'none') FROM {}", fixture.own("etl_attempts"));
    let mut remotes = fixture.rows(&attempts).await;
    remotes.sort();
    assert_eq!(remotes, ["abc", "def", "none"]);
}

async fn a_retry_forgets_the_job_of_a_service(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let gap = [crate::fixture::new_job(0).gap];
    assert!(store.follow(first, 1, Some("abc")).await.unwrap());
    let retry = |second| GapOrder { kind: GapOrderKind::Retry, by: "anna".into(), reason: "r".into(), at: at(second) };
    assert_eq!(store.order(&retry(4), &gap).await.unwrap(), 0, "it is running");
    assert_eq!(store.followed(&gap).await.unwrap(), gap);
    assert!(store.cancel(first, None, "stopped", at(5)).await.unwrap());
    assert_eq!(store.order(&retry(6), &gap).await.unwrap(), 1, "there is nothing else to forget");
    assert!(store.followed(&gap).await.unwrap().is_empty());
    assert_eq!(store.order(&retry(7), &gap).await.unwrap(), 0);
}
