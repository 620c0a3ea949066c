//! PostgreSQL databases whose encoding is not UTF-8: what they lack is replaced, and what is no text in them stops nothing.

use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::settings::DatabaseTarget;
use etl_orch::plan::run::job_end::Artifact;
use secrecy::SecretString;

use crate::endings::Endings;
use crate::fixture::{Fixture, claim, claimed, end, found, key, period, queued, report_row, request, scan};

/// A database of this encoding. The fixture's own is left empty.
async fn encoded(encoding: &str) -> Fixture {
    let mut fixture = Fixture::bare_postgres();
    let DatabaseTarget::Postgres { shown: url, .. } = &fixture.database.target else { panic!("a PostgreSQL database") };
    let (server, rest) = url.split_once("/test_").unwrap();
    let (number, options) = rest.split_once('?').unwrap();
    let name = format!("{}_{number}", encoding.to_ascii_lowercase());
    fixture.sql(&format!("CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")).await;
    let url = format!("{server}/{name}?{options}");
    fixture.database.target = DatabaseTarget::Postgres { url: SecretString::from(url.clone()), shown: url };
    let tables = "CREATE TABLE aegis_data_availability (bank_id integer, bank_name varchar, bank_symbol varchar, fiscal_year integer,
            quarter varchar, database_names text[]);
        CREATE TABLE aegis_reports (bank_id integer, fiscal_year integer, quarter varchar, report_type varchar, bank_name varchar,
            markdown_content text, metadata jsonb)";
    rows(&fixture, tables);
    fixture
}

/// What psql prints for statements on the database, whatever bytes it is.
fn rows(fixture: &Fixture, statements: &str) -> Vec<String> {
    let DatabaseTarget::Postgres { shown: url, .. } = &fixture.database.target else { panic!("a PostgreSQL database") };
    let output = fixture.psql().args(["-d", url, "-c", statements]).output().unwrap();
    assert!(output.status.success(), "{statements}: {output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_the_encoding_lacks_is_replaced() {
    for (encoding, name, tail, content) in
        [("LATIN1", "Crédit ?", "é ? done", ""), ("WIN1252", "Crédit ?", "é ? done", ""), ("EUC_KR", "Cr?dit ?", "? ? done", "")]
    {
        let fixture = encoded(encoding).await;
        let store = fixture.open().await;
        let first = claimed(&*store).await;
        let mut row = report_row();
        row.bank_name = "Crédit ✗".into();
        row.markdown_content = Some("grew — by 3 %".into());
        let mut ended = end(1, Outcome::Succeeded);
        ended.tail = "é ✗ done".into();
        assert!(store.succeed(first, &ended, Artifact::ReportRow(Box::new(row))).await.unwrap());
        let unicode = |query: &str| format!("SET client_encoding = 'UTF8'; {query}");
        assert_eq!(
            rows(&fixture, &unicode("SELECT bank_name, markdown_content FROM aegis_reports")),
            [format!("{name}|{content}")],
            "{encoding}"
        );
        assert_eq!(rows(&fixture, &unicode("SELECT tail FROM etl_orch.etl_attempts")), [tail], "{encoding}");
    }
}

#[tokio::test]
async fn a_scan_for_what_the_encoding_lacks_finds_the_rest() {
    let fixture = encoded("LATIN1").await;
    let store = fixture.open().await;
    store.add_availability(&[found(1, "RY", "2025Q2", "transcripts"), found(2, "B✗", "2025Q2", "transcripts")]).await.unwrap();
    assert_eq!(store.not_yet_available(&[found(3, "T✗", "2025Q2", "tag ✗")]).await.unwrap().len(), 1);
    let mut request = request(&["RY", "Ж"]);
    request.also_available = vec![found(6, "TD✗", "2025Q2", "transcripts")];
    request.etls[0].needs = vec![vec!["Ж".into()]];
    let seen = scan(&*store, &request).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q2 [false]"]);
    assert_eq!(seen.groups.len(), 3);
}

#[tokio::test]
async fn bytes_that_the_encoding_leaves_undefined_stop_nothing() {
    let fixture = encoded("WIN1252").await;
    let store = fixture.open().await;
    store.add_availability(&[found(1, "RY", "2025Q2", "transcripts")]).await.unwrap();
    rows(
        &fixture,
        "SET client_encoding = 'SQL_ASCII';
         INSERT INTO aegis_data_availability VALUES (2, 'B', E'BM\\x81O', 2025, 'Q2', ARRAY['transcripts', E't\\x81']),
            (1, 'RY', 'RY', 2025, E'Q\\x81', ARRAY['transcripts'])",
    );
    let seen = scan(&*store, &request(&["RY", "BM"])).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q2", "0 1 RY 2025 Q\\x81"]);
    assert_eq!(seen.groups.len(), 3, "{:?}", seen.groups);
    // The connection sends UTF-8 as before.
    store.add_availability(&[found(3, "É", "2025Q2", "transcripts")]).await.unwrap();
    assert_eq!(rows(&fixture, "SELECT encode(bank_symbol::bytea, 'hex') FROM aegis_data_availability WHERE bank_id = 3"), ["c9"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_stop_nothing() {
    let fixture = encoded("SQL_ASCII").await;
    let store = fixture.open().await;
    store.add_availability(&[found(1, "RY", "2025Q2", "transcripts")]).await.unwrap();
    rows(
        &fixture,
        "INSERT INTO aegis_data_availability VALUES (2, E'B\\xff', E'BM\\xffO', 2025, 'Q2', ARRAY['transcripts', E't\\xff']),
            (1, 'RY', 'RY', 2025, E'Q\\xff', ARRAY['transcripts']);
         INSERT INTO aegis_reports VALUES (1, 2025, 'Q2', 'Call Summary', E'Cr\\xe9dit', E'\\xff', E'{\"a\": \"\\xff\"}')",
    );
    let seen = scan(&*store, &request(&["RY", "BM"])).await;
    assert_eq!(seen.candidates, ["0 1 RY 2025 Q\\xff"]);
    assert_eq!(
        seen.groups,
        ["[0] 1 RY Q2 2025-2025 x1", "[0] 1 RY Q\\xff 2025-2025 x1", "[0] 2 BM\\xffO Q2 2025-2025 x1"],
        "bad bytes are escaped"
    );
    assert_eq!(store.availability_versions(&[(1, period("2025Q2")), (2, period("2025Q2"))]).await.unwrap().len(), 2);
    assert_eq!(store.value_of("SELECT bank_name FROM aegis_reports").await.unwrap().as_deref(), Some("Cr\u{fffd}dit"));
    let before = store.report_fingerprint(&key()).await.unwrap().unwrap();
    rows(&fixture, "UPDATE aegis_reports SET bank_name = E'\\xfe'");
    assert_ne!(store.report_fingerprint(&key()).await.unwrap().unwrap(), before);

    rows(&fixture, "DELETE FROM aegis_reports");
    let job = queued(&*store).await;
    let claimed = claim(&*store, job.id).await;
    let mut ended = end(1, Outcome::ExitCode(1));
    ended.tail = "é ✗".into();
    assert!(store.end_attempt(claimed, &ended).await.unwrap());
    assert_eq!(rows(&fixture, "SELECT tail FROM etl_orch.etl_attempts"), ["é ✗"], "it holds any bytes");
    rows(&fixture, "UPDATE etl_orch.etl_runs SET host = E'h\\xff'");
    assert!(store.running_jobs().await.unwrap().is_empty(), "its run cannot be read");
}
