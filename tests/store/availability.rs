//! Availability learnt from files.

use crate::fixture::{Fixture, found};

crate::on_both_databases![
    tags_are_added_to_rows_that_are_there,
    rows_are_made_where_there_are_none,
    adding_twice_changes_nothing,
    tags_may_hold_anything
];

const ROWS: &str =
    "SELECT bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names FROM aegis_data_availability ORDER BY 1, 4, 5";

/// A list of tags as the raw query shows it.
fn shown(fixture: &Fixture, tags: &[&str]) -> String {
    fixture.tags(tags).trim_matches('\'').to_owned()
}

async fn tags_are_added_to_rows_that_are_there(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["rts"]).await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'Own name', 'RY', 2025, 'Q2', NULL)").await;
    let store = fixture.open().await;
    let files = [
        found(1, "RY-CA", "2025Q1", "transcripts"),
        found(1, "RY-CA", "2025Q1", "pillar3"),
        found(1, "RY-CA", "2025Q1", "rts"),
        found(1, "RY-CA", "2025Q2", "transcripts"),
    ];
    assert_eq!(store.not_yet_available(&files).await.unwrap(), [files[0].clone(), files[1].clone(), files[3].clone()]);
    assert_eq!(store.add_availability(&files).await.unwrap(), 2);
    assert_eq!(
        fixture.rows(ROWS).await,
        [
            format!("1|Bank 1|RY|2025|Q1|{}", shown(&fixture, &["rts", "transcripts", "pillar3"])),
            format!("1|Own name|RY|2025|Q2|{}", shown(&fixture, &["transcripts"])),
        ]
    );
}

async fn rows_are_made_where_there_are_none(fixture: Fixture) {
    let store = fixture.open().await;
    let files = [found(2, "BMO", "2024Q4", "transcripts"), found(2, "BMO", "2024Q4", "rts"), found(3, "TD", "2024Q4", "rts")];
    assert_eq!(store.not_yet_available(&files).await.unwrap(), files);
    assert_eq!(store.add_availability(&files).await.unwrap(), 2);
    let rows = fixture.rows(ROWS).await;
    assert_eq!(rows[0], format!("2|Bank 2|BMO|2024|Q4|{}", shown(&fixture, &["transcripts", "rts"])));
    assert_eq!(rows[1], format!("3|Bank 3|TD|2024|Q4|{}", shown(&fixture, &["rts"])));
    assert_eq!(rows.len(), 2);
}

async fn adding_twice_changes_nothing(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open().await;
    let files = [found(1, "RY-CA", "2025Q1", "transcripts"), found(2, "BMO", "2025Q1", "transcripts")];
    let twice = [&files[..], &files[..]].concat();
    assert_eq!(store.add_availability(&twice).await.unwrap(), 1);
    let rows = fixture.rows(ROWS).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(store.not_yet_available(&twice).await.unwrap(), []);
    assert_eq!(store.add_availability(&twice).await.unwrap(), 0);
    assert_eq!(store.add_availability(&[]).await.unwrap(), 0);
    assert_eq!(fixture.rows(ROWS).await, rows);
}

async fn tags_may_hold_anything(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open().await;
    let files = [found(1, "RY", "2025Q1", "it's \"quoted\", {}[] \\ ")];
    assert_eq!(store.add_availability(&files).await.unwrap(), 1);
    assert_eq!(store.not_yet_available(&files).await.unwrap(), []);
}

#[tokio::test]
async fn sqlite_leaves_a_malformed_row_alone() {
    let fixture = Fixture::sqlite().await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', 'rts, transcripts')").await;
    let store = fixture.open().await;
    let files = [found(1, "RY", "2025Q1", "transcripts")];
    assert_eq!(store.not_yet_available(&files).await.unwrap(), []);
    assert_eq!(store.add_availability(&files).await.unwrap(), 0);
    assert_eq!(fixture.rows(ROWS).await, ["1|b|RY|2025|Q1|rts, transcripts"]);
}
