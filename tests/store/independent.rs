//! Windows that are independent of each other have gaps of their own.

use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::orders::{GapOrder, GapOrderKind};
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, enqueue, yes};
use crate::windows::{HOUSE, job_of, put, queue, start, window, wish_for};

crate::on_both_databases![a_retry_forgets_what_a_service_does_for_a_window_unless_that_is_running,];

fn gap(number: i32) -> GapKey {
    GapKey::Window { source: HOUSE.to_owned(), start: start(number) }
}

/// Claims a window, and follows the job of this id that a service has for it.
async fn followed(store: &dyn Store, number: i32, remote_id: &str) -> Claim {
    let job = NewJob { gap: gap(number), ..job_of(HOUSE, window(number)) };
    let run = begin_run(store).await;
    enqueue(store, run, std::slice::from_ref(&job)).await;
    let claim = yes(store.claim(&wish_for(job.id, HOUSE, window(number))).await.unwrap());
    assert!(store.follow(claim, 1, Some(remote_id)).await.unwrap());
    claim
}

async fn a_retry_forgets_what_a_service_does_for_a_window_unless_that_is_running(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..3).await;
    let stopped = followed(&*store, 0, "abc").await;
    assert!(store.cancel(stopped, None, "stopped", at(5)).await.unwrap());
    followed(&*store, 1, "def").await;
    let mut found = store.followed(&[GapKey::source(HOUSE)]).await.unwrap();
    found.sort();
    assert_eq!(found, [gap(0), gap(1)]);
    assert_eq!(store.followed(&[gap(1)]).await.unwrap(), [gap(1)]);
    assert!(store.followed(&[gap(2), GapKey::source("eu")]).await.unwrap().is_empty());

    let retry = GapOrder { kind: GapOrderKind::Retry, by: "anna".into(), reason: "r".into(), at: at(6) };
    assert_eq!(store.order(&retry, &[gap(0), gap(1), gap(2)]).await.unwrap(), 1, "one is running, one has nothing to forget");
    assert_eq!(queue(&*store, HOUSE).await, ["0-1", "1-2 def", "2-3"]);
    assert_eq!(store.followed(&[GapKey::source(HOUSE)]).await.unwrap(), [gap(1)]);
}
