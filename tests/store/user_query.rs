//! A query of the user's: one value as text, and nothing changed.

use std::sync::Arc;

use etl_orch::store::{Access, Store};

use crate::fixture::{Fixture, begin_run, claimed};

crate::on_both_databases![
    values_come_as_text,
    a_query_may_end_in_any_way,
    a_wrong_query_has_the_databases_words_and_does_not_pass,
    a_query_changes_nothing,
    what_others_wrote_is_seen_and_waited_for_by_nobody,
    others_are_answered_while_a_query_hangs,
];

async fn table(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE trades (day text, amount integer, good boolean);
             INSERT INTO trades VALUES ('2026-01-15', 7, TRUE), ('2026-01-16', 8, FALSE), (NULL, NULL, NULL)",
        )
        .await;
}

async fn value(store: &Arc<dyn Store>, query: &str) -> Option<String> {
    store.value_of(query).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

async fn values_come_as_text(fixture: Fixture) {
    table(&fixture).await;
    let store = fixture.open().await;
    for (query, expected) in [
        ("SELECT max(day) FROM trades", Some("2026-01-16")),
        ("select day, amount, amount from trades order by day desc nulls last", Some("2026-01-16")),
        ("SELECT sum(amount) FROM trades", Some("15")),
        ("SELECT good FROM trades WHERE amount = 7", Some("true")),
        ("SELECT good FROM trades WHERE amount = 8", Some("false")),
        ("SELECT 1.5", Some("1.5")),
        ("SELECT ''", Some("")),
        ("SELECT 'it''s \"ü\" \\n'", Some("it's \"ü\" \\n")),
        ("SELECT NULL", None),
        ("SELECT day FROM trades WHERE amount > 99", None),
        ("VALUES (3), (4)", Some("3")),
        ("WITH a AS (SELECT 5 AS n) SELECT n FROM a", Some("5")),
    ] {
        assert_eq!(value(&store, query).await.as_deref(), expected, "{query}");
    }
}

async fn a_query_may_end_in_any_way(fixture: Fixture) {
    let store = fixture.open().await;
    for query in ["SELECT 1;", "SELECT 1 ;; \n", "SELECT 1 -- one", "SELECT 1; -- one; two", "/* a; */ SELECT 1 /* b */", "\n\tSELECT 1\n"]
    {
        assert_eq!(value(&store, query).await.as_deref(), Some("1"), "{query}");
    }
}

async fn a_wrong_query_has_the_databases_words_and_does_not_pass(fixture: Fixture) {
    let store = fixture.open().await;
    let no_table = if fixture.is_sqlite() { "no such table: nowhere" } else { "relation \"nowhere\" does not exist" };
    for (query, words) in [
        ("SELECT day FROM nowhere", no_table),
        ("SELEKT 1", "syntax error"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("", "there is no query"),
        ("-- nothing", "there is no query"),
        ("SELECT 'a\0b", "a"),
    ] {
        let error = store.value_of(query).await.unwrap_err();
        assert!(error.to_string().contains(words), "{query}: {error}");
        assert!(!error.may_pass(), "{query}: {error:?}");
    }
    assert_eq!(value(&store, "SELECT 1").await.as_deref(), Some("1"), "the next one is asked as if nothing had been");
}

async fn a_query_changes_nothing(fixture: Fixture) {
    table(&fixture).await;
    let store = fixture.open().await;
    let copy = format!("VACUUM INTO '{}/copy.db'", fixture.dir.path().display());
    let mut hostile = vec![
        "INSERT INTO trades VALUES ('x', 1, TRUE) RETURNING day",
        "DELETE FROM trades",
        "DROP TABLE trades",
        "CREATE TABLE more (a integer)",
        "COMMIT",
        "WITH gone AS (SELECT 1) DELETE FROM trades RETURNING day",
        "SELECT 1) AS t (v); DELETE FROM trades; SELECT (1",
    ];
    if fixture.is_sqlite() {
        hostile.extend([copy.as_str(), "PRAGMA user_version = 7", "ATTACH 'other.db' AS other", "SELECT load_extension('other')"]);
    } else {
        fixture
            .sql("CREATE FUNCTION emptied() RETURNS integer LANGUAGE sql AS 'DELETE FROM trades RETURNING amount'; CREATE SEQUENCE numbers")
            .await;
        hostile.extend([
            "SELECT emptied()",
            "SELECT nextval('numbers')",
            "SELECT set_config('transaction_read_only', 'off', TRUE)",
            "SELECT 1 INTO more",
            "WITH gone AS (DELETE FROM trades RETURNING day) SELECT day FROM gone",
        ]);
    }
    for query in hostile {
        let error = store.value_of(query).await.unwrap_err();
        assert!(!error.may_pass(), "{query}: {error:?}");
        assert_eq!(fixture.rows("SELECT count(*) FROM trades").await, ["3"], "{query}");
    }
    if fixture.is_sqlite() {
        assert_eq!(fixture.rows("PRAGMA user_version").await, ["0"]);
        assert!(!fixture.dir.path().join("copy.db").exists());
    }
    begin_run(&*store).await;
    assert_eq!(store.running_runs().await.unwrap().len(), 1, "the run goes on");
}

async fn what_others_wrote_is_seen_and_waited_for_by_nobody(fixture: Fixture) {
    table(&fixture).await;
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let store = fixture.open_for(access).await.unwrap();
        let before: i64 = value(&store, "SELECT count(*) FROM trades").await.unwrap().parse().unwrap();
        fixture.sql("INSERT INTO trades VALUES ('2026-01-17', 9, TRUE)").await;
        assert_eq!(value(&store, "SELECT count(*) FROM trades").await, Some((before + 1).to_string()), "{access:?}");
        store.close().await;
    }
    if fixture.is_sqlite() {
        assert_eq!(std::fs::read_dir(fixture.dir.path()).unwrap().count(), 1, "a closed database is one file");
    }
}

async fn others_are_answered_while_a_query_hangs(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let endless = if fixture.is_sqlite() {
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    } else {
        "SELECT pg_sleep(25)"
    };
    let others = async {
        for _ in 0..3 {
            assert_eq!(store.running_jobs().await.unwrap()[0].claim, claim);
            begin_run(&*store).await;
        }
    };
    tokio::select! {
        biased;
        answer = store.value_of(endless) => panic!("{answer:?}"),
        () = others => {}
    }
}

#[tokio::test]
async fn postgres_writes_times_as_iso_8601_and_gives_up_in_time() {
    let fixture = Fixture::postgres().await;
    fixture.sql("ALTER ROLE postgres SET timezone = 'America/New_York'; ALTER ROLE postgres SET datestyle = 'German'").await;
    let store = fixture.open().await;
    for (query, expected) in [
        ("SELECT timestamptz '2026-01-16 06:00:00.25+00'", "2026-01-16T06:00:00.25+00:00"),
        ("SELECT timestamp '2026-01-16 06:00:00'", "2026-01-16T06:00:00"),
        ("SELECT date '2026-01-16'", "2026-01-16"),
        ("SELECT 1 = 1", "true"),
        ("SELECT 12345678901234567890.10::numeric", "12345678901234567890.10"),
        ("SELECT ARRAY[1, 2]", "[1,2]"),
        ("SELECT '\\xff'::bytea", "\\xff"),
        ("SELECT current_setting('statement_timeout')", "30s"),
        ("SELECT current_setting('transaction_read_only')", "on"),
    ] {
        assert_eq!(value(&store, query).await.as_deref(), Some(expected), "{query}");
    }
    fixture.sql("ALTER ROLE postgres RESET timezone; ALTER ROLE postgres RESET datestyle").await;
    let error = store.value_of("SELECT 1, pg_cancel_backend(pg_backend_pid()), pg_sleep(20)").await.unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("no answer within 30 s"), "{error}");
}

#[tokio::test]
async fn sqlite_gives_any_storage_class_as_text() {
    let fixture = Fixture::sqlite().await;
    let store = fixture.open().await;
    for (query, expected) in [("SELECT 1 = 1", "1"), ("SELECT 2.0", "2.0"), ("SELECT x'41ff'", "A\u{fffd}"), ("SELECT -5", "-5")] {
        assert_eq!(value(&store, query).await.as_deref(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn sqlite_without_a_file_knows_no_table_of_the_users() {
    let fixture = Fixture::bare_sqlite();
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert!(!store.value_of("SELECT day FROM trades").await.unwrap_err().may_pass());
    assert_eq!(std::fs::read_dir(fixture.dir.path()).unwrap().count(), 0);
}
