//! What a scan finds.

use etl_orch::plan::model::candidate::Mistyped;
use etl_orch::plan::model::settings::TableName;
use etl_orch::store::{EtlScan, Scanned};

use crate::fixture::{Fixture, found, period, request, scan};

crate::on_both_databases![
    a_row_whose_report_is_missing_is_a_candidate,
    every_required_tag_must_be_there_exactly,
    symbols_are_compared_as_they_are_written,
    year_and_periods_limit_candidates_and_census,
    existing_reports_are_shown_when_asked_for,
    a_report_of_any_of_its_types_counts,
    needs_are_told_one_by_one,
    two_etls_share_a_census_when_they_require_the_same,
    hostile_values_come_out_as_they_are,
    a_report_without_a_bank_satisfies_nobody,
    repeated_rows_are_one_candidate,
    what_files_say_counts_as_if_it_were_in_the_table,
    what_the_table_says_already_is_not_doubled_by_files,
    tables_may_be_named_with_their_schema,
    no_symbols_means_no_candidates_but_a_census,
];

async fn a_row_whose_report_is_missing_is_a_candidate(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    fixture.available(1, "RY", "2025Q2").await;
    fixture.available(2, "BMO", "2025Q2").await;
    fixture.report(1, "2025Q1", "Call Summary").await;
    fixture.report(2, "2025Q2", "Key Themes").await;
    let store = fixture.open().await;
    let seen = scan(&*store, &request(&["RY", "BMO"])).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q2", "0 2 BMO 2025 Q2"]);
    assert_eq!(seen.groups, ["[0] 1 RY Q1 2025-2025 x1", "[0] 1 RY Q2 2025-2025 x1", "[0] 2 BMO Q2 2025-2025 x1"]);
    assert_eq!(seen.malformed, None);
}

async fn every_required_tag_must_be_there_exactly(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["transcripts", "supplementary"]).await;
    fixture.available_with(1, "RY", "2025Q2", &["transcripts"]).await;
    fixture.available_with(1, "RY", "2025Q3", &["Transcripts", "supplementary"]).await;
    fixture.available_with(1, "RY", "2025Q4", &[]).await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2024, 'Q1', NULL)").await;
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    request.etls[0].requires = vec!["transcripts".into(), "supplementary".into()];
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q1"]);
    request.etls[0].requires = vec![];
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates.len(), 5);
    assert_eq!(seen.malformed, None);
}

async fn symbols_are_compared_as_they_are_written(fixture: Fixture) {
    fixture.available(1, "RY-CA", "2025Q1").await;
    fixture.available(1, "RY", "2025Q2").await;
    fixture.available(1, "ry", "2025Q3").await;
    let store = fixture.open().await;
    assert_eq!(scan(&*store, &request(&["RY-CA"])).await.candidates, ["0 1 RY-CA 2025 Q1"]);
    let seen = scan(&*store, &request(&["RY", "RY-CA"])).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q2", "0 1 RY-CA 2025 Q1"]);
    assert_eq!(seen.groups.len(), 3, "the census counts every symbol");
}

async fn year_and_periods_limit_candidates_and_census(fixture: Fixture) {
    for at in ["2023Q4", "2024Q1", "2025Q1", "2025Q2"] {
        fixture.available(1, "RY", at).await;
    }
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    request.from_year = Some(2024);
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, ["0 1 RY 2024 Q1", "0 1 RY 2025 Q1", "0 1 RY 2025 Q2"]);
    let left_out = "[0] 1 RY Q4 NULL-NULL x0";
    assert_eq!(seen.groups, ["[0] 1 RY Q1 2024-2025 x2", "[0] 1 RY Q2 2025-2025 x1", left_out]);
    request.periods = vec![period("2025Q2"), period("2023Q4")];
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q2"]);
    assert_eq!(seen.groups, ["[0] 1 RY Q1 NULL-NULL x0", "[0] 1 RY Q2 2025-2025 x1", left_out]);
    request.also_available = vec![found(2, "BMO", "2023Q1", "transcripts")];
    request.other_tags = vec![vec!["rts".into()]];
    fixture.available_with(3, "TD", "2020Q1", &["rts"]).await;
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.groups[..2], ["[0] 1 RY Q1 NULL-NULL x0", "[0] 1 RY Q2 2025-2025 x1"]);
    assert_eq!(seen.groups[2..], [left_out, "[0] 2 BMO Q1 NULL-NULL x0", "[] 3 TD Q1 NULL-NULL x0"]);
}

async fn existing_reports_are_shown_when_asked_for(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    fixture.available(1, "RY", "2025Q2").await;
    fixture.report(1, "2025Q1", "Call Summary").await;
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    request.include_existing = true;
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q1 exists", "0 1 RY 2025 Q2"]);
}

async fn a_report_of_any_of_its_types_counts(fixture: Fixture) {
    for at in ["2025Q1", "2025Q2", "2025Q3"] {
        fixture.available(1, "RY", at).await;
    }
    fixture.report(1, "2025Q1", "call_summary").await;
    fixture.report(1, "2025Q2", "Call Summary").await;
    fixture.report(1, "2025Q2", "call_summary").await;
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    let types: Vec<String> = vec!["Call Summary".into(), "call_summary".into()];
    request.etls[0].report_types.clone_from(&types);
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q3"]);
    request.include_existing = true;
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q1 exists", "0 1 RY 2025 Q2 exists", "0 1 RY 2025 Q3"]);
    request.include_existing = false;
    request.etls[0] = EtlScan { etl: 1, report_types: vec!["Key Themes".into()], requires: vec!["transcripts".into()], needs: vec![types] };
    assert_eq!(scan(&*store, &request).await.candidates, ["1 1 RY 2025 Q1 [true]", "1 1 RY 2025 Q2 [true]", "1 1 RY 2025 Q3 [false]"]);
}

async fn needs_are_told_one_by_one(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    fixture.available(1, "RY", "2025Q2").await;
    fixture.report(1, "2025Q1", "Key Themes").await;
    fixture.report(1, "2025Q1", "Other").await;
    fixture.report(1, "2025Q2", "Other").await;
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    request.etls[0].needs = vec![vec!["Key Themes".into()], vec!["Other".into()]];
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q1 [true, true]", "0 1 RY 2025 Q2 [false, true]"]);
}

async fn two_etls_share_a_census_when_they_require_the_same(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["transcripts", "rts"]).await;
    fixture.report(1, "2025Q1", "Key Themes").await;
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    let etl = |etl, report_type: &str, requires: &[&str]| EtlScan {
        etl,
        report_types: vec![report_type.into()],
        requires: requires.iter().map(|&tag| tag.to_owned()).collect(),
        needs: vec![],
    };
    request.etls.push(etl(1, "Key Themes", &["transcripts"]));
    request.etls.push(etl(2, "Both", &["transcripts", "rts"]));
    request.etls.push(etl(3, "Both again", &["rts", "transcripts"]));
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.groups, ["[0, 1] 1 RY Q1 2025-2025 x1", "[2, 3] 1 RY Q1 2025-2025 x1"]);
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q1", "2 1 RY 2025 Q1", "3 1 RY 2025 Q1"]);
}

async fn hostile_values_come_out_as_they_are(fixture: Fixture) {
    let tags = fixture.tags(&["transcripts"]);
    let newline = if fixture.is_sqlite() { "'a' || char(10, 27) || '[31m'" } else { "E'a\\n\\x1b[31m'" };
    fixture
        .sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names) VALUES
             (1, 'b', 'RY', 2025, 'Q5', {tags}), (1, 'b', '--help', 2025, 'Q1', {tags}), (1, 'b', {newline}, 2025, 'Q1', {tags}),
             (NULL, 'b', 'RY', 2025, 'Q1', {tags}), (1, 'b', NULL, 2025, 'Q1', {tags}), (1, 'b', 'RY', NULL, 'Q1', {tags}),
             (1, 'b', 'RY', 99999, NULL, {tags}), (-1, 'b', '''; DROP TABLE aegis_reports; --', 0, '', {tags})"
        ))
        .await;
    let store = fixture.open().await;
    let mut request = request(&["RY", "--help", "a\n\x1b[31m", "'; DROP TABLE aegis_reports; --"]);
    let expected = [
        "0 -1 '; DROP TABLE aegis_reports; -- 0 ",
        "0 1 --help 2025 Q1",
        "0 1 RY 2025 Q5",
        "0 1 RY 99999 NULL",
        "0 1 RY NULL Q1",
        "0 1 a\n\x1b[31m 2025 Q1",
        "0 NULL RY 2025 Q1",
    ];
    assert_eq!(scan(&*store, &request).await.candidates, expected);
    request.from_year = Some(2024);
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, expected[1..]);
    assert!(seen.groups.contains(&"[0] 1 NULL Q1 2025-2025 x1".to_owned()), "{:?}", seen.groups);
    assert!(seen.groups.contains(&"[0] 1 RY Q1 NULL-NULL x1".to_owned()), "{:?}", seen.groups);
}

async fn a_report_without_a_bank_satisfies_nobody(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    fixture.sql("INSERT INTO aegis_reports VALUES (NULL, 2025, 'Q1', 'Call Summary'), (1, NULL, 'Q1', 'Call Summary')").await;
    let store = fixture.open().await;
    assert_eq!(scan(&*store, &request(&["RY"])).await.candidates, ["0 1 RY 2025 Q1"]);
}

async fn repeated_rows_are_one_candidate(fixture: Fixture) {
    for _ in 0..3 {
        fixture.available(1, "RY", "2025Q1").await;
    }
    fixture.available(1, "RY", "2024Q1").await;
    let store = fixture.open().await;
    let seen = scan(&*store, &request(&["RY"])).await;
    assert_eq!(seen.candidates, ["0 1 RY 2024 Q1", "0 1 RY 2025 Q1"]);
    assert_eq!(seen.groups, ["[0] 1 RY Q1 2024-2025 x2"]);
}

async fn what_files_say_counts_as_if_it_were_in_the_table(fixture: Fixture) {
    fixture.available_with(1, "RY", "2025Q1", &["rts"]).await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q2', NULL)").await;
    let files = [
        found(1, "RY-CA", "2025Q1", "transcripts"),
        found(1, "RY-CA", "2025Q2", "transcripts"),
        found(2, "BMO-CA", "2025Q1", "transcripts"),
        found(2, "BMO-CA", "2025Q1", "rts"),
        found(2, "BMO-CA", "2023Q1", "transcripts"),
    ];
    let store = fixture.open().await;
    let mut request = request(&["RY", "RY-CA", "BMO", "BMO-CA"]);
    request.from_year = Some(2024);
    request.etls.push(EtlScan {
        etl: 1,
        report_types: vec!["B".into()],
        requires: vec!["rts".into(), "transcripts".into()],
        needs: vec![],
    });
    request.also_available = files.to_vec();
    let before = scan(&*store, &request).await;
    assert_eq!(before.candidates, ["0 1 RY 2025 Q1", "0 1 RY 2025 Q2", "0 2 BMO-CA 2025 Q1", "1 1 RY 2025 Q1", "1 2 BMO-CA 2025 Q1"]);
    request.also_available.clear();
    store.add_availability(&files).await.unwrap();
    let after = scan(&*store, &request).await;
    assert_eq!(before.candidates, after.candidates);
    assert_eq!(before.groups, after.groups);
}

async fn what_the_table_says_already_is_not_doubled_by_files(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open().await;
    let mut request = request(&["RY", "RY-CA"]);
    request.also_available = vec![found(1, "RY-CA", "2025Q1", "transcripts"), found(1, "RY-CA", "2025Q1", "transcripts")];
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q1"]);
    assert_eq!(seen.groups, ["[0] 1 RY Q1 2025-2025 x1"]);
}

async fn tables_may_be_named_with_their_schema(mut fixture: Fixture) {
    let schema = if fixture.is_sqlite() {
        "main"
    } else {
        fixture
            .sql("CREATE SCHEMA dwh; ALTER TABLE aegis_reports SET SCHEMA dwh; ALTER TABLE aegis_data_availability SET SCHEMA dwh")
            .await;
        "dwh"
    };
    fixture
        .sql(&format!("INSERT INTO {schema}.aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', {})", fixture.tags(&["transcripts"])))
        .await;
    fixture.database.availability = TableName::parse(&format!("{schema}.aegis_data_availability")).unwrap();
    fixture.database.reports = TableName::parse(&format!("{schema}.aegis_reports")).unwrap();
    let store = fixture.open().await;
    store.check_data_tables(true, true).await.unwrap();
    assert_eq!(scan(&*store, &request(&["RY"])).await.candidates, ["0 1 RY 2025 Q1"]);
    assert_eq!(store.add_availability(&[found(1, "RY", "2025Q1", "rts"), found(1, "RY", "2025Q2", "rts")]).await.unwrap(), 2);
}

async fn no_symbols_means_no_candidates_but_a_census(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open().await;
    let seen = scan(&*store, &request(&[])).await;
    assert!(seen.candidates.is_empty());
    assert_eq!(seen.groups, ["[0] 1 RY Q1 2025-2025 x1"]);
}

#[tokio::test]
async fn sqlite_names_rows_whose_tags_are_no_array() {
    let fixture = Fixture::sqlite().await;
    for (year, tags) in [
        ("2020", "'transcripts'"),
        ("2021", "'{\"a\": \"transcripts\"}'"),
        ("2022", "'[1, \"transcripts\"]'"),
        ("2023", "x'00ff'"),
        ("'MMXXIV'", "'[\"transcripts\"]'"),
        ("2025", "NULL"),
        ("2026", "5"),
    ] {
        fixture.sql(&format!("INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', {year}, 'Q1', {tags})")).await;
    }
    let store = fixture.open().await;
    let mut request = request(&["RY"]);
    request.from_year = Some(2020);
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, ["0 1 RY MMXXIV Q1"]);
    assert_eq!(seen.groups, ["[0] 1 RY Q1 MMXXIV-MMXXIV x1"]);
    let (rows, examples) = seen.malformed.unwrap();
    assert_eq!(rows, 5);
    assert_eq!(examples, ["RY 2020 Q1", "RY 2021 Q1", "RY 2022 Q1", "RY 2023 Q1", "RY 2026 Q1"]);
    request.periods = vec![period("2021Q1")];
    assert_eq!(scan(&*store, &request).await.malformed, Some((1, vec!["RY 2021 Q1".to_owned()])));
}

#[tokio::test]
async fn sqlite_says_which_value_is_of_a_type_that_equals_nothing() {
    let fixture = Fixture::sqlite().await;
    for values in
        ["1, 'b', x'5259', 2025, 'Q1'", "x'31', 'b', 'RY', 2025, 'Q2'", "1, 'b', 'RY', x'32303235', 'Q3'", "1, 'b', 'RY', 2025, x'5134'"]
    {
        fixture.sql(&format!("INSERT INTO aegis_data_availability VALUES ({values}, '[\"transcripts\"]')")).await;
    }
    let store = fixture.open().await;
    let (mut groups, mut candidates) = (Vec::new(), Vec::new());
    let column = |mistyped: Option<Mistyped>| mistyped.map(|one| format!("{} {}", one.column, one.kind)).unwrap_or_default();
    let mut sink = |scanned| match scanned {
        Scanned::Group(group) => groups.push(column(group.mistyped)),
        Scanned::Candidate(candidate) => candidates.push(column(candidate.key.mistyped)),
        Scanned::NotAnArray { .. } => {}
    };
    store.scan(&request(&["RY"]), &mut sink).await.unwrap();
    groups.sort();
    candidates.sort();
    assert_eq!(groups, ["bank_id blob", "bank_symbol blob", "fiscal_year blob", "quarter blob"]);
    assert_eq!(candidates, ["bank_id blob", "fiscal_year blob", "quarter blob"]);
}

#[tokio::test]
async fn sqlite_shows_bytes_that_are_no_text() {
    let fixture = Fixture::sqlite().await;
    fixture.sql("INSERT INTO aegis_data_availability VALUES (x'ff', 'b', 'RY', 1.5, 'Q1' || char(0), '[\"transcripts\"]')").await;
    let store = fixture.open().await;
    assert_eq!(scan(&*store, &request(&["RY"])).await.candidates, ["0 \\xff RY 1.5 Q1\0"]);
}

#[tokio::test]
async fn postgres_takes_other_widths_of_the_same_types() {
    let fixture = Fixture::bare_postgres();
    fixture
        .sql(
            "CREATE TABLE aegis_data_availability (bank_id bigint, bank_name text, bank_symbol char(8), fiscal_year smallint,
                 quarter char(2), database_names varchar(20)[]);
             CREATE TABLE aegis_reports (bank_id integer, fiscal_year integer, quarter text, report_type char(20));
             INSERT INTO aegis_data_availability VALUES (1, 'b', 'RY', 2025, 'Q1', '{transcripts}'), (1, 'b', 'RY', 2025, 'Q2', '{transcripts}');
             INSERT INTO aegis_reports VALUES (1, 2025, 'Q1', 'Call Summary')",
        )
        .await;
    let store = fixture.open().await;
    store.check_data_tables(true, true).await.unwrap();
    let mut request = request(&["RY"]);
    request.from_year = Some(2024);
    request.also_available = vec![found(1, "RY-CA", "2025Q2", "transcripts"), found(1, "RY", "2025Q3", "transcripts")];
    request.etls[0].needs = vec![vec!["Call Summary".into()]];
    assert_eq!(scan(&*store, &request).await.candidates, ["0 1 RY 2025 Q2 [false]", "0 1 RY 2025 Q3 [false]"]);
    assert_eq!(store.add_availability(&request.also_available).await.unwrap(), 1);
    assert_eq!(store.add_availability(&[found(1, "RY", "2025Q2", "rts")]).await.unwrap(), 1);
    assert_eq!(store.not_yet_available(&request.also_available).await.unwrap(), []);
}
