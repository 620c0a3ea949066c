//! Pools: so many attempts at once, over all invocations.

use std::time::Duration;

use etl_orch::plan::model::etl::Pool;
use etl_orch::plan::model::ids::{JobId, RunId};
use etl_orch::plan::model::job::{Claim, JobState};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::{Begun, ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, end, enqueue, key, new_job, wish, yes};

crate::on_both_databases![
    a_full_pool_leaves_the_job_queued,
    pools_do_not_mind_each_other,
    whatever_ends_an_attempt_frees_its_place,
    another_attempt_needs_a_place_again,
    an_attempt_takes_its_place_once,
    a_late_end_of_an_attempt_frees_no_place,
    the_dead_hold_no_place,
    of_many_claimers_no_more_run_than_may,
];

fn pool(name: &str, limit: u32) -> Pool {
    Pool { name: name.into(), limit }
}

/// The pools that jobs use.
async fn pools_in_use(fixture: &Fixture) -> Vec<String> {
    fixture.rows(&format!("SELECT pool FROM {} WHERE pool IS NOT NULL ORDER BY position", fixture.own("etl_jobs"))).await
}

/// Jobs of different gaps, queued in one run.
async fn jobs(store: &dyn Store, count: usize) -> (RunId, Vec<JobId>) {
    let run = begin_run(store).await;
    let jobs: Vec<_> = (0..count).map(|n| NewJob { gap: format!("RY-CA/2025Q2/gap_{n}").parse().unwrap(), ..new_job(n) }).collect();
    enqueue(store, run, &jobs).await;
    (run, jobs.iter().map(|job| job.id).collect())
}

async fn claim_in(store: &dyn Store, job: JobId, pool: &Pool) -> Claimed {
    store.claim(&ClaimRequest { pool: Some(pool), ..wish(job, &key()) }).await.unwrap()
}

async fn a_full_pool_leaves_the_job_queued(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 3).await;
    let llm = pool("llm", 2);
    yes(claim_in(&*store, jobs[0], &llm).await);
    yes(claim_in(&*store, jobs[1], &llm).await);
    assert_eq!(claim_in(&*store, jobs[2], &llm).await, Claimed::PoolFull);
    assert_eq!(fixture.jobs().await, ["running|", "running|", "queued|"]);
    assert_eq!(pools_in_use(&fixture).await, ["llm", "llm"]);
    let fences = format!("SELECT gap_key, fence FROM {} ORDER BY gap_key", fixture.own("gap_states"));
    assert_eq!(fixture.rows(&fences).await, ["RY-CA/2025Q2/gap_0|1", "RY-CA/2025Q2/gap_1|1"]);
    assert_eq!(yes(claim_in(&*store, jobs[2], &pool("llm", 3)).await).fence, 1);
}

async fn pools_do_not_mind_each_other(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 4).await;
    yes(claim_in(&*store, jobs[0], &pool("llm", 1)).await);
    yes(claim_in(&*store, jobs[1], &pool("disk", 1)).await);
    yes(store.claim(&wish(jobs[2], &key())).await.unwrap());
    assert_eq!(claim_in(&*store, jobs[3], &pool("disk", 1)).await, Claimed::PoolFull);
}

async fn whatever_ends_an_attempt_frees_its_place(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 6).await;
    let llm = pool("llm", 1);
    let (ended, nothing) = (end(1, Outcome::ExitCode(1)), FailureHistory::default());
    for (position, job) in jobs.iter().enumerate() {
        let claim = yes(claim_in(&*store, *job, &llm).await);
        assert_eq!(pools_in_use(&fixture).await, ["llm"]);
        let done = match position {
            0 => store.end_attempt(claim, &ended).await,
            1 => store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Report).await,
            2 => store.fail(claim, &ended, "no", &nothing).await,
            3 => store.skip(claim, &ended, "no", &nothing).await,
            4 => store.cancel(claim, Some(&ended), "no", at(11)).await,
            _ => store.lose(claim, &nothing, at(11)).await,
        };
        assert!(done.unwrap());
        assert!(pools_in_use(&fixture).await.is_empty(), "{position}");
    }
}

async fn another_attempt_needs_a_place_again(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 2).await;
    let llm = pool("llm", 1);
    let first = yes(claim_in(&*store, jobs[0], &llm).await);
    assert!(store.end_attempt(first, &end(1, Outcome::ExitCode(1))).await.unwrap());
    let second = yes(claim_in(&*store, jobs[1], &llm).await);
    let begin = async || store.begin_attempt(first, 2, Some(&llm), "log 2", at(20)).await.unwrap();
    assert_eq!(begin().await, Begun::PoolFull);
    let attempts = format!("SELECT count(*) FROM {}", fixture.own("etl_attempts"));
    assert_eq!(fixture.rows(&attempts).await, ["2"]);
    assert!(store.cancel(second, None, "no", at(21)).await.unwrap());
    assert_eq!(begin().await, Begun::Yes);
    assert_eq!(fixture.rows(&attempts).await, ["3"]);
    assert_eq!(pools_in_use(&fixture).await, ["llm"]);
    let lost = Claim { fence: 9, ..first };
    assert_eq!(store.begin_attempt(lost, 3, Some(&llm), "log 3", at(22)).await.unwrap(), Begun::ClaimLost);
}

async fn an_attempt_takes_its_place_once(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 1).await;
    let llm = pool("llm", 1);
    let claim = yes(claim_in(&*store, jobs[0], &llm).await);
    assert_eq!(yes(claim_in(&*store, jobs[0], &llm).await), claim, "the same claim, said again");
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    for _ in 0..2 {
        assert_eq!(store.begin_attempt(claim, 2, Some(&llm), "log 2", at(20)).await.unwrap(), Begun::Yes);
    }
    assert_eq!(fixture.attempts().await.len(), 2);
}

async fn a_late_end_of_an_attempt_frees_no_place(fixture: Fixture) {
    let store = fixture.open().await;
    let (_, jobs) = jobs(&*store, 1).await;
    let llm = pool("llm", 1);
    let claim = yes(claim_in(&*store, jobs[0], &llm).await);
    let ended = end(1, Outcome::ExitCode(1));
    assert!(store.end_attempt(claim, &ended).await.unwrap());
    assert_eq!(store.begin_attempt(claim, 2, Some(&llm), "log 2", at(20)).await.unwrap(), Begun::Yes);
    assert!(store.end_attempt(claim, &ended).await.unwrap(), "the same end, said again");
    assert_eq!(pools_in_use(&fixture).await, ["llm"]);
}

async fn the_dead_hold_no_place(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, theirs) = jobs(&*store, 1).await;
    let llm = pool("llm", 1);
    yes(claim_in(&*store, theirs[0], &llm).await);
    let other = begin_run(&*store).await;
    let ours = NewJob { gap: "RY-CA/2025Q2/ours".parse().unwrap(), ..new_job(1) };
    enqueue(&*store, other, std::slice::from_ref(&ours)).await;
    assert_eq!(claim_in(&*store, ours.id, &llm).await, Claimed::PoolFull);
    assert!(store.renew(run, Duration::ZERO).await.unwrap());
    // The clock has only to move on.
    while claim_in(&*store, ours.id, &llm).await == Claimed::PoolFull {}
    assert_eq!(fixture.jobs().await, ["running|", "running|"]);
}

/// Four invocations race for two places, claiming, trying again and ending.
async fn of_many_claimers_no_more_run_than_may(fixture: Fixture) {
    const PLACES: u32 = 2;
    let stores = [fixture.open().await, fixture.open().await, fixture.open().await, fixture.open().await];
    let (_, jobs) = jobs(&*stores[0], 40).await;
    let llm = pool("llm", PLACES);
    let running = std::cell::Cell::new(0);
    let most = std::cell::Cell::new(0);
    let enter = || {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        assert!(running.get() <= PLACES);
    };
    // Long enough for others to come in, if they could.
    let use_it = async |store: &dyn Store| {
        for _ in 0..3 {
            store.running_jobs().await.unwrap();
        }
    };
    let work = async |store: &dyn Store, job: JobId| {
        let claim = loop {
            match claim_in(store, job, &llm).await {
                Claimed::PoolFull => tokio::task::yield_now().await,
                claimed => break yes(claimed),
            }
        };
        enter();
        use_it(store).await;
        running.set(running.get() - 1);
        assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
        while store.begin_attempt(claim, 2, Some(&llm), "log 2", at(20)).await.unwrap() == Begun::PoolFull {
            tokio::task::yield_now().await;
        }
        enter();
        use_it(store).await;
        running.set(running.get() - 1);
        assert!(store.succeed(claim, &end(2, Outcome::Succeeded), Artifact::Report).await.unwrap());
    };
    // Of each store several workers, so that its own connections race too.
    let work = &work;
    let workers = (0..8).map(|worker| {
        let (store, jobs) = (&*stores[worker % stores.len()], &jobs);
        async move {
            for job in jobs.iter().skip(worker).step_by(8) {
                work(store, *job).await;
            }
        }
    });
    futures::future::join_all(workers).await;
    assert_eq!(most.get(), PLACES);
    assert!(pools_in_use(&fixture).await.is_empty());
    assert!(fixture.jobs().await.iter().all(|job| job.starts_with(JobState::Succeeded.name())));
}
