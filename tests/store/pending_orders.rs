//! Orders as the jobs that answer them find them: on groups of gaps, and until they are answered.

use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::orders::{Forced, ForcedWhat, GapOrder, GapOrderKind, PendingOrder, PendingOrderKind, SourceOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::{ClaimRequest, ClaimTarget, Claimed};
use etl_orch::plan::remember::failure_history::SkipOrder;
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claim, claimed, end, enqueue, fail, key, new_job, queued, wish, yes};
use crate::windows::{HOUSE, collect, job_of, order as order_on_source, put, window};

crate::on_both_databases![
    a_claim_heeds_an_order_on_its_bank_or_its_etl,
    a_claim_of_an_independent_window_heeds_an_order_on_its_source,
    a_retry_is_pending_until_a_job_ends,
    a_force_is_pending_until_a_success_answers_it,
    windows_are_asked_for_until_they_are_collected,
];

fn order(kind: GapOrderKind, second: u32) -> GapOrder {
    GapOrder { kind, by: "anna".into(), reason: "because".into(), at: at(second) }
}

const SKIP: GapOrderKind = GapOrderKind::Skip { until: None };

fn skipped(second: u32) -> Claimed {
    Claimed::Ordered(SkipOrder { since: at(second), until: None, by: "anna".into(), reason: "because".into() })
}

fn group(text: &str) -> GapKey {
    text.parse().unwrap()
}

async fn pending(store: &dyn Store, gap: &GapKey) -> Option<PendingOrder> {
    let mut found = store.pending_orders(&[gap.clone(), group("TD-CA/2025Q2/call_summary")]).await.unwrap();
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

async fn a_claim_heeds_an_order_on_its_bank_or_its_etl(fixture: Fixture) {
    let store = fixture.open().await;
    for (second, covers) in [(1, "RY-CA/*/*"), (2, "*/*/call_summary"), (3, "RY-CA/*/call_summary")] {
        let job = queued(&*store).await;
        assert_eq!(store.order(&order(SKIP, second), &[group(covers)]).await.unwrap(), 1);
        assert_eq!(store.claim(&wish(job.id, &key())).await.unwrap(), skipped(second), "{covers}");
        assert_eq!(store.order(&order(GapOrderKind::Unskip, 9), &[group(covers)]).await.unwrap(), 1);
    }
    for other in ["TD-CA/*/*", "*/*/key_themes", "RY-CA/*/key_themes"] {
        store.order(&order(SKIP, 10), &[group(other)]).await.unwrap();
    }
    store.order(&order(GapOrderKind::Skip { until: Some(at(1)) }, 0), &[group("RY-CA/*/*")]).await.unwrap();
    let job = queued(&*store).await;
    claim(&*store, job.id).await;
}

async fn a_claim_of_an_independent_window_heeds_an_order_on_its_source(fixture: Fixture) {
    let store = fixture.open().await;
    put(&*store, HOUSE, [0, 1]).await;
    let run = begin_run(&*store).await;
    let gap_of = |number| GapKey::Window { source: HOUSE.into(), start: window(number).start };
    let jobs = [0, 1].map(|number| NewJob { gap: gap_of(number), ..job_of(HOUSE, window(number)) });
    enqueue(&*store, run, &jobs).await;
    let ask = async |number: usize| {
        let wanted = ClaimTarget::Windows { source: HOUSE, window: window(i32::try_from(number).unwrap()) };
        store.claim(&ClaimRequest { wanted, ..wish(jobs[number].id, &key()) }).await.unwrap()
    };
    store.order(&order(SKIP, 1), &[GapKey::source(HOUSE)]).await.unwrap();
    assert_eq!(ask(0).await, skipped(1));
    store.order(&order(GapOrderKind::Unskip, 2), &[GapKey::source(HOUSE)]).await.unwrap();
    let failed = yes(ask(1).await);
    fail(&*store, failed).await;
    let states = store.gap_states().await.unwrap();
    assert_eq!(states.iter().map(|state| state.key.clone()).collect::<Vec<_>>(), [gap_of(1)], "its past is its own");
}

async fn a_retry_is_pending_until_a_job_ends(fixture: Fixture) {
    let store = fixture.open().await;
    let gap = new_job(0).gap;
    let failed = claimed(&*store).await;
    fail(&*store, failed).await;
    assert_eq!(pending(&*store, &gap).await, None);
    store.order(&order(GapOrderKind::Retry, 20), std::slice::from_ref(&gap)).await.unwrap();
    store.order(&GapOrder { reason: "again".into(), ..order(GapOrderKind::Retry, 21) }, std::slice::from_ref(&gap)).await.unwrap();
    let retry = PendingOrder { gap: gap.clone(), kind: PendingOrderKind::Retry, by: "anna".into(), reason: "again".into(), at: at(21) };
    assert_eq!(pending(&*store, &gap).await, Some(retry), "the latest");
    let job = queued(&*store).await;
    assert!(store.drop_queued(job.id, "deadline", at(30)).await.unwrap());
    assert_eq!(pending(&*store, &gap).await, None);
    assert!(store.pending_orders(&[]).await.unwrap().is_empty());
}

async fn a_force_is_pending_until_a_success_answers_it(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let job = NewJob { forced: true, ..new_job(0) };
    store.order_force(&[Forced { gap: job.gap.clone(), what: ForcedWhat::Existing }], "me", at(1)).await.unwrap();
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    let force = pending(&*store, &job.gap).await.unwrap();
    assert_eq!((force.kind, force.by.as_str()), (PendingOrderKind::Force, "me"));
    let claim = claim(&*store, job.id).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), etl_orch::plan::run::job_end::Artifact::Report).await.unwrap());
    assert_eq!(pending(&*store, &job.gap).await, None);
}

async fn windows_are_asked_for_until_they_are_collected(fixture: Fixture) {
    let store = fixture.open().await;
    let gap = GapKey::source(HOUSE);
    store.order_source(&order_on_source(HOUSE, SourceOrderKind::Collect(vec![window(0)]), 5)).await.unwrap();
    let asked = pending(&*store, &gap).await.unwrap();
    assert_eq!((asked.kind, asked.reason.as_str(), asked.at), (PendingOrderKind::Collect, "because", at(5)));
    collect(&*store, HOUSE, window(0)).await;
    assert_eq!(pending(&*store, &gap).await, None);
}
