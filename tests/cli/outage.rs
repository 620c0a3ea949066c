//! An ETL that fails for everyone, with many reports missing: few of them are started, and what is said of it fits on a screen.

use std::io::Write;
use std::process::Stdio;

use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World, etl, until};

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

/// The text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

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
            "\nIn this run: 56 (56 call_summary)\n",
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
        for text in [
            "Total Jobs: 56\n",
            "\nFailed Jobs:\n  ❌ B",
            "\nIn this run: 56 (56 call_summary)\nDeferred: 55 until an ETL that fails for everyone works again\n  • call_summary, since 20",
            "; 1 probe, 55 wait for it\n",
        ] {
            assert!(second.stdout.contains(text), "{text}: {}", second.stdout);
        }
        assert!(!second.stdout.contains("Not Run:"), "it is told once: {}", second.stdout);
        assert!(lines(&second.stdout) <= SCREEN && lines(&second.stderr) <= SCREEN, "{}{}", second.stdout, second.stderr);
        let full = world.run_to(1, &["-v"]);
        assert_eq!(full.stdout.matches(": call_summary (waits for the probe)\n").count(), JOBS - 1, "{}", full.stdout);
        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(dry["jobs"].as_array().map(Vec::len), Some(JOBS));

        world.write("etl.sh", "echo report > \"$4\"\n");
        let mended = world.run_to(0, &[]);
        assert!(mended.stdout.contains("Successful: 56 ✅\n") && !mended.stdout.contains("Deferred:"), "{}", mended.stdout);
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

/// 1,680 reports of three ETLs are missing; those ETLs that the file `broken` names fail.
fn outage(broken: &str, settings: &str) -> World {
    let world = World::new(Kind::Sqlite);
    let banks: Vec<String> = (1..=BANKS).map(|id| format!("B{id}-US: {{id: {id}, name: Bank {id}}}\n")).collect();
    world.institutions(&banks.concat());
    let periods = || (2016..=2025).flat_map(|year| QUARTERS.map(|quarter| (year, quarter)));
    let row = |id: i64, (year, quarter): (u16, &str)| format!("({id}, 'Bank', 'B{id}', {year}, '{quarter}', '[\"transcripts\"]')");
    let rows: Vec<String> = (1..=BANKS).flat_map(|id| periods().map(move |period| row(id, period))).collect();
    let columns = "bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names";
    world.sql(&format!("INSERT INTO aegis_data_availability ({columns}) VALUES {}", rows.join(", ")));
    let etls = [("call_summary", "Call Summary"), ("key_themes", "Key Themes"), ("cm_readthrough", "CM Readthrough")];
    world.etls(
        "grep -q \"$1\" broken || exec sh -c 'echo report > \"$0\"' \"$4\"\n\
         echo \"Error: no such model$(cat details | sed \"s/BANK/$2/g\")\" >&2\nexit 1\n",
        &etls.map(|(name, report_type)| etl(name, report_type, &["retry: {max_attempts: 1}"])),
    );
    world.write("broken", broken);
    world.write("details", "");
    world.also(settings);
    world
}

#[test]
fn the_summary_of_an_outage_has_less_than_forty_lines() {
    for (broken, settings) in [("call_summary, key_themes, cm_readthrough", ""), ("key_themes", "run: {max_jobs: 60}")] {
        let world = outage(broken, settings);
        // In the first run the breakers open; in the second they are open.
        for run in ["first", "second"] {
            let done = Done::of(&world.command(&[]).env("COLUMNS", "80").output().expect("the binary starts"));
            assert_eq!(done.code, 1, "{run}: {}{}", done.stdout, done.stderr);
            assert!(words(&done.stdout).contains("exit code 1 - Error: no such model"), "{run}: {}", done.stdout);
            assert!(lines(&done.stdout) < 40, "{run}, {}: {}", lines(&done.stdout), done.stdout);
        }
    }
}

/// The errors are long, and different for each bank.
#[test]
fn the_summary_of_an_outage_has_less_than_forty_lines_whatever_the_etls_say() {
    let world = outage("call_summary, key_themes, cm_readthrough", "");
    world.write(
        "details",
        &format!(" for BANK; {}", "the last answer to BANK was 503 Service Unavailable, no healthy upstream; ".repeat(9)),
    );
    for run in ["first", "second"] {
        let done = Done::of(&world.command(&[]).env("COLUMNS", "80").output().expect("the binary starts"));
        assert!(words(&done.stdout).contains("exit code 1 - Error: no such model"), "{run}: {}", done.stdout);
        assert!(lines(&done.stdout) < 40, "{run}, {}: {}", lines(&done.stdout), done.stdout);
        assert!(done.stdout.lines().all(|line| line.chars().count() <= 80), "{}", done.stdout);
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
