//! A repeated call: what was carried out is not done again, and counts as done.

use etl_orch::plan::model::ids::RunId;
use etl_orch::plan::model::job::{Claim, NewRun, RunState};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::{Begun, ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::Artifact;
use uuid::Uuid;

use crate::endings::Endings;
use crate::fixture::{
    Fixture, at, begin_run, claim, claimed, end, enqueue, failed_runs, key, new_job, owner, queued, report_row, wish, yes,
};

crate::on_both_databases![
    a_run_begins_and_ends_once,
    jobs_are_recorded_once,
    a_claim_is_granted_again_to_the_same_wish_only,
    an_attempt_begins_once,
    an_attempt_ends_once,
    a_job_ends_once_in_whatever_way,
    a_report_is_written_once,
    a_job_is_dropped_once,
    moments_are_compared_as_they_are_stored,
];

async fn a_run_begins_and_ends_once(fixture: Fixture) {
    let store = fixture.open().await;
    let run = NewRun {
        id: RunId::new(Uuid::new_v4()),
        owner: owner(),
        state_dir: "/var/lib/etl-orch".to_owned(),
        version: "1",
        options: serde_json::json!({}),
        lease: std::time::Duration::from_secs(600),
        started_at: at(0),
    };
    store.begin_run(&run).await.unwrap();
    store.begin_run(&run).await.unwrap();
    assert_eq!(store.running_runs().await.unwrap().len(), 1);
    store.end_run(run.id, RunState::Succeeded, None, at(9)).await.unwrap();
    store.end_run(run.id, RunState::Succeeded, None, at(9)).await.unwrap();
    store.begin_run(&run).await.unwrap();
    assert!(store.running_runs().await.unwrap().is_empty(), "what has ended does not begin again");
}

async fn jobs_are_recorded_once(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let jobs = [new_job(0), new_job(1)];
    enqueue(&*store, run, &jobs[..1]).await;
    claim(&*store, jobs[0].id).await;
    enqueue(&*store, run, &jobs).await;
    assert_eq!(fixture.jobs().await, ["running|", "queued|"]);
}

async fn a_claim_is_granted_again_to_the_same_wish_only(fixture: Fixture) {
    let store = fixture.open().await;
    let (job, report) = (queued(&*store).await, key());
    let wish = wish(job.id, &report);
    let first = store.claim(&wish).await.unwrap();
    assert_eq!(store.claim(&wish).await.unwrap(), first);
    assert_eq!(yes(first).fence, 1);
    assert_eq!(store.claim(&ClaimRequest { at: at(3), ..wish }).await.unwrap(), Claimed::Gone(None));
    assert_eq!(store.claim(&ClaimRequest { log: "another", ..wish }).await.unwrap(), Claimed::Gone(None));
    assert_eq!(fixture.attempts().await, ["1|||"]);
    assert_eq!(fixture.gap().await, ["1||"]);
}

async fn an_attempt_begins_once(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    for _ in 0..2 {
        assert_eq!(store.begin_attempt(claim, 2, None, "log", at(20)).await.unwrap(), Begun::Yes);
    }
    assert_eq!(fixture.attempts().await, ["1|exit_code|1|exit code 1", "2|||"]);
    assert!(store.begin_attempt(claim, 2, None, "log", at(21)).await.is_err(), "that is another one of the same number");
    assert!(store.lose(claim, &FailureHistory::default(), at(30)).await.unwrap());
    assert_eq!(store.begin_attempt(claim, 2, None, "log", at(20)).await.unwrap(), Begun::ClaimLost);
}

async fn an_attempt_ends_once(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let ended = end(1, Outcome::ExitCode(1));
    assert!(store.end_attempt(claim, &ended).await.unwrap());
    assert!(store.end_attempt(claim, &ended).await.unwrap());
    assert!(!store.end_attempt(Claim { fence: 2, ..claim }, &ended).await.unwrap());
    let mut later = ended.clone();
    later.ended_at = at(11);
    assert!(!store.end_attempt(claim, &later).await.unwrap());
    assert!(!store.end_attempt(claim, &end(1, Outcome::ExitCode(2))).await.unwrap());
    assert!(!store.end_attempt(claim, &end(1, Outcome::Interrupted)).await.unwrap());
    assert_eq!(fixture.attempts().await, ["1|exit_code|1|exit code 1"]);
}

async fn a_job_ends_once_in_whatever_way(fixture: Fixture) {
    let store = fixture.open().await;
    let (good, bad) = (end(1, Outcome::Succeeded), end(1, Outcome::ExitCode(1)));
    let history = FailureHistory { rest: None, ..failed_runs(1) };
    for way in 0..5 {
        let claim = claimed(&*store).await;
        let other = Claim { fence: claim.fence + 1, ..claim };
        let ends = async |way: u32, claim: Claim, second: u32| {
            let (mut good, mut bad) = (good.clone(), bad.clone());
            (good.ended_at, bad.ended_at) = (at(second), at(second));
            match way {
                0 => store.succeed(claim, &good, Artifact::Report).await.unwrap(),
                1 => store.fail(claim, &bad, "no", &history).await.unwrap(),
                2 => store.skip(claim, &bad, "no", &history).await.unwrap(),
                3 => store.cancel(claim, Some(&bad), "no", at(second)).await.unwrap(),
                _ => store.lose(claim, &history, at(second)).await.unwrap(),
            }
        };
        assert!(ends(way, claim, 10).await);
        assert!(ends(way, claim, 10).await, "the same, said again: {way}");
        assert!(!ends(way, other, 10).await, "another fence: {way}");
        assert!(!ends(way, claim, 12).await, "another moment: {way}");
        assert!(!ends((way + 1) % 5, claim, 10).await, "another end: {way}");
    }
    let attempts = fixture.attempts().await;
    assert_eq!(attempts.len(), 5);
    assert!(attempts.iter().all(|attempt| !attempt.starts_with("1|||")), "{attempts:?}");
}

async fn a_report_is_written_once(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let good = end(1, Outcome::Succeeded);
    assert!(store.succeed(claim, &good, Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    fixture.sql("DELETE FROM aegis_reports").await;
    assert!(store.succeed(claim, &good, Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    assert_eq!(fixture.rows("SELECT count(*) FROM aegis_reports").await, ["0"]);
}

async fn a_job_is_dropped_once(fixture: Fixture) {
    let store = fixture.open().await;
    let job = queued(&*store).await;
    assert!(store.drop_queued(job.id, "deadline", at(5)).await.unwrap());
    assert!(store.drop_queued(job.id, "deadline", at(5)).await.unwrap());
    assert!(!store.drop_queued(job.id, "deadline", at(6)).await.unwrap());
    // One that ran was not dropped.
    let claim = claimed(&*store).await;
    assert!(store.cancel(claim, None, "asked to stop", at(7)).await.unwrap());
    assert!(!store.drop_queued(claim.job, "deadline", at(7)).await.unwrap());
}

/// The databases keep microseconds, the clock has nanoseconds.
async fn moments_are_compared_as_they_are_stored(fixture: Fixture) {
    let store = fixture.open().await;
    let moment = at(10) + chrono::Duration::nanoseconds(123_456_789);
    let (job, report) = (queued(&*store).await, key());
    let wish = ClaimRequest { at: moment, ..wish(job.id, &report) };
    let claim = yes(store.claim(&wish).await.unwrap());
    assert_eq!(yes(store.claim(&wish).await.unwrap()), claim);
    let mut ended = end(1, Outcome::ExitCode(1));
    ended.ended_at = moment;
    for _ in 0..2 {
        assert!(store.end_attempt(claim, &ended).await.unwrap());
        assert_eq!(store.begin_attempt(claim, 2, None, "log", moment).await.unwrap(), Begun::Yes);
    }
    ended.attempt = 2;
    for _ in 0..2 {
        assert!(store.fail(claim, &ended, "no", &FailureHistory::default()).await.unwrap());
    }
}
