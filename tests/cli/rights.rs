//! A database user with few rights, and the SQL that gives it those it needs.

use crate::support::world::{Done, Kind, World};

/// A world whose configuration names a user without any right. Returns the user's name, which a statement has to quote.
fn without_rights() -> (World, String) {
    let world = World::new(Kind::Postgres);
    let role = format!("{}-Etl", world.value("SELECT current_database()"));
    world.sql(&format!("CREATE ROLE \"{role}\" LOGIN"));
    let config = world.read("etl-orch.yaml").replace("postgres://postgres@", &format!("postgres://{role}@"));
    world.write("etl-orch.yaml", &config);
    world.available("RY", 1, 2025, "Q2");
    (world, role)
}

/// Whether an error has these words, and none of PostgreSQL's own source.
fn says(done: &Done, words: &[&str]) {
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {done:?}");
    }
    assert!(!done.stderr.contains("at line"), "{done:?}");
}

#[test]
fn what_a_dba_applies_lets_a_user_with_no_other_right_run() {
    let (world, role) = without_rights();
    let database = world.value("SELECT current_database()");
    let way_out = format!("`etl-orch init --print-sql --grant-to \"{role}\" | psql -v ON_ERROR_STOP=1`");
    for args in [&["init"][..], &["run"]] {
        says(&world.run_to(1, args), &[&format!("lacks CREATE on the database {database}"), &way_out]);
    }
    world.sql("CREATE SCHEMA etl_orch");
    says(&world.run_to(1, &["init"]), &["let its user", "look at the state tables", "GRANT USAGE ON SCHEMA etl_orch"]);

    let printed = world.run_to(0, &["init", "--print-sql", "--grant-to", &role]).stdout;
    world.sql(&printed);
    world.sql(&printed);
    let done = world.run_to(0, &["init"]);
    assert!(done.stdout.contains("state tables are there"), "{done:?}");
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes"]);

    world.sql(&format!("REVOKE INSERT ON aegis_reports FROM \"{role}\""));
    for args in [&["init"][..], &["config", "check", "--connect"]] {
        says(&world.run_to(1, args), &[&format!("GRANT INSERT ON aegis_reports TO \"{role}\"")]);
    }
    world.sql("DELETE FROM etl_orch._sqlx_migrations WHERE version > 1");
    says(&world.run_to(1, &["init"]), &["which have version 1", "another user owns them", &way_out]);
}

#[test]
fn sqlite_has_no_rights_to_grant() {
    let world = World::new(Kind::Sqlite);
    says(&world.run_to(2, &["init", "--print-sql", "--grant-to", "etl"]), &["SQLite knows no rights"]);
    says(&world.run_to(2, &["init", "--grant-to", "etl"]), &["--print-sql"]);
}
