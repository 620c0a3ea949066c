//! When it will be there: `--dry-run --forecast`, from the durations of real runs by a clock that the ETL moves.

use crate::on_both_databases;
use crate::support::clock::clock_in;
use crate::support::world::{Done, Running, WAITS};
use crate::support::{World, etl, until};
use crate::terminal::on_a_wide_terminal;

/// Sets the clock to so many minutes into 16 January 2026.
const SET_CLOCK: &str = "set_clock() {\n\
    echo $1 > minutes\n\
    printf '2026-01-16 %02d:%02d:00\\n' $(($1 / 60)) $(($1 % 60)) > clock.new\n\
    mv clock.new clock\n}\n";

/// A report of the first quarter takes 10 minutes, one of the second 20, and so on.
const TAKES_TEN_MINUTES_A_QUARTER: &str = "set_clock $(($(cat minutes) + ${3#*Q} * 10))\necho report > \"$4\"\n";

fn set_clock(world: &World, minutes: u32) {
    world.write("minutes", &minutes.to_string());
    world.write("clock", &format!("2026-01-16 {:02}:{:02}:00\n", minutes / 60, minutes % 60));
}

fn run_to(world: &World, code: i32, args: &[&str]) -> Done {
    let done = Done::of(&world.command(args).envs(clock_in(&world.path("clock"))).output().expect("the binary starts"));
    assert_eq!(done.code, code, "{args:?}: {}\n{}", done.stdout, done.stderr);
    done
}

fn spawn(world: &World, args: &[&str]) -> Running {
    let mut command = world.command(args);
    command.envs(clock_in(&world.path("clock")));
    Running::start(command)
}

/// Four reports of RY have been made, in 10, 20, 30 and 40 minutes; it is 02:00.
fn four_made(world: &World) {
    let etls = [etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &[])];
    world.etls(&format!("{SET_CLOCK}{TAKES_TEN_MINUTES_A_QUARTER}"), &etls);
    world.also("run: {max_parallel: 1}");
    for quarter in ["Q1", "Q2", "Q3", "Q4"] {
        world.available("RY", 1, 2024, quarter);
    }
    // libfaketime reads its file without a lock: two threads that ask at once may get a wrong time.
    for _ in 0..5 {
        set_clock(world, 0);
        run_to(world, 0, &["--etl-type", "call_summary"]);
        set_clock(world, 120);
        if times_of_jobs(world) == ["00:00 to 00:40", "00:40 to 01:10", "01:10 to 01:30", "01:30 to 01:40"] {
            return;
        }
        for table in ["etl_metrics", "job_logs", "etl_stages", "etl_attempts", "etl_jobs", "etl_runs", "gap_states", "aegis_reports"] {
            world.sql(&format!("DELETE FROM {table}"));
        }
    }
    panic!("the clock never moved as the ETL set it: {:?}", times_of_jobs(world));
}

/// From when to when each job worked, the first one first.
fn times_of_jobs(world: &World) -> Vec<String> {
    let jobs = run_to(world, 0, &["jobs", "--format", "json"]).json();
    let time = |value: &serde_json::Value| value.as_str().and_then(|text| text.get(11..16)).unwrap_or("never").to_owned();
    let jobs = jobs["jobs"].as_array().expect("a list of jobs");
    let mut times: Vec<String> = jobs.iter().map(|job| format!("{} to {}", time(&job["started_at"]), time(&job["ended_at"]))).collect();
    times.sort();
    times
}

/// The lines that say what is expected.
fn expected(done: &Done) -> Vec<&str> {
    done.stdout.lines().filter(|line| line.contains("expected") || line.contains("reckoned") || line.contains("next tried")).collect()
}

on_both_databases! {
    fn a_dry_run_says_when_each_report_is_expected(world: &World) {
        four_made(world);
        world.available("RY", 1, 2025, "Q1");
        world.available("TD", 6, 2025, "Q1");
        world.available("TD", 6, 2025, "Q2");
        let dry_run = ["--dry-run", "--forecast", "--etl-type", "call_summary"];
        let done = run_to(world, 0, &dry_run);
        assert_eq!(expected(&done), [
            "  • 2025 Q2: call_summary, expected 02:10–02:30",
            "  • 2025 Q1: call_summary, expected 02:30–03:30 (2 before it)",
            "  • 2025 Q1: call_summary, expected 02:20–03:00 (1 before it)",
            "FORECAST: a run that starts now is expected to end 02:30–03:30",
        ], "{}", done.stdout);
        let why = run_to(world, 0, &["why", "TD", "2025Q2", "call_summary"]).stdout;
        assert!(why.contains("\n\nExpected 02:10–02:30, by a run that starts now.\n"), "{why}");
        let json = run_to(world, 0, &[&dry_run[..], &["--format", "json"]].concat()).json();
        let times = |from: &str, to: &str| serde_json::json!({"from": format!("2026-01-16T{from}:00Z"), "to": format!("2026-01-16T{to}:00Z")});
        assert_eq!(json["jobs"][1]["expected"], serde_json::json!({"from": "2026-01-16T02:20:00Z", "to": "2026-01-16T03:00:00Z", "before": 1}));
        assert_eq!((&json["forecast"]["begin"], &json["forecast"]["end"]), (&times("02:00", "02:00"), &times("02:30", "03:30")));
        let plain = run_to(world, 0, &["--dry-run", "--format", "json"]).json();
        assert!(plain["forecast"].is_null() && plain["jobs"][0].get("expected").is_none(), "{plain}");

        let all = run_to(world, 0, &["--dry-run", "--forecast", "--max-parallel", "3"]);
        assert!(all.stdout.contains("\nFORECAST: of a run that starts now what can be reckoned is expected to end "), "{}", all.stdout);
        let not_reckoned = "\n  • not reckoned: 8 jobs; 7 of key_themes, which never succeeded yet; 1 that waits for such a job\n";
        assert!(all.stdout.contains(not_reckoned), "{}", all.stdout);

        world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("max_parallel: 1", "max_parallel: 1, deadline: 15m"));
        assert_eq!(expected(&run_to(world, 0, &dry_run)).len(), 2, "the others are left by the deadline");
        assert!(run_to(world, 0, &dry_run).stdout.contains("  • left to a later run by the deadline: 2 jobs\n"));
        let refused = run_to(world, 2, &["--forecast"]);
        assert!(refused.stderr.contains("--dry-run"), "{}", refused.stderr);
    }

    fn what_is_under_way_is_waited_for(world: &World) {
        four_made(world);
        world.write("etl.sh", &format!("{WAITS}echo report > \"$4\"\n"));
        world.available("RY", 1, 2025, "Q1");
        world.available("TD", 6, 2025, "Q1");
        let run = spawn(world, &["--etl-type", "call_summary"]);
        until("the first job waits", || world.path("waiting").exists());
        set_clock(world, 135);
        world.available("BMO", 2, 2025, "Q1");
        let done = run_to(world, 0, &["--dry-run", "--forecast", "--etl-type", "call_summary"]);
        // RY needs 20, 30 or 40 minutes, of which 15 are over. TD waits for it, and BMO for the next run.
        let lines = expected(&done);
        assert_eq!(lines.len(), 4, "{}", done.stdout);
        assert_eq!(lines[..2], [
            "  • 2025 Q1: call_summary, expected 02:40–03:40",
            "  • 2025 Q1: call_summary, expected 02:30–03:10 (1 before it)",
        ]);
        assert!(lines[2].starts_with("  • RY-CA/2025Q1/call_summary: process ") && lines[2].ends_with(", expected 02:20–02:40"), "{lines:?}");
        let run_as_a_whole = "FORECAST: the next run, which waits for the one that is under way until 02:30–03:10, is expected to end 02:40–03:40";
        assert_eq!(lines[3], run_as_a_whole);
        let why = ["why", "RY", "2025Q1", "call_summary"];
        let page = run_to(world, 0, &why).stdout;
        assert!(page.contains("\n\nExpected 02:20–02:40, by the run that is under way.\n"), "{page}");
        let json = run_to(world, 0, &[&why[..], &["--format", "json"]].concat()).json();
        let wanted = serde_json::json!({"from": "2026-01-16T02:20:00Z", "to": "2026-01-16T02:40:00Z", "before": 0});
        assert_eq!(json["gaps"][0]["expected"], wanted);
        set_clock(world, 161);
        let done = run_to(world, 0, &["--dry-run", "--forecast"]);
        assert!(done.stdout.contains("FORECAST: none, as it cannot be reckoned when the run that is under way will have ended\n"), "{}", done.stdout);
        world.write("go", "");
        assert_eq!(run.wait().code, 0);
    }

    fn a_live_display_says_when_the_run_ends_and_what_is_left_of_a_job(world: &World) {
        four_made(world);
        let is_seen = WAITS.replace("[ -e go ]", "grep -q 'TD 2025 Q1 .call_summary. about 20m left' screen");
        world.write("etl.sh", &format!("{is_seen}echo report > \"$4\"\n"));
        world.available("TD", 6, 2025, "Q1");
        let mut command = world.command(&["--etl-type", "call_summary"]);
        command.envs(clock_in(&world.path("clock")));
        let done = on_a_wide_terminal(&command);
        assert_eq!(done.code, 0, "{:?}", done.stdout);
        assert!(done.stdout.contains(" 0 made, 1 left, 0s, expected 02:10–02:30"), "{:?}", done.stdout);
    }

    fn what_rests_is_tried_by_the_first_run_after_that(world: &World) {
        world.etls("exit 1\n", &[etl("call_summary", "Call Summary", &["retry: {max_attempts: 1}"])]);
        world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("cooldown: {initial: 1ms, max: 1ms}", "cooldown: {initial: 50m, max: 12h}"));
        for minutes in [0, 15, 30] {
            set_clock(world, minutes);
            run_to(world, 0, &[]);
        }
        world.available("RY", 1, 2025, "Q1");
        set_clock(world, 45);
        run_to(world, 1, &[]);
        let dry_run = ["--dry-run", "--forecast"];
        set_clock(world, 46);
        let done = run_to(world, 0, &dry_run);
        assert!(done.stdout.contains("  • RY-CA/2025Q1/call_summary: next tried at 01:45, until 2026-01-16 01:35:00Z: exit code 1\n"), "{}", done.stdout);
        let why = run_to(world, 0, &["why", "RY", "2025Q1", "call_summary"]).stdout;
        assert!(why.contains("\n\nNext tried by the run that is expected to start 01:45.\n"), "{why}");
        set_clock(world, 80);
        assert_eq!(expected(&run_to(world, 0, &dry_run)), [""; 0], "the runs came to a stop");
    }
}
