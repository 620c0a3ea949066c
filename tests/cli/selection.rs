//! Options and settings narrow what a run looks at; a name that nobody knows is an error.

use crate::on_both_databases;
use crate::support::{Kind, World};

/// The gaps that a dry run plans.
fn planned(world: &World, args: &[&str]) -> Vec<String> {
    let json = world.run_to(0, &[args, &["--dry-run", "--format", "json"]].concat()).json();
    json["jobs"].as_array().expect("jobs").iter().map(|job| job["gap"].as_str().unwrap_or_default().to_owned()).collect()
}

fn three_banks(world: &World) {
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
    world.single_etl("echo report > \"$4\"\n", &[]);
}

on_both_databases! {
    fn a_bank_may_be_named_in_several_ways(world: &World) {
        three_banks(world);
        for name in ["RY", "ry", "RY-CA", "ry-ca"] {
            assert_eq!(planned(world, &["--bank-symbol", name]), ["RY-CA/2025Q2/call_summary"], "{name}");
        }
        let two = ["RY-CA/2025Q2/call_summary", "TD-CA/2025Q2/call_summary"];
        assert_eq!(planned(world, &["--bank-symbol", "TD", "--bank-symbol", "ry"]), two);
        assert_eq!(planned(world, &["--bank-symbol", "TD, ry"]), two);
        assert_eq!(planned(world, &["--exclude-bank", "BMO"]), two);
        assert_eq!(planned(world, &["--bank-symbol", "RY,BMO", "--exclude-bank", "BMO,TD"]), two[..1]);
    }

    fn only_the_selected_bank_is_worked_on(world: &World) {
        three_banks(world);
        let done = world.run_to(0, &["--bank-symbol", "RY", "--format", "json"]).json();
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        assert_eq!(done["availability"][0]["combinations"], 1);
        assert_eq!(done["gaps"]["total"], 1);
    }

    fn an_etl_may_be_selected(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        assert_eq!(planned(world, &["--etl-type", "key_themes"]), ["RY-CA/2025Q2/key_themes"]);
        assert_eq!(planned(world, &["--etl-type", "key_themes", "--etl-type", "call_summary"]).len(), 2);
    }

    fn periods_and_years_may_be_selected(world: &World) {
        for (year, quarter) in [(2023, "Q4"), (2024, "Q4"), (2025, "Q1"), (2025, "Q2")] {
            world.available("RY", 1, year, quarter);
        }
        world.single_etl("echo report > \"$4\"\n", &[]);
        let gaps = |periods: &[&str]| periods.iter().map(|period| format!("RY-CA/{period}/call_summary")).collect::<Vec<_>>();
        assert_eq!(planned(world, &["--period", "2025Q1"]), gaps(&["2025Q1"]));
        assert_eq!(planned(world, &["--period", "2025q1", "--period", "2024-Q4"]), gaps(&["2025Q1", "2024Q4"]));
        assert_eq!(planned(world, &["--from-year", "2025"]), gaps(&["2025Q2", "2025Q1"]));
        assert_eq!(planned(world, &["--from-year", "2025", "--period", "2024Q4"]), gaps(&[]));
        assert_eq!(planned(world, &["--period", "2025Q1,2024Q4"]), gaps(&["2025Q1", "2024Q4"]));
        assert_eq!(planned(world, &["--until-year", "2024"]), gaps(&["2024Q4", "2023Q4"]));
        let counted = world.run_to(0, &["--until-year", "2024", "--from-year", "2024", "--dry-run", "--format", "json"]).json();
        assert_eq!((&counted["availability"][0]["combinations"], &counted["gaps"]["total"]), (&1.into(), &1.into()));

        world.also("run: {from_year: 2024, order: oldest_first}");
        assert_eq!(planned(world, &[]), gaps(&["2024Q4", "2025Q1", "2025Q2"]));
        assert_eq!(planned(world, &["--from-year", "2023"]), gaps(&["2023Q4", "2024Q4", "2025Q1", "2025Q2"]));
    }

    fn what_the_cap_leaves_is_said_and_done_by_the_next_run(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        let first = world.run_to(0, &["--max-jobs", "4"]);
        assert!(first.stdout.contains("📋 GAPS IDENTIFIED: 6 missing reports\n"), "{}", first.stdout);
        assert!(first.stdout.contains("Deferred: 2 left for the next run by max_jobs\n"), "{}", first.stdout);
        assert_eq!(world.reports().len(), 4);

        let second = world.run_to(0, &["--max-jobs", "4", "--format", "json"]).json();
        assert_eq!((&second["gaps"]["planned"], &second["gaps"]["deferred"]), (&2.into(), &0.into()));
        assert_eq!(world.reports().len(), 6);
    }

    fn names_that_nobody_knows_are_errors_and_nothing_is_started(world: &World) {
        three_banks(world);
        world.also("run: {max_jobs: 1}");
        for (args, told) in [
            (["--bank-symbol", "BMQ"], "error: --bank-symbol: unknown bank \"BMQ\"; did you mean BMO, BMO-CA? There are RY, BMO, TD\n"),
            (["--exclude-bank", "BMQ"], "error: --exclude-bank: unknown bank \"BMQ\"; did you mean BMO, BMO-CA? There are RY, BMO, TD\n"),
            (["--etl-type", "zzz"], "error: --etl-type: unknown ETL \"zzz\"; there is only call_summary\n"),
            (["--source", "us_house"], "error: --source: unknown source \"us_house\"; no sources are configured"),
            (["--period", "2025Q5"], "quarter \"Q5\" is not one of Q1, Q2, Q3, Q4"),
        ] {
            for dry_run in [&[][..], &["--dry-run"]] {
                let done = world.run_to(2, &[&args, dry_run].concat());
                assert!(done.stderr.contains(told), "{}", done.stderr);
                assert_eq!(done.stdout, "");
            }
        }
        let both = world.run_to(2, &["--bank-symbol", "XX1", "--bank-symbol", "RY", "--etl-type", "zzz"]);
        assert!(both.stderr.contains("\"XX1\"") && both.stderr.contains("\"zzz\""), "every one is named: {}", both.stderr);
        let none = world.run_to(2, &["--bank-symbol", "RY", "--exclude-bank", "ry-ca"]);
        assert!(none.stderr.contains("--exclude-bank leaves out every bank of --bank-symbol"), "{}", none.stderr);
        let years = world.run_to(2, &["--from-year", "2025", "--until-year", "2024"]);
        assert!(years.stderr.contains("--until-year 2024 is before --from-year 2025"), "{}", years.stderr);
        let force = world.run_to(2, &["--force"]);
        assert!(force.stderr.contains("say which with --bank-symbol, --etl-type, --period or --source"), "{}", force.stderr);
        assert_eq!(world.run_to(2, &["--force", "--from-year", "2024"]).stdout, "");
        assert_eq!(world.reports(), [""; 0]);
    }

    fn banks_that_share_a_stem_are_told_apart(world: &World) {
        world.institutions("C-CA: {id: 1, name: Canadian}\nC-US: {id: 2, name: American}\n");
        world.available("C-CA", 1, 2025, "Q2");
        world.available("C-US", 2, 2025, "Q2");
        world.available("C", 1, 2025, "Q1");
        world.configure("reports: {by: orchestrator}\n", "etls:\n  call_summary:\n    report_type: Call Summary\n    requires: [transcripts]\n    command: [sh, etl.sh, \"{etl}\", \"{bank_key}\", \"{period}\", \"{output}\"]\n    output: \"reports/{period}/{bank_key}.md\"\n");
        let done = world.run_to(2, &["--bank-symbol", "c"]);
        assert!(done.stderr.contains("bank \"c\" is ambiguous; write one of C-CA, C-US"), "{}", done.stderr);
        let done = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(world.reports(), ["C-CA 2025 Q2 Call Summary", "C-US 2025 Q2 Call Summary"]);
        assert_eq!(done["unmonitored_symbols"], serde_json::json!(["C"]));
    }
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let world = World::new(Kind::Sqlite);
    assert!(world.run_to(2, &["--bank", "RY"]).stderr.contains("--bank-symbol"));
}
