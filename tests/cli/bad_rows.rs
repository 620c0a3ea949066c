//! A bad row is named and stops nobody.

use crate::on_both_databases;
use crate::support::{Kind, World};

/// Rows that are wrong beside one that is right, and what is said of each.
fn bad_rows(world: &World) -> Vec<String> {
    world.available("RY", 1, 2025, "Q2");
    let newline = match world.kind() {
        Kind::Sqlite => "B' || char(10) || 'MO",
        Kind::Postgres => "B' || chr(10) || 'MO",
    };
    let escape = newline.replace("10", "27");
    world.available("BMO", 2, 2025, "Q5");
    world.available("--help", 2, 2024, "Q1");
    world.available(newline, 2, 2024, "Q2");
    world.available(&escape, 2, 2024, "Q3");
    world.available("TD", 7, 2024, "Q4");
    world.available("TD", 6, 12, "Q1");
    [
        "BMO 2025 Q5: quarter \"Q5\" is not one of Q1, Q2, Q3, Q4",
        "--help 2024 Q1: bank_symbol \"--help\" starts with '-' or holds control characters",
        "B\\nMO 2024 Q2: bank_symbol \"B\\nMO\" starts with '-' or holds control characters",
        "B\\u{1b}MO 2024 Q3: bank_symbol \"B\\u{1b}MO\" starts with '-' or holds control characters",
        "TD 2024 Q4: bank_id 7 differs from id 6 of TD-CA in the institutions file",
        "TD 12 Q1: fiscal year \"12\" is not a year from 1900 to 2999",
    ]
    .map(str::to_owned)
    .to_vec()
}

on_both_databases! {
    fn bad_rows_are_named_and_stop_nobody(world: &World) {
        let bad = bad_rows(world);
        world.single_etl("echo report > \"$4\"\n", &[]);

        let text = world.run_to(0, &["--dry-run"]).stdout;
        assert!(text.contains("GAPS IDENTIFIED: 1 missing report"), "{text}");
        for row in &bad {
            assert!(text.contains(&format!("  ⚠ invalid 1 row: {row}\n")), "{row}: {text}");
        }
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");

        let done = world.run_to(0, &["--format", "json"]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        let json = done.json();
        assert_eq!(json["invalid_rows"], 6);
        let named: Vec<String> = json["invalid"].as_array().expect("a list").iter()
            .map(|row| format!("{}: {}", row["which"].as_str().unwrap_or("?"), row["problem"].as_str().unwrap_or("?")))
            .collect();
        assert_eq!(named.len(), 6, "{named:?}");
        assert!(bad.iter().all(|row| named.contains(row)), "{named:?}");
        assert!(done.stdout.chars().all(|c| c == '\n' || !c.is_control()));
        assert_eq!(json["warnings"].as_array().map(Vec::len), Some(7), "six rows and the banks without data: {json:#}");
    }

    fn a_bad_year_does_not_hide_the_good_ones(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 1, 2024, "Q2");
        world.available("RY", 1, 12, "Q2");
        world.report("RY", 1, 2024, "Q2", "Call Summary");
        world.single_etl("echo report > \"$4\"\n", &[]);

        let json = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(json["availability"][0]["combinations"], 2);
        assert_eq!(json["existing_reports"], 1);
        assert_eq!(json["invalid_rows"], 1);
        assert_eq!(json["invalid"][0]["which"], "RY 12 Q2");
        assert!(!json["institutions_without_data"].to_string().contains("RY"));
    }

    fn symbols_that_nobody_monitors_are_counted_and_not_invalid(world: &World) {
        world.available("XX", 99, 2025, "Q2");
        world.available("YY", 98, 2025, "Q2");
        let done = world.run_to(0, &[]);
        assert!(done.stdout.contains("  ⚠ 2 symbols in the data that nobody monitors: XX, YY\n"), "{}", done.stdout);
        assert!(done.stdout.contains("  ⚠ 3 monitored banks without data for any ETL: RY-CA, BMO-CA, TD-CA\n"), "{}", done.stdout);
        assert_eq!(world.run_to(0, &["--format", "json"]).json()["invalid_rows"], 0);
    }

    fn many_bad_rows_are_counted_and_the_first_are_named(world: &World) {
        for year in 2001..=2015 {
            world.available("RY", 1, year, &format!("Q{}", year % 100 + 4));
        }
        let done = world.run_to(0, &[]);
        assert_eq!(done.stdout.matches("⚠ invalid 1 row: RY 20").count(), 10, "{}", done.stdout);
        assert!(done.stdout.contains("  ⚠ invalid rows: 15 in all\n"), "{}", done.stdout);
    }
}

#[test]
fn tags_that_are_no_list_are_named_and_stop_nobody() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    for (quarter, tags) in [("Q1", "transcripts"), ("Q3", "{\"transcripts\": 1}"), ("Q4", "[\"transcripts\", 1]")] {
        world.available("BMO", 2, 2025, quarter);
        world.sql(&format!("UPDATE aegis_data_availability SET database_names = '{tags}' WHERE bank_id = 2 AND quarter = '{quarter}'"));
    }
    let done = world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes"]);
    let told = "  ⚠ invalid 3 rows: BMO 2025 Q1, BMO 2025 Q3, BMO 2025 Q4: database_names is not an array of names\n";
    assert!(done.stdout.contains(told), "{}", done.stdout);
    assert_eq!(world.run_to(0, &["--format", "json"]).json()["invalid_rows"], 3);
}
