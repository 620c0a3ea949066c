//! When the data of banks arrived, and which bank is late with its own.

use crate::notifications::{Chat, states};
use crate::on_both_databases;
use crate::support::World;
use crate::support::clock::clock;
use crate::support::world::Done;

const BANKS: [(&str, i64); 3] = [("RY", 1), ("BMO", 2), ("TD", 6)];

fn run(world: &World, time: &str, args: &[&str]) -> Done {
    let done = Done::of(&world.command(args).envs(clock(&format!("@{time}"))).output().expect("the binary starts"));
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    done
}

/// Three quarters of all banks arrive 25 days after their end, then one of all banks but BMO.
fn three_quarters(world: &World) {
    world.single_etl("echo report > \"$4\"\n", &[]);
    for (year, quarter, day) in [
        (2024, "Q1", "2024-04-20"),
        (2024, "Q2", "2024-07-25"),
        (2024, "Q3", "2024-10-25"),
        (2024, "Q4", "2025-01-25"),
        (2025, "Q1", "2025-04-25"),
    ] {
        for (symbol, id) in BANKS.into_iter().filter(|(symbol, _)| year == 2024 || *symbol != "BMO") {
            world.available(symbol, id, year, quarter);
        }
        run(world, &format!("{day} 10:00:00"), &[]);
    }
}

on_both_databases! {
    fn a_bank_that_is_later_than_ever_and_than_its_peers_is_late(world: &World) {
        three_quarters(world);
        let arrived = "SELECT bank_key, fiscal_year, quarter, CASE WHEN is_latest THEN 'latest' END FROM data_arrivals WHERE bank_key <> 'TD-CA' ORDER BY 1, 2, 3";
        let known = ["BMO-CA|2024|Q2|latest", "BMO-CA|2024|Q3|latest", "BMO-CA|2024|Q4|latest"];
        let of_ry = ["RY-CA|2024|Q2|latest", "RY-CA|2024|Q3|latest", "RY-CA|2024|Q4|latest", "RY-CA|2025|Q1|latest"];
        assert_eq!(world.sql(arrived), [&known[..], &of_ry].concat(), "of what was there at first nothing is known");

        let not_due = run(world, "2025-04-28 10:00:00", &["--dry-run", "--format", "json"]).json();
        assert_eq!(not_due["late_banks"], serde_json::json!([]));
        let chat = Chat::start(world);
        let quiet = run(world, "2025-04-29 10:00:00", &["-q"]).stdout;
        assert_eq!(states(&chat.message()["changes"]), ["bank:BMO-CA/2025Q1 bank_late"]);
        let late = "  ⚠ BMO-CA: its data of 2025 Q1 (transcripts) is late: as its last 3 periods came, it was expected by 2025-04-25, and 2 of 2 other \
                    banks have theirs\n";
        assert!(quiet.contains(late) && quiet.contains(" · data of 1 bank late\n"), "{quiet}");
        assert_eq!(run(world, "2025-04-29 10:15:00", &["-q"]).stdout, "");
        let json = run(world, "2025-04-29 10:00:00", &["--dry-run", "--format", "json"]).json();
        assert_eq!((&json["late_banks"][0]["bank"], &json["late_banks"][0]["period"]), (&"BMO-CA".into(), &"2025Q1".into()));
        let health = run(world, "2025-04-29 10:20:00", &["health", "--format", "json"]).json();
        assert_eq!((&health["issues"][0]["code"], &health["issues"][0]["severity"]), (&"bank_late".into(), &"warning".into()), "{health}");
        let json = run(world, "2025-04-29 10:00:00", &["--dry-run", "--format", "json", "--period", "2024Q2"]).json();
        assert_eq!(json["late_banks"], serde_json::json!([]), "the latest periods are not looked at");

        world.available("BMO", 2, 2025, "Q1");
        let before = world.sql("SELECT count(*) FROM data_arrivals");
        run(world, "2025-05-02 10:00:00", &["--dry-run"]);
        assert_eq!(world.sql("SELECT count(*) FROM data_arrivals"), before, "a dry run writes nothing");
        let come = run(world, "2025-05-02 10:00:00", &[]).stdout;
        assert!(!come.contains(" late"), "{come}");
        assert_eq!(states(&chat.message()["changes"]), ["bank:BMO-CA/2025Q1 recovered"]);
        let why = run(world, "2025-06-01 10:00:00", &["why", "BMO", "2025", "Q1", "call_summary"]).stdout;
        assert!(why.contains("there since 2025-05-02 10:00:0") && why.contains("when a run saw it first"), "{why}");
        let then = run(world, "2025-06-01 10:00:00", &["why", "BMO", "2025", "Q1", "call_summary", "--at", "2025-04-30"]).stdout;
        assert!(then.contains("data with transcripts: not there yet, first seen at 2025-05-02 10:00:0"), "{then}");
        assert!(!then.contains("which data was there"), "{then}");
        let old = run(world, "2025-06-01 10:00:00", &["why", "RY", "2024", "Q1", "call_summary"]).stdout;
        assert!(!old.contains("there since"), "{old}");
    }
}
