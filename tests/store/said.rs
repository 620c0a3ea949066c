//! What children say is on record while they run, and only in the name of who holds the claim.

use std::time::Duration;

use etl_orch::plan::model::job::{AttemptEnd, Claim};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::said::{ChildLog, LogLevel, Metric, Records, Said, Stage, StageState};
use etl_orch::plan::remember::past::{DayMetric, DayOfWork, JobQuery, PastLog, PastStage, RunQuery, TimeSpan};
use etl_orch::store::Access;

use crate::fixture::{Fixture, at, claimed, end, fail};

crate::on_both_databases![
    what_an_attempt_says_is_seen_while_it_runs,
    nobody_else_speaks_for_a_job,
    metrics_are_summed_over_jobs_runs_and_days,
    what_succeeded_is_summed_over_days_and_etls,
    what_is_malformed_hides_nothing_else,
    without_our_tables_nothing_was_said,
];

fn stage(n: u32, state: StageState) -> Stage {
    Stage {
        n,
        name: format!("stage {n}\0"),
        state,
        started_at: at(10),
        ended_at: state.has_ended().then(|| at(12)),
        records: Records { read: Some(594), written: None, rejected: Some(2), estimate: Some(600) },
        counts: vec![("phones checked".into(), 594), ("flagged".into(), 12)],
    }
}

fn log(n: u32, level: LogLevel) -> ChildLog {
    ChildLog { n, at: at(11), level, message: format!("message {n}") }
}

fn metric(name: &str, value: f64) -> Metric {
    Metric { name: name.into(), value }
}

async fn what_an_attempt_says_is_seen_while_it_runs(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let first =
        Said { stages: vec![stage(1, StageState::Started)], logs: vec![log(1, LogLevel::Warn)], metrics: vec![metric("tokens", 40.0)] };
    assert!(store.record_said(claim, 1, &first).await.unwrap());
    let rest = Said {
        stages: vec![stage(1, StageState::Complete), stage(2, StageState::Running)],
        logs: vec![log(2, LogLevel::Omitted)],
        metrics: vec![metric("tokens", 44.5)],
    };
    for _ in 0..2 {
        assert!(store.record_said(claim, 1, &rest).await.unwrap(), "it can be repeated");
    }
    assert!(store.record_said(claim, 1, &Said::default()).await.unwrap());
    let past = |n, state| PastStage { job: claim.job, attempt: 1, stage: Stage { name: format!("stage {n}\u{fffd}"), ..stage(n, state) } };
    assert_eq!(store.stages(&[claim.job]).await.unwrap(), [past(1, StageState::Complete), past(2, StageState::Running)]);
    assert_eq!(store.stages(&[]).await.unwrap(), []);
    let logs = [log(1, LogLevel::Warn), log(2, LogLevel::Omitted)].map(|log| PastLog { attempt: 1, log });
    assert_eq!(store.job_logs(claim.job).await.unwrap(), logs);
    assert_eq!(store.not_stored(&[claim.job]).await.unwrap(), [(claim.job, logs[1].clone())]);
    assert_eq!(store.not_stored(&[]).await.unwrap(), []);
    let job = store.jobs(&JobQuery { limit: 1, ..JobQuery::default() }).await.unwrap().pop().unwrap();
    assert_eq!(job.metrics, [metric("tokens", 44.5)]);
}

async fn nobody_else_speaks_for_a_job(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let said = Said { stages: vec![stage(1, StageState::Started)], logs: vec![log(1, LogLevel::Info)], metrics: vec![metric("a", 1.0)] };
    assert!(!store.record_said(Claim { fence: claim.fence + 1, ..claim }, 1, &said).await.unwrap());
    fail(&*store, claim).await;
    assert!(!store.record_said(claim, 1, &said).await.unwrap(), "the job is over");
    assert!(store.stages(&[claim.job]).await.unwrap().is_empty() && store.job_logs(claim.job).await.unwrap().is_empty());
    assert!(store.metrics_per_day(TimeSpan::default()).await.unwrap().is_empty());
}

async fn metrics_are_summed_over_jobs_runs_and_days(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let cost = |value| Said { metrics: vec![metric("llm_cost_usd", value), metric("tokens", 100.0)], ..Said::default() };
    store.record_said(claim, 1, &cost(0.5)).await.unwrap();
    store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap();
    store.begin_attempt(claim, 2, None, "log", at(20)).await.unwrap();
    store.record_said(claim, 2, &cost(0.25)).await.unwrap();
    fail(&*store, claim).await;
    let sums = [metric("llm_cost_usd", 0.75), metric("tokens", 200.0)];
    assert_eq!(store.jobs(&JobQuery { limit: 1, ..JobQuery::default() }).await.unwrap()[0].metrics, sums);
    assert_eq!(store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).await.unwrap()[0].metrics, sums);
    let days = store.metrics_per_day(TimeSpan { since: Some(at(0)), until: None }).await.unwrap();
    assert_eq!(days, sums.map(|metric| DayMetric { day: at(0).date_naive(), metric }));
    assert!(store.metrics_per_day(TimeSpan { since: None, until: Some(at(0)) }).await.unwrap().is_empty());
}

async fn what_succeeded_is_summed_over_days_and_etls(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap();
    assert_eq!(store.work_per_day(TimeSpan::default()).await.unwrap(), [], "a failure is no work");
    fixture.sql(&format!("UPDATE {} SET outcome = 'succeeded'", fixture.own("etl_attempts"))).await;
    store.begin_attempt(claim, 2, None, "log", at(20)).await.unwrap();
    store.end_attempt(claim, &AttemptEnd { duration_ms: 500, ..end(2, Outcome::Succeeded) }).await.unwrap();
    let work = DayOfWork {
        day: at(0).date_naive(),
        filled_by: "call_summary".to_owned(),
        succeeded: 2,
        total: Duration::from_secs(2),
        longest: Duration::from_millis(1500),
    };
    assert_eq!(work.mean(), Duration::from_secs(1));
    assert_eq!(store.work_per_day(TimeSpan { since: Some(at(0)), until: None }).await.unwrap(), [work]);
    assert_eq!(store.work_per_day(TimeSpan { since: None, until: Some(at(0)) }).await.unwrap(), []);
}

async fn what_is_malformed_hides_nothing_else(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let said = Said { stages: vec![stage(1, StageState::Started), stage(2, StageState::Complete)], ..Said::default() };
    store.record_said(claim, 1, &said).await.unwrap();
    fixture.sql(&format!("UPDATE {} SET counts = '{{}}' WHERE n = 1", fixture.own("etl_stages"))).await;
    assert_eq!(store.stages(&[claim.job]).await.unwrap().iter().map(|stage| stage.stage.n).collect::<Vec<_>>(), [2]);
}

async fn without_our_tables_nothing_was_said(fixture: Fixture) {
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    let job = crate::fixture::new_job(0).id;
    assert!(store.stages(&[job]).await.unwrap().is_empty() && store.job_logs(job).await.unwrap().is_empty());
    assert!(store.not_stored(&[job]).await.unwrap().is_empty() && store.work_per_day(TimeSpan::default()).await.unwrap().is_empty());
    assert!(store.metrics_per_day(TimeSpan::default()).await.unwrap().is_empty());
}
