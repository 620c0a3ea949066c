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

const TELLS_PERIOD: &str = "echo \"$3 ${ETL_ORCH_FORCE:-plain}\" >> told\necho report > \"$4\"\n";

/// Three reports of RY that exist.
fn three_reports(world: &World) {
    world.single_etl(TELLS_PERIOD, &[]);
    for (year, quarter) in [(2025, "Q2"), (2025, "Q1"), (2024, "Q4")] {
        world.available("RY", 1, year, quarter);
        world.report("RY", 1, year, quarter, "Call Summary");
    }
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
        assert!(dry.stdout.contains("  • 2025 Q2: call_summary (exists; forced by "), "{}", dry.stdout);
        let next = world.run_to(0, &[]);
        assert!(next.stdout.contains("(exists; forced by "), "{}", next.stdout);
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

    fn each_report_is_made_once_under_max_jobs_and_then_no_other(world: &World) {
        three_reports(world);
        let force = ["--force", "--bank-symbol", "RY", "--max-jobs", "1"];
        let first = world.run_to(0, &force);
        assert!(first.stdout.contains("Deferred: 2 left for the next run by max_jobs\n"), "{}", first.stdout);
        assert_eq!(pending(world), "2");
        let dry = world.run_to(0, &["--dry-run", "--force", "--bank-symbol", "RY", "--max-jobs", "1"]);
        assert!(dry.stdout.contains("  • 2025 Q1: call_summary (exists; forced by "), "{}", dry.stdout);
        let second = world.run_to(0, &force);
        for text in ["GAPS IDENTIFIED: 2 reports to be made\n", "Deferred: 1 left for the next run by max_jobs\n", "Made again already: 1, since --force asked at "] {
            assert!(second.stdout.contains(text), "{text}: {}", second.stdout);
        }
        world.run_to(0, &force);
        assert_eq!((told(world), pending(world)), (["2025Q2 1", "2025Q1 1", "2024Q4 1"].map(str::to_owned).to_vec(), "0".to_owned()));
        let done = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(done["gaps"]["planned"], 0, "{done}");
        assert_eq!(world.value("SELECT count(*) FROM overrides WHERE kind = 'force'"), "3", "one order");
        let next = world.run_to(0, &["--force", "--bank-symbol", "RY", "--format", "json"]).json();
        assert_eq!((&next["gaps"]["planned"], &next["gaps"]["made_again"]), (&3.into(), &0.into()), "another order is for all: {next}");
        assert_eq!(told(world).len(), 6);
    }

    fn the_next_run_makes_what_max_jobs_left_also_what_was_in_quarantine(world: &World) {
        three_reports(world);
        world.sql("DELETE FROM aegis_reports WHERE fiscal_year = 2024");
        world.write("etl.sh", "exit 65\n");
        world.run_to(1, &[]);
        assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE quarantined_at IS NOT NULL"), "1");
        world.write("etl.sh", TELLS_PERIOD);
        world.run_to(0, &["--force", "--bank-symbol", "RY", "--max-jobs", "1"]);
        assert_eq!((told(world), pending(world)), (vec!["2025Q2 1".to_owned()], "2".to_owned()));
        world.run_to(0, &[]);
        assert_eq!((told(world), pending(world)), (["2025Q2 1", "2025Q1 1", "2024Q4 plain"].map(str::to_owned).to_vec(), "0".to_owned()));
        world.run_to(0, &[]);
        assert_eq!(told(world).len(), 3);
    }
}
