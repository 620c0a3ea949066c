//! One ETL by hand: as in a run, with its output on the terminal.

use std::process::{Command, Stdio};

use crate::on_both_databases;
use crate::support::world::{Done, WAITS, pid_in};
use crate::support::{Kind, World, etl, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";
const BY_HAND: [&str; 5] = ["run-one", "RY", "2025", "Q2", "call_summary"];

fn by_hand(world: &World, code: i32, more: &[&str]) -> Done {
    world.run_to(code, &[&BY_HAND, more].concat())
}

fn runs(world: &World) -> usize {
    world.sql("SELECT id FROM etl_runs").len()
}

on_both_databases! {
    fn it_is_started_watched_verified_and_recorded_as_in_a_run(world: &World) {
        world.single_etl("echo \"working for $2\"; echo \"in $(basename $ETL_ORCH_WORK_DIR)\" >&2\necho \"report ${ETL_ORCH_FORCE-}\" > \"$4\"\n", &[]);
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        let done = by_hand(world, 0, &[]);
        let report = world.path("reports/2025Q2/RY_call_summary.md");
        assert_eq!(done.stdout, format!("run-one: {GAP}: succeeded: {}\n", report.display()));
        for line in ["\nworking for RY\n", "\nin RY-CA.2025Q2.call_summary\n"] {
            assert!(done.stderr.contains(line), "{}", done.stderr);
        }
        assert_eq!((world.reports(), world.jobs()), (vec!["RY 2025 Q2 Call Summary".to_owned()], vec![format!("{GAP}|succeeded")]));
        let log = world.run_to(0, &["logs", GAP]).stdout;
        assert!(log.contains("working for RY\n") && log.contains("in RY-CA"), "{log}");
        let record = world.run_to(0, &["runs"]).stdout;
        assert!(record.contains(&format!("1 of 1 made\n          run-one {GAP}, by ")), "{record}");

        let exists = by_hand(world, 2, &[]);
        assert_eq!((exists.stdout.as_str(), runs(world)), ("", 1), "nothing was started, and nothing is on record");
        assert!(exists.stderr.contains(&format!("{GAP}: the report exists; --force makes it again")), "{}", exists.stderr);
        let again = by_hand(world, 0, &["--force", "--format", "json"]).json();
        assert_eq!((&again["kind"], &again["state"], &again["report"]), (&"run_one".into(), &"succeeded".into(), &report.to_str().into()));
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "report 1\n");
    }

    fn what_a_run_would_not_start_is_refused_and_started_anyway(world: &World) {
        world.etls(
            "[ $2 = TD ] && { echo 'no such model'; exit 65; }\necho report > \"$4\"\n",
            &[etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &["needs: [call_summary]"])],
        );
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        let refused = |words: &[&str], told: &str| {
            let done = world.run_to(2, &[&["run-one"], words].concat());
            assert!(done.stderr.contains(told), "{words:?}: {}", done.stderr);
        };
        refused(&["RY", "2025Q2", "key_themes"], "it needs call_summary, which is not there; --anyway starts it all the same");
        refused(&["BMO", "2025Q2", "call_summary"], "there is no data for it; it requires transcripts");
        refused(&["RY", "2025Q2"], "may be several reports");
        refused(&["RY", "2025Q2", "call_sumary"], "did you mean call_summary?");
        world.run_to(0, &["run-one", "RY", "2025Q2", "key_themes", "--anyway"]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Key Themes"]);

        let failed = world.run_to(1, &["run-one", "TD-CA/2025Q2/call_summary"]);
        let job = world.value("SELECT id FROM etl_jobs WHERE state = 'failed'");
        let log = world.value(&format!("SELECT log FROM etl_attempts WHERE job_id = '{job}'"));
        let told = format!("run-one: TD-CA/2025Q2/call_summary: failed: exit code 65 - no such model (job {}, log {log})\n", &job[..8]);
        assert_eq!(failed.stdout, told);
        refused(&["TD", "2025Q2", "call_summary"], "it is quarantined since ");
        world.run_to(1, &["run-one", &job[..8], "--anyway"]);
        assert_eq!(world.attempts().len(), 3);
        world.run_to(0, &["skip", "TD", "2025Q2", "call_summary", "--reason", "restated"]);
        refused(&["TD", "2025Q2", "call_summary", "--anyway", "--force"], "restated; `etl-orch unskip` takes that back");
        assert_eq!(runs(world), 3);
    }

    fn it_needs_no_lock_and_stops_as_a_run_does(world: &World) {
        world.single_etl(&format!("[ $2 = RY ] || {{ echo $$ > pid; exec sleep 1000; }}\n{WAITS}echo report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let run = world.spawn(&[]);
        until("the ETL of RY runs", || world.path("waiting").exists());
        world.available("TD", 6, 2025, "Q2");
        let claimed = by_hand(world, 2, &[]);
        assert!(claimed.stderr.contains("it is being made now, by "), "{}", claimed.stderr);
        let one = world.spawn(&["run-one", "TD", "2025", "Q2", "call_summary"]);
        pid_in(&world.path("pid"));
        one.signal("INT");
        let stopped = one.wait();
        assert_eq!(stopped.code, 130, "{stopped:?}");
        assert!(stopped.stdout.starts_with("run-one: TD-CA/2025Q2/call_summary: cancelled"), "{stopped:?}");
        world.write("go", "");
        assert_eq!(run.wait().code, 0);
        assert_eq!(world.jobs(), [format!("{GAP}|succeeded"), "TD-CA/2025Q2/call_summary|cancelled".to_owned()]);
    }

    fn a_shell_starts_what_a_run_would_start(world: &World) {
        world.run_to(0, &["init"]);
        let script = "printf '%s\\n' \"$4\" \"$ETL_ORCH_OUTPUT\" \"$NOTE\" \"$DB_PASSWORD\" \"$PWD\" > made; echo report > \"$4\"\n";
        world.single_etl(script, &["env: {NOTE: \"it's {bank_name}: `id` $HOME\", DB_PASSWORD: \"hunter2 of the desk\"}"]);
        world.available("RY", 1, 2025, "Q2");
        let lines = by_hand(world, 0, &["--shell-env"]).stdout;
        assert!(!lines.contains("hunter2") && lines.contains("export DB_PASSWORD=\"${DB_PASSWORD:?"), "{lines}");
        assert!(!world.path("made").exists() && runs(world) == 0, "nothing was started");
        let shell = |password: Option<&str>| {
            let mut shell = Command::new("sh");
            shell.args(["-c", &lines]).envs(password.map(|password| ("DB_PASSWORD", password))).stdin(Stdio::null());
            Done::of(&shell.output().expect("sh is there"))
        };
        assert!(shell(None).stderr.contains("is secret: set it first"));
        assert_eq!(shell(Some("mine")).code, 0);
        let made = world.read("made");
        let made: Vec<&str> = made.lines().collect();
        assert_eq!(made[2..], ["it's Royal Bank of Canada: `id` $HOME", "mine", world.path("").to_str().expect("UTF-8").trim_end_matches('/')]);
        assert!(made[0] == made[1] && made[0].contains("/var/work/RY-CA.2025Q2.call_summary/output-"), "{made:?}");
        assert!(std::path::Path::new(made[0]).exists() && world.reports().is_empty());
        let json = by_hand(world, 0, &["--shell-env", "--format", "json"]).json();
        assert_eq!((&json["kind"], &json["argv"][1]), (&"shell_env".into(), &"etl.sh".into()));
        let password = json["env"].as_array().into_iter().flatten().find(|variable| variable["name"] == "DB_PASSWORD");
        assert_eq!(password.map(|variable| &variable["value"]), Some(&serde_json::Value::Null));
    }
}

#[test]
fn the_next_job_of_a_source_is_started_by_hand() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo report > \"$4\"\n", &[]);
    world.also("sources:\n  daily: {every: 1d, command: [echo, collected]}");
    let done = world.run_to(0, &["run-one", "daily"]);
    assert_eq!(done.stdout, "run-one: source:daily: succeeded: number of records unknown, reported (not verified): collected\n");
    let again = world.run_to(2, &["run-one", "daily"]);
    assert!(again.stderr.contains("up to date") && again.stderr.contains("--force collects its last window again"), "{}", again.stderr);
    world.run_to(0, &["run-one", "daily", "--force"]);
    assert_eq!(world.jobs(), ["source:daily|succeeded", "source:daily|succeeded"]);
}
