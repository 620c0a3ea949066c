//! How long the last successes took.

use std::time::Duration;

use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::durations::PastSuccess;
use etl_orch::plan::remember::recorded_job::{JobSubject, NewJob};
use uuid::Uuid;

use crate::fixture::{Fixture, at, begin_run, new_job};

crate::on_both_databases![
    the_last_successes_are_found_with_how_long_they_took,
    a_job_that_followed_one_of_an_earlier_run_is_left_out,
    of_many_the_newest_are_found,
];

/// A job with this number for its id, which started and ended at these seconds.
async fn ended(fixture: &Fixture, number: u128, gap: &str, state: &str, times: (u32, u32), remote_id: Option<&str>) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let subject = if gap.starts_with("source:") { JobSubject::Windows(Window { start: at(0), end: at(9) }) } else { new_job(0).subject };
    let id = JobId::new(Uuid::from_u128(number));
    let job = NewJob { id, gap: gap.parse().unwrap(), subject, ..new_job(0) };
    store.enqueue(run, &[job], at(times.0)).await.unwrap();
    let (jobs, attempts) = (fixture.own("etl_jobs"), fixture.own("etl_attempts"));
    let time = |second: u32| format!("'{}'", at(second).to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    let remote_id = remote_id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
    fixture
        .sql(&format!(
            "UPDATE {jobs} SET state = '{state}', started_at = {start}, ended_at = {end}, fence = 1 WHERE id = '{id}';
             INSERT INTO {attempts} (job_id, n, log, started_at, remote_id) VALUES ('{id}', 1, '/1.log', {start}, {remote_id})",
            start = time(times.0),
            end = time(times.1),
        ))
        .await;
}

async fn found(fixture: &Fixture, of: &[&str]) -> Vec<(String, Option<String>, u64)> {
    let names: Vec<String> = of.iter().map(|name| (*name).to_owned()).collect();
    let found = fixture.open().await.successes(&names).await.unwrap();
    found.into_iter().map(|PastSuccess { filled_by, bank, took }| (filled_by, bank, took.as_secs())).collect()
}

async fn the_last_successes_are_found_with_how_long_they_took(fixture: Fixture) {
    assert_eq!(found(&fixture, &["a", "us_house"]).await, []);
    ended(&fixture, 1, "RY-CA/2025Q2/a", "succeeded", (0, 10), None).await;
    ended(&fixture, 2, "TD-CA/2025Q2/a", "succeeded", (5, 70), None).await;
    ended(&fixture, 3, "source:us_house", "succeeded", (1, 31), None).await;
    ended(&fixture, 4, "RY-CA/2025Q2/b", "succeeded", (0, 1), None).await;
    ended(&fixture, 5, "RY-CA/2024Q2/a", "failed", (0, 1), None).await;
    ended(&fixture, 6, "RY-CA/2024Q1/a", "succeeded", (9, 8), None).await;
    let of = |name: &str, bank: Option<&str>, took| (name.to_owned(), bank.map(str::to_owned), took);
    let wanted = [of("a", Some("TD-CA"), 65), of("us_house", None, 30), of("a", Some("RY-CA"), 10)];
    assert_eq!(found(&fixture, &["a", "us_house", "nothing"]).await, wanted);
    assert_eq!(found(&fixture, &[]).await, []);
    let names: Vec<String> = (0..250).map(|n| if n == 240 { "b".to_owned() } else { format!("no{n}") }).collect();
    assert_eq!(fixture.open().await.successes(&names).await.unwrap()[0].took, Duration::from_secs(1));
}

async fn a_job_that_followed_one_of_an_earlier_run_is_left_out(fixture: Fixture) {
    ended(&fixture, 1, "RY-CA/2025Q2/a", "cancelled", (0, 100), Some("r1")).await;
    ended(&fixture, 2, "RY-CA/2025Q2/a", "succeeded", (200, 201), Some("r1")).await;
    ended(&fixture, 3, "RY-CA/2025Q2/a", "succeeded", (300, 360), Some("r2")).await;
    ended(&fixture, 4, "TD-CA/2025Q2/a", "succeeded", (400, 430), Some("r1")).await;
    let took: Vec<u64> = found(&fixture, &["a"]).await.into_iter().map(|(_, _, took)| took).collect();
    assert_eq!(took, [30, 60]);
}

async fn of_many_the_newest_are_found(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let jobs: Vec<NewJob> = (1..=150_u128)
        .map(|number| NewJob { id: JobId::new(Uuid::from_u128(number)), ..new_job(usize::try_from(number).unwrap()) })
        .collect();
    store.enqueue(run, &jobs, at(0)).await.unwrap();
    let start = at(0).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let jobs = fixture.own("etl_jobs");
    let end = if fixture.is_sqlite() {
        "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2025-06-01 12:00:00', '+' || position || ' seconds')".to_owned()
    } else {
        format!("'{start}'::timestamptz + position * interval '1 second'")
    };
    fixture.sql(&format!("UPDATE {jobs} SET state = 'succeeded', fence = 1, started_at = '{start}', ended_at = {end}")).await;
    let took: Vec<u64> = found(&fixture, &["call_summary"]).await.into_iter().map(|(_, _, took)| took).collect();
    assert_eq!((took.len(), took[0], took[99]), (100, 150, 51));
}
