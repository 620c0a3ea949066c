//! What a column of our own tables holds, as either database gives it, and what it must hold.
//!
//! A defect, another program or a hand may have written something else. Such a row is named and left alone: every read of our own tables
//! goes through [`FromRow`], which gives [`Malformed`] instead of an error that would stop the run.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike, Utc};

use crate::plan::model::collection::Seen;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, RunState};
use crate::plan::model::orders::PendingOrderKind;
use crate::plan::model::period::Period;
use crate::plan::model::said::{LogLevel, StageState};
use crate::plan::remember::alert::{AlertState, Subject};
use crate::plan::remember::arrivals::Newest;
use crate::plan::remember::failure_history::{QuarantineReason, RestReason};
use crate::plan::remember::stored_decision::StoredDecision;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Cell {
    Null,
    Text(String),
    /// A text that is not UTF-8, or no text at all.
    Bytes(Vec<u8>),
    Number(i64),
    Real(f64),
    Truth(bool),
    /// Microseconds since 1970. The smallest and the largest number stand for `-infinity` and `infinity`.
    Time(i64),
}

/// Most characters of a value in a message.
const SHOWN: usize = 80;

/// As a message names it: escaped, and cut where it is long.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Text(text) => quote(f, text.chars().flat_map(char::escape_debug)),
            Self::Bytes(bytes) => quote(f, bytes.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Time(i64::MAX) => f.write_str("infinity"),
            Self::Time(i64::MIN) => f.write_str("-infinity"),
            Self::Time(micros) => match DateTime::from_timestamp_micros(*micros) {
                Some(at) => write!(f, "{at:?}"),
                None => write!(f, "{micros} microseconds after 1970"),
            },
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, characters: impl Iterator<Item = char>) -> fmt::Result {
    let mut characters = characters.peekable();
    let shown: String = characters.by_ref().take(SHOWN).collect();
    write!(f, "\"{shown}\"{}", if characters.peek().is_some() { "…" } else { "" })
}

/// A row of our own tables that does not say what it must.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{table}.{column} of {row} is {value}, and must be {wanted}")]
pub(in crate::store) struct Malformed {
    pub(in crate::store) table: &'static str,
    pub(in crate::store) column: &'static str,
    /// What its row begins with: its key.
    row: String,
    value: String,
    wanted: &'static str,
}

impl Malformed {
    /// What is wrong, where the row is named already.
    pub(in crate::store) fn problem(&self) -> String {
        format!("{}.{} is {}, and must be {}", self.table, self.column, self.value, self.wanted)
    }
}

/// Why a row is not read.
#[derive(Debug)]
pub(in crate::store) enum Unread {
    Malformed(Malformed),
    /// The query does not give what the row is made of, which is a defect of ours.
    Driver(sqlx::Error),
}

impl From<Unread> for sqlx::Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Malformed(malformed) => Self::Decode(Box::new(malformed)),
            Unread::Driver(error) => error,
        }
    }
}

/// A row of either database.
pub(in crate::store) trait Cells {
    fn cell(&self, column: &str) -> sqlx::Result<Cell>;

    /// The first column.
    fn first(&self) -> sqlx::Result<Cell>;
}

/// Reads a column.
pub(in crate::store) fn column<T: FromCell>(row: &dyn Cells, table: &'static str, column: &'static str) -> Result<T, Unread> {
    let cell = row.cell(column).map_err(Unread::Driver)?;
    T::from_cell(&cell).ok_or_else(|| {
        let row = row.first().map(|key| key.to_string()).unwrap_or_default();
        Unread::Malformed(Malformed { table, column, row, value: cell.to_string(), wanted: T::WANTED })
    })
}

/// What is read of a row, or of a part of one.
pub(in crate::store) trait FromRow: Sized + Send + Unpin {
    /// Reads it.
    ///
    /// # Errors
    /// When the row is malformed.
    fn read(row: &dyn Cells) -> Result<Self, Unread>;
}

/// A part that may be malformed, while the rest of the row is read all the same.
impl<T: FromRow> FromRow for Result<T, Malformed> {
    fn read(row: &dyn Cells) -> Result<Self, Unread> {
        match T::read(row) {
            Ok(part) => Ok(Ok(part)),
            Err(Unread::Malformed(malformed)) => Ok(Err(malformed)),
            Err(Unread::Driver(error)) => Err(Unread::Driver(error)),
        }
    }
}

impl<A: FromRow, B: FromRow> FromRow for (A, B) {
    fn read(row: &dyn Cells) -> Result<Self, Unread> {
        Ok((A::read(row)?, B::read(row)?))
    }
}

/// What a query for several rows gave.
#[derive(Debug)]
pub(in crate::store) struct Found<T> {
    pub(in crate::store) rows: Vec<T>,
    /// The rows that are left alone.
    pub(in crate::store) malformed: Vec<Malformed>,
}

impl<T> Found<T> {
    pub(in crate::store) fn read<R: Cells>(rows: &[R]) -> sqlx::Result<Self>
    where
        T: FromRow,
    {
        let mut found = Self { rows: Vec::with_capacity(rows.len()), malformed: Vec::new() };
        for row in rows {
            match T::read(row) {
                Ok(row) => found.rows.push(row),
                Err(Unread::Malformed(malformed)) => found.malformed.push(malformed),
                Err(Unread::Driver(error)) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Nothing.
    pub(in crate::store) fn none() -> Self {
        Self { rows: Vec::new(), malformed: Vec::new() }
    }

    pub(in crate::store) fn map<U>(self, make: impl FnMut(T) -> U) -> Found<U> {
        Found { rows: self.rows.into_iter().map(make).collect(), malformed: self.malformed }
    }
}

/// The malformed rows that were named.
#[derive(Debug, Default)]
pub(in crate::store) struct Named(Mutex<HashSet<Malformed>>);

impl Named {
    /// The rows that are not malformed. Warns of each of the others, once.
    pub(in crate::store) fn left_alone<T>(&self, found: Found<T>) -> Vec<T> {
        for malformed in found.malformed {
            let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if named.len() < MOST_NAMED && named.insert(malformed.clone()) {
                tracing::warn!("a record that cannot be read is left alone: {malformed}");
            }
        }
        found.rows
    }
}

/// So many malformed rows are named.
const MOST_NAMED: usize = 100;

/// A value that a column must hold.
pub(in crate::store) trait FromCell: Sized {
    /// In words, such as `a whole number`.
    const WANTED: &'static str;

    /// The value; `None` where the column holds something else.
    fn from_cell(cell: &Cell) -> Option<Self>;
}

impl<T: FromCell> FromCell for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

/// A fence that can still be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Fence(pub(in crate::store) i64);

/// The largest fence. No gap is claimed as often.
pub(in crate::store) const LARGEST_FENCE: i64 = i64::MAX / 2;

/// A list of texts, as JSON.
#[derive(Debug)]
pub(in crate::store) struct Texts(pub(in crate::store) Vec<String>);

/// The options of a run, as JSON.
#[derive(Debug)]
pub(in crate::store) struct Options(pub(in crate::store) serde_json::Value);

/// Named counts, as a JSON list of pairs.
#[derive(Debug)]
pub(in crate::store) struct Counts(pub(in crate::store) Vec<(String, u64)>);

/// A text, of whatever bytes.
#[derive(Debug)]
pub(in crate::store) struct AnyText(pub(in crate::store) String);

/// The last microsecond of the year 9999.
const LATEST: i64 = 253_402_300_799_999_999;

/// A time that the database compares, and nobody else.
#[derive(Debug)]
pub(in crate::store) struct AnyTime;

/// Implements [`FromCell`] for types that are made of one kind of cell.
macro_rules! from_cell {
    ($($type:ty, $wanted:literal: $cell:pat => $made:expr;)+) => {$(
        impl FromCell for $type {
            const WANTED: &'static str = $wanted;

            fn from_cell(cell: &Cell) -> Option<Self> {
                // Cells of other kinds are not what is wanted, whichever they are.
                if let $cell = cell { $made } else { None }
            }
        }
    )+};
}

from_cell! {
    String, "a text": Cell::Text(text) => Some(text.clone());
    i64, "a whole number": Cell::Number(number) => Some(*number);
    i32, "a number from -2147483648 to 2147483647": Cell::Number(number) => i32::try_from(*number).ok();
    u32, "a number from 0 to 4294967295": Cell::Number(number) => u32::try_from(*number).ok();
    u64, "a number that is not negative": Cell::Number(number) => u64::try_from(*number).ok();
    Fence, "a number from 0 to 4611686018427387903": Cell::Number(number) => (0..=LARGEST_FENCE).contains(number).then_some(Self(*number));
    JobId, "the id of a job": Cell::Text(text) => Self::parse(text).ok();
    RunId, "the id of a run": Cell::Text(text) => Self::parse(text).ok();
    GapKey, "the key of a gap": Cell::Text(text) => Self::from_str(text).ok();
    JobState, "the state of a job": Cell::Text(text) => Self::parse(text);
    RunState, "the state of a run": Cell::Text(text) => Self::parse(text);
    RestReason, "the reason of a rest": Cell::Text(text) => Self::parse(text);
    QuarantineReason, "the reason of a quarantine": Cell::Text(text) => Self::parse(text);
    StageState, "the state of a stage": Cell::Text(text) => Self::parse(text);
    LogLevel, "the level of a message": Cell::Text(text) => Self::parse(text);
    PendingOrderKind, "the kind of an order": Cell::Text(text) => Self::parse(text);
    Seen, "how a collection was seen": Cell::Text(text) => Self::parse(text);
    Texts, "a JSON list of texts": Cell::Text(text) => serde_json::from_str(text).ok().map(Self);
    Counts, "a JSON list of names with their counts": Cell::Text(text) => serde_json::from_str(text).ok().map(Self);
    Period, "a fiscal period": Cell::Text(text) => text.parse().ok();
    Newest, "a JSON object with the periods of banks": Cell::Text(text) => serde_json::from_str(text).ok();
    StoredDecision, "a decision": Cell::Text(text) => serde_json::from_str(text).ok();
    Subject, "the name of what can be wrong": Cell::Text(text) => text.parse().ok();
    AlertState, "what can be wrong": Cell::Text(text) => Self::parse(text);
    Options, "JSON": Cell::Text(text) => serde_json::from_str(text).ok().map(Self);
}

impl FromCell for f64 {
    const WANTED: &'static str = "a number";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Real(number) => Some(*number),
            // A hand may have written it.
            Cell::Number(number) => i32::try_from(*number).ok().map(Self::from),
            Cell::Null | Cell::Truth(_) | Cell::Text(_) | Cell::Bytes(_) | Cell::Time(_) => None,
        }
    }
}

impl FromCell for bool {
    const WANTED: &'static str = "true or false";

    /// SQLite has numbers for it.
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Truth(truth) => Some(*truth),
            Cell::Number(0) => Some(false),
            Cell::Number(1) => Some(true),
            Cell::Null | Cell::Number(_) | Cell::Text(_) | Cell::Bytes(_) | Cell::Real(_) | Cell::Time(_) => None,
        }
    }
}

impl FromCell for DateTime<Utc> {
    const WANTED: &'static str = "a time in the years 1900 to 9999";

    /// SQLite has texts for it. A rest without end is a later time, and is read as the last one: calculations must not overflow.
    fn from_cell(cell: &Cell) -> Option<Self> {
        let at = match cell {
            Cell::Time(micros) => DateTime::from_timestamp_micros(*micros),
            Cell::Text(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
            Cell::Null | Cell::Number(_) | Cell::Truth(_) | Cell::Bytes(_) | Cell::Real(_) => None,
        };
        let latest = DateTime::from_timestamp_micros(LATEST)?;
        at.filter(|at| at.year() >= 1900).map(|at| at.min(latest))
    }
}

impl FromCell for AnyTime {
    const WANTED: &'static str = "a time";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Time(_) => Some(Self),
            Cell::Text(text) => DateTime::parse_from_rfc3339(text).ok().map(|_| Self),
            Cell::Null | Cell::Number(_) | Cell::Truth(_) | Cell::Bytes(_) | Cell::Real(_) => None,
        }
    }
}

impl FromCell for AnyText {
    const WANTED: &'static str = "a text";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(Self(text.clone())),
            Cell::Bytes(bytes) => Some(Self(String::from_utf8_lossy(bytes).into_owned())),
            Cell::Null | Cell::Number(_) | Cell::Truth(_) | Cell::Real(_) | Cell::Time(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_holds_is_named_on_one_line() {
        for (cell, shown) in [
            (Cell::Null, "NULL"),
            (Cell::Text("a\n\u{1b}\"é".into()), "\"a\\n\\u{1b}\\\"é\""),
            (Cell::Text("x".repeat(500)), &format!("\"{}\"…", "x".repeat(80))),
            (Cell::Bytes(vec![b'a', 0xff, 0]), "\"a\\xff\\x00\""),
            (Cell::Number(-5), "-5"),
            (Cell::Real(1.0), "1.0"),
            (Cell::Truth(true), "true"),
            (Cell::Time(i64::MAX), "infinity"),
            (Cell::Time(i64::MIN), "-infinity"),
            (Cell::Time(0), "1970-01-01T00:00:00Z"),
            (Cell::Time(i64::MAX - 1), "9223372036854775806 microseconds after 1970"),
        ] {
            assert_eq!(cell.to_string(), shown);
        }
    }

    #[test]
    fn only_what_can_be_calculated_with_is_taken() {
        let time = |cell: Cell| DateTime::<Utc>::from_cell(&cell).map(|at| at.to_rfc3339());
        assert_eq!(time(Cell::Time(1_000_000)).as_deref(), Some("1970-01-01T00:00:01+00:00"));
        assert_eq!(time(Cell::Text("2026-01-01T00:00:00.000000Z".into())).as_deref(), Some("2026-01-01T00:00:00+00:00"));
        for cell in
            [Cell::Time(i64::MAX), Cell::Time(i64::MIN), Cell::Time(9_000_000_000_000_000_000), Cell::Text("infinity".into()), Cell::Null]
        {
            assert_eq!(time(cell), None);
        }
        assert_eq!(time(Cell::Time(LATEST + 1)).as_deref(), Some("9999-12-31T23:59:59.999999+00:00"));
        assert_eq!(u32::from_cell(&Cell::Number(-1)), None);
        assert_eq!(Fence::from_cell(&Cell::Number(i64::MAX)), None);
        assert_eq!(bool::from_cell(&Cell::Number(2)), None);
        assert_eq!(Option::<u32>::from_cell(&Cell::Null), Some(None));
        assert_eq!(Option::<u32>::from_cell(&Cell::Real(1.0)), None);
        assert_eq!(String::from_cell(&Cell::Bytes(vec![0xff])), None);
    }
}
