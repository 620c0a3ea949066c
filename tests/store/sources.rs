//! The queue of disclosure sources: what is put into it, who may work on it, and what operators order.

use etl_orch::plan::model::etl::Pool;
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::orders::{GapOrder, GapOrderKind, SourceOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::claim::{ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::{FailureHistory, SkipOrder};
use etl_orch::plan::remember::source_state::Pause;
use etl_orch::store::Access;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, end, fail, failed_runs, owner, yes};
use crate::windows::{HOUSE, ask, claim, collect, order, planned, put, queue, rows, start, state, window, windows, wish_for};

crate::on_both_databases![
    windows_are_queued_once_and_told_in_order,
    thousands_of_windows_are_queued_at_once,
    a_window_without_length_is_refused_with_its_whole_list,
    a_claim_takes_what_is_queued_within_its_windows,
    a_claim_is_granted_again_to_the_same_wish,
    what_was_collected_meanwhile_is_not_claimed,
    of_two_who_want_one_source_one_gets_it,
    a_pause_between_plan_and_claim_wins,
    a_skipped_source_is_not_claimed,
    a_newer_failure_holds_a_source_back_unless_somebody_asked_for_it,
    a_full_pool_leaves_windows_as_they_are,
    ends_without_success_leave_windows_in_the_queue,
    an_id_of_a_service_is_kept_until_it_is_not_followed_any_more,
    a_source_is_paused_and_resumed_once,
    a_request_queues_what_was_collected_and_what_is_new,
    a_request_leaves_what_is_running_to_its_job,
    an_order_is_carried_out_once,
    hostile_texts_are_data,
    nothing_is_known_without_our_tables,
    everything_is_there_after_a_restart,
    orders_claims_and_ends_do_not_wait_for_each_other_in_a_circle,
];

async fn windows_are_queued_once_and_told_in_order(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, "us_senate", [1]).await;
    put(&*store, HOUSE, [2, 0, 1, 0]).await;
    store.enqueue_windows(HOUSE, &[windows(0, 2), window(2)], at(9)).await.unwrap();
    store.enqueue_windows(HOUSE, &[], at(9)).await.unwrap();
    let found = store.queue().await.unwrap();
    let keys: Vec<_> = found.iter().map(|one| (one.source.as_str(), one.window)).collect();
    assert_eq!(
        keys,
        [(HOUSE, window(0)), (HOUSE, windows(0, 2)), (HOUSE, window(1)), (HOUSE, window(2)), ("us_senate", window(1))],
        "by source, start and end"
    );
    assert_eq!(queue(&*store, HOUSE).await, ["0-1", "0-2", "1-2", "2-3"]);
    assert!(store.source_states().await.unwrap().is_empty(), "a source that only waits has no record");
    let later = format!("SELECT count(*) FROM {} WHERE queued_at > '2025-06-01T12:00:05Z'", fixture.own("disclosure_queue"));
    assert_eq!(fixture.rows(&later).await, ["1"], "what was there stays as it was");
}

async fn thousands_of_windows_are_queued_at_once(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..10_000).await;
    put(&*store, HOUSE, 0..10_000).await;
    assert_eq!(store.queue().await.unwrap().len(), 10_000);
    collect(&*store, HOUSE, windows(0, 10_000)).await;
    assert!(store.queue().await.unwrap().is_empty());
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(10_000)));
}

async fn a_window_without_length_is_refused_with_its_whole_list(fixture: Fixture) {
    let store = fixture.open().await;
    let error = store.enqueue_windows(HOUSE, &[window(0), windows(1, 1)], at(0)).await.unwrap_err();
    assert!(error.is_about_values(), "{error:?}");
    assert!(store.queue().await.unwrap().is_empty());
}

async fn a_claim_takes_what_is_queued_within_its_windows(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..4).await;
    put(&*store, "us_senate", [1]).await;
    store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![window(1), window(3)]), 1)).await.unwrap();
    claim(&*store, HOUSE, windows(1, 3)).await;
    assert_eq!(queue(&*store, HOUSE).await, ["0-1", "1-2 tried", "2-3", "3-4 requested"]);
    assert_eq!(rows(&fixture).await, ["queued||||", "queued|anna|job||", "queued||job||", "queued|anna|||", "queued||||"]);
    let planned = format!("SELECT gap_key, etl, window_start = '{}', window_end = '{}' FROM {}", "X", "Y", fixture.own("etl_jobs"));
    let stored = |number| start(number).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let planned = planned.replace('X', &stored(1)).replace('Y', &stored(3));
    let truth = if fixture.is_sqlite() { "1" } else { "t" };
    assert_eq!(fixture.rows(&planned).await, [format!("source:us_house|us_house|{truth}|{truth}")]);
}

async fn a_claim_is_granted_again_to_the_same_wish(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let job = planned(&*store, HOUSE, window(0)).await;
    let wish = wish_for(job, HOUSE, window(0));
    let first = store.claim(&wish).await.unwrap();
    assert_eq!(store.claim(&wish).await.unwrap(), first);
    assert_eq!(yes(first).fence, 1);
    assert_eq!(store.claim(&ClaimRequest { log: "another", ..wish }).await.unwrap(), Claimed::Gone(None));
}

async fn what_was_collected_meanwhile_is_not_claimed(fixture: Fixture) {
    let store = fixture.open().await;
    assert_eq!(ask(&*store, HOUSE, window(0)).await, Claimed::AlreadyDone, "nothing is queued");
    put(&*store, HOUSE, 0..3).await;
    collect(&*store, HOUSE, windows(0, 2)).await;
    assert_eq!(ask(&*store, HOUSE, windows(0, 2)).await, Claimed::AlreadyDone);
    assert_eq!(ask(&*store, "us_senate", windows(0, 3)).await, Claimed::AlreadyDone);
    let half = Window { start: start(2), end: start(3) - chrono::Duration::seconds(1) };
    assert_eq!(ask(&*store, HOUSE, half).await, Claimed::AlreadyDone, "a window is collected whole");
    let reasons = fixture.rows(&format!("SELECT DISTINCT error FROM {} WHERE state = 'skipped'", fixture.own("etl_jobs"))).await;
    assert_eq!(reasons, ["the windows were collected"]);
    assert_eq!(ask(&*store, HOUSE, windows(0, 3)).await, Claimed::AlreadyDone, "nothing is collected twice for the sake of what is left");
    yes(ask(&*store, HOUSE, window(2)).await);
}

async fn of_two_who_want_one_source_one_gets_it(fixture: Fixture) {
    let stores = [fixture.open().await, fixture.open().await];
    put(&*stores[0], HOUSE, 0..4).await;
    for round in 0..4 {
        let jobs = [planned(&*stores[0], HOUSE, window(round)).await, planned(&*stores[1], HOUSE, windows(0, 4)).await];
        let wishes = [wish_for(jobs[0], HOUSE, window(round)), wish_for(jobs[1], HOUSE, windows(0, 4))];
        let claimed = tokio::join!(stores[0].claim(&wishes[0]), stores[1].claim(&wishes[1]));
        let (winner, loser) = match (claimed.0.unwrap(), claimed.1.unwrap()) {
            (Claimed::Yes { claim, .. }, other) | (other, Claimed::Yes { claim, .. }) => (claim, other),
            neither => panic!("{neither:?}"),
        };
        assert_eq!(loser, Claimed::Elsewhere { owner: owner() });
        assert!(stores[0].cancel(winner, None, "asked to stop", at(9)).await.unwrap());
    }
}

async fn a_pause_between_plan_and_claim_wins(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let (first, second) = (planned(&*store, HOUSE, window(0)).await, planned(&*store, HOUSE, window(0)).await);
    let skip = GapOrder { kind: GapOrderKind::Skip { until: None }, by: "otto".into(), reason: "no".into(), at: at(1) };
    store.order(&skip, &[GapKey::source(HOUSE)]).await.unwrap();
    assert!(store.order_source(&order(HOUSE, SourceOrderKind::Pause, 1)).await.unwrap());
    let paused = SkipOrder { since: at(1), until: None, by: "anna".into(), reason: "because".into() };
    assert_eq!(store.claim(&wish_for(first, HOUSE, window(0))).await.unwrap(), Claimed::Ordered(paused));
    assert_eq!(rows(&fixture).await, ["queued||||"]);
    assert_eq!(fixture.jobs().await.iter().filter(|job| *job == "skipped|anna wants it left alone: because").count(), 1);
    let fence = format!("SELECT fence FROM {}", fixture.own("gap_states"));
    assert_eq!(fixture.rows(&fence).await, ["0"], "the fence is not used up");
    assert!(store.order_source(&order(HOUSE, SourceOrderKind::Resume, 2)).await.unwrap());
    let unskip = GapOrder { kind: GapOrderKind::Unskip, ..skip };
    store.order(&unskip, &[GapKey::source(HOUSE)]).await.unwrap();
    yes(store.claim(&wish_for(second, HOUSE, window(0))).await.unwrap());
}

async fn a_skipped_source_is_not_claimed(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let skip = GapOrder { kind: GapOrderKind::Skip { until: Some(at(60)) }, by: "otto".into(), reason: "no".into(), at: at(1) };
    store.order(&skip, &[GapKey::source(HOUSE)]).await.unwrap();
    let expected = SkipOrder { since: at(1), until: Some(at(60)), by: "otto".into(), reason: "no".into() };
    assert_eq!(ask(&*store, HOUSE, window(0)).await, Claimed::Ordered(expected));
    let job = planned(&*store, HOUSE, window(0)).await;
    yes(store.claim(&ClaimRequest { at: at(60), ..wish_for(job, HOUSE, window(0)) }).await.unwrap());
}

async fn a_newer_failure_holds_a_source_back_unless_somebody_asked_for_it(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    let failed = claim(&*store, HOUSE, windows(0, 2)).await;
    fail(&*store, failed).await;
    let ask_later = async |window, planned_fence| {
        let job = planned(&*store, HOUSE, window).await;
        store.claim(&ClaimRequest { at: at(20), planned_fence, ..wish_for(job, HOUSE, window) }).await.unwrap()
    };
    assert_eq!(ask_later(windows(0, 2), 0).await, Claimed::HeldBack);
    store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![window(1)]), 15)).await.unwrap();
    assert_eq!(ask_later(window(0), 0).await, Claimed::HeldBack, "another window was asked for");
    let Claimed::Yes { claim: asked, history } = ask_later(windows(0, 2), 0).await else { panic!("it was asked for") };
    assert_eq!(history, failed_runs(1));
    fail(&*store, asked).await;
    assert_eq!(ask_later(windows(0, 2), 0).await, Claimed::HeldBack, "it was tried");
    yes(ask_later(windows(0, 2), 2).await);
}

async fn a_full_pool_leaves_windows_as_they_are(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    put(&*store, "us_senate", [0]).await;
    store.order_source(&order("us_senate", SourceOrderKind::Collect(vec![window(0)]), 1)).await.unwrap();
    let pool = Pool { name: "service".into(), limit: 1 };
    let jobs = [planned(&*store, HOUSE, window(0)).await, planned(&*store, "us_senate", window(0)).await];
    yes(store.claim(&ClaimRequest { pool: Some(&pool), ..wish_for(jobs[0], HOUSE, window(0)) }).await.unwrap());
    let wish = ClaimRequest { pool: Some(&pool), ..wish_for(jobs[1], "us_senate", window(0)) };
    assert_eq!(store.claim(&wish).await.unwrap(), Claimed::PoolFull);
    assert_eq!(rows(&fixture).await, ["queued||job||", "queued|anna|||"]);
}

async fn ends_without_success_leave_windows_in_the_queue(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let bad = end(1, Outcome::ExitCode(1));
    for way in 0..4 {
        let claim = claim(&*store, HOUSE, window(0)).await;
        assert!(store.follow(claim, 1, Some(&format!("remote {way}"))).await.unwrap());
        let history = FailureHistory::default();
        let ended = match way {
            0 => store.fail(claim, &bad, "no", &history).await,
            1 => store.skip(claim, &bad, "no", &history).await,
            2 => store.cancel(claim, Some(&bad), "no", at(10)).await,
            _ => store.lose(claim, &history, at(10)).await,
        };
        assert!(ended.unwrap());
        assert_eq!(rows(&fixture).await, [format!("queued||job||remote {way}")]);
        assert_eq!(queue(&*store, HOUSE).await, [format!("0-1 remote {way}")]);
    }
    let job = planned(&*store, HOUSE, window(0)).await;
    assert!(store.drop_queued(job, "deadline", at(11)).await.unwrap());
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 remote 3"]);
    assert_eq!(state(&*store, HOUSE).await.frontier, None);
}

async fn an_id_of_a_service_is_kept_until_it_is_not_followed_any_more(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..3).await;
    let claim = claim(&*store, HOUSE, windows(0, 2)).await;
    for _ in 0..2 {
        assert!(store.follow(claim, 1, Some("abc")).await.unwrap());
        assert_eq!(queue(&*store, HOUSE).await, ["0-1 abc", "1-2 abc", "2-3"]);
    }
    assert!(!store.follow(etl_orch::plan::model::job::Claim { fence: 2, ..claim }, 1, Some("other")).await.unwrap());
    let attempts = format!("SELECT n, coalesce(remote_id, '') FROM {} ORDER BY n", fixture.own("etl_attempts"));
    for _ in 0..2 {
        assert!(store.follow(claim, 1, None).await.unwrap());
        assert_eq!(queue(&*store, HOUSE).await, ["0-1", "1-2", "2-3"]);
        assert_eq!(fixture.rows(&attempts).await, ["1|abc"]);
    }
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    store.begin_attempt(claim, 2, None, "log", at(20)).await.unwrap();
    assert!(store.follow(claim, 2, Some("def")).await.unwrap());
    assert_eq!(fixture.rows(&attempts).await, ["1|abc", "2|def"]);
    fail(&*store, claim).await;
    assert!(!store.follow(claim, 2, None).await.unwrap(), "the claim is not good any more");
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 def", "1-2 def", "2-3"]);
}

async fn a_source_is_paused_and_resumed_once(fixture: Fixture) {
    let store = fixture.open().await;
    let give = async |kind, second| store.order_source(&order(HOUSE, kind, second)).await.unwrap();
    assert!(!give(SourceOrderKind::Resume, 1).await);
    assert!(give(SourceOrderKind::Pause, 2).await);
    assert!(!give(SourceOrderKind::Pause, 3).await, "it is paused");
    let paused = state(&*store, HOUSE).await;
    assert_eq!(paused.paused, Some(Pause { since: at(2), by: "anna".into(), reason: "because".into() }));
    assert_eq!((paused.frontier, paused.last, paused.empty), (None, None, 0));
    assert!(give(SourceOrderKind::Resume, 4).await);
    assert!(!give(SourceOrderKind::Resume, 5).await);
    assert_eq!(state(&*store, HOUSE).await.paused, None);
    assert_eq!(fixture.orders().await, ["pause|source:us_house|anna|because|", "resume|source:us_house|anna|because|"]);
    assert!(store.gap_states().await.unwrap().is_empty(), "an order on a source is none on its gap");
}

async fn a_request_queues_what_was_collected_and_what_is_new(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    collect(&*store, HOUSE, windows(0, 2)).await;
    let asked = SourceOrderKind::Collect(vec![window(0), window(7), window(0)]);
    assert!(store.order_source(&order(HOUSE, asked, 20)).await.unwrap());
    assert!(!store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![]), 21)).await.unwrap());
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 requested", "7-8 requested"]);
    assert_eq!(rows(&fixture).await, ["queued|anna||at|", "collected||job|at|", "queued|anna|||"]);
    assert_eq!(fixture.orders().await, ["collect|source:us_house|anna|because|"]);
    collect(&*store, HOUSE, window(0)).await;
    assert_eq!(queue(&*store, HOUSE).await, ["7-8 requested"]);
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(2)), "it does not go back");
    // What a service has begun is followed all the same.
    let failed = claim(&*store, HOUSE, window(7)).await;
    store.follow(failed, 1, Some("abc")).await.unwrap();
    fail(&*store, failed).await;
    assert_eq!(queue(&*store, HOUSE).await, ["7-8 tried abc"]);
    store.order_source(&order(HOUSE, SourceOrderKind::Collect(vec![window(7)]), 22)).await.unwrap();
    assert_eq!(queue(&*store, HOUSE).await, ["7-8 requested abc"]);
}

async fn a_request_leaves_what_is_running_to_its_job(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..2).await;
    let running = claim(&*store, HOUSE, window(0)).await;
    store.follow(running, 1, Some("abc")).await.unwrap();
    let ask_for = async |second| {
        let asked = SourceOrderKind::Collect(vec![window(0), window(1)]);
        assert!(store.order_source(&order(HOUSE, asked, second)).await.unwrap());
    };
    ask_for(3).await;
    assert_eq!(rows(&fixture).await, ["queued|anna|job||abc", "queued|anna|||"]);
    fail(&*store, running).await;
    assert_eq!(queue(&*store, HOUSE).await, ["0-1 tried abc", "1-2 requested"], "it was asked for after it was begun");
    let running = claim(&*store, HOUSE, window(0)).await;
    ask_for(4).await;
    crate::windows::succeed(&*store, running, &crate::windows::collected(HOUSE, window(0))).await;
    assert_eq!(rows(&fixture).await, ["collected||job|at|", "queued|anna|||"]);
}

async fn an_order_is_carried_out_once(fixture: Fixture) {
    let store = fixture.open().await;
    let collect = order(HOUSE, SourceOrderKind::Collect(vec![window(0)]), 1);
    assert!(store.order_source(&collect).await.unwrap());
    claim(&*store, HOUSE, window(0)).await;
    assert!(store.order_source(&collect).await.unwrap());
    assert_eq!(rows(&fixture).await, ["queued|anna|job||"], "the same order, said again, when it was answered");
    for kind in [SourceOrderKind::Pause, SourceOrderKind::Resume] {
        for _ in 0..2 {
            assert!(store.order_source(&order(HOUSE, kind.clone(), 2)).await.unwrap());
        }
    }
    assert!(store.order_source(&order(HOUSE, SourceOrderKind::Pause, 2)).await.unwrap());
    assert_eq!(state(&*store, HOUSE).await.paused, None);
    assert_eq!(fixture.orders().await.len(), 3);
}

async fn hostile_texts_are_data(fixture: Fixture) {
    let store = fixture.open().await;
    for source in ["a'); DROP TABLE sources; --", "\"%_\\$1?1", "{\"a\":[1]}", "nul\0", "\u{202e}\n'"] {
        let stored = source.replace('\0', "\u{fffd}");
        put(&*store, source, [0]).await;
        let mut pause = order(source, SourceOrderKind::Pause, 1);
        (pause.by, pause.reason) = (source.into(), source.into());
        assert!(store.order_source(&pause).await.unwrap());
        let paused = state(&*store, &stored).await.paused.unwrap();
        assert_eq!((&paused.by, &paused.reason), (&stored, &stored));
        assert!(store.order_source(&order(source, SourceOrderKind::Resume, 2)).await.unwrap());
        let claim = claim(&*store, source, window(0)).await;
        assert!(store.follow(claim, 1, Some(source)).await.unwrap());
        assert_eq!(queue(&*store, &stored).await, [format!("0-1 {stored}")]);
        let made =
            etl_orch::plan::model::collection::Collected { message: Some(source.into()), ..crate::windows::collected(source, window(0)) };
        crate::windows::succeed(&*store, claim, &made).await;
        let last = state(&*store, &stored).await.last.unwrap();
        assert_eq!((last.collected.message.as_ref(), &last.collected.source), (Some(&stored), &stored));
    }
    assert!(store.queue().await.unwrap().is_empty());
    assert_eq!(store.source_states().await.unwrap().len(), 5);
}

async fn nothing_is_known_without_our_tables(fixture: Fixture) {
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert!(store.source_states().await.unwrap().is_empty());
    assert!(store.queue().await.unwrap().is_empty());
    let store = fixture.open().await;
    put(&*store, HOUSE, [0]).await;
    let reader = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert_eq!(queue(&*reader, HOUSE).await, ["0-1"]);
    assert!(reader.enqueue_windows(HOUSE, &[window(1)], at(1)).await.is_err());
    assert!(reader.order_source(&order(HOUSE, SourceOrderKind::Pause, 1)).await.is_err());
}

async fn everything_is_there_after_a_restart(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, 0..4).await;
    collect(&*store, HOUSE, window(0)).await;
    collect(&*store, HOUSE, window(2)).await;
    let running = claim(&*store, HOUSE, window(1)).await;
    store.follow(running, 1, Some("abc")).await.unwrap();
    store.order_source(&order(HOUSE, SourceOrderKind::Pause, 3)).await.unwrap();
    let before = (store.source_states().await.unwrap(), store.queue().await.unwrap());
    store.close().await;
    let store = fixture.open().await;
    assert_eq!((store.source_states().await.unwrap(), store.queue().await.unwrap()), before);
    assert_eq!(queue(&*store, HOUSE).await, ["1-2 abc", "2-3 collected", "3-4"]);
    assert_eq!(store.running_jobs().await.unwrap()[0].claim, running);
    crate::windows::succeed(&*store, running, &crate::windows::collected(HOUSE, window(1))).await;
    assert_eq!(state(&*store, HOUSE).await.frontier, Some(start(3)));
}

async fn orders_claims_and_ends_do_not_wait_for_each_other_in_a_circle(fixture: Fixture) {
    let stores = [fixture.open().await, fixture.open().await, fixture.open().await];
    put(&*stores[0], HOUSE, 0..40).await;
    let all: Vec<_> = (0..40).rev().map(window).collect();
    let worker = async |worker: usize| {
        let store = &*stores[worker % stores.len()];
        for round in 0..6_u32 {
            let second = u32::try_from(worker).unwrap() * 100 + round;
            store.order_source(&order(HOUSE, SourceOrderKind::Collect(all.clone()), second)).await.unwrap();
            let job = planned(store, HOUSE, windows(0, 40)).await;
            let wish = wish_for(job, HOUSE, windows(0, 40));
            if let Claimed::Yes { claim, .. } = store.claim(&wish).await.unwrap() {
                assert!(store.follow(claim, 1, Some("abc")).await.unwrap());
                crate::windows::succeed(store, claim, &crate::windows::collected(HOUSE, windows(0, 40))).await;
            }
            store.enqueue_windows(HOUSE, &all, at(second)).await.unwrap();
        }
    };
    futures::future::join_all((0..6).map(worker)).await;
    assert!(stores[0].running_jobs().await.unwrap().is_empty());
    assert_eq!(state(&*stores[0], HOUSE).await.frontier, Some(start(40)));
}
