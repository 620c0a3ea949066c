//! An ETL that fails for everyone, with many reports missing: few of them are started, and what is said of it fits on a screen.

use std::io::Write;
use std::process::Stdio;

use crate::on_both_databases;
use crate::support::{Kind, World, until};

const BANKS: i64 = 14;
const QUARTERS: [&str; 4] = ["Q1", "Q2", "Q3", "Q4"];
/// So many jobs are planned.
const JOBS: usize = 56;
/// Lines of a terminal.
const SCREEN: usize = 50;

fn many_gaps(world: &World, script: &str) {
    let banks: Vec<String> = (1..=BANKS).map(|id| format!("B{id}-US: {{id: {id}, name: Bank {id}}}\n")).collect();
    world.institutions(&banks.concat());
    for id in 1..=BANKS {
        for quarter in QUARTERS {
            world.available(&format!("B{id}"), id, 2025, quarter);
        }
    }
    world.single_etl(script, &["retry: {max_attempts: 1}"]);
}

/// Goes on only once four have started.
const FOUR: &str = "touch \"started_$2_$3\"\nleft=1200\nuntil [ \"$(ls -d started_* | wc -l)\" -ge 4 ]; do\n\
    left=$((left - 1)); [ $left -gt 0 ] || exit 65\n sleep 0.05\ndone\n";

fn lines(text: &str) -> usize {
    text.lines().count()
}

on_both_databases! {
    fn an_etl_that_is_set_up_wrongly_starts_no_more_once_that_is_known(world: &World) {
        many_gaps(world, &format!("{FOUR}exit 78\n"));
        let done = world.run_to(1, &[]);
        assert_eq!(world.notes("started_").len(), 4, "those that ran at once: {}", done.stderr);
        assert!(done.stderr.contains("call_summary is set up wrongly: 52 other jobs of it will not be started in this run\n"), "{}", done.stderr);
        for text in [
            "GAPS IDENTIFIED: 56 missing reports\n",
            "\n  • call_summary: 56 reports of 14 banks, 2025 Q1 to 2025 Q4\n  (all of them: -v or --format json)\n",
            "Not Run:\n  • 52 jobs: call_summary is set up wrongly, as another job showed\n",
        ] {
            assert!(done.stdout.contains(text), "{text}: {}", done.stdout);
        }
        assert!(lines(&done.stdout) <= SCREEN && lines(&done.stderr) <= SCREEN, "{}{}", done.stdout, done.stderr);
    }

    fn of_a_broken_etl_is_said_how_many_may_start(world: &World) {
        many_gaps(world, "exit 1\n");
        let first = world.run_to(1, &[]);
        assert!(lines(&first.stdout) <= SCREEN, "{}", first.stdout);
        let second = world.run_to(1, &[]);
        assert!(second.stderr.contains(" of 1 ETL job in 1 chain (max 4 parallel); 55 more wait for a probe\n"), "{}", second.stderr);
        for text in ["(the probe)\n", "\n  • call_summary: 55 reports of 14 banks, 2025 Q1 to 2025 Q4; 55 wait for the probe\n", "Total Jobs: 56\n"] {
            assert!(second.stdout.contains(text), "{text}: {}", second.stdout);
        }
        assert!(lines(&second.stdout) <= SCREEN && lines(&second.stderr) <= SCREEN, "{}{}", second.stdout, second.stderr);
        let full = world.run_to(1, &["-v"]);
        assert_eq!(full.stdout.matches(": call_summary (waits for the probe)\n").count(), JOBS - 1, "{}", full.stdout);
        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(dry["jobs"].as_array().map(Vec::len), Some(JOBS));
    }

    fn many_failures_that_are_alike_are_counted(world: &World) {
        many_gaps(world, "echo \"Error: no such model\" >&2\nexit 65\n");
        let done = world.run_to(1, &["--period", "2025Q4"]);
        let failed = "Failed Jobs:\n  ❌ 14 jobs of call_summary: exit code 65 - Error: no such model (B1 2025 Q4, B2 2025 Q4, B3 2025 Q4 and 11 more)\n";
        assert!(done.stdout.contains(failed), "{}", done.stdout);
        let next = world.run_to(0, &["--period", "2025Q4"]);
        assert!(next.stdout.contains("Quarantined: 14\n  • B1-US/2025Q4/call_summary and 13 more, of 14 banks in all: exit code 65 - "), "{}", next.stdout);
    }
}

/// While the end of the job that showed it is being recorded, other jobs end.
#[test]
fn an_etl_that_is_set_up_wrongly_starts_no_more_before_that_is_on_record() {
    let world = World::new(Kind::Postgres);
    many_gaps(
        &world,
        "touch \"started_$2\"\n[ \"$2\" != B1 ] || exit 78\nleft=1200\n\
         until [ -e \"go_$2\" ]; do left=$((left - 1)); [ $left -gt 0 ] || exit 65; sleep 0.05; done\necho report > \"$4\"\n",
    );
    world.run_to(0, &["init"]);
    world.sql(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
         CREATE TRIGGER hold BEFORE UPDATE ON etl_jobs FOR EACH ROW WHEN (NEW.state = 'failed') EXECUTE FUNCTION hold()",
    );
    let mut holder = world.psql().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    holder.stdin.as_mut().unwrap().write_all(b"SELECT pg_advisory_lock(7);\n").unwrap();
    let locks = |granted: &str| {
        world.value(&format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {granted} \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ))
    };
    until("the lock is held", || locks("granted") == "1");

    let run = world.spawn(&["--period", "2025Q4", "--max-parallel", "3"]);
    until("the end of the first is being recorded", || locks("NOT granted") == "1");
    for bank in ["B2", "B3"] {
        world.write(&format!("go_{bank}"), "");
        let succeeded = format!("SELECT count(*) FROM etl_jobs WHERE bank_key = '{bank}-US' AND state = 'succeeded'");
        until("a job beside it has succeeded", || world.value(&succeeded) == "1");
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(run.wait().code, 1);
    assert_eq!(world.notes("started_").len(), 3);
}
