//! Rows of the reports table.

use etl_orch::plan::decide::mismatch::NameCount;
use etl_orch::plan::model::job::{ReportKey, ReportRow};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::Claimed;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Access;

use crate::endings::Endings;
use crate::fixture::{Fixture, claimed, end, key, queued, report_row, wish};

crate::on_both_databases![
    a_success_writes_the_row_into_a_table_of_four_columns,
    a_row_that_is_there_is_replaced,
    a_success_that_cannot_write_its_row_is_none,
    a_fingerprint_changes_with_the_row,
    a_row_of_any_of_its_types_is_the_report,
    names_are_counted_only_where_one_is_not_in_use,
];

async fn a_row_of_any_of_its_types_is_the_report(fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_reports ADD COLUMN local_filepath varchar").await;
    let key = ReportKey { other_types: vec!["call_summary".into()], ..key() };
    let row = ReportRow { key: key.clone(), ..report_row() };
    let store = fixture.open().await;
    assert_eq!(store.report_fingerprint(&key).await.unwrap(), None);
    let first = claimed(&*store).await;
    assert!(store.succeed(first, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(row.clone()))).await.unwrap());
    let rows = "SELECT report_type, local_filepath FROM aegis_reports";
    assert_eq!(fixture.rows(rows).await, ["Call Summary|/reports/ry.md"], "the first is written");

    fixture.sql("UPDATE aegis_reports SET report_type = 'call_summary', local_filepath = 'old'").await;
    assert!(store.report_fingerprint(&key).await.unwrap().is_some());
    let job = queued(&*store).await;
    assert_eq!(store.claim(&wish(job.id, &key)).await.unwrap(), Claimed::AlreadyDone);
    let again = claimed_forced(&*store).await;
    assert!(store.succeed(again, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(row))).await.unwrap());
    assert_eq!(fixture.rows(rows).await, ["call_summary|/reports/ry.md"], "what is there is replaced, and no other added");
}

async fn names_are_counted_only_where_one_is_not_in_use(fixture: Fixture) {
    for (bank, at, name) in [(1, "2025Q1", "call_summary"), (1, "2025Q2", "call_summary"), (2, "2025Q1", "Key Themes")] {
        fixture.report(bank, at, name).await;
    }
    fixture.sql("INSERT INTO aegis_reports VALUES (1, 2025, '2', 'Call Summary'), (NULL, 2025, 'Q2', NULL)").await;
    fixture.available_with(1, "RY", "2025Q1", &["transcripts", "rts"]).await;
    fixture.available(2, "BMO", "2025Q1").await;
    fixture.sql("INSERT INTO aegis_data_availability (bank_id, database_names) VALUES (3, NULL)").await;
    let store = fixture.open().await;
    let lists = |lists: &[&[&str]]| lists.iter().map(|list| list.iter().map(|&one| one.to_owned()).collect()).collect::<Vec<Vec<String>>>();
    let shown = |found: Vec<NameCount>| found.into_iter().map(|one| format!("{} {}", one.name, one.rows)).collect::<Vec<_>>();
    let types = async |of: &[&[&str]]| shown(store.report_types(&lists(of)).await.unwrap());
    assert_eq!(types(&[&["x", "call_summary"], &["Key Themes"]]).await, [""; 0]);
    assert_eq!(types(&[&["Key Themes"], &["call-summary", "x"]]).await, ["call_summary 2", "Call Summary 1", "Key Themes 1"]);
    let tags = async |of: &[&str]| shown(store.availability_tags(&lists(&[of])[0]).await.unwrap());
    assert_eq!(tags(&["rts", "transcripts"]).await, [""; 0]);
    assert_eq!(tags(&[]).await, ["transcripts 2", "rts 1"]);
    assert_eq!(tags(&["rts", "transcirpts"]).await, ["transcripts 2", "rts 1"]);
    let beside = store.reports_beside(&key()).await.unwrap();
    let beside: Vec<String> = beside.into_iter().map(|row| format!("{} {}", row.report_type, row.quarter)).collect();
    assert_eq!(beside, ["Call Summary 2", "call_summary Q1", "call_summary Q2"]);
}

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
        let row = ReportRow { markdown_content: None, ..report_row() };
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
