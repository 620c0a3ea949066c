//! What a success changes of its source: the queue, the last success, and the frontier, which is never a maximum.

use etl_orch::plan::model::collection::{Collected, Seen};
use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::remember::source_state::LastSuccess;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, end, failed_runs};
use crate::windows::{HOUSE, claim, collect, collected, put, queue, rows, start, state, succeed, window, windows};

crate::on_both_databases![
    a_success_is_recorded_with_what_it_collected,
    a_success_counts_once,
    a_success_without_a_claim_changes_nothing,
    a_success_forgets_the_past_of_the_source,
    successes_that_collected_nothing_are_counted_in_a_row,
    what_was_not_queued_when_it_was_claimed_is_collected_too,
    the_frontier_follows_this_table,
    in_whatever_order_windows_are_collected_there_is_no_hole_before_the_frontier,
    sources_have_nothing_to_do_with_each_other,
];

async fn a_success_is_recorded_with_what_it_collected(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..3).await;
    let claim = claim(&*store, HOUSE, windows(0, 2)).await;
    store.follow(claim, 1, Some("abc")).await.unwrap();
    let made = Collected { seen: Seen::Verified, ..collected(HOUSE, windows(0, 2)) };
    succeed(&*store, claim, &made).await;
    let state = state(&*store, HOUSE).await;
    assert_eq!(state.last, Some(LastSuccess { at: at(10), collected: made }));
    assert_eq!((state.frontier, state.empty, state.paused), (Some(start(2)), 0, None));
    assert_eq!(rows(&fixture).await, ["collected||job|at|", "collected||job|at|", "queued||||"]);
    assert_eq!(queue(&*store, HOUSE).await, ["2-3"]);
    assert_eq!(fixture.jobs().await, ["succeeded|"]);
    let last = format!("SELECT last_job = '{}' FROM {}", claim.job, fixture.own("sources"));
    assert_eq!(fixture.rows(&last).await, [if fixture.is_sqlite() { "1" } else { "t" }]);
}

async fn a_success_counts_once(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    let claim = claim(&*store, HOUSE, window(0)).await;
    let made = Collected { records: Some(0), message: None, ..collected(HOUSE, window(0)) };
    succeed(&*store, claim, &made).await;
    let before = state(&*store, HOUSE).await;
    assert_eq!(before.empty, 1);
    // Meanwhile somebody wants it again: what is said again must not answer that.
    let asked = etl_orch::plan::model::orders::SourceOrderKind::Collect(vec![window(0)]);
    store.order_source(&crate::windows::order(HOUSE, asked, 20)).await.unwrap();
    succeed(&*store, claim, &made).await;
    assert_eq!(state(&*store, HOUSE).await, before);
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 requested", "1-2"]);
}

async fn a_success_without_a_claim_changes_nothing(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let claim = claim(&*store, HOUSE, window(0)).await;
    let (good, made) = (end(1, Outcome::Succeeded), collected(HOUSE, window(0)));
    assert!(!store.succeed(Claim { fence: 7, ..claim }, &good, Artifact::Collection(Box::new(made.clone()))).await.unwrap());
    assert!(store.lose(claim, &FailureHistory::default(), at(5)).await.unwrap());
    assert!(!store.succeed(claim, &good, Artifact::Collection(Box::new(made.clone()))).await.unwrap());
    assert_eq!(queue(&*store, HOUSE).await, ["0-1"]);
    assert!(store.source_states().await.unwrap().is_empty());
}

async fn a_success_forgets_the_past_of_the_source(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let first = claim(&*store, HOUSE, window(0)).await;
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &failed_runs(2)).await.unwrap());
    assert_eq!(store.gap_states().await.unwrap().len(), 1);
    let run = crate::fixture::begin_run(&*store).await;
    let job = etl_orch::plan::remember::recorded_job::NewJob { forced: true, ..crate::windows::job_of(HOUSE, window(0)) };
    crate::fixture::enqueue(&*store, run, std::slice::from_ref(&job)).await;
    let wish = crate::windows::wish_for(job.id, HOUSE, window(0));
    let second = crate::fixture::yes(store.claim(&wish).await.unwrap());
    succeed(&*store, second, &collected(HOUSE, window(0))).await;
    assert!(store.gap_states().await.unwrap().is_empty(), "neither failures nor a pending --force are left");
}

async fn successes_that_collected_nothing_are_counted_in_a_row(fixture: Fixture) {
    let store = fixture.open().await;
    let table = [(Some(0), 1), (Some(0), 2), (None, 2), (Some(0), 3), (Some(5), 0), (None, 0), (Some(0), 1)];
    for (number, (records, empty)) in (0..).zip(table) {
        put(&*store, HOUSE, [number]).await;
        let claim = claim(&*store, HOUSE, window(number)).await;
        succeed(&*store, claim, &Collected { records, ..collected(HOUSE, window(number)) }).await;
        let state = state(&*store, HOUSE).await;
        assert_eq!((state.empty, state.last.unwrap().collected.records), (empty, records), "{number}");
    }
}

async fn what_was_not_queued_when_it_was_claimed_is_collected_too(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0, 3]).await;
    let claim = claim(&*store, HOUSE, windows(0, 3)).await;
    put(&*store, HOUSE, [1, 2]).await;
    succeed(&*store, claim, &collected(HOUSE, windows(0, 3))).await;
    assert_eq!(queue(&*store, HOUSE).await, ["3-4"]);
    // So is what is left from before the frontier, when it is covered again.
    store.enqueue_windows(HOUSE, &[windows(0, 2)], at(0)).await.unwrap();
    collect(&*store, HOUSE, windows(0, 4)).await;
    assert!(queue(&*store, HOUSE).await.is_empty());
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(4)));
}

async fn the_frontier_follows_this_table(fixture: Fixture) {
    let store = fixture.open().await;
    // Windows collected one after the other, and the frontier after the last.
    let table: [(&[(i32, i32)], i32); 11] = [
        (&[(5, 6)], 6),
        (&[(5, 6), (6, 7)], 7),
        (&[(5, 6), (7, 8)], 6),
        (&[(5, 6), (7, 8), (6, 7)], 8),
        (&[(5, 6), (2, 3)], 6),
        (&[(5, 6), (4, 7)], 7),
        (&[(5, 6), (0, 9), (3, 4)], 9),
        (&[(5, 6), (7, 9), (8, 11), (12, 13), (6, 7)], 11),
        (&[(5, 6), (7, 12), (8, 9), (10, 13), (6, 7)], 13),
        (&[(5, 6), (8, 9), (9, 10), (6, 7)], 7),
        (&[(5, 6), (7, 8), (4, 5)], 6),
    ];
    for (case, (successes, frontier)) in table.into_iter().enumerate() {
        let source = format!("source {case}");
        for &(from, to) in successes {
            store.enqueue_windows(&source, &[windows(from, to)], at(0)).await.unwrap();
            collect(&*store, &source, windows(from, to)).await;
        }
        assert_eq!(state(&*store, &source).await.frontier, Some(start(frontier)), "{successes:?}");
    }
}

/// Numbers that look random, and are the same every time.
fn shuffled(count: i32, seed: u64) -> Vec<i32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut rest: Vec<_> = (0..count).collect();
    let mut order = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = (state >> 33) % u64::try_from(rest.len()).unwrap();
        order.push(rest.remove(usize::try_from(place).unwrap()));
    }
    order
}

async fn in_whatever_order_windows_are_collected_there_is_no_hole_before_the_frontier(fixture: Fixture) {
    const COUNT: i32 = 9;
    let store = fixture.open().await;
    for seed in 0..8 {
        let source = format!("source {seed}");
        let order = shuffled(COUNT, seed);
        put(&*store, &source, 0..COUNT).await;
        for (done, &number) in order.iter().enumerate() {
            collect(&*store, &source, window(number)).await;
            let done = &order[..=done];
            let mut expected = order[0];
            while done.contains(&expected) {
                expected += 1;
            }
            assert_eq!(state(&*store, &source).await.frontier, Some(start(expected)), "{done:?}");
            assert_shown(&*store, &source, done, expected).await;
        }
    }
}

/// The queue tells what is not collected, and of what is collected only what is beyond the frontier.
async fn assert_shown(store: &dyn Store, source: &str, done: &[i32], frontier: i32) {
    let expected: Vec<_> = (0..9)
        .filter(|number| !done.contains(number) || *number >= frontier)
        .map(|number| format!("{number}-{}{}", number + 1, if done.contains(&number) { " collected" } else { "" }))
        .collect();
    assert_eq!(queue(store, source).await, expected, "{done:?}");
}

async fn sources_have_nothing_to_do_with_each_other(fixture: Fixture) {
    let store = fixture.open().await;
    for source in [HOUSE, "us_senate"] {
        put(&*store, source, 0..2).await;
    }
    let (house, senate) = (claim(&*store, HOUSE, windows(0, 2)).await, claim(&*store, "us_senate", window(0)).await);
    succeed(&*store, house, &collected(HOUSE, windows(0, 2))).await;
    assert_eq!(queue(&*store, "us_senate").await, ["0-1", "1-2"]);
    succeed(&*store, senate, &collected("us_senate", window(0))).await;
    let frontiers: Vec<_> = store.source_states().await.unwrap().into_iter().map(|state| (state.source, state.frontier)).collect();
    assert_eq!(frontiers, [(HOUSE.to_owned(), Some(start(2))), ("us_senate".to_owned(), Some(start(1)))]);
}
