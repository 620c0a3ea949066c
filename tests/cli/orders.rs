//! What an operator orders is done, kept with who and why, and answered in words.

use crate::on_both_databases;
use crate::support::world::{Done, WAITS, pid_in};
use crate::support::{Kind, World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";
const GOOD: &str = "echo report > \"$4\"\n";

/// One gap of RY, and an ETL that runs this script.
fn one_gap(world: &World, script: &str) {
    world.single_etl(script, &["grace: 1m"]);
    world.available("RY", 1, 2025, "Q2");
}

/// The invocation of a user called ann.
fn ann(world: &World, code: i32, args: &[&str]) -> Done {
    let mut command = world.command(args);
    command.env_remove("SUDO_USER").env("USER", "ann");
    let done = Done::of(&command.output().expect("the binary starts"));
    assert_eq!(done.code, code, "{args:?}: {done:?}");
    done
}

/// The orders on record, `kind|gap|actor|reason`.
fn orders(world: &World) -> Vec<String> {
    world.sql("SELECT kind, gap_key, actor, reason FROM overrides ORDER BY id")
}

fn job_id(world: &World) -> String {
    world.value("SELECT id FROM etl_jobs")
}

/// An ETL that tidies up when it is asked to end.
const TIDY: &str = "trap 'echo tidied > tidied; exit 1' TERM\necho $$ > pid\nwhile :; do sleep 0.01; done\n";

on_both_databases! {
    fn what_is_skipped_is_left_alone_until_unskip(world: &World) {
        one_gap(world, GOOD);
        let skip = ann(world, 0, &["skip", "ry", "2025", "q2", "call_summary", "--reason", "restated in December"]);
        assert_eq!(skip.stdout, format!("skip: {GAP}\n1 gap skipped\n"));
        let run = world.run_to(0, &[]);
        assert!(run.stdout.contains("NO GAPS: 0 reports exist, 1 is skipped\n"), "{}", run.stdout);
        assert!(run.stdout.contains("Skipped: 1\n  • RY-CA/2025Q2/call_summary: by ann since 20"), "{}", run.stdout);
        assert!(run.stdout.contains(": restated in December\n"), "{}", run.stdout);
        assert!(world.jobs().is_empty());
        let quiet = world.run_to(0, &["-q"]).stdout;
        assert!(quiet.contains("2 monitored banks without data for any ETL: BMO-CA, TD-CA\n"), "{quiet}");
        assert_eq!(world.run_to(0, &["-q"]).stdout, "");

        let unskip = ann(world, 0, &["unskip", "RY", "--reason", "it is out"]);
        assert_eq!(unskip.stdout, format!("unskip: {GAP}\n1 gap no longer skipped\n"));
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        assert_eq!(orders(world), [format!("skip|{GAP}|ann|restated in December"), format!("unskip|{GAP}|ann|it is out")]);
        let again = ann(world, 0, &["unskip", "--all", "--reason", "tidying up"]);
        assert_eq!(again.stdout, "nothing to unskip: no gap of any bank is skipped\n");
    }

    fn a_skip_may_end_by_itself(world: &World) {
        one_gap(world, GOOD);
        let long = ann(world, 0, &["skip", GAP, "--until", "9998-12-01", "--reason", "x"]);
        assert_eq!(long.stdout, format!("skip: {GAP} until 9998-12-01 00:00:00Z\n1 gap skipped\n"));
        let short = ann(world, 0, &["skip", GAP, "--until", "1s", "--reason", "x", "--format", "json"]).json();
        assert_eq!((&short["kind"], &short["changed"], &short["gaps"][0]["gap"]), (&"skip".into(), &1.into(), &GAP.into()));
        assert!(short["until"].is_string(), "{short}");
        until("the order has ended and the report is made", || {
            world.run_to(0, &[]);
            world.reports().len() == 1
        });
        ann(world, 2, &["skip", GAP, "--until", "2020-01-01", "--reason", "x"]);
    }

    fn all_etls_of_a_period_are_meant_when_none_is_named(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let done = ann(world, 0, &["skip", "RY", "2025Q2", "--reason", "x"]);
        assert_eq!(done.stdout, "skip: RY-CA/2025Q2/call_summary\nskip: RY-CA/2025Q2/key_themes\n2 gaps skipped\n");
        world.run_to(0, &[]);
        assert!(world.jobs().is_empty());
    }

    fn a_bank_or_an_etl_may_be_skipped_with_what_comes_later(world: &World) {
        world.single_etl(GOOD, &[]);
        let none = world.run_to(0, &["--dry-run"]);
        assert!(none.stdout.contains("NO DATA"), "there are no gaps yet: {}", none.stdout);
        let skip = ann(world, 0, &["skip", "RY", "--reason", "bank left the list"]);
        assert_eq!(skip.stdout, "skip: every present and later report of RY-CA\n1 order given\n");
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        let run = world.run_to(0, &[]);
        assert!(run.stdout.contains(&format!("Skipped: 1\n  • {GAP}: by ann since 20")), "{}", run.stdout);
        assert!(run.stdout.contains(": bank left the list\n"), "{}", run.stdout);
        assert_eq!(world.reports(), ["TD 2025 Q2 Call Summary"]);

        world.available("TD", 6, 2025, "Q1");
        ann(world, 0, &["skip", "--etl-type", "call_summary", "--until", "9998-12-01", "--reason", "new prompt"]);
        let both = world.run_to(0, &["--dry-run", "--force", "--etl-type", "call_summary"]);
        assert!(both.stdout.contains("Skipped: 3\n") && both.stdout.contains("until 9998-12-01 00:00:00Z: new prompt"), "{}", both.stdout);
        let retry = ann(world, 0, &["unskip", GAP, "--reason", "x"]);
        assert!(retry.stdout.contains("there was nothing to change\n0 gaps no longer skipped\n"), "{}", retry.stdout);
        assert!(retry.stdout.contains("every present and later report of RY-CA stays skipped by ann since 20"), "{}", retry.stdout);
        assert!(retry.stdout.contains("; `etl-orch unskip RY-CA --reason TEXT --config etl-orch.yaml` ends that\n"), "{}", retry.stdout);

        let etl = ann(world, 0, &["unskip", "call_summary", "--reason", "it is good"]);
        assert_eq!(etl.stdout, "unskip: every present and later report of call_summary\n1 order taken back\n");
        ann(world, 0, &["retry", "RY", "--reason", "back on the list"]);
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q1 Call Summary", "TD 2025 Q2 Call Summary"]);
        let on_record = orders(world);
        assert_eq!(on_record[0], "skip|RY-CA/*/*|ann|bank left the list");
        assert_eq!(on_record[1], "skip|*/*/call_summary|ann|new prompt");
    }

    fn a_dry_run_of_an_order_changes_nothing(world: &World) {
        one_gap(world, "echo 'no transcript' >&2; exit 65\n");
        world.run_to(1, &[]);
        let dry = ann(world, 0, &["retry", "RY", "--dry-run"]);
        assert!(dry.stdout.starts_with(&format!("would retry: {GAP}: 1 run failed; quarantined since 20")), "{}", dry.stdout);
        assert!(dry.stdout.contains("no transcript\n1 gap would be free to be tried again; nothing was changed\n"), "{}", dry.stdout);
        assert!(orders(world).is_empty());
        world.write("etl.sh", GOOD);
        assert!(world.run_to(0, &[]).stdout.contains("Quarantined: 1\n"));
        let skip = ann(world, 0, &["skip", GAP, "--dry-run", "--format", "json"]).json();
        assert_eq!((&skip["dry_run"], &skip["gaps"][0]["gap"]), (&true.into(), &GAP.into()));
        assert!(orders(world).is_empty());
    }

    fn retry_of_all_releases_what_rests_and_nothing_else(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.single_etl("exit 65\n", &["retry: {max_attempts: 1}"]);
        world.run_to(1, &[]);
        ann(world, 0, &["skip", "TD", "2025Q2", "--reason", "leave it"]);
        let none = ann(world, 2, &["retry", "--all", "--etl-type", "cal_summary", "--reason", "x"]);
        assert!(none.stderr.contains("--etl-type: unknown ETL \"cal_summary\"; did you mean call_summary?\n"), "{}", none.stderr);
        let done = ann(world, 0, &["retry", "--all", "--etl-type", "call_summary", "--reason", "model fixed"]);
        assert_eq!(done.stdout, format!("retry: BMO-CA/2025Q2/call_summary\nretry: {GAP}\n2 gaps free to be tried again\n"));
        world.write("etl.sh", GOOD);
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "RY 2025 Q2 Call Summary"]);
        let none = ann(world, 0, &["retry", "--all", "--reason", "x"]);
        assert_eq!(none.stdout, "nothing to retry: no gap of any bank rests or is quarantined\n");
    }

    fn retry_takes_the_id_of_a_job_too(world: &World) {
        one_gap(world, "exit 65\n");
        world.run_to(1, &[]);
        let id = job_id(world);
        let done = ann(world, 0, &["retry", &id[..8], "--reason", "corrected"]);
        assert_eq!(done.stdout, format!("retry: {GAP}\n1 gap free to be tried again\n"));
        world.write("etl.sh", GOOD);
        let dry = world.run_to(0, &["--dry-run"]).stdout;
        assert!(dry.contains("  • 2025 Q2: call_summary (retry by ann since 20") && dry.contains(": corrected)\n"), "{dry}");
        let run = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((&run["jobs"][0]["order"]["by"], &run["jobs"][0]["order"]["reason"]), (&"ann".into(), &"corrected".into()));
        assert_eq!(world.reports().len(), 1);
    }

    fn what_runs_is_not_retried_and_that_is_said(world: &World) {
        one_gap(world, TIDY);
        let running = world.spawn(&[]);
        pid_in(&world.path("pid"));
        let done = ann(world, 0, &["retry", GAP, "--reason", "x"]);
        assert!(done.stdout.starts_with(&format!("retry: {GAP}: is running now (process ")), "{}", done.stdout);
        assert!(done.stdout.ends_with("; nothing was changed\n0 gaps free to be tried again\n"), "{}", done.stdout);
        assert!(orders(world).is_empty());
        running.signal("TERM");
        running.wait();
    }

    fn a_running_job_is_stopped_by_another_process(world: &World) {
        one_gap(world, TIDY);
        let running = world.spawn(&[]);
        pid_in(&world.path("pid"));
        let id = job_id(world);
        let done = ann(world, 0, &["cancel", "RY", "2025", "Q2", "call_summary", "--reason", "wrong model"]);
        assert!(done.stdout.starts_with(&format!("cancel: {GAP}: job {} is cancelled; ", &id[..8])), "{}", done.stdout);
        assert!(world.path("tidied").exists(), "it was asked with SIGTERM and had time");
        let ended = running.wait();
        assert!(ended.stdout.contains("Not run: 1\n"), "{ended:?}");
        assert_eq!(world.jobs(), [format!("{GAP}|cancelled")]);
        assert_eq!(world.attempts(), [format!("{GAP}|1|interrupted")]);
        assert_eq!(orders(world), [format!("cancel|{GAP}|ann|wrong model")]);

        let next = world.run_to(0, &[]);
        assert!(next.stdout.contains("Skipped: 1\n"), "{}", next.stdout);
        assert_eq!(world.jobs().len(), 1, "its gap is left alone");
        ann(world, 0, &["retry", "RY", "--reason", "right model"]);
        world.write("etl.sh", GOOD);
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 1);

        let none = ann(world, 1, &["cancel", "RY", "--reason", "x"]);
        assert!(none.stderr.contains("no job of RY-CA is running or queued; there was nothing to cancel"), "{}", none.stderr);
        let ended = ann(world, 1, &["cancel", &id[..8], "--reason", "x"]);
        assert!(ended.stderr.contains("has ended: cancelled; there was nothing to cancel"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }

    fn a_queued_job_is_cancelled_and_its_run_does_not_fail(world: &World) {
        world.single_etl(&format!("[ $2 = RY ] && {{ {WAITS}}}\necho report > \"$4\"\n"), &[]);
        world.also("run: {max_parallel: 1}");
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        let running = world.spawn(&[]);
        until("RY's ETL runs", || world.path("waiting").exists());
        let done = ann(world, 0, &["cancel", "TD", "--reason", "not today"]);
        assert!(done.stdout.starts_with("cancel: TD-CA/2025Q2/call_summary"), "{}", done.stdout);
        world.write("go", "");
        let ended = running.wait();
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.contains("Successful: 1") && ended.stdout.contains("1 job: cancelled by ann: not today\n"), "{ended:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded", "TD-CA/2025Q2/call_summary|cancelled"]);
    }

    fn a_job_that_nobody_knows_is_answered_with_the_latest(world: &World) {
        one_gap(world, GOOD);
        let none = ann(world, 2, &["cancel", "00000000", "--reason", "x"]);
        assert!(none.stderr.contains("no job has an id that begins with 00000000; there is none yet"), "{}", none.stderr);
        world.run_to(0, &[]);
        let unknown = ann(world, 2, &["cancel", "00000000", "--reason", "x"]);
        assert!(unknown.stderr.contains("; the latest are\n"), "{}", unknown.stderr);
        assert!(unknown.stderr.contains(&format!("  {}  succeeded  {GAP}\n", job_id(world))), "{}", unknown.stderr);

        for id in ["22222222-2222-4222-8222-222222222222", "22222222-3333-4222-8222-222222222222"] {
            world.sql(&format!(
                "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, queued_at)
                 SELECT '{id}', run_id, gap_key || 'x', etl, bank_key, bank_id, fiscal_year, quarter, position + 1, forced, 'cancelled', 0, queued_at
                 FROM etl_jobs LIMIT 1"
            ));
        }
        let several = ann(world, 2, &["cancel", "2222", "--reason", "x"]);
        assert!(several.stderr.contains("several jobs have an id that begins with 2222; write more of it\n"), "{}", several.stderr);
        assert!(several.stderr.contains("22222222-3333-"), "{}", several.stderr);
        assert!(orders(world).is_empty());
    }
}

#[test]
fn orders_that_make_no_sense_are_usage_errors_and_change_nothing() {
    let world = World::new(Kind::Sqlite);
    one_gap(&world, "exit 65\n");
    for (args, told) in [
        (&["retry", "RY"][..], "--reason <TEXT>"),
        (&["retry", "RY", "--reason", "  "], "say why"),
        (&["retry", "RY", "--reason", "\u{1b}[2J"], "control character"),
        (&["retry", "--reason", "x"], "nothing is named; write BANK"),
        (&["retry", "RY", "--all", "--reason", "x"], "cannot be used with"),
        (&["retry", "RY", "2025Q2", "--etl-type", "call_summary", "--reason", "x"], "name the ETL after the quarter"),
        (&["retry", "BMQ", "--reason", "x"], "unknown bank \"BMQ\"; did you mean BMO"),
        (&["retry", "RY", "2025", "--reason", "x"], "which quarter of 2025?"),
        (&["retry", "RY", "2025Q2", "call_sumary", "--reason", "x"], "did you mean call_summary?"),
        (&["retry", "abcd", "--reason", "x"], "no bank is called \"abcd\" and no job has an id that begins with abcd"),
        (&["skip", "--reason", "x"], "nothing is named; write BANK"),
        (&["skip", "--etl-type", "zzz", "--reason", "x"], "unknown ETL \"zzz\"; there is only call_summary"),
        (&["skip", "RY", "2025Q2", "--until", "soon", "--reason", "x"], "a duration such as 3d"),
        (&["skip", "RY", "2025Q2", "--until", "0s", "--reason", "x"], "write a time in the future"),
        (&["cancel", "xyz", "--reason", "x"], "unknown bank \"xyz\""),
    ] {
        let done = ann(&world, 2, args);
        assert!(done.stderr.contains(told), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains('\u{1b}'), "{}", done.stderr);
        assert_eq!(done.stdout, "");
    }
    assert!(orders(&world).is_empty());
}
