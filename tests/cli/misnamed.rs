//! Names in the configuration that the data does not know, or spells otherwise.

use crate::on_both_databases;
use crate::support::{Kind, World, etl, etl_with_row, insert_report};

/// An ETL that writes its row under a type of its own choice, and leaves a note of each start.
fn writes_type(world: &World, configured: &str, written: &str) {
    let insert = insert_report("$2", "$4", "2025", "${3#2025}", written, "made");
    let script = format!("{}touch \"started-$2-$3\"\nsql \"{insert}\"\n", world.sql_function());
    world.etls(&script, &[etl_with_row("call_summary", configured, &[])]);
}

fn two_banks(world: &World) {
    world.available("RY", 1, 2025, "Q2");
    world.available("BMO", 2, 2025, "Q2");
}

on_both_databases! {
    fn a_row_of_a_similar_type_is_named_and_not_paid_for_again(world: &World) {
        two_banks(world);
        writes_type(world, "Call Summary", "call_summary");
        let done = world.run_to(1, &["--max-parallel", "1"]);
        let why = "no output: exit 0, but the row for bank_id 1, 2025 Q2 has the report_type \"call_summary\", and that of the ETL call_summary is \
                   \"Call Summary\"; write report_type: [\"Call Summary\", \"call_summary\"] at etl-orch.yaml:7:18";
        assert!(done.stdout.contains(&format!("RY 2025 Q2 [call_summary]: {why}\n")), "{}", done.stdout);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|no_output"], "neither tried again nor for another bank");
        assert_eq!(world.notes("started-").len(), 1);

        // The next run does not start what is there already.
        world.sql("DELETE FROM etl_attempts");
        let again = world.run_to(1, &["--bank-symbol", "RY"]);
        assert!(again.stdout.contains("[call_summary]: not started: the row for bank_id 1, 2025 Q2 has the report_type"), "{}", again.stdout);
        let warned = "but there is 1 row of the type \"call_summary\"; if they are its reports, write report_type: [\"Call Summary\", \"call_summary\"]";
        assert!(again.stdout.contains(warned), "{}", again.stdout);
        assert_eq!(world.sql("SELECT n FROM etl_attempts"), [""; 0]);

        world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("report_type: Call Summary", "report_type: [Call Summary, call_summary]"));
        let json = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((&json["existing_reports"], &json["results"]["succeeded"]), (&1.into(), &1.into()));
        assert_eq!(json["similar_report_types"], serde_json::json!([]));
        assert_eq!(world.run_to(0, &["--format", "json"]).json()["existing_reports"], 2);
    }

    fn a_type_without_rows_beside_a_similar_one_is_a_warning(world: &World) {
        two_banks(world);
        world.report("RY", 1, 2025, "Q2", "call_summary");
        world.report("TD", 6, 2025, "Q2", "call_summary");
        writes_type(world, "Call Summary", "Call Summary");
        let warning = "etl-orch.yaml:7:18: call_summary makes reports of the type \"Call Summary\", of which there are none, but there are 2 rows \
                       of the type \"call_summary\"; if they are its reports, write report_type: [\"Call Summary\", \"call_summary\"]\n";
        let dry = world.run_to(0, &["--dry-run"]);
        assert!(dry.stdout.contains(&format!("  ⚠ {warning}")), "{}", dry.stdout);
        let check = world.run_to(0, &["config", "check", "--connect"]);
        assert!(check.stdout.contains(warning), "{}", check.stdout);
        assert!(!world.run_to(0, &["config", "check"]).stdout.contains(warning));
        let similar = serde_json::json!([{"etl": "call_summary", "report_type": "Call Summary", "similar": "call_summary", "rows": 2}]);
        assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["similar_report_types"], similar);

        world.run_to(0, &["--bank-symbol", "BMO"]);
        assert!(!world.run_to(0, &["--dry-run"]).stdout.contains("of which there are none"), "one has its type now");
    }

    fn a_quarter_that_the_etl_writes_otherwise_is_named(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let insert = insert_report("$2", "$4", "2025", "${3#2025Q}", "Call Summary", "made");
        let script = format!("{}sql \"{insert}\"\n", world.sql_function());
        world.etls(&script, &[etl_with_row("call_summary", "Call Summary", &[])]);
        let done = world.run_to(1, &[]);
        let why = "exit 0, but the row of the Call Summary for bank_id 1, fiscal 2025 has the quarter \"2\", and must have \"Q2\"";
        assert!(done.stdout.contains(why), "{}", done.stdout);
        assert_eq!(world.attempts().len(), 1);
    }

    fn a_tag_that_nobody_supplies_is_an_error_and_stops_nobody_else(world: &World) {
        two_banks(world);
        let wrong = "requires: [transcirpts]";
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &[wrong]), etl("key_themes", "Key Themes", &[])]);
        let error = "etl-orch.yaml:11:5: call_summary requires \"transcirpts\", which no row of the availability table has and no file of \
                     availability.sync supplies, so it makes nothing (tags of the data: transcripts); did you mean transcripts?\n";
        for (code, args) in [(2, &["--dry-run"][..]), (1, &[]), (2, &["-q"]), (2, &["-q", "--etl-type", "call_summary"])] {
            let done = world.run_to(code, args);
            assert!(done.stdout.contains(&format!("  ⚠ {error}")), "{args:?}: {}", done.stdout);
        }
        assert_eq!(world.reports(), ["BMO 2025 Q2 Key Themes", "RY 2025 Q2 Key Themes"]);
        let check = world.run_to(2, &["config", "check", "--connect", "--format", "json"]).json();
        assert_eq!(check["unknown_tags"], serde_json::json!([{"etl": "call_summary", "tag": "transcirpts", "at": "etl-orch.yaml:11:5"}]));
        let others = world.run_to(0, &["--etl-type", "key_themes"]);
        assert!(!others.stdout.contains("transcirpts"), "{}", others.stdout);

        world.sql("DELETE FROM aegis_data_availability");
        let empty = world.run_to(0, &[]);
        assert!(empty.stdout.contains("NO DATA: no monitored bank has the required data\n"), "{}", empty.stdout);
        assert!(empty.stdout.contains("⚠ nothing matches: the availability table has no rows\n"), "{}", empty.stdout);
    }

    fn a_dry_run_knows_the_tags_that_a_run_would_learn(world: &World) {
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &["requires: [transcirpts]"])]);
        world.write("in/RY_2025Q2.txt", "text");
        world.also("availability: {sync: [{tag: transcripts, files: \"in/{bank_symbol}_{period}.txt\"}]}");
        let warnings = |args: &[&str]| {
            let done = world.run_to(2, args);
            let lines = done.stdout.lines().filter(|line| line.starts_with("  ⚠ etl-orch.yaml"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let planned = warnings(&["--dry-run"]);
        assert!(planned[0].contains("requires \"transcirpts\""), "{planned:?}");
        assert_eq!(planned, warnings(&[]));
    }

    fn a_tag_that_files_will_supply_is_no_error(world: &World) {
        two_banks(world);
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &["requires: [filings]"])]);
        world.write("in/none", "");
        world.also("availability: {sync: [{tag: filings, files: \"in/{bank_symbol}_{period}.txt\"}]}");
        for args in [&["--dry-run"][..], &[], &["config", "check", "--connect"]] {
            let done = world.run_to(0, args);
            assert!(!done.stdout.contains("requires \""), "{}", done.stdout);
        }
    }

    fn what_is_without_data_does_not_depend_on_the_selection(world: &World) {
        two_banks(world);
        world.available("BMO", 2, 2024, "Q5");
        world.available("TD", 7, 2025, "Q2");
        world.available("XX", 99, 2025, "Q2");
        let without = |args: &[&str]| {
            let json = world.run_to(0, &[args, &["--dry-run", "--format", "json"]].concat()).json();
            (json["institutions_without_data"].to_string(), json["invalid_rows"].clone(), json["unmonitored_symbols"].to_string())
        };
        let td = r#"["TD-CA"]"#.to_owned();
        let nobody = "[]".to_owned();
        assert_eq!(without(&[]), (td.clone(), 2.into(), r#"["XX"]"#.to_owned()));
        assert_eq!(without(&["--from-year", "2030"]), (td.clone(), 0.into(), nobody.clone()));
        assert_eq!(without(&["--period", "2020Q1"]), (td.clone(), 0.into(), nobody.clone()));
        assert_eq!(without(&["--etl-type", "key_themes"]), (td.clone(), 2.into(), r#"["XX"]"#.to_owned()));
        assert_eq!(without(&["--bank-symbol", "RY"]), (nobody.clone(), 0.into(), nobody.clone()));
        assert_eq!(without(&["--bank-symbol", "BMO"]), (nobody.clone(), 1.into(), nobody.clone()));
        assert_eq!(without(&["--bank-symbol", "TD"]), (td, 1.into(), nobody));
    }

    fn files_of_other_banks_are_of_no_concern_either(world: &World) {
        world.also("availability: {sync: [{tag: transcripts, files: \"in/{bank_symbol}_{period}.txt\"}]}");
        for name in ["RY_2025Q2", "BMO_2025Q5", "XX_2025Q2"] {
            world.write(&format!("in/{name}.txt"), "text");
        }
        world.write("in/TD_2025Q2.txt", "");
        let warnings = |args: &[&str]| world.run_to(0, &[args, &["--dry-run", "--format", "json"]].concat()).json()["warnings"].clone();
        assert_eq!(warnings(&["--bank-symbol", "RY"]), serde_json::json!([]));
        let all = warnings(&[]).to_string();
        assert!(all.contains("BMO_2025Q5.txt: ") && all.contains("TD_2025Q2.txt is empty") && all.contains("nobody monitors: XX"), "{all}");
    }

    fn an_etl_with_other_tags_does_not_hide_the_data_of_the_others(world: &World) {
        two_banks(world);
        let rts = match world.kind() {
            Kind::Sqlite => "'[\"rts\"]'",
            Kind::Postgres => "ARRAY['rts']",
        };
        world.sql(&format!("UPDATE aegis_data_availability SET database_names = {rts} WHERE bank_id = 2"));
        let more = "requires: [rts]";
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &[more])]);
        let json = world.run_to(0, &["--dry-run", "--etl-type", "key_themes", "--format", "json"]).json();
        assert_eq!(json["institutions_without_data"], serde_json::json!(["TD-CA"]));
        assert_eq!(json["gaps"]["total"], 1);

        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &[])]);
        let text = world.run_to(0, &["--dry-run"]).stdout;
        assert!(text.contains("⚠ 2 monitored banks without data for any ETL: BMO-CA, TD-CA\n"), "{text}");
    }
}

#[test]
fn a_blob_in_sqlite_is_a_bad_row() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.sql("UPDATE aegis_data_availability SET bank_symbol = CAST('RY' AS BLOB)");
    let done = world.run_to(0, &["-q"]);
    assert!(done.stdout.contains("NO DATA: 1 row could not be read\n"), "{}", done.stdout);
    assert!(
        done.stdout.contains("  ⚠ invalid 1 row: RY 2025 Q2: bank_symbol is stored as blob, which equals no text\n"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("without data for any ETL: RY-CA"), "{}", done.stdout);
}

#[test]
fn an_etl_for_which_no_row_has_all_tags_is_named() {
    let world = World::new(Kind::Sqlite);
    two_banks(&world);
    world.sql("UPDATE aegis_data_availability SET database_names = '[\"rts\"]' WHERE bank_id = 2");
    world.etls("echo report > \"$4\"\n", &[etl("both", "Both", &["requires: [transcripts, rts]"]), etl("key_themes", "Key Themes", &[])]);
    let sentence = "both makes nothing: no row of the availability table has all that it requires (transcripts, rts)\n";
    assert!(world.run_to(0, &["-q"]).stdout.contains(&format!("  ⚠ {sentence}")));
    assert_eq!(world.run_to(0, &["-q"]).stdout, "");
    let doctor = world.run_to(1, &["doctor", "--format", "json"]).json();
    assert!(doctor.to_string().contains(sentence.trim_end()), "{doctor}");
}
