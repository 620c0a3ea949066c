//! The data tables as they are in the world.

use crate::on_both_databases;
use crate::support::{Kind, WAITS, World, etl, etl_with_row, insert_report, until};

on_both_databases! {
    fn the_data_may_spell_a_symbol_with_or_without_its_country(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO-CA", 2, 2025, "Q2");
        world.single_etl("echo report > \"$4\"\n", &[]);

        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["BMO-CA 2025 Q2 Call Summary", "RY 2025 Q2 Call Summary"], "as the data spells them");
        assert_eq!(world.run_to(0, &["--format", "json"]).json()["gaps"]["total"], 0);
    }

    fn reports_of_no_bank_and_of_other_types_are_no_concern(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.sql(&insert_report("ALL", "NULL", "2025", "Q2", "Call Summary", "of all banks"));
        world.report("RY", 1, 2025, "Q2", "Newsletter");
        world.report("TD", 6, 2025, "Q2", "Call Summary");
        world.single_etl("echo report > \"$4\"\n", &[]);

        let json = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((&json["gaps"]["total"], &json["existing_reports"]), (&1.into(), &0.into()));
        assert_eq!(world.value("SELECT count(*) FROM aegis_reports"), "4");
        assert_eq!(world.value("SELECT markdown_content FROM aegis_reports WHERE bank_id IS NULL"), "of all banks");
    }

    fn data_without_the_required_tags_makes_no_gap(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        let supplementary = match world.kind() {
            Kind::Sqlite => "'[\"supplementary\", \"transcripts\"]'",
            Kind::Postgres => "ARRAY['supplementary', 'transcripts']",
        };
        world.sql(&format!("UPDATE aegis_data_availability SET database_names = {supplementary} WHERE bank_id = 2"));
        world.available("TD", 6, 2025, "Q2");
        world.sql("UPDATE aegis_data_availability SET database_names = NULL WHERE bank_id = 6");
        let both = "requires: [transcripts, supplementary]";
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &[both])]);

        let json = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "BMO 2025 Q2 Key Themes", "RY 2025 Q2 Call Summary"]);
        assert_eq!(json["availability"][0]["combinations"], 2);
        assert_eq!(json["availability"][1]["combinations"], 1);
        assert_eq!(json["institutions_without_data"], serde_json::json!(["TD-CA"]));
    }

    fn the_tables_may_have_other_names(world: &World) {
        let schema = match world.kind() {
            Kind::Sqlite => "main",
            Kind::Postgres => "finance",
        };
        world.available("RY", 1, 2025, "Q2");
        if world.kind() == Kind::Postgres {
            world.sql("CREATE SCHEMA finance; ALTER TABLE aegis_reports SET SCHEMA finance; ALTER TABLE aegis_data_availability SET SCHEMA finance");
        }
        world.sql(&format!("ALTER TABLE {schema}.aegis_reports RENAME TO made; ALTER TABLE {schema}.aegis_data_availability RENAME TO there_is"));
        world.single_etl("echo report > \"$4\"\n", &[]);
        world.also(&format!("availability: {{table: {schema}.there_is}}\nreports: {{table: {schema}.made}}"));

        world.run_to(0, &[]);
        assert_eq!(world.value(&format!("SELECT count(*) FROM {schema}.made")), "1");
        assert_eq!(world.run_to(0, &["--format", "json"]).json()["existing_reports"], 1);
    }

    fn a_table_that_is_missing_is_named_and_nothing_is_started(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.sql("DROP TABLE aegis_reports");
        for args in [&[][..], &["--dry-run"]] {
            let done = world.run_to(2, args);
            assert!(done.stderr.contains("table aegis_reports is missing"), "{}", done.stderr);
            assert_eq!(done.stdout, "");
        }
    }

    fn every_column_of_a_report_is_filled(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("printf '# Summary\\nwith ünïcode' > \"$4\"\n", &["description: What was said"]);
        world.run_to(0, &[]);

        let column = |name: &str| world.value(&format!("SELECT {name} FROM aegis_reports"));
        assert_eq!(column("report_name"), "Call Summary - Royal Bank of Canada 2025 Q2");
        assert_eq!(column("report_description"), "What was said");
        assert_eq!(column("report_type"), "Call Summary");
        assert_eq!(column("bank_id"), "1");
        assert_eq!(column("bank_name"), "Royal Bank of Canada");
        assert_eq!(column("bank_symbol"), "RY");
        assert_eq!(column("fiscal_year"), "2025");
        assert_eq!(column("quarter"), "Q2");
        let place = column("local_filepath");
        assert!(place.starts_with('/') && place.ends_with("/reports/2025Q2/RY_call_summary.md"), "{place}");
        assert_eq!(std::fs::read_to_string(&place).expect("the report"), "# Summary\nwith ünïcode");
        assert_eq!(world.sql("SELECT markdown_content FROM aegis_reports"), ["# Summary", "with ünïcode"]);
        assert!(column("generation_date").starts_with("20"), "{}", column("generation_date"));
        assert_eq!(column("generated_by"), concat!("etl-orch ", env!("CARGO_PKG_VERSION")));
        assert_eq!(column("execution_id"), world.value("SELECT id FROM etl_runs"));
        let metadata: serde_json::Value = serde_json::from_str(&column("metadata")).expect("JSON");
        let job = world.value("SELECT id FROM etl_jobs");
        assert_eq!(metadata, serde_json::json!({"job_id": job, "attempt": 1, "etl": "call_summary", "sources": ["transcripts"]}));
        let table = match world.kind() {
            Kind::Sqlite => "SELECT count(*) FROM pragma_table_info('aegis_reports')",
            Kind::Postgres => "SELECT count(*) FROM information_schema.columns WHERE table_name = 'aegis_reports'",
        };
        assert_eq!(world.value(table), "15", "the columns above and its id");
    }

    fn a_column_that_nobody_could_fill_is_named_before_anything_starts(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.sql("DROP TABLE aegis_reports");
        world.sql("CREATE TABLE aegis_reports (bank_id INTEGER, bank_symbol TEXT, fiscal_year INTEGER NOT NULL, quarter TEXT NOT NULL, \
                   report_type TEXT NOT NULL, reviewer TEXT NOT NULL, stage TEXT NOT NULL DEFAULT 'draft')");
        world.single_etl("echo report > \"$4\"\ntouch started\n", &[]);
        for args in [&[][..], &["--dry-run"]] {
            let done = world.run_to(2, args);
            assert!(done.stderr.contains("NOT NULL column reviewer"), "{}", done.stderr);
            assert!(done.stderr.contains("reports.by: etl"), "{}", done.stderr);
        }
        assert!(!world.path("started").exists());

        let insert = "INSERT INTO aegis_reports (bank_id, bank_symbol, fiscal_year, quarter, report_type, reviewer) VALUES (1, 'RY', 2025, 'Q2', 'Call Summary', 'me')";
        let script = format!("{}sql \"{insert}\"\n", world.sql_function());
        world.etls(&script, &[etl_with_row("call_summary", "Call Summary", &[])]);
        world.run_to(0, &[]);
        assert_eq!(world.value("SELECT stage FROM aegis_reports"), "draft");
    }

    fn a_report_that_appears_meanwhile_is_not_made_again(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        world.single_etl(&format!("[ \"$2\" = BMO ] && touch ran-twice\n{WAITS}echo report > \"$4\"\n"), &[]);

        let run = world.spawn(&["--max-parallel", "1", "--format", "json"]);
        until("the first job waits", || world.path("waiting").exists());
        world.report("BMO", 2, 2025, "Q2", "Call Summary");
        world.write("go", "");
        let done = run.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!world.path("ran-twice").exists());
        assert_eq!(world.jobs(), ["BMO-CA/2025Q2/call_summary|skipped", "RY-CA/2025Q2/call_summary|succeeded"]);
        assert_eq!(done.json()["results"]["skipped"], 1);
        assert_eq!(done.json()["jobs"][1]["reason"], "its report was made elsewhere meanwhile");
    }
}

#[test]
fn several_rows_of_one_bank_and_period_are_one_gap() {
    let world = World::new(Kind::Postgres);
    world.available("RY", 1, 2025, "Q2");
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo report > \"$4\"\n", &[]);
    let dry_run = || world.run_to(0, &["--dry-run", "--format", "json"]).json();
    assert_eq!(dry_run()["availability"][0]["combinations"], 1);

    world.available("RY-CA", 1, 2025, "Q2");
    assert_eq!(dry_run()["gaps"]["total"], 1);
    assert_eq!(dry_run()["existing_reports"], 0, "no report is said to exist that does not");
    world.run_to(0, &[]);
    assert_eq!(world.reports().len(), 1);
    assert_eq!(dry_run()["gaps"]["total"], 0);
}
