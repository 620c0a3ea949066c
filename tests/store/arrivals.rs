//! When the data of banks arrived.

use etl_orch::plan::remember::arrivals::{Arrival, ArrivalQuery, Newest, NewlySeen, SeenData};
use etl_orch::store::Access;

use crate::fixture::{Fixture, at};

crate::on_both_databases![what_was_seen_is_kept_and_the_first_sight_of_data_stays];

fn arrival(bank: &str, period: &str, seconds: u32) -> Arrival {
    let (bank, period) = (bank.to_owned(), period.parse().unwrap());
    Arrival { tags: r#"["rts","é"]"#.to_owned(), bank, period, first_seen_at: at(seconds), is_latest: seconds < 15 }
}

fn newly_seen(newest: &[(&str, &[&str])], arrivals: Vec<Arrival>) -> NewlySeen {
    let periods = |all: &[&str]| all.iter().map(|period| period.parse().unwrap()).collect();
    let newest: Newest = newest.iter().map(|(bank, all)| ((*bank).to_owned(), periods(all))).collect();
    NewlySeen { seen: SeenData { tags: r#"["rts","é"]"#.to_owned(), newest }, arrivals }
}

async fn what_was_seen_is_kept_and_the_first_sight_of_data_stays(fixture: Fixture) {
    let reader = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert_eq!(reader.seen_data().await.unwrap(), [], "there are no tables yet");
    assert_eq!(reader.arrivals(ArrivalQuery::Tags("[]")).await.unwrap(), []);
    let store = fixture.open().await;
    let first = newly_seen(&[("RY-CA", &["2025Q1", "2024Q4"]), ("TD-CA", &[])], Vec::new());
    store.record_seen(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(store.seen_data().await.unwrap(), [first.seen]);

    let second = newly_seen(
        &[("RY-CA", &["2025Q1", "2025Q2"]), ("TD-CA", &["2025Q2"])],
        vec![arrival("RY-CA", "2025Q2", 10), arrival("TD-CA", "2025Q2", 10)],
    );
    // It is not known whether it happened.
    store.record_seen(std::slice::from_ref(&second)).await.unwrap();
    store.record_seen(std::slice::from_ref(&second)).await.unwrap();
    // Another run saw the same later.
    let later = vec![arrival("RY-CA", "2025Q2", 20), arrival("RY-CA", "2024Q4", 20)];
    store.record_seen(&[NewlySeen { arrivals: later, ..second.clone() }]).await.unwrap();
    assert_eq!(store.seen_data().await.unwrap(), std::slice::from_ref(&second.seen));
    let all = [arrival("RY-CA", "2025Q2", 10), arrival("TD-CA", "2025Q2", 10), arrival("RY-CA", "2024Q4", 20)];
    assert_eq!(store.arrivals(ArrivalQuery::Tags(&second.seen.tags)).await.unwrap(), all);
    assert_eq!(store.arrivals(ArrivalQuery::Data("RY-CA", all[0].period)).await.unwrap(), all[..1]);
    assert_eq!(store.arrivals(ArrivalQuery::Tags("[]")).await.unwrap(), []);
}
