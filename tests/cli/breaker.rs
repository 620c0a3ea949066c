//! An ETL that has failed for one bank after another is broken, and its failures do not count against the banks.

use crate::on_both_databases;
use crate::support::{World, etl};

const BANKS: usize = 6;
const SLOW: &str = "cooldown: {initial: 1h, max: 12h}\n";

/// Says for which bank it is tried; fails for everyone until there is `works`.
const BROKEN: &str = "echo \"$2\" >> marks\n[ -e works ] || exit 1\necho report > \"$4\"\n";

/// Six banks, each with a gap of an ETL that has just failed for five of them.
fn opened(world: &World, settings: &str) {
    let lines: Vec<String> = (1..=BANKS).map(|id| format!("B{id}-US: {{id: {id}, name: Bank {id}}}\n")).collect();
    world.institutions(&lines.concat());
    for id in 1..=6 {
        world.available(&format!("B{id}"), id, 2025, "Q2");
    }
    world.write("etl.sh", BROKEN);
    version(world, settings, 1);
    let done = world.run_to(1, &["--max-parallel", "1"]);
    assert_eq!(marks(world), ["B1", "B2", "B3", "B4", "B5"]);
    assert!(done.stdout.contains("Not Run:\n  • 1 job: call_summary has failed for one bank after another\n"), "{}", done.stdout);
    assert_eq!(world.sql("SELECT state, count(*) FROM etl_jobs GROUP BY state ORDER BY state"), ["cancelled|1", "failed|5"]);
    assert_eq!(world.sql("SELECT etl, probed IS NULL FROM breakers").len(), 1);
}

fn version(world: &World, settings: &str, version: u32) {
    let version = format!("version: {version}");
    world.configure(settings, &format!("etls:\n{}", etl("call_summary", "Call Summary", &[&version, "retry: {max_attempts: 1}"])));
}

/// Which banks were tried, in order, since this was asked before.
fn marks(world: &World) -> Vec<String> {
    let marks = world.read("marks").lines().map(str::to_owned).collect();
    world.write("marks", "");
    marks
}

fn resting(world: &World) -> String {
    world.value("SELECT count(*) FROM gap_states WHERE rest_until IS NOT NULL")
}

fn nobody_is_quarantined(world: &World) {
    assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE quarantined_at IS NOT NULL"), "0");
}

/// The next run tries one bank alone, and which.
fn probe(world: &World) -> String {
    let done = world.run_to(1, &[]);
    let tried = marks(world);
    assert_eq!(tried.len(), 1, "{tried:?}: {}", done.stdout);
    nobody_is_quarantined(world);
    tried[0].clone()
}

on_both_databases! {
    fn the_rest_waits_and_nobody_is_charged(world: &World) {
        opened(world, SLOW);
        assert_eq!(resting(world), "0", "failures of the streak are given back");
        nobody_is_quarantined(world);
        assert_eq!(world.value("SELECT sum(failed_runs) FROM gap_states"), "0");
        let dry = world.run_to(0, &["--dry-run"]);
        assert!(dry.stdout.contains("Deferred: 5 until an ETL that fails for everyone works again\n"), "{}", dry.stdout);
        assert!(dry.stdout.contains("  • call_summary, since 20"), "{}", dry.stdout);
        assert!(dry.stdout.contains("; 1 probe, 5 wait for it; its last error: exit code 1"), "{}", dry.stdout);
        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!((&dry["breakers"][0]["waiting"], &dry["gaps"]["cooling_down"]), (&5.into(), &0.into()), "{dry}");

        world.write("works", "");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), BANKS, "one run fills everything");
        assert_eq!(world.value("SELECT count(*) FROM breakers"), "0");
    }

    fn each_run_probes_another_bank_and_when_it_works_one_run_fills_everything(world: &World) {
        opened(world, "");
        let mut probed: Vec<String> = (0..BANKS).map(|_| probe(world)).collect();
        assert_eq!(world.sql("SELECT probed FROM breakers"), [format!("{}-US", probed[BANKS - 1])]);
        probed.sort();
        assert_eq!(probed, (1..=BANKS).map(|id| format!("B{id}")).collect::<Vec<_>>(), "each time another bank");

        world.write("works", "");
        world.run_to(0, &[]);
        assert_eq!(marks(world).len(), BANKS);
        assert_eq!(world.reports().len(), BANKS, "one run fills everything");
        assert_eq!(world.value("SELECT count(*) FROM breakers"), "0");
        assert_eq!(world.value("SELECT sum(failed_runs) + sum(probes) FROM gap_states"), "0");
    }

    /// A failed probe rests like any other failure, until one succeeds.
    fn failed_probes_are_given_back_once_one_succeeds(world: &World) {
        opened(world, SLOW);
        let (first, second) = (probe(world), probe(world));
        assert_ne!(first, second);
        assert_eq!(resting(world), "2");
        world.write("works", "");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), BANKS - 2);
        assert_eq!(world.value("SELECT count(*) FROM breakers"), "0");
        assert_eq!(resting(world), "0");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), BANKS);
    }

    fn another_version_of_the_etl_closes_it(world: &World) {
        opened(world, SLOW);
        version(world, SLOW, 2);
        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!((&dry["breakers"], &dry["gaps"]["planned"]), (&serde_json::json!([]), &BANKS.into()), "{dry}");
        world.run_to(1, &["--max-parallel", "1"]);
        assert_eq!(marks(world).len(), 5, "it has to show anew that it is broken");
        assert_eq!(world.value("SELECT count(*) FROM breakers"), "1");

        version(world, SLOW, 3);
        world.write("works", "");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), BANKS);
    }

    fn nothing_is_left_of_it_once_another_version_works(world: &World) {
        opened(world, SLOW);
        version(world, SLOW, 2);
        world.write("works", "");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), BANKS);
        assert_eq!(world.sql("SELECT etl, opened_at FROM breakers"), [""; 0], "no row is a closed breaker");
    }
}
