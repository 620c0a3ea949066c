//! Databases whose encoding is not UTF-8, through the binary.

use crate::support::world::POSTGRES_TABLES;
use crate::support::{Kind, World};

/// A world whose configuration names a database of this encoding.
struct Encoded {
    world: World,
    url: String,
}

impl Encoded {
    fn new(encoding: &str) -> Self {
        let world = World::new(Kind::Postgres);
        let (server, rest) = world.url().split_once("/test_").expect("a URL");
        let (number, options) = rest.split_once('?').expect("options");
        let name = format!("{}_{number}", encoding.to_ascii_lowercase());
        let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        assert!(world.psql().args(["-c", &create]).status().expect("psql is installed").success(), "{create}");
        let url = format!("{server}/{name}?{options}");
        let encoded = Self { world, url };
        encoded.sql(POSTGRES_TABLES);
        encoded
    }

    /// Runs SQL on it. Returns what psql prints, whatever bytes that is.
    fn sql(&self, sql: &str) -> String {
        let output = self.world.psql().args(["-d", &self.url, "-c", sql]).output().expect("psql is installed");
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn available(&self, symbol: &str, bank_id: i64) {
        self.sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
             VALUES ({bank_id}, 'Bank', E'{symbol}', 2025, 'Q2', ARRAY['transcripts'])"
        ));
    }

    fn single_etl(&self, script: &str) {
        self.world.single_etl(script, &[]);
        let config = self.world.read("etl-orch.yaml").replace(self.world.url(), &self.url);
        self.world.write("etl-orch.yaml", &config);
    }
}

#[test]
fn a_character_that_the_database_lacks_fails_nobody() {
    let latin = Encoded::new("LATIN1");
    latin.available("RY", 1);
    latin.available("BMO", 2);
    // One succeeds with a report that the database cannot hold; the other fails with such words.
    latin.single_etl("echo 'é ✓ ready'\n[ $2 = BMO ] && exit 65\necho 'up — 3 %' > \"$4\"\n");
    let done = latin.world.run_to(1, &[]);
    assert!(done.stdout.contains("❌ BMO 2025 Q2 [call_summary]: exit code 65 - é ✓ ready\n"), "{}", done.stdout);
    assert!(done.stderr.contains("RY_call_summary.md: its markdown_content is left empty, and the file has all of it"), "{}", done.stderr);
    assert_eq!(latin.sql("SELECT bank_symbol, coalesce(markdown_content, 'NULL') FROM aegis_reports"), "RY|NULL");
    assert_eq!(latin.world.read("reports/2025Q2/RY_call_summary.md"), "up — 3 %\n");
    let tails = "SET client_encoding = 'UTF8'; SELECT DISTINCT trim(E'\\n' FROM tail) FROM etl_orch.etl_attempts";
    assert_eq!(latin.sql(tails), "é ? ready");
    latin.world.run_to(0, &["--dry-run"]);
}

#[test]
fn a_byte_that_the_encoding_leaves_undefined_stops_nobody() {
    let windows = Encoded::new("WIN1252");
    windows.available("RY", 1);
    windows.sql(
        "SET client_encoding = 'SQL_ASCII';
         INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
               VALUES (6, 'TD', 'TD', 2025, E'Q\\x81', ARRAY['transcripts'])",
    );
    windows.single_etl("echo up > \"$4\"\n");
    let done = windows.world.run_to(0, &[]);
    assert!(done.stdout.contains("  ⚠ invalid 1 row: TD 2025 Q\\x81: quarter"), "{}", done.stdout);
    assert_eq!(windows.sql("SELECT bank_symbol FROM aegis_reports"), "RY");
}

#[test]
fn a_row_that_is_no_text_is_named_and_stops_nobody() {
    let bytes = Encoded::new("SQL_ASCII");
    bytes.available("RY", 1);
    bytes.available("BM\\xffO", 2);
    bytes.sql(
        "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
               VALUES (6, E'\\xff', 'TD', 2025, E'Q\\xff', ARRAY['transcripts', E'\\xff'])",
    );
    bytes.single_etl("echo 'é ✓ — done'\necho 'up — 3 %' > \"$4\"\n");
    let done = bytes.world.run_to(0, &[]);
    assert!(done.stdout.contains("  ⚠ invalid 1 row: TD 2025 Q\\xff: quarter"), "{}", done.stdout);
    assert!(done.stdout.contains("that nobody monitors: BM\\xffO\n"), "{}", done.stdout);
    assert_eq!(bytes.sql("SELECT bank_symbol, markdown_content FROM aegis_reports"), "RY|up — 3 %");
}
