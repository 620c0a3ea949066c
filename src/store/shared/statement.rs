//! Statements as text and values, the same for both databases.
//!
//! Every parameter is added where the text names it, so that no number is written by hand. A list of columns is a list
//! of names *with* their values: what writes a row, whether as an `INSERT` or as an `UPDATE`, is made from that list.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::connection::SqlConnection;
use super::encoding::storable;
use super::values::{rfc3339, signed};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};

/// A value on its way into a column. Each adapter binds it as its database stores such values.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Value {
    /// Without NUL characters, which PostgreSQL cannot hold.
    Text(Option<String>),
    Number(Option<i64>),
    Real(Option<f64>),
    Truth(bool),
    Time(Option<DateTime<Utc>>),
}

/// Implements the conversions from a type, and from an `Option` of it.
macro_rules! value_from {
    ($($type:ty => $variant:ident($value:ident) $made:expr;)+) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$variant(Some($made))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(|$value| $made))
            }
        }
    )+};
}

value_from! {
    &str => Text(text) storable(text).into_owned();
    String => Text(text) storable(&text).into_owned();
    RunId => Text(id) id.to_string();
    JobId => Text(id) id.to_string();
    &GapKey => Text(key) storable(&key.to_string()).into_owned();
    i32 => Number(number) number.into();
    u32 => Number(number) number.into();
    i64 => Number(number) number;
    u64 => Number(number) signed(number);
    usize => Number(number) signed(number);
    f64 => Real(number) number;
    DateTime<Utc> => Time(at) at;
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Truth(value)
    }
}

impl Value {
    /// The value inside of a JSON array, from which [`SqlConnection::element`] takes it out again.
    fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::from(text.clone()),
            Self::Number(number) => Json::from(*number),
            Self::Real(number) => Json::from(*number),
            Self::Truth(truth) => Json::from(*truth),
            Self::Time(at) => Json::from(at.map(rfc3339)),
        }
    }
}

/// Columns that are written together, with their values.
pub(in crate::store) type Columns = Vec<(&'static str, Value)>;

/// The names of columns, as an `INSERT` or a `SELECT` lists them.
pub(in crate::store) fn names(columns: &[(&'static str, Value)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A text with its parameters.
#[derive(Debug)]
pub(in crate::store) struct Statement {
    pub(in crate::store) text: String,
    pub(in crate::store) values: Vec<Value>,
}

impl Statement {
    /// A statement without parameters.
    pub(in crate::store) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }
}

/// The parameters of a statement that is being written.
#[derive(Debug, Default)]
pub(in crate::store) struct Parameters(Vec<Value>);

impl Parameters {
    /// Adds a value. Returns the parameter's name in the statement.
    pub(in crate::store) fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Adds the values of columns. Returns the parameters, as `VALUES` lists them.
    pub(in crate::store) fn values(&mut self, columns: Columns) -> String {
        columns.into_iter().map(|(_, value)| self.add(value)).collect::<Vec<_>>().join(", ")
    }

    /// Adds the values of columns. Returns the assignments of an `UPDATE`.
    pub(in crate::store) fn assign(&mut self, columns: Columns) -> String {
        columns.into_iter().map(|(name, value)| format!("{name} = {}", self.add(value))).collect::<Vec<_>>().join(", ")
    }

    /// Adds rows, at least one and all of the same columns, as one parameter. Returns a query for them, with the names of the columns.
    pub(in crate::store) fn rows<C: SqlConnection>(&mut self, rows: &[Columns]) -> String {
        let elements: Vec<String> = rows
            .first()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(place, (name, value))| format!("{} AS {name}", C::element(place, value)))
            .collect();
        let json: Json = rows.iter().map(|row| row.iter().map(|(_, value)| value.to_json()).collect::<Json>()).collect();
        let list = self.add(json.to_string());
        format!("SELECT {} FROM {}", elements.join(", "), C::elements(&list))
    }

    /// Adds keys of gaps, at least one, as one parameter. Returns a query for them as `gap_key`, each once.
    pub(in crate::store) fn gap_keys<C: SqlConnection>(&mut self, keys: &[GapKey]) -> String {
        let rows: Vec<Columns> = keys.iter().map(|key| vec![("gap_key", key.into())]).collect();
        format!("SELECT DISTINCT gap_key FROM ({}) k", self.rows::<C>(&rows))
    }

    /// The statement that names these parameters.
    pub(in crate::store) fn statement(self, text: String) -> Statement {
        Statement { text, values: self.0 }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnection;
    use sqlx::sqlite::SqliteConnection;

    use super::*;

    fn columns() -> Columns {
        vec![("name", "a\0".into()), ("n", 7_u32.into()), ("at", None::<DateTime<Utc>>.into())]
    }

    #[test]
    fn parameters_are_numbered_in_the_order_in_which_they_are_added() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.add(true), "$1");
        assert_eq!(parameters.assign(columns()), "name = $2, n = $3, at = $4");
        assert_eq!((names(&columns()), parameters.values(columns())), ("name, n, at".to_owned(), "$5, $6, $7".to_owned()));
        let statement = parameters.statement("?".to_owned());
        assert_eq!(statement.values[..3], [Value::Truth(true), Value::Text(Some("a\u{fffd}".into())), Value::Number(Some(7))]);
        assert_eq!(statement.values.len(), 7);
    }

    #[test]
    fn rows_are_one_parameter_that_each_database_takes_apart_by_itself() {
        let rows = [columns(), columns()];
        let mut parameters = Parameters::default();
        assert_eq!(
            parameters.rows::<PgConnection>(&rows),
            "SELECT (e.element ->> 0)::text AS name, (e.element ->> 1)::bigint AS n, (e.element ->> 2)::timestamptz AS at \
             FROM json_array_elements($1::text::json) AS e (element)"
        );
        assert_eq!(
            parameters.rows::<SqliteConnection>(&rows),
            "SELECT e.value ->> 0 AS name, e.value ->> 1 AS n, e.value ->> 2 AS at FROM json_each($2) AS e"
        );
        let list = Value::Text(Some("[[\"a\u{fffd}\",7,null],[\"a\u{fffd}\",7,null]]".to_owned()));
        assert_eq!(parameters.statement(String::new()).values, [list.clone(), list]);
    }
}
