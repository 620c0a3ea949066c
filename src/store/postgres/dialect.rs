//! What PostgreSQL's SQL says differently in the statements that both databases share, and what its error codes mean.

use sqlx::postgres::{PgArguments, PgConnection, PgRow, PgValueRef};
use sqlx::{Arguments, AssertSqlSafe, Row, TypeInfo, ValueRef};

use crate::store::FailureKind;
use crate::store::shared::cell::{Cell, Cells, Found, FromRow};
use crate::store::shared::connection::{SqlConnection, carry_out_statements};
use crate::store::shared::statement::{Statement, Value};

impl SqlConnection for PgConnection {
    const OWN: &'static str = "etl_orch.";
    const NOW: &'static str = "clock_timestamp()";
    const AS_JSON: &'static str = "::text::jsonb";
    const LONG_AGO: &'static str = "'-infinity'";
    const BEGIN_WRITE: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const HAS_ROW_LOCKS: bool = true;

    fn after(milliseconds: &str) -> String {
        format!("clock_timestamp() + {milliseconds} * interval '1 millisecond'")
    }

    fn begins_with(column: &str, prefix: &str) -> String {
        format!("starts_with({column}, {prefix})")
    }

    fn elements(list: &str) -> String {
        format!("json_array_elements({list}::text::json) AS e (element)")
    }

    fn element(place: usize, value: &Value) -> String {
        let kind = match value {
            Value::Text(_) => "text",
            Value::Number(_) => "bigint",
            Value::Real(_) => "double precision",
            Value::Truth(_) => "boolean",
            Value::Time(_) => "timestamptz",
        };
        format!("(e.element ->> {place})::{kind}")
    }

    fn from_text(parameter: &str, kind: &str) -> String {
        format!("{parameter}::text::{kind}")
    }

    fn tags_of_a() -> String {
        "LATERAL unnest(a.database_names) AS t (value)".to_owned()
    }

    fn tags_as_json() -> String {
        "array_to_json(ARRAY(SELECT t FROM unnest(a.database_names) AS t WHERE t IS NOT NULL)::text[])::text".to_owned()
    }

    carry_out_statements!(PgArguments, std::convert::identity);
}

impl Cells for PgRow {
    fn cell(&self, column: &str) -> sqlx::Result<Cell> {
        cell(&self.try_get_raw(column)?)
    }

    fn first(&self) -> sqlx::Result<Cell> {
        cell(&self.try_get_raw(0)?)
    }
}

/// PostgreSQL counts the microseconds of a time from 2000.
const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;

/// What a column holds, which the server sends in binary form.
fn cell(value: &PgValueRef<'_>) -> sqlx::Result<Cell> {
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let found = match (value.type_info().name(), bytes) {
        ("BOOL", [byte]) => Some(Cell::Truth(*byte != 0)),
        ("INT2" | "INT4" | "INT8", bytes) => integer(bytes).map(Cell::Number),
        ("FLOAT8", bytes) => bytes.try_into().ok().map(f64::from_be_bytes).map(Cell::Real),
        ("TIMESTAMPTZ", bytes) => integer(bytes).map(|micros| match micros {
            // -infinity and infinity.
            i64::MIN | i64::MAX => Cell::Time(micros),
            micros => Cell::Time(micros.saturating_add(MICROSECONDS_TO_2000)),
        }),
        ("TEXT" | "VARCHAR" | "NAME", bytes) => std::str::from_utf8(bytes).ok().map(|text| Cell::Text(text.to_owned())),
        (_, _) => None,
    };
    Ok(found.unwrap_or_else(|| Cell::Bytes(bytes.to_vec())))
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        2 => bytes.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).into()),
        4 => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).into()),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}

/// What an error code (SQLSTATE) means: its first two characters are its class.
pub(super) fn kind_of(code: &str) -> FailureKind {
    match (code.get(..2).unwrap_or_default(), code) {
        (_, "57014") => FailureKind::Interrupted,
        (_, "25006") => FailureKind::ReadOnly,
        // Character not in repertoire, untranslatable character.
        (_, "22021" | "22P05") => FailureKind::Characters,
        // Connection exception, transaction rollback, insufficient resources, operator intervention; lock not available.
        ("08" | "40" | "53" | "57", _) | (_, "55P03") => FailureKind::Passing,
        // Data exception, integrity constraint violation, PL/pgSQL error.
        ("22" | "23" | "P0", _) => FailureKind::Values,
        _ => FailureKind::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_passes_where_the_server_is_in_trouble_and_not_where_we_are_wrong() {
        for code in ["08006", "08001", "53300", "53100", "57P01", "57P02", "57P03", "40001", "40P01", "55P03"] {
            assert_eq!(kind_of(code), FailureKind::Passing, "{code}");
        }
        for code in ["42P01", "42501", "55000", "25001", "XX000", "28P01", ""] {
            assert_eq!(kind_of(code), FailureKind::Lasting, "{code}");
        }
        for code in ["23505", "22001", "P0001"] {
            assert_eq!(kind_of(code), FailureKind::Values, "{code}");
        }
        for code in ["22021", "22P05"] {
            assert_eq!(kind_of(code), FailureKind::Characters, "{code}");
        }
        assert_eq!(kind_of("57014"), FailureKind::Interrupted);
        assert_eq!(kind_of("25006"), FailureKind::ReadOnly);
    }
}
