//! The real binary under seeded scripts of faults, on both databases: whatever happens, the next runs converge, and nothing
//! was lost or done twice.
//!
//! A scenario (`kills`, `stops`, ...) makes a [`scene::Scene`], runs the binary in it and does harm to it. Then
//! `convergence` lets plain runs clean up, and `invariants` says what must be true after that. The scenarios' random delays
//! are not a way to wait for something: they are the moments of the faults, drawn from the seed.
//!
//! `ETL_ORCH_CHAOS_SEED=7` plays one seed, `ETL_ORCH_CHAOS_KILLS=2000` kills so many processes in `kills`; `--nocapture` shows
//! what was counted.

#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[expect(dead_code, unused_imports, reason = "shared with the tests of single situations, which use more of it")]
#[path = "../support/mod.rs"]
mod support;

/// Makes each `fn name(scene: &mut Scene) { ... }` a test on SQLite and one on PostgreSQL, in a module of each name.
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

mod convergence;
mod desk;
mod frontiers;
mod invariants;
mod invocation;
mod marks;
mod processes;
mod room;
mod scene;
mod seed;
mod server;

mod clock;
mod collecting;
mod connections;
mod daemons;
mod disk;
mod kills;
mod stops;
mod together;
