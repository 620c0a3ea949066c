//! What SQLite's SQL says differently in the statements that both databases share, and what its error codes mean.

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{Arguments, AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef};

use super::scan::TAGS;
use crate::store::FailureKind;
use crate::store::shared::cell::{Cell, Cells, Found, FromRow};
use crate::store::shared::connection::{SqlConnection, carry_out_statements};
use crate::store::shared::statement::{Statement, Value};
use crate::store::shared::values::rfc3339;

impl SqlConnection for SqliteConnection {
    const OWN: &'static str = "";
    const NOW: &'static str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
    const AS_JSON: &'static str = "";
    const LONG_AGO: &'static str = "''";
    /// Every transaction that writes takes the write lock when it begins: one that reads first and then writes would be refused when
    /// another process wrote in between.
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";
    const HAS_ROW_LOCKS: bool = false;

    fn after(milliseconds: &str) -> String {
        format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ({milliseconds} / 1000.0) || ' seconds')")
    }

    fn begins_with(column: &str, prefix: &str) -> String {
        // Texts compare by their bytes, so that the ids with a prefix are a range of the index.
        format!("{column} >= {prefix} AND {column} < {prefix} || 'g'")
    }

    fn elements(list: &str) -> String {
        format!("json_each({list}) AS e")
    }

    fn element(place: usize, _value: &Value) -> String {
        format!("e.value ->> {place}")
    }

    fn from_text(parameter: &str, _kind: &str) -> String {
        parameter.to_owned()
    }

    fn tags_of_a() -> String {
        format!("json_each({TAGS}) t")
    }

    fn tags_as_json() -> String {
        TAGS.to_owned()
    }

    carry_out_statements!(SqliteArguments, rfc3339);
}

impl Cells for SqliteRow {
    fn cell(&self, column: &str) -> sqlx::Result<Cell> {
        cell(self.try_get_raw(column)?)
    }

    fn first(&self) -> sqlx::Result<Cell> {
        cell(self.try_get_raw(0)?)
    }
}

/// What a column holds: any kind of value, whatever the type of the column.
fn cell(value: SqliteValueRef<'_>) -> sqlx::Result<Cell> {
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    let bytes = <Vec<u8> as Decode<Sqlite>>::decode;
    let found = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Cell::Number),
        "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(Cell::Real),
        "TEXT" => bytes(value).map(|bytes| String::from_utf8(bytes).map_or_else(|error| Cell::Bytes(error.into_bytes()), Cell::Text)),
        _ => bytes(value).map(Cell::Bytes),
    };
    found.map_err(sqlx::Error::Decode)
}

/// The primary result code, which is the last byte of an extended one.
fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// What a result code means.
pub(super) fn kind_of(code: &str) -> FailureKind {
    match primary(code) {
        // BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL
        Some(5 | 6 | 7 | 10 | 13 | 14 | 15) => FailureKind::Passing,
        // READONLY
        Some(8) => FailureKind::ReadOnly,
        // INTERRUPT
        Some(9) => FailureKind::Interrupted,
        // CONSTRAINT, MISMATCH
        Some(19 | 20) => FailureKind::Values,
        _ => FailureKind::Lasting,
    }
}

/// Whether another process holds a lock (`SQLITE_BUSY`).
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| primary(&code)) == Some(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_passes_where_the_file_is_in_trouble_and_not_where_we_are_wrong() {
        for code in ["5", "6", "7", "10", "13", "14", "15", "261", "517", "266", "522", "3338", "526"] {
            assert_eq!(kind_of(code), FailureKind::Passing, "{code}");
        }
        for code in ["1", "11", "17", "26", "", "a"] {
            assert_eq!(kind_of(code), FailureKind::Lasting, "{code}");
        }
        for code in ["19", "20", "787", "2067"] {
            assert_eq!(kind_of(code), FailureKind::Values, "{code}");
        }
        assert_eq!(kind_of("9"), FailureKind::Interrupted);
        for code in ["8", "1032"] {
            assert_eq!(kind_of(code), FailureKind::ReadOnly, "{code}");
        }
    }
}
