//! `coverage`: which reports there are and which are missing.

use crate::on_both_databases;
use crate::support::world::WAITS;
use crate::support::{Kind, World, until};

/// RY has both periods, and one report was made; TD fails for good; BMO has the data of another ETL alone.
pub(crate) fn in_every_state(world: &World) {
    world.single_etl("[ \"$2\" != TD ] || exit 65\necho report > \"$4\"\n", &[]);
    for (symbol, id, year, quarter) in [("RY", 1, 2025, "Q1"), ("RY", 1, 2025, "Q2"), ("TD", 6, 2025, "Q2"), ("BMO", 2, 2025, "Q2")] {
        world.available(symbol, id, year, quarter);
    }
    let other = if world.kind() == Kind::Sqlite { "'[\"other\"]'" } else { "ARRAY['other']" };
    world.sql(&format!("UPDATE aegis_data_availability SET database_names = {other} WHERE bank_symbol = 'BMO'"));
    world.run_to(1, &["run", "--period", "2025Q2"]);
}

on_both_databases! {
    fn each_report_has_a_sign_for_what_is_done_about_it(world: &World) {
        in_every_state(world);
        world.run_to(0, &["skip", "RY", "2025", "Q1", "--reason", "x"]);
        world.available("RY", 1, 2024, "Q4");
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.run_to(0, &["coverage"]).stdout, @r"
            COVERAGE: 3 banks, 3 periods, 1 of 3 reports made

                    2025  24
                    Q2 Q1 Q4
            RY  1/2 ■  -  □
            BMO 0/0 d  .  .
            TD  0/1 Q  .  .

            ■ 1 made   □ 1 missing, will be made   Q 1 quarantined   - 1 skipped by an operator   d 1 waits for data   . 4 no data
            Each sign is call_summary
            ");
            insta::assert_snapshot!(world.run_to(0, &["coverage", "ry", "--from-year", "2025"]).stdout, @r"
            COVERAGE: 1 bank, 2 periods, 1 of 1 report made

                   2025
                   Q2 Q1
            RY 1/1 ■  -

            ■ 1 made   - 1 skipped by an operator
            Each sign is call_summary
            ");
        }
        for bad in [&["RX"][..], &["--etl-type", "cal_summary"], &["--period", "2025"], &["RY", "--from-year", "2026", "--until-year", "2025"]] {
            world.run_to(2, &[&["coverage"], bad].concat());
        }
    }

    fn a_run_that_is_active_is_seen_and_not_disturbed(world: &World) {
        world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let run = world.spawn(&["run"]);
        until("the ETL waits", || world.path("waiting").exists());
        let object = world.run_to(0, &["coverage", "--format", "json"]).json();
        assert_eq!(object["states"], serde_json::json!({"running": 1, "no_data": 2}), "{object}");
        world.write("go", "");
        assert_eq!(run.wait().code, 0);
        let object = world.run_to(0, &["coverage", "--format", "json"]).json();
        assert_eq!((&object["made"], &object["expected"]), (&1.into(), &1.into()), "{object}");
    }
}

#[test]
fn nothing_is_written() {
    let world = World::new(Kind::Sqlite);
    in_every_state(&world);
    let before = world.bytes_below("var");
    world.run_to(0, &["coverage"]);
    assert!(world.bytes_below("var") == before);
}
