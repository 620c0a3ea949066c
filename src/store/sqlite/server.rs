//! What SQLite says of itself.

use super::Sqlite;
use crate::plan::decide::checkup::{Encoding, Server};
use crate::store::Result;

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
}
