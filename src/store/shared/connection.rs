//! What the statements that both databases share need to know of each, and how they are carried out.

use sqlx::{AssertSqlSafe, Transaction};

use super::cell::{Found, FromRow};
use super::statement::{Statement, Value};
use crate::store::NotKept;

/// A connection to either database, with what its SQL says differently.
pub(in crate::store) trait SqlConnection: Sized + sqlx::Connection<Database: sqlx::Database<Connection = Self>> {
    /// What comes before the names of our own tables.
    const OWN: &'static str;
    /// The database's clock.
    const NOW: &'static str;
    /// Comes after a parameter that holds JSON text, and is stored as JSON.
    const AS_JSON: &'static str;
    /// A time before all others.
    const LONG_AGO: &'static str;
    /// What [`Self::begin_write`] says.
    const BEGIN_WRITE: &'static str;
    /// Whether rows are locked one by one. Otherwise only one transaction at a time writes, and no other lock is needed.
    const HAS_ROW_LOCKS: bool;

    /// The time so many milliseconds from now, by the database's clock.
    fn after(milliseconds: &str) -> String;

    /// The condition that the text in `column` begins with another, which is letters a to f, digits and hyphens.
    fn begins_with(column: &str, prefix: &str) -> String;

    /// The elements of a JSON array that `list` holds as text, to be selected from.
    fn elements(list: &str) -> String;

    /// One place of such an element, which is an array itself, as a value like `value`.
    fn element(place: usize, value: &Value) -> String;

    /// The tags of availability row `a` as a table `t` to join it with: one row for each, as `value`.
    fn tags_of_a() -> String;

    /// The tags of availability row `a` as the text of a JSON array; NULL where they are no array of texts.
    fn tags_as_json() -> String;

    /// A parameter that holds a text, as a value of a column of this type.
    fn from_text(parameter: &str, kind: &str) -> String;

    /// Begins a transaction that writes. Whether its commit waits for the disk is a setting of the connection.
    fn begin_write(&mut self) -> impl Future<Output = sqlx::Result<Transaction<'_, Self::Database>>> + Send {
        self.begin_with(AssertSqlSafe(Self::BEGIN_WRITE))
    }

    /// The values as the driver takes them.
    fn arguments(values: Vec<Value>) -> sqlx::Result<<Self::Database as sqlx::Database>::Arguments>;

    /// Carries out a statement that writes a row of our own `table`, and fails where it changed none.
    fn write(&mut self, statement: Statement, table: &str) -> impl Future<Output = sqlx::Result<()>> + Send {
        async move {
            match self.execute(statement).await? {
                0 => Err(NotKept::error(format!("{}{table}", Self::OWN))),
                _ => Ok(()),
            }
        }
    }

    /// Carries out a statement that may change no row. Returns how many it changed.
    fn execute(&mut self, statement: Statement) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// The rows of a query, and those that are malformed.
    fn fetch_all<T: FromRow>(&mut self, query: Statement) -> impl Future<Output = sqlx::Result<Found<T>>> + Send;

    /// The first row of a query. It is an error when that is malformed; parts that may be are of the type `Result<_, Malformed>`.
    fn fetch_optional<T: FromRow>(&mut self, query: Statement) -> impl Future<Output = sqlx::Result<Option<T>>> + Send;

    /// Looks for a row of our own `table` that was written, and fails where the query does not give it.
    fn must_find(&mut self, query: Statement, table: &str) -> impl Future<Output = sqlx::Result<()>> + Send {
        async move { if self.finds(query).await? { Ok(()) } else { Err(NotKept::error(format!("{}{table}", Self::OWN))) } }
    }

    /// Whether a query gives a row.
    fn finds(&mut self, query: Statement) -> impl Future<Output = sqlx::Result<bool>> + Send;
}

/// Completes an implementation of [`SqlConnection`] by the methods that carry out statements. They differ only in the driver's
/// types, and in `$time`, which makes a value of that database of a time.
macro_rules! carry_out_statements {
    ($arguments:ty, $time:expr) => {
        async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
            let arguments = Self::arguments(statement.values)?;
            Ok(sqlx::query_with(AssertSqlSafe(statement.text), arguments).execute(self).await?.rows_affected())
        }

        async fn fetch_all<T: FromRow>(&mut self, query: Statement) -> sqlx::Result<Found<T>> {
            let arguments = Self::arguments(query.values)?;
            Found::read(&sqlx::query_with(AssertSqlSafe(query.text), arguments).fetch_all(self).await?)
        }

        async fn fetch_optional<T: FromRow>(&mut self, query: Statement) -> sqlx::Result<Option<T>> {
            let arguments = Self::arguments(query.values)?;
            let row = sqlx::query_with(AssertSqlSafe(query.text), arguments).fetch_optional(self).await?;
            Ok(row.map(|row| T::read(&row)).transpose()?)
        }

        async fn finds(&mut self, query: Statement) -> sqlx::Result<bool> {
            let arguments = Self::arguments(query.values)?;
            Ok(sqlx::query_with(AssertSqlSafe(query.text), arguments).fetch_optional(self).await?.is_some())
        }

        fn arguments(values: Vec<Value>) -> sqlx::Result<$arguments> {
            let mut arguments = <$arguments>::default();
            for value in values {
                let added = match value {
                    Value::Text(text) => arguments.add(text),
                    Value::Number(number) => arguments.add(number),
                    Value::Real(number) => arguments.add(number),
                    Value::Truth(truth) => arguments.add(truth),
                    Value::Time(at) => arguments.add(at.map($time)),
                };
                added.map_err(sqlx::Error::Encode)?;
            }
            Ok(arguments)
        }
    };
}

pub(in crate::store) use carry_out_statements;
