//! A bank's number and a year mean the same, whatever the type of their columns.

use crate::on_both_databases;
use crate::support::{Kind, World, etl, etl_with_row, insert_report};

/// Gives the columns another type: on PostgreSQL one with two digits after the point, on SQLite that of a text.
fn change_types(world: &World) {
    for table in ["aegis_data_availability", "aegis_reports"] {
        match world.kind() {
            Kind::Postgres => {
                world.sql(&format!(
                    "ALTER TABLE {table} ALTER COLUMN bank_id TYPE numeric(10,2), ALTER COLUMN fiscal_year TYPE numeric(6,2)"
                ));
            }
            Kind::Sqlite => {
                let schema = world.value(&format!("SELECT replace(sql, char(10), ' ') FROM sqlite_master WHERE name = '{table}'"));
                let schema =
                    schema.replace("bank_id            INTEGER", "bank_id TEXT").replace("bank_id        INTEGER NOT NULL", "bank_id TEXT");
                let schema =
                    schema.replace("fiscal_year        INTEGER", "fiscal_year REAL").replace("fiscal_year    INTEGER", "fiscal_year TEXT");
                assert!(!schema.contains("bank_id        "), "{schema}");
                world.sql(&format!("DROP TABLE {table}; {schema}"));
            }
        }
    }
}

on_both_databases! {
    fn what_exists_is_not_made_again_and_what_is_made_is_seen(world: &World) {
        change_types(world);
        for (quarter, year) in [("Q1", 2025), ("Q2", 2025)] {
            world.available("RY", 1, year, quarter);
        }
        world.report("RY", 1, 2025, "Q1", "Call Summary");
        world.report("RY", 1, 2025, "Q1", "Key Themes");
        if world.kind() == Kind::Sqlite {
            world.sql("UPDATE aegis_data_availability SET bank_id = '1.0', fiscal_year = '2025.0' WHERE quarter = 'Q1'");
        }
        // One writes its row itself.
        let row = insert_report("$2", "$4", "2025", "Q2", "Key Themes", "new");
        let script = format!("{}case $1 in key_themes) sql \"{row}\" ;; *) echo report > \"$4\" ;; esac\n", world.sql_function());
        world.etls(&script, &[etl("call_summary", "Call Summary", &[]), etl_with_row("key_themes", "Key Themes", &["needs: [call_summary]"])]);

        let dry = world.run_to(0, &["--dry-run"]).stdout;
        assert!(dry.contains("GAPS IDENTIFIED: 2 missing reports") && !dry.contains("invalid"), "{dry}");
        world.run_to(0, &[]);
        assert_eq!(world.value("SELECT count(*) FROM aegis_reports"), "4");
        world.run_to(0, &["--force", "--etl-type", "call_summary", "--period", "2025Q2"]);
        assert_eq!(world.value("SELECT count(*) FROM aegis_reports"), "4", "the row is replaced");
        let again = world.run_to(0, &["--format", "json"]).json();
        assert_eq!(again["gaps"]["planned"], 0, "{again:#}");
    }

    fn a_year_with_a_fraction_is_a_bad_row(world: &World) {
        change_types(world);
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 1, 2024, "Q2");
        world.available("RY", 1, 2023, "Q2");
        world.sql("UPDATE aegis_data_availability SET fiscal_year = 2024.5 WHERE fiscal_year = 2024 OR CAST(fiscal_year AS varchar(4)) = '2024'");
        world.single_etl("echo report > \"$4\"\n", &[]);
        let done = world.run_to(0, &[]);
        assert_eq!(world.value("SELECT count(*) FROM aegis_reports"), "2");
        let year = match world.kind() {
            Kind::Sqlite => "2024.5",
            Kind::Postgres => "2024.50",
        };
        let words = format!("invalid 1 row: RY {year} Q2: fiscal year \"{year}\" is not a year from 1900 to 2999");
        assert!(done.stdout.contains(&words), "{}", done.stdout);
    }
}
