//! What the server of PostgreSQL saw of a run: its statements and transactions by its own log, and how much it wrote.

use std::collections::HashSet;

use crate::counts::Counts;
use crate::support::{Kind, World};

/// A moment on the server.
pub(crate) struct Mark {
    log: usize,
    written: f64,
}

/// Has the server log every statement of new connections to this world's database.
pub(crate) fn log_statements(world: &World) {
    if world.kind() == Kind::Postgres {
        let database = world.value("SELECT current_database()");
        world.sql(&format!("ALTER DATABASE {database} SET log_statement = 'all'"));
    }
}

impl Mark {
    /// Now. On SQLite there is no server.
    pub(crate) fn of(world: &World) -> Option<Self> {
        (world.kind() == Kind::Postgres).then(|| {
            let written = world.value("SELECT pg_current_wal_insert_lsn() - '0/0'").parse().expect("a number of bytes");
            Self { log: log(world).lines().count(), written }
        })
    }

    /// What happened from here until there.
    pub(crate) fn until(&self, world: &World, end: &Self) -> Counts {
        let mut counts = Counts::default();
        counts.add("bytes of log", end.written - self.written);
        let mut open = HashSet::new();
        for line in log(world).lines().skip(self.log).take(end.log - self.log) {
            let Some((process, statement)) = statement(line) else { continue };
            counts.add("statements", 1.0);
            match statement.split_whitespace().next().map(str::to_uppercase).as_deref() {
                Some("BEGIN") => {
                    open.insert(process);
                }
                Some("COMMIT" | "ROLLBACK") => {
                    open.remove(process);
                    counts.add("transactions", 1.0);
                }
                _ if open.contains(process) => {}
                _ => counts.add("transactions", 1.0),
            }
        }
        counts
    }
}

fn log(world: &World) -> String {
    world.sql("SELECT pg_read_file(current_setting('data_directory') || '/../log')").join("\n")
}

/// The process and the statement of a line like `2026-01-01 00:00:00.000 UTC [4711] LOG:  execute sqlx_s_1: SELECT`. Those of this test's own
/// questions are none.
fn statement(line: &str) -> Option<(&str, &str)> {
    let (before, said) = line.split_once("] LOG:  ")?;
    let (kind, statement) = said.split_once(": ")?;
    let is_ours = statement.contains("pg_read_file") || statement.contains("pg_current_wal_insert_lsn");
    let is_one = kind == "statement" || kind.starts_with("execute ");
    (is_one && !is_ours).then_some((before.rsplit_once('[')?.1, statement.trim_start()))
}
