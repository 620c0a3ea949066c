//! What the server says of itself.

use chrono::{DateTime, Utc};

use super::Postgres;
use crate::plan::decide::checkup::{Encoding, Server};
use crate::plan::decide::found_data::FoundTables;
use crate::store::Result;
use crate::store::shared::data_columns::data_tables_among;

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

    pub(super) async fn data_tables_like(&self) -> Result<FoundTables> {
        let mut lease = self.lease().await?;
        let columns: sqlx::Result<Vec<(String, String)>> = sqlx::query_as(
            "SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname::text ELSE format('%s.%s', n.nspname, c.relname) END,
                    a.attname::text
             FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'etl_orch')",
        )
        .fetch_all(&mut *lease)
        .await;
        Ok(data_tables_among(lease.settle("looking for the data tables", columns)?))
    }
}
