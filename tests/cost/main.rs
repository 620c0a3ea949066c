//! What a run costs, counted instead of timed: processes, system calls, waits for the disk, statements, pages. Counts are the same on a busy
//! machine, so each has a budget (`budget.rs`).
//!
//! What was seen is written to `target/bench/counts_*.md`.

#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[expect(dead_code, unused_imports, reason = "shared with tests/cli, which uses more of it")]
#[path = "../support/mod.rs"]
mod support;

mod budget;
mod calls;
mod counts;
mod scene;
mod server;

use std::fs;
use std::path::Path;

use budget::{Budget, POSTGRES, SQLITE, Table};
use scene::Scene;
use support::Kind;

const FEW: u32 = 20;
const MANY: u32 = 120;

#[test]
fn a_run_on_sqlite_costs_no_more_than_its_budget() {
    check(Kind::Sqlite, "sqlite", SQLITE);
}

/// No other test here may use the server, as this one counts what all of it writes.
#[test]
fn a_run_on_postgres_costs_no_more_than_its_budget() {
    check(Kind::Postgres, "postgres", POSTGRES);
}

fn check(kind: Kind, name: &str, budgets: &[Budget]) {
    let scene = Scene::new(kind);
    let idle = scene.idle_run();
    let few = scene.run_of(FEW);
    let many = scene.run_of(MANY);
    let table = Table::of(budgets, &idle, &many.less(&few).per(MANY - FEW));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&directory).expect("target/bench");
    fs::write(directory.join(format!("counts_{name}.md")), &table.text).expect("a file in target/bench");
    assert!(table.is_kept, "Over budget. Where it cannot be made cheaper, tests/cost/budget.rs has to allow more.\n{}", table.text);
}
