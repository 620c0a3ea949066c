//! A text for each bank and period that changes when its availability rows do.

use etl_orch::plan::model::period::Period;
use etl_orch::plan::model::settings::ColumnName;
use etl_orch::store::{Store, StoreError};

use crate::fixture::{Fixture, period};

crate::on_both_databases![
    sources_are_told_in_the_order_in_which_they_are_asked_for,
    sources_change_with_the_tags_of_any_row,
    sources_change_with_the_version_column,
    rows_in_another_order_are_the_same_sources,
    a_version_column_that_is_not_there_is_named,
];

async fn sources(store: &dyn Store, bank: i64, at: &str) -> Option<String> {
    store.availability_versions(&[(bank, period(at))]).await.unwrap().pop().map(|(_, text)| text)
}

async fn sources_are_told_in_the_order_in_which_they_are_asked_for(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["rts", "transcripts"]).await;
    fixture.available_with(1, "RY", "2025Q2", &[]).await;
    fixture.available_with(2, "BMO", "2025Q1", &["transcripts"]).await;
    let store = fixture.open().await;
    let of: [(i64, Period); 4] = [(2, period("2025Q1")), (1, period("2025Q2")), (9, period("2025Q1")), (1, period("2025Q1"))];
    let found = store.availability_versions(&of).await.unwrap();
    let keys: Vec<_> = found.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [of[0], of[1], of[3]]);
    assert_eq!(found, store.availability_versions(&of).await.unwrap());
    let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, [r#"[["transcripts"],[]]"#, "[[],[]]", r#"[["rts","transcripts"],[]]"#]);
    assert!(store.availability_versions(&[]).await.unwrap().is_empty());
}

async fn sources_change_with_the_tags_of_any_row(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["b\u{e9}", "a"]).await;
    let store = fixture.open().await;
    let before = sources(&*store, 1, "2025Q1").await.unwrap();
    fixture.available_with(1, "RY-CA", "2025Q1", &["a"]).await;
    fixture.available_with(1, "RY", "2025Q2", &["c"]).await;
    fixture.available_with(2, "BMO", "2025Q1", &["c"]).await;
    assert_eq!(sources(&*store, 1, "2025Q1").await.unwrap(), before, "nothing new is said of this bank and period");
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', NULL)").await;
    assert_eq!(sources(&*store, 1, "2025Q1").await.unwrap(), before);
    fixture.available_with(1, "RY-CA", "2025Q1", &["c"]).await;
    assert_ne!(sources(&*store, 1, "2025Q1").await.unwrap(), before);
}

async fn sources_change_with_the_version_column(mut fixture: Fixture) {
    let kind = if fixture.is_sqlite() { "TEXT" } else { "timestamptz" };
    fixture.sql(&format!("ALTER TABLE aegis_data_availability ADD COLUMN last_updated {kind}")).await;
    fixture.available(1, "RY", "2025Q1").await;
    let plain = sources(&*fixture.open().await, 1, "2025Q1").await.unwrap();
    fixture.database.version_column = ColumnName::parse("last_updated");
    let store = fixture.open().await;
    store.check_data_tables(true, true).await.unwrap();
    assert_eq!(sources(&*store, 1, "2025Q1").await.unwrap(), plain, "NULL says nothing");
    let mut seen = vec![plain];
    for time in ["2025-06-01 10:00:00+00", "2025-06-01 10:00:00.5+00"] {
        fixture.sql(&format!("UPDATE aegis_data_availability SET last_updated = '{time}'")).await;
        let text = sources(&*store, 1, "2025Q1").await.unwrap();
        assert!(!seen.contains(&text), "{text}");
        seen.push(text);
    }
    // Only where it is configured.
    fixture.database.version_column = None;
    assert_eq!(sources(&*fixture.open().await, 1, "2025Q1").await.unwrap(), seen[0]);
}

async fn rows_in_another_order_are_the_same_sources(mut fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_data_availability ADD COLUMN version integer").await;
    fixture.database.version_column = ColumnName::parse("version");
    let store = fixture.open().await;
    let rows = [(fixture.tags(&["b", "a"]), 10), (fixture.tags(&["c", "a"]), 9)];
    let mut texts = Vec::new();
    for order in [[0, 1], [1, 0]] {
        fixture.sql("DELETE FROM aegis_data_availability").await;
        for (tags, version) in order.map(|row: usize| &rows[row]) {
            fixture.sql(&format!("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', {tags}, {version})")).await;
        }
        texts.push(sources(&*store, 1, "2025Q1").await.unwrap());
    }
    assert_eq!(texts, [r#"[["a","b","c"],["10","9"]]"#, r#"[["a","b","c"],["10","9"]]"#]);
}

async fn a_version_column_that_is_not_there_is_named(mut fixture: Fixture) {
    fixture.database.version_column = ColumnName::parse("last_updated");
    let error = fixture.open().await.check_data_tables(false, false).await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("table aegis_data_availability in ") && text.contains("lacks the column last_updated;"), "{text}");
    assert!(text.contains("`availability.version_column`"), "{text}");
}

#[tokio::test]
async fn sqlite_takes_what_is_no_array_for_no_tags() {
    let mut fixture = Fixture::sqlite().await;
    fixture.sql("ALTER TABLE aegis_data_availability ADD COLUMN Version INTEGER").await;
    fixture.database.version_column = ColumnName::parse("vERSION");
    for (quarter, tags) in [("Q1", "'transcripts'"), ("Q2", "'[1]'"), ("Q3", "x'ff'"), ("Q4", "17")] {
        fixture.sql(&format!("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, '{quarter}', {tags}, 3)")).await;
    }
    fixture.sql("UPDATE aegis_data_availability SET Version = x'ff' WHERE quarter = 'Q4'").await;
    let store = fixture.open().await;
    store.check_data_tables(false, false).await.unwrap();
    for quarter in ["2025Q1", "2025Q2", "2025Q3"] {
        assert_eq!(sources(&*store, 1, quarter).await.unwrap(), r#"[[],["3"]]"#, "{quarter}");
    }
    assert_eq!(sources(&*store, 1, "2025Q4").await.unwrap(), "[[],[\"\u{fffd}\"]]");
}

#[tokio::test]
async fn postgres_tags_may_hold_nothing_and_be_of_another_text_type() {
    let fixture = Fixture::postgres().await;
    fixture.sql("ALTER TABLE aegis_data_availability ALTER COLUMN database_names TYPE varchar(20)[]").await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', ARRAY['a', NULL])").await;
    assert_eq!(sources(&*fixture.open().await, 1, "2025Q1").await.unwrap(), r#"[["a"],[]]"#);
}
