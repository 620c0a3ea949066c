//! A transaction that writes. The connection lives in a thread of its own, and each trip there costs more than most statements: so what
//! can go together does.

use std::ops::{Deref, DerefMut};

use futures::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::store::NotKept;
use crate::store::shared::cell::FromRow;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::statement::{Parameters, Statement};

/// The transaction. The driver does not know of it: whoever has it commits it or fails, and a connection on which an operation failed, or
/// was given up, is dropped (`Lease`), which rolls it back.
pub(super) struct Changes<'a>(&'a mut SqliteConnection);

impl<'a> Changes<'a> {
    pub(super) async fn begin(connection: &'a mut SqliteConnection) -> sqlx::Result<Self> {
        connection.execute(Statement::plain(SqliteConnection::BEGIN_WRITE)).await?;
        Ok(Self(connection))
    }

    /// Begins with a query, and returns its first row.
    pub(super) async fn begin_with<T: FromRow>(connection: &'a mut SqliteConnection, first: Statement) -> sqlx::Result<(Self, Option<T>)> {
        let text = format!("{}; {}", SqliteConnection::BEGIN_WRITE, first.text);
        let row = connection.fetch_optional(Statement { text, ..first }).await?;
        Ok((Self(connection), row))
    }

    pub(super) async fn carry_out(&mut self, batch: Batch) -> sqlx::Result<()> {
        let Batch { parameters, texts, tables } = batch;
        let Statement { text, values } = parameters.statement(texts.join("; "));
        let query = sqlx::query_with(AssertSqlSafe(text), SqliteConnection::arguments(values)?);
        let mut done = sqlx::Executor::execute_many(&mut *self.0, query);
        for table in tables {
            let changed = done.try_next().await?.map_or(0, |done| done.rows_affected());
            if let Some(table) = table.filter(|_| changed == 0) {
                return Err(NotKept::error(table.to_owned()));
            }
        }
        Ok(())
    }

    /// Carries out statements of which any may change no row, and then looks whether a query, of the same parameters, gives a row.
    pub(super) async fn carry_out_and_find(&mut self, mut batch: Batch, query: String) -> sqlx::Result<bool> {
        batch.execute(query);
        self.0.finds(batch.parameters.statement(batch.texts.join("; "))).await
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.0.execute(Statement::plain("COMMIT")).await.map(drop)
    }
}

impl Deref for Changes<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.0
    }
}

impl DerefMut for Changes<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0
    }
}

/// Statements that are carried out one after the other, in one trip. Their parameters are numbered together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) parameters: Parameters,
    texts: Vec<String>,
    /// For each statement, the table of which it must change a row.
    tables: Vec<Option<&'static str>>,
}

impl Batch {
    /// Adds a statement that writes a row of our own `table`, and fails where it changes none.
    pub(super) fn write(&mut self, text: String, table: &'static str) {
        self.texts.push(text);
        self.tables.push(Some(table));
    }

    /// Adds a statement that may change no row.
    pub(super) fn execute(&mut self, text: String) {
        self.texts.push(text);
        self.tables.push(None);
    }
}
