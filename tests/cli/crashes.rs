//! An ETL over which the orchestrator dies again and again is left alone after the third time.

use crate::on_both_databases;
use crate::support::world::{Running, is_alive, kill, pid_in};
use crate::support::{World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// RY's ETL says that it runs and waits for `go`; those of others are good.
const HELD_UP: &str = "[ \"$2\" = RY ] || { echo report > \"$4\"; exit 0; }\n\
    echo $$ > pid\nuntil [ -e go ]; do sleep 0.01; done\necho report > \"$4\"\n";

fn one_gap(world: &World) {
    world.single_etl(HELD_UP, &[]);
    world.available("RY", 1, 2025, "Q2");
}

/// A run that has come to RY's ETL.
fn at_work(world: &World, args: &[&str]) -> (Running, u32) {
    let _ = std::fs::remove_file(world.path("pid"));
    let running = world.spawn(args);
    let etl = pid_in(&world.path("pid"));
    (running, etl)
}

/// A run whose orchestrator is killed as soon as RY's ETL runs.
fn dies(world: &World, args: &[&str]) {
    let (running, etl) = at_work(world, args);
    kill("KILL", running.orchestrator());
    assert_eq!(running.wait().code, 137);
    until("the ETL is gone", || !is_alive(etl));
}

fn losses(world: &World) -> String {
    world.value(&format!("SELECT lost FROM gap_states WHERE gap_key = '{GAP}'"))
}

on_both_databases! {
    fn what_three_runs_died_over_is_quarantined_until_retry(world: &World) {
        one_gap(world);
        world.available("BMO", 2, 2025, "Q2");
        dies(world, &["--max-parallel", "1"]);
        assert!(world.reports().is_empty(), "{:?}", world.reports());
        dies(world, &["--max-parallel", "1"]);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary"], "what was only planned is charged nothing, and goes first");
        dies(world, &[]);
        world.available("TD", 6, 2025, "Q2");

        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!((&dry["quarantined"][0]["gap"], &dry["quarantined"][0]["why"]), (&GAP.into(), &"crashes".into()), "{dry}");
        let fourth = world.run_to(0, &[]);
        assert!(fourth.stdout.contains(&format!("Quarantined: 1\n  • {GAP}: since 20")), "{}", fourth.stdout);
        assert!(fourth.stdout.contains(", three runs in a row died over it"), "{}", fourth.stdout);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
        assert_eq!(world.value(&format!("SELECT count(*) FROM etl_jobs WHERE gap_key = '{GAP}' AND state = 'lost'")), "3");
        assert_eq!(losses(world), "3");
        let fifth = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((&fifth["gaps"]["planned"], &fifth["gaps"]["quarantined"], &fifth["lost"]), (&0.into(), &1.into(), &serde_json::json!([])));

        let retry = world.run_to(0, &["retry", GAP, "--reason", "more memory"]);
        assert_eq!(retry.stdout, format!("retry: {GAP}\n1 gap free to be tried again\n"));
        world.write("go", "");
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 3);
        assert_eq!(losses(world), "0");
    }

    fn a_gap_that_is_quarantined_is_not_said_to_be_planned_again(world: &World) {
        one_gap(world);
        for _ in 0..3 {
            dies(world, &[]);
        }
        let fourth = world.run_to(0, &[]);
        assert!(fourth.stdout.contains("Quarantined: 1\n"), "{}", fourth.stdout);
        assert!(fourth.stdout.contains(&format!("{GAP}: the run that was filling it died")), "{}", fourth.stdout);
        assert!(!fourth.stdout.contains("it is planned again"), "{}", fourth.stdout);
    }

    fn a_success_forgets_losses(world: &World) {
        one_gap(world);
        for _ in 0..2 {
            dies(world, &[]);
            dies(world, &[]);
            world.write("go", "");
            let done = world.run_to(0, &[]);
            assert!(!done.stdout.contains("Quarantined"), "{}", done.stdout);
            assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
            assert_eq!(losses(world), "0");
            std::fs::remove_file(world.path("go")).expect("it was there");
            world.sql("DELETE FROM aegis_reports");
        }
    }

    fn a_stop_is_no_loss_and_forgets_none(world: &World) {
        one_gap(world);
        dies(world, &[]);
        dies(world, &[]);
        let (running, _) = at_work(world, &[]);
        running.signal("TERM");
        assert_eq!(running.wait().code, 143);
        assert_eq!(losses(world), "2");
        let (running, _) = at_work(world, &[]);
        running.signal("INT");
        assert_eq!(running.wait().code, 130);
        assert_eq!(losses(world), "2");
        dies(world, &[]);
        world.run_to(0, &[]);
        assert_eq!(losses(world), "3");
        assert!(world.reports().is_empty());
    }
}
