//! Rows of the reports table.

use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Access;

use crate::endings::Endings;
use crate::fixture::{Fixture, claimed, end, key, report_row};

crate::on_both_databases![
    a_success_writes_the_row_into_a_table_of_four_columns,
    a_row_that_is_there_is_replaced,
    a_success_that_cannot_write_its_row_is_none,
    a_fingerprint_changes_with_the_row,
];

async fn a_success_writes_the_row_into_a_table_of_four_columns(fixture: Fixture) {
    let store = fixture.open().await;
    store.check_data_tables(true, false).await.unwrap();
    let claim = claimed(&*store).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    assert_eq!(fixture.rows("SELECT * FROM aegis_reports").await, ["1|2025|Q2|Call Summary"]);
    assert_eq!(fixture.jobs().await, ["succeeded|"]);
}

async fn a_row_that_is_there_is_replaced(fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_reports ADD COLUMN local_filepath varchar").await;
    fixture.sql("ALTER TABLE aegis_reports ADD COLUMN remark varchar").await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    fixture
        .sql("INSERT INTO aegis_reports VALUES (1, 2025, 'Q2', 'Call Summary', 'old', 'theirs'), (2, 2025, 'Q2', 'Call Summary', 'x', 'y')")
        .await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    let rows = fixture.rows("SELECT bank_id, local_filepath, remark FROM aegis_reports ORDER BY 1").await;
    assert_eq!(rows, ["1|/reports/ry.md|theirs", "2|x|y"]);
}

async fn a_success_that_cannot_write_its_row_is_none(fixture: Fixture) {
    fixture.sql("DROP TABLE aegis_reports").await;
    fixture.sql("CREATE TABLE aegis_reports (bank_id integer, fiscal_year integer, quarter varchar, report_type varchar CHECK (report_type = 'x'))").await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.is_err());
    assert_eq!(fixture.jobs().await, ["running|"]);
    assert_eq!(fixture.attempts().await, ["1|||"]);
    assert!(
        store.fail(claim, &end(1, Outcome::NoOutput("x".into())), "no", &FailureHistory::default()).await.unwrap(),
        "the store goes on working"
    );
}

async fn a_fingerprint_changes_with_the_row(fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_reports ADD COLUMN markdown_content varchar").await;
    let store = fixture.open().await;
    assert_eq!(store.report_fingerprint(&key()).await.unwrap(), None);
    fixture.report(1, "2025Q2", "Call Summary").await;
    let first = store.report_fingerprint(&key()).await.unwrap().unwrap();
    assert_eq!(store.report_fingerprint(&key()).await.unwrap().unwrap(), first);
    fixture.report(1, "2025Q1", "Call Summary").await;
    assert_eq!(store.report_fingerprint(&key()).await.unwrap().unwrap(), first, "another report is another report");
    fixture.sql("UPDATE aegis_reports SET markdown_content = 'new' WHERE quarter = 'Q2'").await;
    assert_ne!(store.report_fingerprint(&key()).await.unwrap().unwrap(), first);
}

#[tokio::test]
async fn sqlite_fills_its_own_tables_completely() {
    let fixture = Fixture::bare_sqlite();
    let store = fixture.open_for(Access::ReadWrite).await.unwrap();
    store.check_data_tables(true, true).await.unwrap();
    let claim = claimed(&*store).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    let row = fixture
        .rows("SELECT report_name, bank_name, bank_symbol, local_filepath, markdown_content, generation_date, generated_by, metadata FROM aegis_reports")
        .await;
    assert_eq!(
        row,
        [
            "Call Summary RY 2025 Q2|Royal Bank|RY|/reports/ry.md|# RY\u{fffd}|2025-06-01T12:00:09.000000Z|etl-orch|{\"attempt\":1,\"nul\":\"\u{fffd}\"}"
        ]
    );
}

#[tokio::test]
async fn postgres_gets_values_of_its_columns_types() {
    let fixture = Fixture::bare_postgres();
    fixture
        .sql(
            "CREATE TABLE aegis_data_availability (bank_id integer, bank_name varchar, bank_symbol varchar, fiscal_year integer,
                 quarter varchar, database_names text[]);
             CREATE TABLE aegis_reports (
                 id serial PRIMARY KEY, report_name varchar(200) NOT NULL, report_description text NOT NULL, report_type varchar(100) NOT NULL,
                 bank_id bigint, bank_name varchar(100) NOT NULL, bank_symbol char(10) NOT NULL, fiscal_year smallint NOT NULL,
                 quarter char(2) NOT NULL, local_filepath text, markdown_content text NOT NULL, generation_date timestamp NOT NULL,
                 generated_by varchar(50), execution_id uuid, metadata jsonb, made_at timestamptz NOT NULL DEFAULT now())",
        )
        .await;
    let store = fixture.open().await;
    store.check_data_tables(true, true).await.unwrap();
    for _ in 0..2 {
        let claim = claimed_forced(&*store).await;
        let row = etl_orch::plan::model::job::ReportRow { markdown_content: None, ..report_row() };
        assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(row.clone()))).await.unwrap());
        assert_eq!(
            fixture
                .rows("SELECT id, report_name, bank_symbol, markdown_content, generation_date, execution_id, metadata->>'nul', quarter FROM aegis_reports")
                .await,
            ["1|Call Summary RY 2025 Q2|RY        ||2025-06-01 12:00:09|00000000-0000-0000-0000-000000000007|\u{fffd}|Q2"]
        );
    }
}

async fn claimed_forced(store: &dyn etl_orch::store::Store) -> etl_orch::plan::model::job::Claim {
    let run = crate::fixture::begin_run(store).await;
    let job = etl_orch::plan::remember::recorded_job::NewJob { forced: true, ..crate::fixture::new_job(0) };
    crate::fixture::enqueue(store, run, std::slice::from_ref(&job)).await;
    crate::fixture::claim(store, job.id).await
}
