//! What was done, from the record: `jobs`, `runs`, `logs`.

use std::os::unix::fs::PermissionsExt;

use crate::on_both_databases;
use crate::support::world::{Done, WAITS};
use crate::support::{Kind, World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// An ETL that fails for TD on every attempt, and says how often it was tried.
const FAILS_FOR_TD: &str = "echo \"working for $2\"; [ $2 = TD ] && { echo 'no such model' >&2; exit 3; }; echo report > \"$4\"\n";

fn one_made_one_failed(world: &World) {
    world.single_etl(FAILS_FOR_TD, &["retry: {max_attempts: 2}"]);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    world.run_to(1, &["run", "--max-parallel", "1"]);
}

fn job_of(world: &World, bank: &str) -> String {
    world.value(&format!("SELECT id FROM etl_jobs WHERE bank_key = '{bank}'"))
}

/// The lines without their first words, ids and times.
fn gaps_of(done: &Done) -> Vec<String> {
    done.stdout
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split_whitespace().last().unwrap_or_default().to_owned())
        .collect()
}

on_both_databases! {
    fn jobs_say_what_failed_why_and_where_its_log_is(world: &World) {
        assert_eq!(world.run_to(0, &["jobs"]).stdout, "no such job is on record\n");
        one_made_one_failed(world);
        let (made, failed) = (job_of(world, "RY-CA"), job_of(world, "TD-CA"));
        let all = world.run_to(0, &["jobs"]).stdout;
        assert!(all.starts_with("JOB       STATE      STARTED"), "{all}");
        assert!(all.contains(&format!("{}  succeeded  20", &made[..8])), "{all}");
        assert!(all.contains(&format!("{}  failed     20", &failed[..8])), "{all}");
        let log = world.value(&format!("SELECT log FROM etl_attempts WHERE job_id = '{failed}' AND n = 2"));
        assert!(all.contains(&format!("\n          after 2 attempts: exit code 3 - no such model\n          {log}\n")), "{all}");
        assert!(std::path::Path::new(&log).exists());

        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "--failed"])), ["TD-CA/2025Q2/call_summary"]);
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "ry"])), [GAP]);
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "RY", "2025", "Q2", "call_summary", "--state", "succeeded"])), [GAP]);
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", &failed[..8]])), ["TD-CA/2025Q2/call_summary"]);
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "--etl-type", "call_summary", "--since", "1h"])).len(), 2);
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "--limit", "1"])).len(), 1);
        for none in [&["--until", "1h"][..], &["--running"], &["--run", "0000"], &["BMO"]] {
            assert_eq!(world.run_to(0, &[&["jobs"], none].concat()).stdout, "no such job is on record\n", "{none:?}");
        }
        for bad in [&["RX"][..], &["--etl-type", "cal_summary"], &["--since", "soon"], &["--state", "broken"], &["--failed", "--running"], &["--limit", "0"]] {
            world.run_to(2, &[&["jobs"], bad].concat());
        }
    }

    fn programs_get_every_column(world: &World) {
        one_made_one_failed(world);
        let jobs = world.run_to(0, &["jobs", "TD", "--format", "json"]).json();
        let job = &jobs["jobs"][0];
        assert_eq!((&jobs["kind"], &job["state"], &job["gap"]), (&"jobs".into(), &"failed".into(), &"TD-CA/2025Q2/call_summary".into()));
        assert_eq!((&job["bank_symbol"], &job["bank_key"], &job["etl"]), (&"TD".into(), &"TD-CA".into(), &"call_summary".into()));
        assert_eq!((&job["fiscal_year"], &job["quarter"], &job["source"]), (&2025.into(), &"Q2".into(), &serde_json::Value::Null));
        let attempts = job["attempts"].as_array().expect("a list");
        assert_eq!(attempts.len(), 2);
        for (n, attempt) in (1..).zip(attempts) {
            assert_eq!((&attempt["n"], &attempt["exit_code"], &attempt["outcome"]), (&n.into(), &3.into(), &"exit_code".into()));
            assert!(attempt["log"].as_str().expect("a text").ends_with(&format!("/{n}.log")), "{attempt}");
            assert!(attempt["duration_seconds"].is_number() && attempt["ended_at"].is_string(), "{attempt}");
        }
        let runs = world.run_to(0, &["runs", "--format", "json"]).json();
        let run = &runs["runs"][0];
        assert_eq!((&runs["kind"], &run["id"], &run["state"]), (&"runs".into(), &job["run_id"], &"failed".into()));
        assert_eq!((&run["planned"], &run["succeeded"], &run["failed"]), (&2.into(), &1.into(), &1.into()));
        let logs = world.run_to(0, &["logs", "TD", "2025Q2", "call_summary", "--attempt", "2", "--format", "json"]).json();
        assert_eq!((&logs["kind"], &logs["job"]["id"]), (&"logs".into(), &job["id"]));
        assert_eq!(logs["logs"], serde_json::json!([{"attempt": 2, "text": "working for TD\nno such model\n"}]));
        world.run_to(2, &["logs", "TD", "--follow", "--format", "json"]);
    }

    fn runs_say_what_they_came_to_and_how_they_were_started(world: &World) {
        assert_eq!(world.run_to(0, &["runs"]).stdout, "no such run is on record\n");
        one_made_one_failed(world);
        let made = world.run_to(0, &["run", "--bank-symbol", "RY", "--force"]);
        let runs = world.run_to(0, &["runs"]).stdout;
        let lines: Vec<&str> = runs.lines().collect();
        assert!(lines[0].starts_with("RUN       STATE      STARTED"), "{runs}");
        assert!(lines[1].ends_with("  1 of 1 made"), "{runs}");
        assert_eq!(lines[2].trim_start(), "run --bank-symbol RY --force", "{runs}");
        assert!(lines[3].ends_with("  1 of 2 made, 1 failed"), "{runs}");
        assert!(made.stdout.contains(&format!("Run: {}", &lines[1][..8])), "{runs}");
        let failed = world.run_to(0, &["runs", "--failed"]).stdout;
        assert!(failed.lines().nth(1).unwrap_or_default().starts_with(&lines[3][..8]) && failed.lines().count() == 2, "{failed}");
        assert_eq!(gaps_of(&world.run_to(0, &["jobs", "--run", &lines[1][..8]])), [GAP]);
        world.run_to(2, &["runs", "xyz"]);
    }

    fn logs_print_the_path_first_and_then_every_attempt(world: &World) {
        one_made_one_failed(world);
        let failed = job_of(world, "TD-CA");
        let once = "working for TD\nno such model\n";
        for words in [&["TD", "2025", "Q2", "call_summary"][..], &["TD"], &["TD-CA/2025Q2/call_summary"], &[&failed[..8]]] {
            let logs = world.run_to(0, &[&["logs"], words].concat());
            assert_eq!(logs.stdout, once.repeat(2), "{words:?}");
            let notes: Vec<&str> = logs.stderr.lines().collect();
            let log = |n: u32| world.value(&format!("SELECT log FROM etl_attempts WHERE job_id = '{failed}' AND n = {n}"));
            let head = |n: u32| format!("{} (TD-CA/2025Q2/call_summary, job {}, attempt {n}: exit code 3)", log(n), &failed[..8]);
            assert_eq!(notes[..2], [head(1), head(2)], "{words:?}");
            assert!(notes[2].starts_with(&format!("job {} (TD-CA/2025Q2/call_summary): failed", &failed[..8])), "{notes:?}");
        }
        assert_eq!(world.run_to(0, &["logs", "TD", "--attempt", "1"]).stdout, once);
        world.run_to(2, &["logs", "TD", "--attempt", "3"]);
        let none = world.run_to(1, &["logs", "BMO"]);
        assert!(none.stderr.contains("no job of BMO-CA has been started yet"), "{}", none.stderr);
        let unknown = world.run_to(2, &["logs", "0000ffff"]);
        assert!(unknown.stderr.contains("the latest are") && unknown.stderr.contains(&failed), "{}", unknown.stderr);
    }

    fn a_log_that_is_gone_is_replaced_by_the_last_lines_on_record(world: &World) {
        one_made_one_failed(world);
        std::fs::remove_dir_all(world.path("var/logs")).expect("logs");
        let logs = world.run_to(0, &["logs", "TD", "--attempt", "2"]);
        assert_eq!(logs.stdout.lines().collect::<Vec<_>>(), ["working for TD", "no such model"]);
        assert!(logs.stderr.contains("2.log is not there; its last lines on record:"), "{}", logs.stderr);
        world.sql("UPDATE etl_attempts SET log = '/etc/passwd'");
        let foreign = world.run_to(0, &["logs", "TD", "--attempt", "2"]);
        assert!(!foreign.stdout.contains("root") && foreign.stderr.contains("/etc/passwd is not below the state_dir"), "{foreign:?}");
    }

    fn a_running_job_is_followed_to_its_end(world: &World) {
        world.single_etl(&format!("echo before\n{WAITS}echo after\necho report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let run = world.spawn(&[]);
        until("the ETL waits", || world.path("waiting").exists());
        let follow = world.spawn(&["logs", "RY", "--follow"]);
        follow.until_it_says("attempt 1: under way)");
        let running = world.run_to(0, &["jobs", "--running"]);
        assert_eq!(gaps_of(&running), [GAP]);
        let so_far = world.run_to(0, &["logs", "RY"]);
        assert_eq!(so_far.stdout, "before\n");
        assert!(so_far.stderr.contains("attempt 1: under way)"), "{}", so_far.stderr);
        world.write("go", "");
        let done = follow.wait();
        assert_eq!((done.code, done.stdout.as_str()), (0, "before\nafter\n"));
        assert!(done.stderr.ends_with(&format!("({GAP}): succeeded\n")), "{}", done.stderr);
        assert_eq!(run.wait().code, 0);
    }
}

#[test]
fn the_record_is_read_where_nothing_may_be_written() {
    let world = World::new(Kind::Sqlite);
    one_made_one_failed(&world);
    let lock = world.path("var/etl-orch.lock");
    let read_only = |mode| {
        for entry in std::fs::read_dir(world.path("var")).expect("it is there") {
            let path = entry.expect("it is there").path();
            if path.is_file() {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is there");
            }
        }
    };
    let before = std::fs::read(&lock).expect("it is there");
    read_only(0o400);
    for command in ["jobs", "runs"] {
        assert!(world.run_to(0, &[command]).stdout.lines().count() > 1);
    }
    read_only(0o600);
    assert_eq!(std::fs::read(&lock).expect("it is there"), before);
}
