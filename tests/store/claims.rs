//! Claims: one gap is run by one job at a time.

use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::{ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::{FailureHistory, Quarantine, QuarantineReason};
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::plan::run::job_end::Artifact;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claimed, end, enqueue, fail, failed_runs, key, new_job, owner, queued, wish, yes};

crate::on_both_databases![
    a_claim_starts_the_first_attempt,
    a_report_that_came_meanwhile_ends_the_job,
    a_forced_job_does_not_ask_for_the_report,
    a_gap_that_runs_elsewhere_is_left_to_its_owner,
    a_job_can_be_claimed_once,
    the_fence_grows_with_every_claim,
    of_two_claims_at_once_one_wins,
    one_job_claimed_twice_at_once_is_claimed_once,
    a_newer_failure_of_the_gap_holds_a_job_back,
    a_failure_that_was_planned_with_holds_nothing_back,
    what_is_over_holds_nothing_back,
    a_claim_that_is_not_granted_uses_no_fence,
];

async fn a_claim_starts_the_first_attempt(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert_eq!(claim.fence, 1);
    assert_eq!(fixture.jobs().await, ["running|"]);
    assert_eq!(fixture.attempts().await, ["1|||"]);
    let jobs = store.running_jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].claim, jobs[0].since, &jobs[0].owner), (claim, at(2), &owner()));
    assert_eq!(jobs[0].gap.to_string(), "RY-CA/2025Q2/call_summary");
}

async fn a_report_that_came_meanwhile_ends_the_job(fixture: Fixture) {
    fixture.report(1, "2025Q2", "Call Summary").await;
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let job = new_job(0);
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    assert_eq!(store.claim(&wish(job.id, &key())).await.unwrap(), Claimed::AlreadyDone);
    assert_eq!(fixture.jobs().await, ["skipped|the report exists"]);
    assert!(fixture.attempts().await.is_empty());
}

async fn a_forced_job_does_not_ask_for_the_report(fixture: Fixture) {
    fixture.report(1, "2025Q2", "Call Summary").await;
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let job = NewJob { forced: true, ..new_job(0) };
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    assert!(matches!(store.claim(&wish(job.id, &key())).await.unwrap(), Claimed::Yes { .. }));
}

async fn a_gap_that_runs_elsewhere_is_left_to_its_owner(fixture: Fixture) {
    let store = fixture.open().await;
    claimed(&*store).await;
    let run = begin_run(&*store).await;
    let job = new_job(1);
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    assert_eq!(store.claim(&ClaimRequest { at: at(4), ..wish(job.id, &key()) }).await.unwrap(), Claimed::Elsewhere { owner: owner() });
    assert_eq!(fixture.jobs().await, ["running|", "skipped|already running as process 4242 on here"]);
}

async fn a_job_can_be_claimed_once(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert_eq!(store.claim(&ClaimRequest { at: at(3), ..wish(claim.job, &key()) }).await.unwrap(), Claimed::Gone(None));
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &FailureHistory::default()).await.unwrap());
    assert_eq!(store.claim(&ClaimRequest { at: at(4), ..wish(claim.job, &key()) }).await.unwrap(), Claimed::Gone(None));
    assert_eq!(store.claim(&ClaimRequest { at: at(4), ..wish(new_job(0).id, &key()) }).await.unwrap(), Claimed::Gone(None));
}

async fn the_fence_grows_with_every_claim(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &FailureHistory::default()).await.unwrap());
    let second = claimed(&*store).await;
    assert!(second.fence > first.fence, "{first:?} {second:?}");
    assert!(store.lose(second, &FailureHistory::default(), at(5)).await.unwrap());
    assert!(claimed(&*store).await.fence > second.fence);
}

async fn of_two_claims_at_once_one_wins(fixture: Fixture) {
    let (one, two) = (fixture.open().await, fixture.open().await);
    let run = begin_run(&*one).await;
    for round in 0..20 {
        let jobs = [new_job(2 * round), new_job(2 * round + 1)];
        enqueue(&*one, run, &jobs).await;
        let key = key();
        let wishes = [wish(jobs[0].id, &key), wish(jobs[1].id, &key)];
        let claims = tokio::join!(one.claim(&wishes[0]), two.claim(&wishes[1]));
        let claims = [claims.0.unwrap(), claims.1.unwrap()];
        let won: Vec<Claim> =
            claims.iter().filter_map(|claimed| if let Claimed::Yes { claim, .. } = claimed { Some(*claim) } else { None }).collect();
        assert_eq!(won.len(), 1, "{claims:?}");
        assert!(claims.contains(&Claimed::Elsewhere { owner: owner() }), "{claims:?}");
        assert!(one.fail(won[0], &end(1, Outcome::ExitCode(1)), "no", &FailureHistory::default()).await.unwrap());
    }
}

async fn one_job_claimed_twice_at_once_is_claimed_once(fixture: Fixture) {
    let (one, two) = (fixture.open().await, fixture.open().await);
    let run = begin_run(&*one).await;
    let job = new_job(0);
    enqueue(&*one, run, std::slice::from_ref(&job)).await;
    let key = key();
    // At two moments: with the same one it would be the same wish, said again.
    let wishes = [wish(job.id, &key), ClaimRequest { at: at(3), ..wish(job.id, &key) }];
    let claims = tokio::join!(one.claim(&wishes[0]), two.claim(&wishes[1]));
    let claims = [claims.0.unwrap(), claims.1.unwrap()];
    assert_eq!(claims.iter().filter(|claimed| matches!(claimed, Claimed::Yes { .. })).count(), 1, "{claims:?}");
    assert!(claims.contains(&Claimed::Gone(None)), "{claims:?}");
    assert_eq!(fixture.attempts().await.len(), 1);
    let won = claims.iter().find_map(|claimed| if let Claimed::Yes { claim, .. } = claimed { Some(*claim) } else { None }).unwrap();
    assert!(two.end_attempt(won, &end(1, Outcome::TimedOut(std::time::Duration::from_secs(60)))).await.unwrap());
}

async fn a_newer_failure_of_the_gap_holds_a_job_back(fixture: Fixture) {
    let store = fixture.open().await;
    let ours = queued(&*store).await;
    let theirs = claimed(&*store).await;
    fail(&*store, theirs).await;
    let report = key();
    let late = ClaimRequest { at: at(11), ..wish(ours.id, &report) };
    assert_eq!(store.claim(&late).await.unwrap(), Claimed::HeldBack);
    let mut jobs = fixture.jobs().await;
    jobs.sort();
    assert_eq!(jobs, ["failed|exit code 1", "skipped|another invocation failed at it meanwhile"]);
    let quarantine = Quarantine { since: at(500), why: QuarantineReason::Permanent };
    let ours = queued(&*store).await;
    let claim = yes(store.claim(&ClaimRequest { planned_fence: 1, ..wish(ours.id, &report) }).await.unwrap());
    let history = FailureHistory { quarantine: Some(quarantine), ..FailureHistory::default() };
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(65)), "no", &history).await.unwrap());
    let ours = queued(&*store).await;
    assert_eq!(store.claim(&ClaimRequest { planned_fence: 1, ..wish(ours.id, &report) }).await.unwrap(), Claimed::HeldBack);
    let run = begin_run(&*store).await;
    let forced = NewJob { forced: true, ..new_job(0) };
    enqueue(&*store, run, std::slice::from_ref(&forced)).await;
    yes(store.claim(&ClaimRequest { planned_fence: 1, ..wish(forced.id, &report) }).await.unwrap());
}

async fn a_failure_that_was_planned_with_holds_nothing_back(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    fail(&*store, first).await;
    let (job, report) = (queued(&*store).await, key());
    let wish = ClaimRequest { planned_fence: first.fence, at: at(11), ..wish(job.id, &report) };
    let claimed = store.claim(&wish).await.unwrap();
    assert_eq!(claimed, Claimed::Yes { claim: Claim { job: job.id, fence: 2 }, history: failed_runs(1) });
}

async fn what_is_over_holds_nothing_back(fixture: Fixture) {
    let store = fixture.open().await;
    let report = key();
    // Before the rest began (the clock was set back), and at its end.
    for (second, fence) in [(9, 2), (110, 4)] {
        let first = claimed(&*store).await;
        fail(&*store, first).await;
        let job = queued(&*store).await;
        let claim = yes(store.claim(&ClaimRequest { at: at(second), ..wish(job.id, &report) }).await.unwrap());
        assert_eq!(claim.fence, fence);
        assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    }
}

async fn a_claim_that_is_not_granted_uses_no_fence(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let report = key();
    let refused = async |expected: &str| {
        let job = queued(&*store).await;
        let claimed = store.claim(&ClaimRequest { at: at(11), ..wish(job.id, &report) }).await.unwrap();
        assert!(format!("{claimed:?}").starts_with(expected), "{claimed:?}");
        let fence = format!("SELECT fence FROM {}", fixture.own("gap_states"));
        assert_eq!(fixture.rows(&fence).await, ["1"], "{claimed:?}");
    };
    refused("Elsewhere").await;
    fail(&*store, first).await;
    refused("HeldBack").await;
    fixture.report(1, "2025Q2", "Call Summary").await;
    refused("AlreadyDone").await;
    fixture.sql(&format!("UPDATE {} SET skipped_at = {}", fixture.own("gap_states"), "'2025-06-01T12:00:00.000000Z'")).await;
    refused("Ordered").await;
}
