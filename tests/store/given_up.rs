//! Windows that an operator gives up.

use chrono::{DateTime, Utc};
use etl_orch::plan::model::orders::SourceOrderKind;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::source_state::GivenUp;
use etl_orch::store::Store;

use crate::fixture::{Fixture, at, fail};
use crate::migration::before_version;
use crate::windows::{HOUSE, claim, collect, collected, order, put, queue, rows, start, state, succeed, window};

crate::on_both_databases![
    the_frontier_passes_what_was_given_up_and_what_was_collected_behind_it,
    a_request_takes_it_back_and_a_success_forgets_it,
    a_source_may_begin_with_what_was_given_up,
    a_repetition_that_is_given_up_is_not_asked_for_any_more,
    failures_of_what_is_given_up_are_forgotten,
    what_a_running_job_collects_is_not_given_up,
    what_the_version_before_queued_is_kept,
    a_source_begins_once,
];

async fn give_up(store: &dyn Store, windows: &[Window], begin: Option<DateTime<Utc>>, second: u32) -> bool {
    let kind = SourceOrderKind::GiveUp { windows: windows.to_vec(), begin };
    store.order_source(&order(HOUSE, kind, second)).await.unwrap()
}

async fn the_frontier_passes_what_was_given_up_and_what_was_collected_behind_it(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..5).await;
    collect(&*store, HOUSE, window(0)).await;
    collect(&*store, HOUSE, window(2)).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(1)));
    assert!(give_up(&*store, &[window(1)], None, 20).await);
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(3)));
    assert_eq!(queue(&*store, HOUSE).await, ["1-2 given up", "3-4", "4-5"]);
    let given_up = store.queue().await.unwrap().remove(0).given_up;
    assert_eq!(given_up, Some(GivenUp { since: at(20), by: "anna".into(), reason: "because".into() }));
    assert_eq!(fixture.orders().await, ["give_up|source:us_house|anna|because|"]);
    assert!(!give_up(&*store, &[window(1)], None, 21).await, "it is given up");
    assert!(!give_up(&*store, &[window(0)], None, 22).await, "it was collected");
    assert!(!give_up(&*store, &[], None, 23).await);
    assert_eq!(fixture.orders().await.len(), 1);
    assert!(give_up(&*store, &[window(4)], None, 24).await, "one that is not the first is passed once the frontier is there");
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(3)));
    collect(&*store, HOUSE, window(3)).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(5)));
    assert_eq!(queue(&*store, HOUSE).await, ["1-2 given up", "4-5 given up"], "they are still missing");
}

async fn a_request_takes_it_back_and_a_success_forgets_it(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    collect(&*store, HOUSE, window(0)).await;
    give_up(&*store, &[window(1)], None, 20).await;
    store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![window(1)]), 21)).await.unwrap();
    assert_eq!(queue(&*store, HOUSE).await, ["1-2 requested given up"]);
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(2)));
    collect(&*store, HOUSE, window(1)).await;
    assert!(store.queue().await.unwrap().is_empty());
    let left = format!("SELECT count(*) FROM {} WHERE given_up_at IS NOT NULL", fixture.own("disclosure_queue"));
    assert_eq!(fixture.rows(&left).await, ["0"]);
}

async fn a_source_may_begin_with_what_was_given_up(fixture: Fixture) {
    let store = fixture.open().await;
    assert!(give_up(&*store, &[window(3)], None, 20).await);
    assert_eq!(state(&*store, HOUSE).await.frontier, None, "it is not where the source begins");
    assert!(give_up(&*store, &[window(0), window(1)], Some(start(0)), 21).await);
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(2)));
    put(&*store, HOUSE, [2]).await;
    collect(&*store, HOUSE, window(2)).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(4)));
}

async fn a_repetition_that_is_given_up_is_not_asked_for_any_more(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    collect(&*store, HOUSE, window(0)).await;
    store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![window(0)]), 20)).await.unwrap();
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 requested"]);
    assert!(give_up(&*store, &[window(0)], None, 21).await);
    assert!(store.queue().await.unwrap().is_empty(), "it was collected, and is not missing");
}

async fn failures_of_what_is_given_up_are_forgotten(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..3).await;
    let failed = claim(&*store, HOUSE, window(0)).await;
    fail(&*store, failed).await;
    assert!(give_up(&*store, &[window(2)], None, 20).await);
    assert_eq!(store.gap_states().await.unwrap().len(), 1, "another window failed");
    assert!(give_up(&*store, &[window(0)], Some(start(0)), 21).await);
    assert!(store.gap_states().await.unwrap().is_empty());
}

async fn what_a_running_job_collects_is_not_given_up(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    let running = claim(&*store, HOUSE, window(0)).await;
    assert!(give_up(&*store, &[window(0)], Some(start(0)), 20).await);
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 given up", "1-2"]);
    succeed(&*store, running, &collected(HOUSE, window(0))).await;
    assert_eq!(queue(&*store, HOUSE).await, ["1-2"]);
    assert_eq!(rows(&fixture).await, ["collected||job|at|", "queued||||"]);
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(1)));
}

async fn what_the_version_before_queued_is_kept(fixture: Fixture) {
    fixture.sql(&before_version(&etl_orch::store::schema_sql(&fixture.database, None), 9)).await;
    let queue_table = fixture.own("disclosure_queue");
    fixture
        .sql(&format!(
            "INSERT INTO {queue_table} (source, window_start, window_end, state, queued_at, requested_by, requested_at, remote_id)
             VALUES ('{HOUSE}', '2026-01-16T00:00:00.000000Z', '2026-01-16T06:00:00.000000Z', 'queued', '2026-01-16T06:00:00.000000Z',
                     'anna', '2026-01-16T07:00:00.000000Z', 'abc')"
        ))
        .await;
    let store = fixture.open().await;
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 requested abc"]);
    assert!(give_up(&*store, &[window(0)], Some(start(0)), 20).await);
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 given up"]);
}

async fn a_source_begins_once(fixture: Fixture) {
    let store = fixture.open().await;
    store.begin_source(HOUSE, start(0)).await.unwrap();
    store.begin_source(HOUSE, start(3)).await.unwrap();
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(0)));
    put(&*store, HOUSE, 0..2).await;
    collect(&*store, HOUSE, window(1)).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(0)), "the first is missing");
    collect(&*store, HOUSE, window(0)).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(2)));
}
