//! Decisions not to make gaps: put on record when they change, and found again for any time.

use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::orders::{GapOrder, GapOrderKind};
use etl_orch::plan::remember::past::RunQuery;
use etl_orch::plan::remember::stored_decision::{DecisionChanges, StoredDecision};

use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::remember::recorded_job::NewJob;
use uuid::Uuid;

use crate::fixture::{Fixture, at, begin_run, new_job};

crate::on_both_databases![
    a_decision_is_in_force_until_another_is_recorded,
    many_are_recorded_at_once,
    a_gap_is_missing_since_it_was_first_seen_so_after_its_last_success,
    orders_are_found_by_the_time_they_were_given
];

fn waiting(need: &str) -> StoredDecision {
    StoredDecision::Waiting { need: need.into() }
}

fn key(text: &str) -> GapKey {
    text.parse().unwrap()
}

async fn a_decision_is_in_force_until_another_is_recorded(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let (first, second) = (key("RY-CA/2025Q1/b"), key("RY-CA/2025Q2/b"));
    let new = |of: &[(&GapKey, &str)]| DecisionChanges {
        new: of.iter().map(|(key, need)| ((*key).clone(), waiting(need))).collect(),
        ..DecisionChanges::default()
    };
    store.record_decisions(run, &new(&[(&first, "a"), (&second, "a")]), at(10)).await.unwrap();
    // It is not known whether it happened.
    store.record_decisions(run, &new(&[(&first, "a"), (&second, "a")]), at(10)).await.unwrap();
    store.record_decisions(run, &new(&[(&first, "c")]), at(20)).await.unwrap();
    let ended = DecisionChanges { ended: vec![second.clone()], capped: 7, ..DecisionChanges::default() };
    store.record_decisions(run, &ended, at(30)).await.unwrap();
    assert_eq!(store.decisions().await.unwrap(), [(first.clone(), waiting("c"))]);
    let then = async |gaps: &[GapKey], seconds| -> Vec<String> {
        let found = store.decisions_at(gaps, at(seconds)).await.unwrap();
        found.into_iter().map(|one| format!("{} {:?} {}", one.gap, one.decision, one.run == run)).collect()
    };
    let shown = |gap: &GapKey, need: &str| format!("{gap} {:?} true", waiting(need));
    assert_eq!(then(&[], 9).await, [""; 0]);
    assert_eq!(then(&[], 10).await, [shown(&first, "a"), shown(&second, "a")]);
    assert_eq!(then(std::slice::from_ref(&first), 25).await, [shown(&first, "c")]);
    assert_eq!(then(&[], 30).await, [shown(&first, "c")]);
    let query = RunQuery { limit: 1, oldest_first: true, ..RunQuery::default() };
    assert_eq!(store.runs(&query).await.unwrap()[0].capped, 7);
}

async fn many_are_recorded_at_once(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let gaps = (1900..2320).flat_map(|year| (1..=4).map(move |quarter| key(&format!("RY-CA/{year}Q{quarter}/a"))));
    let new: Vec<_> = gaps.map(|gap| (gap, waiting("b"))).collect();
    store.record_decisions(run, &DecisionChanges { new: new.clone(), ..DecisionChanges::default() }, at(1)).await.unwrap();
    assert_eq!(store.decisions().await.unwrap(), new);
    assert_eq!(new.len(), 1680);
}

async fn a_gap_is_missing_since_it_was_first_seen_so_after_its_last_success(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let keys = ["RY-CA/2025Q1/a", "RY-CA/2025Q2/a", "RY-CA/2025Q3/a", "RY-CA/2025Q4/a"].map(key);
    let job = |number: u128, gap: &GapKey| NewJob { id: JobId::new(Uuid::from_u128(number)), gap: gap.clone(), ..new_job(0) };
    store.enqueue(run, &[job(1, &keys[0])], at(5)).await.unwrap();
    store.enqueue(run, &[job(2, &keys[1])], at(6)).await.unwrap();
    let ended = format!("UPDATE {} SET state = 'succeeded', ended_at = queued_at WHERE gap_key = '{}'", fixture.own("etl_jobs"), keys[1]);
    fixture.sql(&ended).await;
    store.enqueue(run, &[job(3, &keys[1])], at(9)).await.unwrap();
    let decided = |of: &[(&GapKey, StoredDecision)]| DecisionChanges {
        new: of.iter().map(|(key, decision)| ((*key).clone(), decision.clone())).collect(),
        ..DecisionChanges::default()
    };
    let skipped = StoredDecision::Skipped { since: at(1), until: None, by: "ann".into(), reason: "r".into() };
    store.record_decisions(run, &decided(&[(&keys[0], waiting("b")), (&keys[1], waiting("b"))]), at(4)).await.unwrap();
    store.record_decisions(run, &decided(&[(&keys[2], skipped)]), at(4)).await.unwrap();
    store.record_decisions(run, &decided(&[(&keys[2], waiting("b"))]), at(8)).await.unwrap();
    let mut since = store.missing_since(&keys).await.unwrap();
    since.sort();
    assert_eq!(since, [(keys[0].clone(), at(4)), (keys[1].clone(), at(9)), (keys[2].clone(), at(8))]);
    assert!(store.missing_since(&[]).await.unwrap().is_empty());
}

async fn orders_are_found_by_the_time_they_were_given(fixture: Fixture) {
    let store = fixture.open().await;
    let gap = key("RY-CA/2025Q1/b");
    for (kind, seconds) in
        [(GapOrderKind::Skip { until: Some(at(50)) }, 10), (GapOrderKind::Unskip, 20), (GapOrderKind::Skip { until: None }, 30)]
    {
        let order = GapOrder { kind, by: "anna".into(), reason: "r".into(), at: at(seconds) };
        store.order(&order, std::slice::from_ref(&gap)).await.unwrap();
    }
    let found = store.orders_on(std::slice::from_ref(&gap), at(25)).await.unwrap();
    let shown: Vec<_> = found.iter().map(|order| (order.kind.as_str(), order.at, order.until)).collect();
    assert_eq!(shown, [("unskip", at(20), None), ("skip", at(10), Some(at(50)))]);
    assert!(store.orders_on(&[], at(25)).await.unwrap().is_empty());
}
