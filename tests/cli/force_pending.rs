//! What `--force` asked for is done, even when the run that was asked for it dies over it.

use crate::on_both_databases;
use crate::support::world::{Running, is_alive, kill, pid_in};
use crate::support::{World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// Tells whether it is forced; the first one waits for ever, as it takes `hold` away.
const TELLS: &str = "echo \"$2 ${ETL_ORCH_FORCE:-plain}\" >> told\n\
    rm hold 2> /dev/null && { echo $$ > pid; while :; do sleep 0.01; done; }\necho report > \"$4\"\n";

/// A report that exists, and a run of ann's that was to make it again and died over it with its guard.
fn forced_in_vain(world: &World) {
    world.single_etl(TELLS, &[]);
    world.available("RY", 1, 2025, "Q2");
    world.report("RY", 1, 2025, "Q2", "Call Summary");
    world.write("hold", "");
    let mut command = world.command(&["--force", "--bank-symbol", "RY"]);
    command.env_remove("SUDO_USER").env("USER", "ann");
    let running = Running::start(command);
    pid_in(&world.path("pid"));
    let orchestrator = running.orchestrator();
    kill("STOP", orchestrator);
    running.signal("KILL");
    kill("KILL", orchestrator);
    until("the orchestrator is gone", || !is_alive(orchestrator));
    assert_eq!(running.wait().code, 137);
    assert_eq!(told(world), ["RY 1"]);
    assert_eq!(content(world), "old");
}

fn told(world: &World) -> Vec<String> {
    world.read("told").lines().map(str::to_owned).collect()
}

fn content(world: &World) -> String {
    world.value("SELECT markdown_content FROM aegis_reports WHERE bank_symbol = 'RY'")
}

fn pending(world: &World) -> String {
    world.value("SELECT count(*) FROM gap_states WHERE forced_at IS NOT NULL")
}

on_both_databases! {
    fn the_next_run_makes_the_report_again_once(world: &World) {
        forced_in_vain(world);
        // How far the orchestrator got when it was killed is anybody's guess: the ETL may be there yet.
        let etl = pid_in(&world.path("pid"));
        assert_eq!(pending(world), "1");
        world.available("TD", 6, 2025, "Q2");
        world.run_to(0, &["--bank-symbol", "TD"]);
        assert_eq!((told(world), pending(world)), (vec!["RY 1".to_owned(), "TD plain".to_owned()], "1".to_owned()), "not asked for");
        assert!(!is_alive(etl), "what was left of the dead run is ended");
        assert_eq!(content(world), "old");

        let dry = world.run_to(0, &["--dry-run"]);
        assert!(dry.stdout.contains("  • 2025 Q2: call_summary (exists; forced)\n"), "{}", dry.stdout);
        let next = world.run_to(0, &[]);
        assert!(next.stdout.contains("(exists; forced)\n"), "{}", next.stdout);
        assert_eq!(told(world), ["RY 1", "TD plain", "RY 1"]);
        assert_eq!((content(world), pending(world)), ("report".to_owned(), "0".to_owned()));

        let further = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(further["gaps"]["planned"], 0, "{further}");
        assert_eq!(told(world).len(), 3);
        assert_eq!(world.sql("SELECT kind, gap_key, actor FROM overrides"), [format!("force|{GAP}|ann")]);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
    }

    fn a_failure_leaves_it_pending(world: &World) {
        forced_in_vain(world);
        world.write("etl.sh", "echo \"$2 ${ETL_ORCH_FORCE:-plain}\" >> told\nexit 1\n");
        world.run_to(1, &[]);
        assert_eq!((content(world), pending(world)), ("old".to_owned(), "1".to_owned()));
        world.write("etl.sh", TELLS);
        world.run_to(0, &[]);
        assert_eq!((content(world), pending(world)), ("report".to_owned(), "0".to_owned()));
        assert_eq!(world.sql("SELECT kind, gap_key, actor FROM overrides"), [format!("force|{GAP}|ann")]);
    }

    fn skip_takes_it_back(world: &World) {
        forced_in_vain(world);
        world.run_to(0, &["skip", GAP, "--reason", "the old one will do"]);
        assert_eq!(pending(world), "0");
        world.run_to(0, &[]);
        world.run_to(0, &["unskip", GAP, "--reason", "no longer needed"]);
        let done = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(done["gaps"]["planned"], 0, "{done}");
        assert_eq!((told(world), content(world)), (vec!["RY 1".to_owned()], "old".to_owned()));
        assert_eq!(world.sql("SELECT kind FROM overrides ORDER BY id"), ["force", "skip", "unskip"]);
    }
}
