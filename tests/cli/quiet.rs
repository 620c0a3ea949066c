//! What a quiet run says: never nothing where nothing matches, and what lasts when it is new and once a day.

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::clock::clock;
use crate::support::world::Done;
use crate::support::{Kind, World, etl};

fn quiet(world: &World, time: &str) -> String {
    let done = Done::of(&world.command(&["-q"]).envs(clock(time)).output().expect("the binary starts"));
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    done.stdout
}

on_both_databases! {
    fn a_run_in_which_nothing_matches_is_never_silent(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &[]);
        let says = |args: &[&str], words: &str| {
            for _ in 0..2 {
                let done = world.run_to(0, args);
                assert!(done.stdout.contains(&format!("  ⚠ nothing matches: {words}\n")), "{args:?}: {}", done.stdout);
                assert!(done.stdout.contains(" · nothing matches") && done.stdout.contains("NO DATA: "), "{}", done.stdout);
            }
        };
        says(&["-q"], "the availability table has no rows");
        world.available("XX", 99, 2025, "Q2");
        world.available("RI", 98, 2025, "Q2");
        let found = "(tags of the data: transcripts; symbols of the data: RI, XX)";
        says(&["-q"], &format!("no row with the required tags is of a monitored bank {found}"));
        world.available("RY", 1, 2025, "Q2");
        let found = "(tags of the data: transcripts; symbols of the data: RY, RI, XX)";
        let selected = "monitored banks have data, but not for the banks, years and periods that are selected (run.from_year counts too)";
        says(&["-q", "--from-year", "2030"], &format!("{selected} {found}"));
        says(&["-q", "--bank-symbol", "TD"], &format!("{selected} {found}"));
        world.sql("UPDATE aegis_data_availability SET quarter = 'Q5' WHERE bank_id = 1");
        says(&["-q"], &format!("the rows that might match are wrong {found}"));
        let json = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(json["unmatched"]["why"], "invalid_rows");
        assert_eq!(json["unmatched"]["symbols"][1], serde_json::json!({"name": "RY", "rows": 1}));

        // Each tag is known, but no row has both.
        let rts = if world.kind() == Kind::Sqlite { "'[\"rts\"]'" } else { "ARRAY['rts']" };
        world.sql(&format!("UPDATE aegis_data_availability SET quarter = 'Q2', database_names = {rts} WHERE bank_id = 99"));
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &["requires: [transcripts, rts]"])]);
        let found = "(tags of the data: transcripts, rts; symbols of the data: RY, RI, XX)";
        says(&["-q"], &format!("no row of the availability table has the tags that an ETL requires {found}"));
    }

    fn what_lasts_is_said_when_it_is_new_and_once_a_day(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        world.single_etl("[ \"$2\" = RY ] && exit 65; echo report > \"$4\"\n", &[]);
        let failed = world.run_to(1, &["-q"]);
        assert!(failed.stdout.contains("Failed: 1"), "{}", failed.stdout);
        assert_eq!(quiet(world, "+15m"), "", "the quarantine was said by the run that led to it");

        world.available("BMO", 2, 2025, "Q5");
        let bad = quiet(world, "+30m");
        assert!(bad.contains("invalid 1 row: BMO 2025 Q5") && bad.contains("Quarantined: 1\n"), "{bad}");
        assert_eq!(quiet(world, "+45m"), "");
        assert!(world.run_to(0, &[]).stdout.contains("BMO 2025 Q5"), "who does not ask for quiet gets everything");
        assert!(quiet(world, "+1470m").contains("BMO 2025 Q5"), "a day has passed");
        assert_eq!(quiet(world, "+1485m"), "");

        world.sql("DELETE FROM aegis_data_availability WHERE quarter = 'Q5'");
        assert_eq!(quiet(world, "+1500m"), "", "less is no news");
        world.available("BMO", 2, 2025, "Q5");
        assert!(quiet(world, "+1515m").contains("BMO 2025 Q5"));
        assert_eq!(quiet(world, "+1530m"), "");

        world.write("var/said.json", "no JSON");
        assert!(quiet(world, "+1545m").contains("BMO 2025 Q5"), "rather twice than never");
        assert_eq!(quiet(world, "+1560m"), "");
    }

    fn a_source_that_stays_late_is_said_once_a_day(world: &World) {
        let desk = Desk::new(world, &[]);
        desk.run_to(0, "01-16 00:20:00", &["-q"]);
        desk.run_to(0, "01-16 00:25:00", &["sources", "pause", "us_house", "--reason", "the service moves"]);
        for (time, says) in [
            ("01-16 06:20:00", ""),
            ("01-16 07:20:00", "⚠ us_house: late: "),
            ("01-16 07:35:00", ""),
            ("01-16 13:20:00", "⚠ us_house: overdue: "),
            ("01-17 13:10:00", ""),
            ("01-17 13:20:00", "⚠ us_house: overdue: "),
        ] {
            let done = desk.run_to(0, time, &["-q"]);
            assert!(done.stdout.contains(says) && done.stdout.is_empty() == says.is_empty(), "{time}: {}", done.stdout);
        }
    }

    fn gaps_of_which_none_may_run_have_an_exit_code_of_their_own(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.etls("exit 65", &[etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &["needs: [call_summary]"])]);
        let ends = |code: i32| {
            world.run_to(code, &["--detailed-exit-code"]);
            world.run_to(code, &["--detailed-exit-code", "--dry-run"]);
            world.run_to(0, &[]);
        };
        world.run_to(4, &["--detailed-exit-code", "--dry-run"]);
        world.run_to(3, &["--detailed-exit-code"]);
        ends(5);
        world.run_to(0, &["skip", "RY", "--reason", "restated"]);
        ends(5);
    }
}

/// What a run with `-q` prints, which does not exit with 0.
fn loud(world: &World, code: i32, args: &[&str]) -> String {
    let done = world.run_to(code, &[&["-q"], args].concat());
    format!("{}{}", done.stdout, done.stderr)
}

#[test]
fn no_exit_code_but_0_is_ever_silent() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.etls("echo report > \"$4\"\n", &[etl("a", "A", &["requires: [typo]"]), etl("b", "B", &[])]);
    for code in [1, 2, 2] {
        assert!(loud(&world, code, &[]).contains("a requires \"typo\""), "{code}");
    }
    world.etls("exit 65\n", &[etl("a", "A", &[])]);
    assert!(loud(&world, 4, &["--dry-run", "--detailed-exit-code"]).contains("GAPS IDENTIFIED"));
    assert!(loud(&world, 3, &["--detailed-exit-code"]).contains("Failed: 1"));
    for _ in 0..2 {
        assert!(loud(&world, 5, &["--detailed-exit-code"]).contains("Quarantined: 1"));
        assert!(loud(&world, 5, &["--detailed-exit-code", "--dry-run"]).contains("Quarantined: 1"));
    }
    assert_eq!(loud(&world, 0, &[]), "", "the same without the option is code 0");
    let lock = std::fs::File::create(world.path("var/etl-orch.lock")).expect("the lock file");
    lock.lock().expect("free");
    assert!(loud(&world, 75, &["--lock-wait", "none"]).contains("lock"));
    drop(lock);
    world.sql("ALTER TABLE aegis_reports RENAME TO elsewhere");
    for _ in 0..2 {
        assert!(loud(&world, 2, &[]).contains("aegis_reports"));
    }
}

#[test]
fn a_receiver_that_stays_down_is_logged_when_that_is_new_and_once_a_day() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo report > \"$4\"\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    world.also("tell: {textfile: none/etl-orch.prom}");
    let run = |args: &[&str], time: &str| Done::of(&world.command(args).envs(clock(time)).output().expect("the binary starts"));
    let times = |done: &Done| done.stderr.matches("tell.textfile: cannot write ").count();
    for (time, expected) in [("+0m", 1), ("+15m", 0), ("+1440m", 1), ("+1455m", 0)] {
        let done = run(&["-q"], time);
        assert_eq!((done.code, times(&done)), (0, expected), "{time}: {}", done.stderr);
    }
    assert_eq!(times(&run(&["-q", "--bank-symbol", "RY"], "+1470m")), 0, "the receivers are the same");
    assert_eq!(times(&run(&[], "+1470m")), 1, "who does not ask for quiet gets everything");
    world.available("TD", 2, 2025, "Q2");
    world.etls("exit 65\n", &[etl("key_themes", "Key Themes", &[])]);
    world.also("tell: {textfile: none/etl-orch.prom}");
    let failed = run(&["-q"], "+1485m");
    assert_eq!((failed.code, times(&failed)), (1, 1), "{}", failed.stderr);

    std::fs::create_dir(world.path("none")).expect("the directory");
    assert_eq!(times(&run(&["-q"], "+1500m")), 0);
    std::fs::remove_dir_all(world.path("none")).expect("the directory");
    assert_eq!(times(&run(&["-q"], "+1515m")), 1, "it is down again");
}
