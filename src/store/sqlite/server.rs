//! What SQLite says of itself.

use super::Sqlite;
use crate::plan::decide::checkup::{Encoding, Server};
use crate::plan::decide::found_data::FoundTables;
use crate::store::Result;
use crate::store::shared::data_columns::data_tables_among;

impl Sqlite {
    pub(super) async fn server(&self) -> Result<Server> {
        let mut lease = self.lease().await?;
        let answer: sqlx::Result<(String, String)> =
            sqlx::query_as("SELECT sqlite_version(), encoding FROM pragma_encoding").fetch_one(&mut *lease).await;
        let (version, encoding) = lease.settle("asking the database about itself", answer)?;
        Ok(Server {
            product: format!("SQLite {version}"),
            encoding: Encoding::Unicode(encoding),
            now: None,
            is_standby: false,
            transport: None,
        })
    }

    pub(super) async fn data_tables_like(&self) -> Result<FoundTables> {
        let mut lease = self.lease().await?;
        let columns: sqlx::Result<Vec<(String, String)>> = sqlx::query_as(
            "SELECT m.name, lower(c.name) FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')",
        )
        .fetch_all(&mut *lease)
        .await;
        Ok(data_tables_among(lease.settle("looking for the data tables", columns)?))
    }
}
