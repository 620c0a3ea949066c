//! The conformance suite of the store: every test runs on SQLite and on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod arrivals;
mod availability;
mod availability_versions;
mod claims;
mod collected;
mod containment;
mod decisions;
mod durability;
mod encodings;
mod endings;
mod fixture;
mod garbage;
mod given_up;
mod history;
mod independent;
mod kept;
mod migration;
mod notifications;
mod numbers;
mod orders;
mod past;
mod pending_orders;
mod placing;
mod pools;
#[path = "../support/postgres.rs"]
mod postgres_server;
mod repeat;
mod reports;
mod retention;
mod said;
mod scan;
mod schema;
mod severed;
mod sources;
mod sqlite_files;
mod successes;
mod user_query;
mod windows;

/// Makes of each `async fn name(fixture: Fixture)` a test for either database.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::fixture::Fixture::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::fixture::Fixture::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;
