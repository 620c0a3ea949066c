//! A bank's jobs run one after the other, banks beside each other, never more than there are slots.

use std::collections::BTreeSet;

use crate::on_both_databases;
use crate::support::{Kind, World};

/// Writes `start` and `end` of each job to one file.
const MARKS: &str = "echo \"start $2 $3 $1\" >> marks.log\necho report > \"$4\"\necho \"end $2 $3 $1\" >> marks.log\n";

/// Goes on only once `$wanted` jobs have started; gives up after a minute.
const RENDEZVOUS: &str = "mkdir -p started\ntouch \"started/$2\"\nleft=1200\n\
    until [ \"$(ls started | wc -l)\" -ge \"$wanted\" ]; do\n\
      left=$((left - 1)); [ $left -gt 0 ] || exit 65\n      sleep 0.05\ndone\necho report > \"$4\"\n";

/// How many attempts were under way at once, by what is on record.
const MOST_AT_ONCE: &str = "SELECT max(at_once) FROM (SELECT (SELECT count(*) FROM etl_attempts b \
    WHERE b.started_at <= a.started_at AND b.ended_at > a.started_at) AS at_once FROM etl_attempts a) counted";

/// Whether every `start` in the marks is followed by its own `end`; returns the jobs in order.
fn one_after_the_other<'a>(marks: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let marks: Vec<&str> = marks.collect();
    marks
        .chunks(2)
        .map(|pair| {
            let job = pair[0].strip_prefix("start ").unwrap_or_else(|| panic!("{marks:?}"));
            assert_eq!(pair.get(1).and_then(|end| end.strip_prefix("end ")), Some(job), "{marks:?}");
            job
        })
        .collect()
}

on_both_databases! {
    fn a_bank_is_worked_on_newest_period_first_in_order_of_declaration(world: &World) {
        world.write("etl.sh", MARKS);
        for (year, quarter) in [(2024, "Q4"), (2025, "Q2"), (2025, "Q1")] {
            world.available("RY", 1, year, quarter);
            world.available("BMO", 2, year, quarter);
        }

        world.run_to(0, &[]);

        let marks = world.read("marks.log");
        for bank in ["RY", "BMO"] {
            let jobs = one_after_the_other(marks.lines().filter(|mark| mark.split(' ').nth(1) == Some(bank)));
            let expected = ["2025Q2 call_summary", "2025Q2 key_themes", "2025Q1 call_summary", "2025Q1 key_themes", "2024Q4 call_summary", "2024Q4 key_themes"];
            assert_eq!(jobs, expected.map(|job| format!("{bank} {job}")));
        }
    }

    fn a_free_slot_goes_to_the_freshest_period_of_a_bank_that_is_not_at_work(world: &World) {
        // RY's newest report takes until all others of that period are there.
        let script = "mkdir \"at_work_$2\" || exit 65\necho \"$2 $3\" >> starts\nleft=1200\n\
            while [ \"$2 $3\" = 'RY 2025Q2' ] && [ ! -e TD_2025Q2 ]; do left=$((left - 1)); [ $left -gt 0 ] || exit 65; sleep 0.05; done\n\
            touch \"$2_$3\"\nrmdir \"at_work_$2\"\necho report > \"$4\"\n";
        world.single_etl(script, &[]);
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            for (year, quarter) in [(2025, "Q2"), (2025, "Q1"), (2024, "Q4")] {
                world.available(symbol, id, year, quarter);
            }
        }

        world.run_to(0, &["--max-parallel", "2"]);
        let starts: Vec<String> = world.read("starts").lines().map(str::to_owned).collect();
        assert_eq!((starts.len(), starts[2].as_str()), (9, "TD 2025Q2"), "{starts:?}");
        let newest: BTreeSet<&str> = starts[..2].iter().map(String::as_str).collect();
        assert_eq!(newest, BTreeSet::from(["RY 2025Q2", "BMO 2025Q2"]));
    }

    fn banks_run_beside_each_other(world: &World) {
        world.institutions("RY-CA: {id: 1, name: A}\nBMO-CA: {id: 2, name: B}\nTD-CA: {id: 6, name: C}\nNA-CA: {id: 7, name: D}\n");
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6), ("NA", 7)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.single_etl(&format!("wanted=4\n{RENDEZVOUS}"), &[]);

        world.run_to(0, &["--max-parallel", "4"]);
        assert_eq!(world.value(MOST_AT_ONCE), "4");
    }

    fn one_slot_runs_one_job_at_a_time(world: &World) {
        world.write("etl.sh", MARKS);
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
            world.available(symbol, id, 2025, "Q1");
        }

        world.run_to(0, &["--max-parallel", "1"]);
        assert_eq!(one_after_the_other(world.read("marks.log").lines()).len(), 12);
        assert_eq!(world.value(MOST_AT_ONCE), "1");
    }

    fn the_slots_are_filled_and_never_exceeded(world: &World) {
        let banks: Vec<(String, i64)> = (1..=28).map(|id| (format!("B{id}"), id)).collect();
        let lines: Vec<String> = banks.iter().map(|(symbol, id)| format!("{symbol}-US: {{id: {id}, name: Bank {id}}}\n")).collect();
        world.institutions(&lines.concat());
        for (symbol, id) in &banks {
            world.available(symbol, *id, 2025, "Q2");
        }
        world.single_etl(&format!("wanted=8\n{RENDEZVOUS}"), &[]);

        let done = world.run_to(0, &["--max-parallel", "8", "--format", "json"]);
        assert_eq!(done.json()["results"]["succeeded"], 28);
        assert_eq!(world.value(MOST_AT_ONCE), "8");
    }

    fn the_periods_of_a_bank_may_run_beside_each_other(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 1, 2025, "Q1");
        world.single_etl(&format!("wanted=2\nset -- \"$1\" \"$3\" \"$3\" \"$4\"\n{RENDEZVOUS}"), &[]);
        world.also("run: {chain_by: bank_period}");

        world.run_to(0, &[]);
        assert_eq!(world.value(MOST_AT_ONCE), "2");
    }
}

#[test]
fn the_machine_may_decide_how_many_run_at_once() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let done = world.run_to(0, &["--max-parallel", "auto"]);
    assert!(done.stderr.contains("Starting parallel execution of 2 ETL jobs in 1 chain (max "), "{}", done.stderr);

    world.available("BMO", 2, 2025, "Q2");
    world.settings("run: {max_parallel: auto}\n");
    world.run_to(0, &[]);
    assert_eq!(world.reports().len(), 4);
}
