//! Shared by the tests of the real binary: a world of its own for each test, on either database.

pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod mail;
pub(crate) mod postgres;
pub(crate) mod receiver;
pub(crate) mod running;
pub(crate) mod service;
pub(crate) mod wire;
pub(crate) mod world;

pub(crate) use world::{Kind, WAITS, World, etl, etl_with_row, insert_report, until};

/// Turns each `fn name(world: &World) { ... }` into a module of that name with one test on SQLite and one on PostgreSQL.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* fn $name:ident($world:ident: &World) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                fn check($world: &World) $body

                #[test]
                fn on_sqlite() {
                    check(&$crate::support::World::new($crate::support::Kind::Sqlite));
                }

                #[test]
                fn on_postgres() {
                    check(&$crate::support::World::new($crate::support::Kind::Postgres));
                }
            }
        )*
    };
}
