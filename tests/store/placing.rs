//! Staged reports: which jobs may have left one.

use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::model::job::{Claim, JobState};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claim, end, enqueue, new_job};

crate::on_both_databases![
    a_job_with_a_destination_is_unplaced_until_it_is_said_to_be_placed,
    a_success_is_superseded_by_a_later_one_over_its_gap,
];

/// A job that is claimed, with a destination.
async fn publishing(store: &dyn Store, place: &str) -> Claim {
    let run = begin_run(store).await;
    let mut job = new_job(0);
    job.destination = Some(place.into());
    enqueue(store, run, std::slice::from_ref(&job)).await;
    claim(store, job.id).await
}

async fn states(store: &dyn Store) -> Vec<(JobId, JobState, bool)> {
    let unplaced = store.unplaced(None).await.unwrap();
    unplaced.into_iter().map(|job| (job.job, job.state, job.is_superseded)).collect()
}

async fn a_job_with_a_destination_is_unplaced_until_it_is_said_to_be_placed(f: Fixture) {
    let store = f.open().await;
    let ours = publishing(&*store, "/reports/RY.md").await;
    let found = store.unplaced(Some(&"RY-CA/2025Q2/call_summary".parse().unwrap())).await.unwrap();
    assert_eq!((found.len(), found[0].job, found[0].state), (1, ours.job, JobState::Running));
    assert_eq!((found[0].destination.to_str(), found[0].host.as_str()), (Some("/reports/RY.md"), "here"));
    assert_eq!(store.unplaced(Some(&"RY-CA/2025Q2/other".parse().unwrap())).await.unwrap(), []);
    assert!(store.succeed(ours, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(states(&*store).await, [(ours.job, JobState::Succeeded, false)]);
    store.placed(&[]).await.unwrap();
    store.placed(&[ours.job]).await.unwrap();
    store.placed(&[ours.job]).await.unwrap();
    assert_eq!(states(&*store).await, []);
}

async fn a_success_is_superseded_by_a_later_one_over_its_gap(f: Fixture) {
    let store = f.open().await;
    let first = publishing(&*store, "/reports/RY.md").await;
    assert!(store.succeed(first, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    let lost = publishing(&*store, "/reports/RY.md").await;
    assert!(store.lose(lost, &FailureHistory::default(), at(5)).await.unwrap());
    assert_eq!(states(&*store).await, [(first.job, JobState::Succeeded, false), (lost.job, JobState::Lost, false)]);
    let second = publishing(&*store, "/reports/RY.md").await;
    assert!(store.succeed(second, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    let all = [(first.job, JobState::Succeeded, true), (lost.job, JobState::Lost, true), (second.job, JobState::Succeeded, false)];
    assert_eq!(states(&*store).await, all);
}
