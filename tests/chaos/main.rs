//! Runs the real binary under random faults from a seed, on both databases: whatever happens, the next runs converge, and nothing is
//! lost or done twice.
//!
//! A scenario (`kills`, `stops`, ...) creates a [`scene::Scene`], runs the binary in it and injects faults. Then `convergence` lets
//! undisturbed runs clean up, and `invariants` checks what must be true afterwards. The random delays of a scenario wait for nothing:
//! they choose the moments of the faults.
//!
//! `ETL_ORCH_CHAOS_SEED=7` uses only this seed, `ETL_ORCH_CHAOS_KILLS=2000` kills that many processes in `kills`,
//! `ETL_ORCH_CHAOS_CALLS=all` disturbs every system call in `sweeps`, `ETL_ORCH_CHAOS_CUTS=all` cuts the power at every point in `power_cuts`;
//! `--nocapture` prints the counts.

#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[expect(dead_code, unused_imports, reason = "shared with tests/cli, which uses more of it")]
#[path = "../support/mod.rs"]
mod support;

/// Turns each `fn name(scene: &mut Scene) { ... }` into a module of that name with one test on SQLite and one on PostgreSQL.
macro_rules! chaos {
    ($($(#[$meta:meta])* fn $name:ident($scene:ident: &mut Scene) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                fn play($scene: &mut Scene) $body

                #[test]
                fn on_sqlite() {
                    $crate::seed::each(concat!(module_path!(), "::on_sqlite"), $crate::support::Kind::Sqlite, play);
                }

                #[test]
                fn on_postgres() {
                    let _server = $crate::server::shared();
                    $crate::seed::each(concat!(module_path!(), "::on_postgres"), $crate::support::Kind::Postgres, play);
                }
            }
        )*
    };
}

mod archive;
mod calls;
mod convergence;
mod frontiers;
mod invariants;
mod invocation;
mod marks;
mod mount_namespace;
mod printed;
mod processes;
mod scene;
mod seed;
mod server;
mod sources;
mod tally;

mod clock;
mod collecting;
mod connections;
mod daemons;
mod disk;
mod hosts;
mod kills;
mod power_cuts;
mod refused;
mod second_user;
mod stops;
mod sweeps;
mod together;
