//! Claims: one gap is run by one job at a time.

use etl_orch::plan::job::{Claim, Claimed, NewJob};
use etl_orch::plan::outcome::Outcome;

use crate::fixture::{Fixture, at, begin_run, claimed, end, key, new_job, owner};

crate::on_both_databases![
    a_claim_starts_the_first_attempt,
    a_report_that_came_meanwhile_ends_the_job,
    a_forced_job_does_not_ask_for_the_report,
    a_gap_that_runs_elsewhere_is_left_to_its_owner,
    a_job_can_be_claimed_once,
    the_fence_grows_with_every_claim,
    of_two_claims_at_once_one_wins,
    one_job_claimed_twice_at_once_is_claimed_once,
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
    assert_eq!(jobs[0].gap.as_str(), "RY-CA/2025Q2/call_summary");
}

async fn a_report_that_came_meanwhile_ends_the_job(fixture: Fixture) {
    fixture.report(1, "2025Q2", "Call Summary").await;
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let job = new_job(0);
    store.enqueue(run, std::slice::from_ref(&job), at(1)).await.unwrap();
    assert_eq!(store.claim(job.id, &key(), "log", at(2)).await.unwrap(), Claimed::AlreadyDone);
    assert_eq!(fixture.jobs().await, ["skipped|the report exists"]);
    assert!(fixture.attempts().await.is_empty());
}

async fn a_forced_job_does_not_ask_for_the_report(fixture: Fixture) {
    fixture.report(1, "2025Q2", "Call Summary").await;
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let job = NewJob { forced: true, ..new_job(0) };
    store.enqueue(run, std::slice::from_ref(&job), at(1)).await.unwrap();
    assert!(matches!(store.claim(job.id, &key(), "log", at(2)).await.unwrap(), Claimed::Yes(_)));
}

async fn a_gap_that_runs_elsewhere_is_left_to_its_owner(fixture: Fixture) {
    let store = fixture.open().await;
    claimed(&*store).await;
    let run = begin_run(&*store).await;
    let job = new_job(1);
    store.enqueue(run, std::slice::from_ref(&job), at(3)).await.unwrap();
    assert_eq!(store.claim(job.id, &key(), "log", at(4)).await.unwrap(), Claimed::Elsewhere { owner: owner() });
    assert_eq!(fixture.jobs().await, ["running|", "skipped|process 4242 on here runs it"]);
}

async fn a_job_can_be_claimed_once(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert_eq!(store.claim(claim.job, &key(), "log", at(3)).await.unwrap(), Claimed::Gone);
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no").await.unwrap());
    assert_eq!(store.claim(claim.job, &key(), "log", at(4)).await.unwrap(), Claimed::Gone);
    assert_eq!(store.claim(new_job(0).id, &key(), "log", at(4)).await.unwrap(), Claimed::Gone);
}

async fn the_fence_grows_with_every_claim(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no").await.unwrap());
    let second = claimed(&*store).await;
    assert!(second.fence > first.fence, "{first:?} {second:?}");
    assert!(store.lose(second, at(5)).await.unwrap());
    assert!(claimed(&*store).await.fence > second.fence);
}

async fn of_two_claims_at_once_one_wins(fixture: Fixture) {
    let (one, two) = (fixture.open().await, fixture.open().await);
    let run = begin_run(&*one).await;
    for round in 0..20 {
        let jobs = [new_job(2 * round), new_job(2 * round + 1)];
        one.enqueue(run, &jobs, at(1)).await.unwrap();
        let key = key();
        let claims = tokio::join!(one.claim(jobs[0].id, &key, "log", at(2)), two.claim(jobs[1].id, &key, "log", at(2)));
        let claims = [claims.0.unwrap(), claims.1.unwrap()];
        let won: Vec<Claim> =
            claims.iter().filter_map(|claimed| if let Claimed::Yes(claim) = claimed { Some(*claim) } else { None }).collect();
        assert_eq!(won.len(), 1, "{claims:?}");
        assert!(claims.contains(&Claimed::Elsewhere { owner: owner() }), "{claims:?}");
        assert!(one.fail(won[0], &end(1, Outcome::ExitCode(1)), "no").await.unwrap());
    }
}

async fn one_job_claimed_twice_at_once_is_claimed_once(fixture: Fixture) {
    let (one, two) = (fixture.open().await, fixture.open().await);
    let run = begin_run(&*one).await;
    let job = new_job(0);
    one.enqueue(run, std::slice::from_ref(&job), at(1)).await.unwrap();
    let key = key();
    let claims = tokio::join!(one.claim(job.id, &key, "log", at(2)), two.claim(job.id, &key, "log", at(2)));
    let claims = [claims.0.unwrap(), claims.1.unwrap()];
    assert_eq!(claims.iter().filter(|claimed| matches!(claimed, Claimed::Yes(_))).count(), 1, "{claims:?}");
    assert!(claims.contains(&Claimed::Gone), "{claims:?}");
    assert_eq!(fixture.attempts().await.len(), 1);
    let won = claims.iter().find_map(|claimed| if let Claimed::Yes(claim) = claimed { Some(*claim) } else { None }).unwrap();
    assert!(two.end_attempt(won, &end(1, Outcome::TimedOut(std::time::Duration::from_secs(60)))).await.unwrap());
}
