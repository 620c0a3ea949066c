//! What both adapters do alike with values on their way into columns and out of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use serde_json::Value;
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::columns::Column;
use super::{EtlScan, Result, ScanRequest, Scanned, StoreError};
use crate::plan::model::candidate::{AvailabilityKey, Candidate, CensusGroup};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{AttemptEnd, JobSubject, NewJob, ReportRow};
use crate::plan::model::outcome::Outcome;
use crate::plan::model::window::Window;
use crate::plan::text::nul::without_nul;

/// Says what was being done when the driver failed.
pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}

/// The text without NUL characters, which PostgreSQL cannot hold: each becomes a replacement character.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    without_nul(text)
}

/// The same for the texts and keys inside of a JSON value, as JSON text.
pub(super) fn storable_json(value: &Value) -> String {
    fn clean(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(storable(text).into_owned()),
            Value::Array(items) => items.iter().map(clean).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (storable(key).into_owned(), clean(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
    clean(value).to_string()
}

/// What a job makes or collects, as columns.
#[derive(Default)]
pub(super) struct JobSubjectColumns {
    pub(super) bank_key: Option<String>,
    pub(super) bank_id: Option<i64>,
    pub(super) year: Option<i32>,
    pub(super) quarter: Option<&'static str>,
    pub(super) window: Option<Window>,
}

impl From<&NewJob> for JobSubjectColumns {
    fn from(job: &NewJob) -> Self {
        let (bank_id, window) = match job.subject {
            JobSubject::Report { bank_id } => (Some(bank_id), None),
            JobSubject::Windows(window) => (None, Some(window)),
        };
        match &job.gap {
            GapKey::Report { bank, period, .. } => Self {
                bank_key: Some(storable(bank).into_owned()),
                bank_id,
                year: Some(period.year().into()),
                quarter: Some(period.quarter().as_str()),
                window,
            },
            GapKey::Source(_) => Self { bank_id, window, ..Self::default() },
        }
    }
}

/// A count or id for a signed column. None of ours comes near the bound.
pub(super) fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A group of the census: the columns `bank_id`, `bank_symbol`, `quarter`, smallest and largest `fiscal_year`.
pub(super) fn group<'r, R: Row>(row: &'r R, etls: &[EtlIndex], rows: i64) -> sqlx::Result<Scanned>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
{
    Ok(Scanned::Group(CensusGroup {
        etls: etls.to_vec(),
        bank_id: text(row, 0)?,
        bank_symbol: text(row, 1)?,
        quarter: text(row, 2)?,
        min_year: text(row, 3)?,
        max_year: text(row, 4)?,
        rows: u64::try_from(rows).unwrap_or(0),
    }))
}

/// The condition on a year that parts what can be one from what cannot: a census counts them apart, so that one bad row
/// does not hide the good ones of its bank.
pub(super) const POSSIBLE_YEARS: &str = "BETWEEN 1900 AND 2999";

/// A candidate: the four columns of its key, whether its report exists, and one column for each need.
pub(super) fn candidate<'r, R: Row>(row: &'r R, etl: &EtlScan) -> sqlx::Result<Scanned>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Scanned::Candidate(Candidate {
        etl: etl.etl,
        key: AvailabilityKey { bank_id: text(row, 0)?, bank_symbol: text(row, 1)?, fiscal_year: text(row, 2)?, quarter: text(row, 3)? },
        exists: row.try_get(4)?,
        needs_met: (5..5 + etl.needs.len()).map(|column| row.try_get(column)).collect::<sqlx::Result<_>>()?,
    }))
}

/// A column as text, whatever bytes it holds.
pub(super) fn text<'r, R: Row>(row: &'r R, column: usize) -> sqlx::Result<Option<String>>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
{
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column)?;
    Ok(bytes.map(|bytes| match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

/// The columns of an attempt's end.
pub(super) struct EndColumns<'a> {
    pub(super) n: i64,
    pub(super) outcome: &'static str,
    pub(super) number: Option<i32>,
    pub(super) error: Option<String>,
    pub(super) tail: Cow<'a, str>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) duration_ms: i64,
    pub(super) pid: Option<i64>,
}

impl<'a> From<&'a AttemptEnd> for EndColumns<'a> {
    fn from(end: &'a AttemptEnd) -> Self {
        Self {
            n: i64::from(end.attempt),
            outcome: end.outcome.name(),
            number: end.outcome.number(),
            error: (end.outcome != Outcome::Succeeded).then(|| storable(&end.outcome.to_string()).into_owned()),
            tail: storable(&end.tail),
            ended_at: end.ended_at,
            duration_ms: end.duration_ms,
            pid: end.pid.map(i64::from),
        }
    }
}

/// The columns of a report's row beyond its key, as texts, so far as the table has them.
pub(super) fn report_columns<'c>(row: &ReportRow, table: &'c [Column]) -> Vec<(&'c Column, Option<String>)> {
    let text = |text: &str| Some(storable(text).into_owned());
    let values = [
        ("report_name", text(&row.report_name)),
        ("report_description", text(&row.report_description)),
        ("bank_name", text(&row.bank_name)),
        ("bank_symbol", text(&row.bank_symbol)),
        ("local_filepath", text(&row.local_filepath)),
        ("markdown_content", row.markdown_content.as_deref().and_then(text)),
        ("generation_date", Some(rfc3339(row.generation_date))),
        ("generated_by", text(&row.generated_by)),
        ("execution_id", Some(row.execution_id.to_string())),
        ("metadata", Some(storable_json(&row.metadata))),
    ];
    values
        .into_iter()
        .filter_map(|(name, value)| {
            let column = table.iter().find(|column| column.name == name)?;
            let value = if column.not_null { value.or_else(|| Some(String::new())) } else { value };
            Some((column, value))
        })
        .collect()
}

/// A time as text of one length in UTC, so that texts sort as times. What is later than the year 9999 has no such text, and
/// is as far away then.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    if at.year() > 9999 { "9999-12-31T23:59:59.999999Z".to_owned() } else { at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true) }
}

/// The distinct sets of required tags, each with its ETLs: a census counts each set once.
pub(super) fn tag_sets(request: &ScanRequest) -> BTreeMap<Vec<&str>, Vec<EtlIndex>> {
    let mut sets: BTreeMap<Vec<&str>, Vec<EtlIndex>> = BTreeMap::new();
    for etl in &request.etls {
        sets.entry(tags(&etl.requires)).or_default().push(etl.etl);
    }
    sets
}

/// Tags without repetition, in one order.
pub(super) fn tags(requires: &[String]) -> Vec<&str> {
    let mut tags: Vec<&str> = requires.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Compares the newest migration in the database with the newest that this program has.
///
/// Returns whether migrations are to be run.
pub(super) fn must_migrate(found: Option<i64>, known: i64, target: &str, may_migrate: bool) -> Result<bool> {
    match found {
        Some(found) if found > known => Err(StoreError::Schema(format!(
            "the state tables in {target} have version {found}, but this etl-orch knows versions up to {known}: \
             install the version that made them, or a later one"
        ))),
        Some(found) if found < known && !may_migrate => Err(StoreError::Schema(format!(
            "the state tables in {target} have version {found}, and this etl-orch needs version {known}: \
             `etl-orch init` (or the next run) migrates them"
        ))),
        Some(found) => Ok(found < known),
        None => Ok(may_migrate),
    }
}

/// The newest of the migrations that this program has.
pub(super) fn newest(migrator: &sqlx::migrate::Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What a failed migration means to the user.
pub(super) fn migration_failed(error: sqlx::migrate::MigrateError, target: &str) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::VersionMissing(version) => StoreError::Schema(format!(
            "the state tables in {target} have version {version}, which this etl-orch does not know: \
             install the version that made them, or a later one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Schema(format!(
            "version {version} of the state tables in {target} was made by another build of etl-orch and may differ"
        )),
        other => StoreError::Query { doing: "migrating the state tables", source: sqlx::Error::Migrate(Box::new(other)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_in_texts_and_in_json() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        let json = serde_json::json!({"k\0": ["\0", "\\u0000", 1, null]});
        assert_eq!(storable_json(&json), "{\"k\u{fffd}\":[\"\u{fffd}\",\"\\\\u0000\",1,null]}");
    }

    #[test]
    fn a_newer_schema_is_refused_and_an_older_one_only_where_it_cannot_be_migrated() {
        assert!(must_migrate(Some(3), 2, "db", true).unwrap_err().to_string().contains("version 3"));
        assert!(must_migrate(Some(1), 2, "db", false).unwrap_err().to_string().contains("etl-orch init"));
        assert!(must_migrate(Some(1), 2, "db", true).unwrap());
        assert!(!must_migrate(Some(2), 2, "db", true).unwrap());
        assert!(must_migrate(None, 2, "db", true).unwrap());
        assert!(!must_migrate(None, 2, "db", false).unwrap());
    }
}
