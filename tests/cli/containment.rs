//! What fails is not tried for ever, and is tried again when something has changed.

use crate::on_both_databases;
use crate::support::{Kind, World, etl};

const GAP: &str = "RY-CA/2025Q2/call_summary";
const GOOD: &str = "echo report > \"$4\"\n";
const SLOW: &str = "cooldown: {initial: 1h, max: 12h}\n";

/// One gap, whose ETL runs this script; failures are followed by a rest of an hour.
fn one_gap(world: &World, script: &str, more: &[&str]) {
    world.available("RY", 1, 2025, "Q2");
    configured(world, SLOW, script, more);
}

fn configured(world: &World, settings: &str, script: &str, more: &[&str]) {
    world.write("etl.sh", script);
    world.configure(settings, &format!("etls:\n{}", etl("call_summary", "Call Summary", more)));
}

fn jobs(world: &World) -> usize {
    world.jobs().len()
}

/// The next run starts nothing, and says so in these words.
fn nothing_is_tried(world: &World, words: &[&str]) {
    let before = jobs(world);
    let done = world.run_to(0, &[]);
    assert_eq!(jobs(world), before, "{}", done.stdout);
    assert!(done.stdout.contains("📋 GAPS IDENTIFIED: 1 missing report, none to be made now\n"), "{}", done.stdout);
    for word in words {
        assert!(done.stdout.contains(word), "{word:?}: {}", done.stdout);
    }
    world.run_to(0, &["-q"]);
    assert_eq!(world.run_to(0, &["-q"]).stdout, "", "that nothing has changed is not told again");
}

/// The next run makes the report.
fn it_is_made(world: &World) {
    world.write("etl.sh", GOOD);
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    let after = world.run_to(0, &["--format", "json"]).json();
    assert_eq!((&after["gaps"]["quarantined"], &after["gaps"]["cooling_down"]), (&0.into(), &0.into()), "its past is forgotten");
}

on_both_databases! {
    fn what_failed_rests_and_the_summary_says_until_when(world: &World) {
        one_gap(world, "echo 'Connection timeout'\nexit 1\n", &[]);
        world.run_to(1, &[]);
        nothing_is_tried(world, &["Cooling down: 1\n  • RY-CA/2025Q2/call_summary: until 20", ": exit code 1 - Connection timeout\n"]);
        let json = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(json["gaps"]["cooling_down"], 1);
        assert_eq!((&json["cooling_down"][0]["gap"], &json["cooling_down"][0]["why"]), (&GAP.into(), &"failed".into()));
        world.run_to(0, &["retry", "RY", "2025", "Q2", "call_summary", "--reason", "the network is back"]);
        it_is_made(world);
    }

    fn a_rest_that_is_over_is_over(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        configured(world, "", "exit 1\n", &[]);
        world.run_to(1, &[]);
        it_is_made(world);
    }

    fn what_cannot_succeed_is_quarantined_until_retry(world: &World) {
        one_gap(world, "echo 'no transcript'\nexit 65\n", &[]);
        let done = world.run_to(1, &[]);
        assert!(done.stdout.contains("❌ RY 2025 Q2 [call_summary]: exit code 65 - no transcript\n"), "{}", done.stdout);
        nothing_is_tried(world, &[
            "Quarantined: 1\n  • RY-CA/2025Q2/call_summary: since 20",
            "another attempt cannot help: exit code 65 - no transcript\n",
            "  Release with: etl-orch retry BANK YEAR QUARTER ETL --reason TEXT\n",
        ]);
        let retry = world.run_to(0, &["retry", GAP, "--reason", "transcript corrected"]);
        assert_eq!(retry.stdout, format!("retry: {GAP}\n1 gap free to be tried again\n"));
        it_is_made(world);
    }

    fn what_fails_again_and_again_is_quarantined(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        configured(world, "cooldown: {initial: 1ms, max: 1ms, quarantine_after: 2}\n", "exit 1\n", &[]);
        world.run_to(1, &[]);
        world.run_to(1, &[]);
        nothing_is_tried(world, &["Quarantined: 1\n", "too many failed runs in a row: exit code 1\n"]);
        assert_eq!(jobs(world), 2);
    }

    fn new_data_releases(world: &World) {
        one_gap(world, "exit 65\n", &[]);
        world.run_to(1, &[]);
        nothing_is_tried(world, &["Quarantined: 1\n"]);
        let tags = match world.kind() {
            Kind::Sqlite => "'[\"transcripts\", \"rts\"]'",
            Kind::Postgres => "ARRAY['transcripts', 'rts']",
        };
        world.sql(&format!("UPDATE aegis_data_availability SET database_names = {tags}"));
        it_is_made(world);
    }

    fn a_new_version_of_the_data_releases(world: &World) {
        world.sql("ALTER TABLE aegis_data_availability ADD COLUMN revision INTEGER");
        world.available("RY", 1, 2025, "Q2");
        let settings = format!("{SLOW}availability: {{version_column: revision}}\n");
        world.sql("UPDATE aegis_data_availability SET revision = 1");
        configured(world, &settings, "exit 65\n", &[]);
        world.run_to(1, &[]);
        nothing_is_tried(world, &["Quarantined: 1\n"]);
        world.sql("UPDATE aegis_data_availability SET revision = 2");
        it_is_made(world);
    }

    fn a_new_version_of_the_etl_releases(world: &World) {
        one_gap(world, "exit 65\n", &["version: 1.9"]);
        world.run_to(1, &[]);
        nothing_is_tried(world, &["Quarantined: 1\n"]);
        configured(world, SLOW, GOOD, &["version: 1.10"]);
        it_is_made(world);
    }

    fn what_is_not_ready_rests_by_itself_and_is_no_failure(world: &World) {
        one_gap(world, "echo 'transcript is a draft'\nexit 66\n", &[]);
        world.run_to(0, &[]);
        assert_eq!(world.jobs(), [format!("{GAP}|skipped")]);
        nothing_is_tried(world, &["Cooling down: 1\n  • RY-CA/2025Q2/call_summary: not ready, until 20", ": transcript is a draft\n"]);
        assert_eq!(world.value("SELECT failed_runs FROM gap_states"), "0");
    }

    fn what_is_set_up_wrongly_is_not_charged_to_the_gap(world: &World) {
        one_gap(world, "exit 78\n", &[]);
        world.run_to(1, &[]);
        it_is_made(world);
    }

    fn force_goes_before_a_rest_and_not_before_a_skip(world: &World) {
        one_gap(world, "exit 1\n", &[]);
        world.run_to(1, &[]);
        world.run_to(1, &["--force", "--bank-symbol", "RY"]);
        assert_eq!(jobs(world), 2, "it was tried again");
        world.run_to(0, &["skip", "RY", "2025Q2", "--reason", "leave it"]);
        let done = world.run_to(0, &["--force", "--bank-symbol", "RY"]);
        assert_eq!(jobs(world), 2, "{}", done.stdout);
        assert!(done.stdout.contains("Skipped: 1\n"), "{}", done.stdout);
    }

    fn an_etl_that_fails_for_everyone_is_probed_before_the_others_follow(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        configured(world, "breaker: {banks: 2}\n", "exit 1\n", &[]);
        world.run_to(1, &["--max-parallel", "1"]);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'failed'"), "2", "{:?}", world.jobs());

        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(dry["breakers"][0]["etl"], "call_summary", "{dry}");
        let mut gates: Vec<&str> = dry["jobs"].as_array().expect("jobs").iter().filter_map(|job| job["gate"].as_str()).collect();
        gates.sort_unstable();
        assert_eq!(gates, ["behind_probe", "behind_probe", "probe"]);
        let text = world.run_to(0, &["--dry-run"]).stdout;
        assert!(text.contains(": call_summary (the probe)\n") && text.contains(": call_summary (waits for the probe)\n"), "{text}");
        assert!(text.contains("  • call_summary, since 20"), "{text}");
        assert!(text.contains("; 1 probe, 2 wait for it; its last error: "), "{text}");

        world.write("etl.sh", GOOD);
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 3);
    }
}
