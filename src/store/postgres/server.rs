//! What the server says of itself.

use chrono::{DateTime, Utc};

use super::Postgres;
use crate::plan::decide::checkup::{Encoding, Server};
use crate::store::Result;

#[derive(sqlx::FromRow)]
struct Answer {
    version: String,
    encoding: String,
    now: DateTime<Utc>,
    is_standby: bool,
    is_encrypted: bool,
}

impl Postgres {
    pub(super) async fn server(&self) -> Result<Server> {
        let mut lease = self.lease().await?;
        let answer: sqlx::Result<Answer> = sqlx::query_as(
            "SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding, clock_timestamp() AS now,
                    pg_catalog.pg_is_in_recovery() AS is_standby,
                    COALESCE((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()), FALSE) AS is_encrypted",
        )
        .fetch_one(&mut *lease)
        .await;
        let Answer { version, encoding, now, is_standby, is_encrypted } = lease.settle("asking the server about itself", answer)?;
        Ok(Server {
            product: format!("PostgreSQL {}", version.split(' ').next().unwrap_or(&version)),
            encoding: match encoding.as_str() {
                "UTF8" => Encoding::Unicode(encoding),
                "SQL_ASCII" => Encoding::Bytes(encoding),
                _ => Encoding::Limited(encoding),
            },
            now: Some(now),
            is_standby,
            transport: Some(self.connections.transport(is_encrypted)),
        })
    }
}
