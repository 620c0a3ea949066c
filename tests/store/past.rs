//! What was done is found again, by whatever narrows it.

use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::model::job::{JobState, RunCounts, RunState};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::past::{JobQuery, PastJob, RunQuery, TimeSpan};
use etl_orch::plan::remember::recorded_job::{JobSubject, NewJob};
use etl_orch::store::Store;
use uuid::Uuid;

use crate::fixture::{Fixture, at, begin_run, claim, claimed, end, enqueue, fail, new_job};

crate::on_both_databases![
    a_job_is_listed_with_its_attempts,
    jobs_are_narrowed_by_everything_that_is_asked_for,
    runs_are_listed_with_what_they_came_to,
    a_malformed_job_hides_no_other,
    without_our_tables_there_is_no_past,
];

fn all() -> JobQuery {
    JobQuery { limit: 100, ..JobQuery::default() }
}

async fn positions(store: &dyn Store, query: JobQuery) -> Vec<u128> {
    store.jobs(&query).await.unwrap().iter().map(|job| job.id.number()).collect()
}

/// A job with this number for its id.
fn job(number: u128, gap: &str, subject: JobSubject) -> NewJob {
    NewJob { id: JobId::new(Uuid::from_u128(number)), gap: gap.parse().unwrap(), subject, ..new_job(usize::try_from(number).unwrap()) }
}

async fn a_job_is_listed_with_its_attempts(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let running = store.jobs(&all()).await.unwrap().pop().unwrap();
    assert_eq!((running.state, running.attempts.len()), (JobState::Running, 1));
    assert_eq!((running.attempts[0].outcome.as_deref(), running.attempts[0].exit_code()), (None, None));
    assert_eq!(store.tail(claim.job, 1).await.unwrap(), None);

    store.end_attempt(claim, &end(1, Outcome::ExitCode(3))).await.unwrap();
    store.begin_attempt(claim, 2, None, "/logs/2.log", at(30)).await.unwrap();
    fail(&*store, claim).await;
    let PastJob { id, gap, state, window, attempts, error, .. } = store.jobs(&all()).await.unwrap().pop().unwrap();
    assert_eq!((id, gap, state, window), (claim.job, new_job(0).gap, JobState::Failed, None));
    assert!(error.is_some());
    let seen: Vec<_> = attempts.iter().map(|attempt| (attempt.n, attempt.exit_code(), attempt.log.as_str())).collect();
    assert_eq!((seen[0].0, seen[0].1, seen[1].0, seen[1].2), (1, Some(3), 2, "/logs/2.log"));
    assert_eq!(store.tail(claim.job, 1).await.unwrap().as_deref(), Some(end(1, Outcome::ExitCode(3)).tail.as_str()));
}

async fn jobs_are_narrowed_by_everything_that_is_asked_for(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, later) = (begin_run(&*store).await, begin_run(&*store).await);
    let report = || new_job(0).subject;
    let window = Window { start: at(0), end: at(9) };
    let first = [job(1, "RY-CA/2025Q2/a", report()), job(2, "RY-CA/2025Q1/b", report())];
    store.enqueue(run, &first, at(1)).await.unwrap();
    let second = [job(3, "TD-CA/2025Q2/a", report()), job(4, "source:us_house", JobSubject::Windows(window))];
    store.enqueue(later, &second, at(2)).await.unwrap();
    claim(&*store, first[1].id).await;

    let query = |change: &dyn Fn(&mut JobQuery)| {
        let mut query = all();
        change(&mut query);
        query
    };
    for (wanted, query) in [
        (vec![3, 4, 2, 1], all()),
        (vec![3, 4], query(&|query| query.limit = 2)),
        (vec![2, 1], query(&|query| query.banks = vec!["RY-CA".into()])),
        (vec![3, 1], query(&|query| query.filled_by = vec!["a".into()])),
        (vec![4, 2], query(&|query| query.filled_by = vec!["us_house".into(), "b".into()])),
        (vec![2], query(&|query| query.states = vec![JobState::Running])),
        (vec![3, 4, 1], query(&|query| query.states = vec![JobState::Queued, JobState::Failed])),
        (vec![4], query(&|query| query.gaps = vec!["source:us_house".parse().unwrap()])),
        (vec![3, 4], query(&|query| query.run = Some(later.to_string()))),
        (vec![2], query(&|query| query.id = Some(first[1].id.to_string()))),
        (vec![3, 4, 2, 1], query(&|query| query.id = Some("0000".into()))),
        (vec![], query(&|query| query.id = Some("f".into()))),
        (vec![3, 4], query(&|query| query.planned = TimeSpan { since: Some(at(2)), until: None })),
        (vec![2, 1], query(&|query| query.planned = TimeSpan { since: Some(at(1)), until: Some(at(2)) })),
        (vec![], query(&|query| (query.banks, query.filled_by) = (vec!["TD-CA".into()], vec!["b".into()]))),
    ] {
        assert_eq!(positions(&*store, query.clone()).await, wanted, "{query:?}");
    }
    let source = store.jobs(&query(&|query| query.filled_by = vec!["us_house".into()])).await.unwrap().pop().unwrap();
    assert_eq!(source.window, Some(window));
}

async fn runs_are_listed_with_what_they_came_to(fixture: Fixture) {
    let store = fixture.open().await;
    let (first, second) = (begin_run(&*store).await, begin_run(&*store).await);
    let counts = RunCounts { planned: 3, succeeded: 1, failed: 1, skipped: 1, cancelled: 0 };
    store.end_run(first, RunState::Failed, Some(counts), at(60)).await.unwrap();
    let query = |states: &[RunState], id: Option<String>| RunQuery { states: states.to_vec(), id, limit: 10, ..RunQuery::default() };
    assert_eq!(store.runs(&query(&[], None)).await.unwrap().len(), 2);
    let failed = store.runs(&query(&[RunState::Failed, RunState::Lost], None)).await.unwrap().pop().unwrap();
    assert_eq!((failed.id, failed.state, failed.counts, failed.ended_at), (first, RunState::Failed, Some(counts), Some(at(60))));
    assert!(failed.options.is_object(), "{failed:?}");
    let running = store.runs(&query(&[], Some(second.short()))).await.unwrap().pop().unwrap();
    assert_eq!((running.id, running.counts, running.ended_at), (second, None, None));
    let started = TimeSpan { since: Some(running.started_at), until: Some(running.started_at) };
    assert!(store.runs(&RunQuery { started, limit: 10, ..RunQuery::default() }).await.unwrap().is_empty());
}

async fn a_malformed_job_hides_no_other(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    enqueue(&*store, run, &[new_job(0), new_job(1)]).await;
    fixture.sql(&format!("UPDATE {} SET gap_key = 'no key' WHERE position = 0", fixture.own("etl_jobs"))).await;
    let jobs = store.jobs(&all()).await.unwrap();
    assert_eq!(jobs.iter().map(|job| &job.gap).collect::<Vec<_>>(), [&new_job(1).gap]);
}

async fn without_our_tables_there_is_no_past(fixture: Fixture) {
    let store = fixture.open_for(etl_orch::store::Access::ReadOnly).await.unwrap();
    assert!(store.jobs(&all()).await.unwrap().is_empty());
    assert!(store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).await.unwrap().is_empty());
}
