//! Numbers of banks and years, whatever the type of their columns: `2025`, `2025.0` and, in SQLite, `'2025'` are the same year.

use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;

use crate::endings::Endings;
use crate::fixture::{Fixture, claimed, end, found, key, period, report_row, request, scan};

/// What a table has in its columns `bank_id` and `fiscal_year`: their types, and a bank 1 in the year 2025 as a row may write it.
struct Shape {
    types: [&'static str; 2],
    written: [&'static str; 2],
}

const fn shape(types: [&'static str; 2], written: [&'static str; 2]) -> Shape {
    Shape { types, written }
}

const SQLITE: &[Shape] = &[
    shape(["INTEGER", "INTEGER"], ["1", "2025"]),
    shape(["REAL", "REAL"], ["1.0", "2025.0"]),
    shape(["NUMERIC(10,2)", "TEXT"], ["'1.00'", "'2025'"]),
    shape(["TEXT", "TEXT"], ["'1.0'", "'2025.00'"]),
    shape(["", ""], ["'1'", "2025.0"]),
];
const POSTGRES: &[Shape] = &[
    shape(["integer", "smallint"], ["1", "2025"]),
    shape(["numeric(10,2)", "numeric(10,2)"], ["1.00", "2025.00"]),
    shape(["numeric", "double precision"], ["1.0", "2025.0"]),
    shape(["real", "bigint"], ["1.0", "2025"]),
];

fn shapes(fixture: &Fixture) -> &'static [Shape] {
    if fixture.is_sqlite() { SQLITE } else { POSTGRES }
}

/// Makes the two tables, with a row for 2025 Q1 that has its report, and rows for 2025 Q2 and 2024 Q1 that have none.
async fn tables(fixture: &Fixture, availability: &Shape, reports: &Shape) {
    let texts = if fixture.is_sqlite() { "TEXT" } else { "text[]" };
    let tags = fixture.tags(&["transcripts"]);
    let [[id, year], [r_id, r_year]] = [availability.types, reports.types];
    let [[one, in_2025], [r_one, r_in_2025]] = [availability.written, reports.written];
    let in_2024 = in_2025.replace("2025", "2024");
    fixture
        .sql(&format!(
            "DROP TABLE aegis_data_availability; DROP TABLE aegis_reports;
             CREATE TABLE aegis_data_availability (bank_id {id}, bank_name varchar, bank_symbol varchar, fiscal_year {year},
                quarter varchar, database_names {texts});
             CREATE TABLE aegis_reports (bank_id {r_id}, fiscal_year {r_year}, quarter varchar, report_type varchar);
             INSERT INTO aegis_data_availability VALUES ({one}, 'b', 'RY', {in_2025}, 'Q1', {tags}),
                ({one}, 'b', 'RY', {in_2025}, 'Q2', {tags}), ({one}, 'b', 'RY', {in_2024}, 'Q1', {tags});
             INSERT INTO aegis_reports VALUES ({r_one}, {r_in_2025}, 'Q1', 'Call Summary')"
        ))
        .await;
}

/// The lines without fractions of nothing.
fn whole(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| line.replace(".00", "").replace(".0", "")).collect()
}

async fn each_pair_of_types(fixture: &Fixture) {
    for availability in shapes(fixture) {
        for reports in shapes(fixture) {
            tables(fixture, availability, reports).await;
            let said = format!("{:?} {:?}", availability.types, reports.types);
            let store = fixture.open().await;
            store.check_data_tables(false, false).await.unwrap();
            let mut request = request(&["RY"]);
            request.etls[0].needs = vec![vec!["Call Summary".into()]];
            request.include_existing = true;
            let seen = scan(&*store, &request).await;
            let all = ["0 1 RY 2024 Q1 [false]", "0 1 RY 2025 Q1 exists [true]", "0 1 RY 2025 Q2 [false]"];
            assert_eq!(whole(seen.candidates), all, "{said}");
            assert_eq!(whole(seen.groups), ["[0] 1 RY Q1 2024-2025 x2", "[0] 1 RY Q2 2025-2025 x1"], "{said}");

            request.include_existing = false;
            request.etls[0].needs.clear();
            request.from_year = Some(2025);
            request.periods = vec![period("2025Q1"), period("2025Q2"), period("2024Q1")];
            // The first is in the table.
            request.also_available = vec![found(1, "RY-CA", "2025Q1", "transcripts"), found(1, "RY-CA", "2025Q2", "rts")];
            let seen = scan(&*store, &request).await;
            assert_eq!(whole(seen.candidates), ["0 1 RY 2025 Q2"], "{said}");
            keys_are_found(fixture, &*store, &said).await;
        }
    }
}

async fn keys_are_found(fixture: &Fixture, store: &dyn Store, said: &str) {
    let files = [found(1, "RY-CA", "2025Q1", "transcripts"), found(1, "RY-CA", "2025Q2", "rts")];
    assert_eq!(store.not_yet_available(&files).await.unwrap(), files[1..], "{said}");
    assert_eq!(store.add_availability(&files).await.unwrap(), 1, "{said}");
    assert_eq!(fixture.rows("SELECT count(*) FROM aegis_data_availability").await, ["3"], "{said}");
    assert_eq!(store.availability_versions(&[(1, period("2025Q1"))]).await.unwrap().len(), 1, "{said}");
    let of_2025_q1 = etl_orch::plan::model::job::ReportKey { period: period("2025Q1"), ..key() };
    assert!(store.report_fingerprint(&of_2025_q1).await.unwrap().is_some(), "{said}");
    assert!(store.report_fingerprint(&key()).await.unwrap().is_none(), "{said}");
}

async fn a_row_is_replaced(fixture: &Fixture) {
    let [.., reports] = shapes(fixture) else { panic!("shapes") };
    tables(fixture, reports, reports).await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    fixture.sql("UPDATE aegis_reports SET quarter = 'Q2'").await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    assert_eq!(fixture.rows("SELECT count(*) FROM aegis_reports").await, ["1"], "no second row beside it");
}

async fn what_is_no_whole_number_is_a_group_of_its_own(fixture: &Fixture) {
    let shape = &shapes(fixture)[1];
    tables(fixture, shape, shape).await;
    fixture.sql("UPDATE aegis_data_availability SET fiscal_year = 2025.5 WHERE quarter = 'Q2'").await;
    fixture.sql("UPDATE aegis_data_availability SET bank_id = 1.5, quarter = 'Q1' WHERE fiscal_year = 2024").await;
    let store = fixture.open().await;
    let seen = scan(&*store, &request(&["RY"])).await;
    let groups: Vec<String> = seen.groups.into_iter().map(|line| line.replace("1.50", "1.5").replace("2025.50", "2025.5")).collect();
    assert_eq!(whole(groups), ["[0] 1 RY Q1 2025-2025 x1", "[0] 1 RY Q2 2025.5-2025.5 x1", "[0] 1.5 RY Q1 2024-2024 x1"]);
}

async fn numbers_are_equal_whatever_their_types(fixture: Fixture) {
    each_pair_of_types(&fixture).await;
    a_row_is_replaced(&fixture).await;
    what_is_no_whole_number_is_a_group_of_its_own(&fixture).await;
}

crate::on_both_databases![numbers_are_equal_whatever_their_types];

#[tokio::test]
async fn a_text_that_only_begins_with_a_number_is_none() {
    let fixture = Fixture::sqlite().await;
    let texts = &SQLITE[3];
    tables(&fixture, texts, texts).await;
    for (year, quarter) in [("2025x", "Q2"), ("0x7e9", "Q3"), ("", "Q4")] {
        fixture
            .sql(&format!("INSERT INTO aegis_data_availability VALUES ('1', 'b', 'RY', '{year}', '{quarter}', '[\"transcripts\"]')"))
            .await;
    }
    let store = fixture.open().await;
    let seen = scan(&*store, &request(&["RY"])).await;
    let bad: Vec<&String> = seen.groups.iter().filter(|group| !group.contains("2025-2025") && !group.contains("2024-2025")).collect();
    assert_eq!(bad, ["[0] 1 RY Q2 2025x-2025x x1", "[0] 1 RY Q3 0x7e9-0x7e9 x1", "[0] 1 RY Q4 - x1"]);
}
