//! Our own tables and the data tables: made, checked, refused.

use etl_orch::plan::model::settings::{DatabaseTarget, TableName};
use etl_orch::store::{self, Access, MissingRights, StoreError, TableUse};
use secrecy::{ExposeSecret, SecretString};

use crate::fixture::{Fixture, begin_run, claimed, request, scan};

crate::on_both_databases![
    two_processes_may_migrate_at_once,
    opening_again_finds_everything,
    a_newer_schema_is_refused,
    reading_needs_no_state_tables,
    an_older_schema_is_not_migrated_by_a_reader,
    a_reader_cannot_write,
    missing_tables_and_columns_are_named,
    columns_that_nobody_fills_are_named,
    views_will_do_for_reading,
    rights_that_are_missing_are_named_with_their_grant,
    the_printed_schema_is_the_one_that_is_made,
    a_closed_store_says_so,
];

async fn two_processes_may_migrate_at_once(fixture: Fixture) {
    let opened = tokio::join!(fixture.open(), fixture.open(), fixture.open(), fixture.open());
    begin_run(&*opened.0).await;
    begin_run(&*opened.3).await;
    assert_eq!(opened.1.running_runs().await.unwrap().len(), 2);
}

async fn opening_again_finds_everything(fixture: Fixture) {
    let store = fixture.open().await;
    claimed(&*store).await;
    store.close().await;
    for access in [Access::ReadWrite, Access::ReadOnly, Access::Init] {
        let store = fixture.open_for(access).await.unwrap();
        assert_eq!(store.running_jobs().await.unwrap().len(), 1, "{access:?}");
        store.close().await;
    }
}

fn migrations(fixture: &Fixture) -> &'static str {
    if fixture.is_sqlite() { "etl_migrations" } else { "etl_orch._sqlx_migrations" }
}

async fn a_newer_schema_is_refused(fixture: Fixture) {
    fixture.open().await.close().await;
    let table = migrations(&fixture);
    fixture
        .sql(&format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time)
             SELECT 9000, 'later', success, checksum, 0 FROM {table} LIMIT 1"
        ))
        .await;
    for access in [Access::ReadWrite, Access::ReadOnly, Access::Init] {
        let error = fixture.open_for(access).await.unwrap_err();
        assert!(matches!(error, StoreError::Schema(_)), "{error:?}");
        assert!(error.to_string().contains("version 9000"), "{error}");
    }
}

async fn reading_needs_no_state_tables(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert!(store.running_runs().await.unwrap().is_empty());
    assert!(store.running_jobs().await.unwrap().is_empty());
    store.check_data_tables(true, true).await.unwrap();
    assert_eq!(scan(&*store, &request(&["RY"])).await.candidates, ["0 1 RY 2025 Q1"]);
    store.close().await;
    let tables = if fixture.is_sqlite() {
        "SELECT count(*) FROM sqlite_master WHERE name LIKE 'etl%'"
    } else {
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'etl_orch'"
    };
    assert_eq!(fixture.rows(tables).await, ["0"]);
}

async fn an_older_schema_is_not_migrated_by_a_reader(fixture: Fixture) {
    fixture.open().await.close().await;
    fixture.sql(&format!("UPDATE {} SET version = version - 2", migrations(&fixture))).await;
    let error = fixture.open_for(Access::ReadOnly).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema(_)), "{error:?}");
    assert!(error.to_string().contains("etl-orch init"), "{error}");
}

async fn a_reader_cannot_write(fixture: Fixture) {
    fixture.open().await.close().await;
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    let error = store.add_availability(&[crate::fixture::found(1, "RY", "2025Q1", "t")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Query { doing: "adding to the availability table", .. }), "{error:?}");
    assert_eq!(fixture.rows("SELECT count(*) FROM aegis_data_availability").await, ["0"]);
}

async fn missing_tables_and_columns_are_named(mut fixture: Fixture) {
    let store = fixture.open().await;
    store.check_data_tables(true, true).await.unwrap();
    fixture.sql("ALTER TABLE aegis_data_availability DROP COLUMN bank_name").await;
    let store = fixture.open().await;
    store.check_data_tables(true, false).await.unwrap();
    let error = store.check_data_tables(false, true).await.unwrap_err().to_string();
    assert!(error.starts_with("table aegis_data_availability in ") && error.contains("lacks the column bank_name;"), "{error}");
    fixture.sql("ALTER TABLE aegis_data_availability DROP COLUMN bank_symbol").await;
    let error = fixture.open().await.check_data_tables(false, true).await.unwrap_err().to_string();
    assert!(error.contains("lacks the columns bank_name, bank_symbol;"), "{error}");
    fixture.database.availability = TableName::parse("elsewhere").unwrap();
    let error = fixture.open().await.check_data_tables(false, false).await.unwrap_err();
    let way_out = if fixture.is_sqlite() { "`etl-orch init`" } else { "create it" };
    let error = match error {
        StoreError::Schema(text) => text,
        other => panic!("{other:?}"),
    };
    assert!(error.starts_with("table elsewhere is missing from "), "{error}");
    assert!(error.contains(way_out) && error.contains("`availability.table`"), "{error}");
}

async fn columns_that_nobody_fills_are_named(fixture: Fixture) {
    fixture.sql("DROP TABLE aegis_reports").await;
    fixture
        .sql(
            "CREATE TABLE aegis_reports (bank_id integer, fiscal_year integer, quarter varchar, report_type varchar,
                 author varchar NOT NULL, reviewer varchar NOT NULL, stamped varchar NOT NULL DEFAULT 'x')",
        )
        .await;
    let store = fixture.open().await;
    store.check_data_tables(false, true).await.unwrap();
    let error = store.check_data_tables(true, false).await.unwrap_err().to_string();
    assert!(error.contains("NOT NULL columns author, reviewer;") && error.contains("`reports.by: etl`"), "{error}");
}

async fn views_will_do_for_reading(mut fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    fixture.sql("CREATE VIEW a AS SELECT * FROM aegis_data_availability").await;
    fixture.sql("CREATE VIEW r AS SELECT * FROM aegis_reports").await;
    fixture.database.availability = TableName::parse("a").unwrap();
    fixture.database.reports = TableName::parse("r").unwrap();
    let store = fixture.open().await;
    store.check_data_tables(false, false).await.unwrap();
    assert_eq!(scan(&*store, &request(&["RY"])).await.candidates, ["0 1 RY 2025 Q1"]);
}

/// What a run does that uses the tables so.
fn table_use(writes_reports: bool, looks_at_reports: bool, writes_availability: bool) -> TableUse {
    TableUse { writes_reports, looks_at_reports, writes_availability }
}

async fn rights_that_are_missing_are_named_with_their_grant(mut fixture: Fixture) {
    fixture.open().await.close().await;
    let everything = table_use(true, true, true);
    if fixture.is_sqlite() {
        assert_eq!(fixture.open().await.missing_rights(everything).await.unwrap(), MissingRights::default());
        return;
    }
    assert_eq!(fixture.open().await.missing_rights(everything).await.unwrap(), MissingRights::default(), "the owner has all");
    let role = format!("{}_reader", fixture.rows("SELECT current_database()").await[0]);
    fixture.sql(&format!("CREATE ROLE {role} LOGIN; ALTER TABLE aegis_reports ADD COLUMN number SERIAL")).await;
    let url = fixture.database.target.clone();
    let DatabaseTarget::Postgres { url, shown } = url else { unreachable!() };
    let url = SecretString::from(url.expose_secret().replace("postgres://postgres@", &format!("postgres://{role}@")));
    fixture.database.target = DatabaseTarget::Postgres { url, shown };

    let refused = fixture.open_for(Access::ReadWrite).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("GRANT USAGE ON SCHEMA etl_orch TO {role}")), "{refused}");
    let all = format!("GRANT USAGE ON SCHEMA etl_orch TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA etl_orch TO {role};");
    fixture.sql(&format!("{all} REVOKE UPDATE ON etl_orch.etl_attempts FROM {role}; REVOKE DELETE ON etl_orch.breakers FROM {role}")).await;
    let store = fixture.open().await;
    let found = async |of| store.missing_rights(of).await.unwrap();
    let own = [format!("GRANT DELETE ON etl_orch.breakers TO {role}"), format!("GRANT UPDATE ON etl_orch.etl_attempts TO {role}")];
    let of_tables = |rights: &str| vec![format!("GRANT {rights} ON aegis_data_availability, aegis_reports TO {role}")];
    let read = found(table_use(false, false, false)).await;
    assert_eq!((read.to_read, read.to_write.as_slice()), (of_tables("SELECT"), own.as_slice()));
    let write = found(everything).await;
    assert_eq!(write.to_read, of_tables("SELECT, INSERT, UPDATE"));
    assert!(
        write.to_write.iter().any(|statement| statement.contains("GRANT USAGE ON SEQUENCE public.aegis_reports_number_seq")),
        "{write:?}"
    );

    fixture.sql(&format!("{all} GRANT SELECT ON aegis_data_availability TO {role}; GRANT SELECT (bank_id, fiscal_year, quarter, report_type) ON aegis_reports TO {role}")).await;
    let store = fixture.open().await;
    let found = async |of| store.missing_rights(of).await.unwrap();
    assert_eq!(found(table_use(false, false, false)).await, MissingRights::default(), "a right on the columns will do");
    assert_eq!(found(table_use(false, true, false)).await.to_read, [format!("GRANT SELECT ON aegis_reports TO {role}")]);
    fixture.sql("CREATE VIEW grouped AS SELECT bank_id, fiscal_year, quarter, report_type FROM aegis_reports GROUP BY 1, 2, 3, 4").await;
    fixture.sql(&format!("GRANT ALL ON grouped TO {role}")).await;
    fixture.database.reports = TableName::parse("grouped").unwrap();
    let store = fixture.open().await;
    store.check_data_tables(false, false).await.unwrap();
    let error = store.check_data_tables(true, false).await.unwrap_err().to_string();
    assert!(error.contains("it is a view that takes none"), "{error}");
}

async fn the_printed_schema_is_the_one_that_is_made(fixture: Fixture) {
    fixture.sql(&store::schema_sql(&fixture.database, None)).await;
    let store = fixture.open().await;
    claimed(&*store).await;
    store.close().await;
    let store = fixture.open_for(Access::Init).await.unwrap();
    assert_eq!(store.running_jobs().await.unwrap().len(), 1);
}

async fn a_closed_store_says_so(fixture: Fixture) {
    let store = fixture.open().await;
    store.close().await;
    store.close().await;
    assert!(store.running_jobs().await.is_err());
}

#[tokio::test]
async fn postgres_takes_the_printed_schema_again_and_from_any_version() {
    let fixture = Fixture::postgres().await;
    let schema = store::schema_sql(&fixture.database, None);
    let versions = "SELECT version, installed_on FROM etl_orch._sqlx_migrations ORDER BY 1";
    fixture.sql(&crate::migration::before_version(&schema, 3)).await;
    let first = fixture.rows(versions).await;
    assert_eq!(first.len(), 2);
    fixture.sql(&schema).await;
    let all = fixture.rows(versions).await;
    assert!(all.len() > 2 && all.starts_with(&first), "{all:?}");
    fixture.sql(&schema).await;
    assert_eq!(fixture.rows(versions).await, all);
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert!(store.running_jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn postgres_keeps_its_own_tables_out_of_everybody_elses_schema() {
    let fixture = Fixture::postgres().await;
    fixture.open().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'aegis%'";
    assert_eq!(fixture.rows(tables).await, ["0"]);
}

#[tokio::test]
async fn postgres_wants_an_array_of_text() {
    let fixture = Fixture::postgres().await;
    for kind in ["text", "integer[]", "jsonb"] {
        fixture.sql(&format!("ALTER TABLE aegis_data_availability DROP COLUMN database_names, ADD COLUMN database_names {kind}")).await;
        let error = fixture.open().await.check_data_tables(false, false).await.unwrap_err().to_string();
        assert!(error.contains("database_names") && error.contains(kind) && error.contains("array of text"), "{error}");
    }
}

#[tokio::test]
async fn postgres_that_does_not_answer_is_named_without_its_password() {
    let mut fixture = Fixture::bare_sqlite();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fixture.database.target = DatabaseTarget::Postgres {
        url: SecretString::from(format!("postgres://u:hunter2@127.0.0.1:{port}/d")),
        shown: format!("postgres://u@127.0.0.1:{port}/d"),
    };
    let error = fixture.open_for(Access::ReadWrite).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1:{port}: Connection refused")), "{text}");
    assert!(!format!("{error:?}{text}").contains("hunter2"));
}

#[tokio::test]
async fn postgres_comes_back_after_its_sessions_were_ended() {
    let fixture = Fixture::postgres().await;
    let store = fixture.open().await;
    fixture
        .rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .await;
    assert!(store.running_runs().await.is_err(), "the session that was ended is seen once");
    assert!(store.running_runs().await.unwrap().is_empty());
}
