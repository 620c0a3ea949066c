//! The scan: what is available, and which of it lacks its report, in one snapshot.

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, QueryBuilder, Row, Sqlite as Driver};

use super::Sqlite;
use crate::plan::model::candidate::{AvailabilityKey, Mistyped};
use crate::store::shared::scanned::{POSSIBLE_YEARS, TagSet, candidate, group, naming, tag_sets, tags};
use crate::store::shared::values::signed;
use crate::store::{Available, EtlScan, Result, ScanRequest, Scanned};

type Sink<'a> = dyn FnMut(Scanned) + Send + 'a;

/// The tags of row `a` as a JSON array of texts; no tags where there is NULL; NULL where there is anything else.
/// `CASE` keeps the JSON functions from values at which they would fail.
pub(super) const TAGS: &str = "CASE WHEN a.database_names IS NULL THEN '[]' \
     WHEN NOT json_valid(a.database_names) THEN NULL \
     WHEN json_type(a.database_names) <> 'array' THEN NULL \
     WHEN EXISTS (SELECT 1 FROM json_each(a.database_names) j WHERE j.type <> 'text') THEN NULL \
     ELSE a.database_names END";

/// What was found in files, from one parameter (see [`as_json`]). The casts make `=` compare numbers, also with a column of texts.
pub(super) const FOUND: &str = "SELECT DISTINCT CAST(value ->> 0 AS INTEGER) AS bank_id, value ->> 1 AS bank_name, \
     value ->> 2 AS bank_symbol, CAST(value ->> 3 AS INTEGER) AS fiscal_year, value ->> 4 AS quarter, value ->> 5 AS tag FROM json_each(";

/// Availability row `a` is of the bank and period of `f`.
pub(super) const SAME_KEY: &str = "a.bank_id = f.bank_id AND a.fiscal_year = f.fiscal_year AND a.quarter = f.quarter";

/// A column as a whole number, where it holds one in whatever form: 2025, 2025.0 or a text of these; otherwise as it is.
fn whole(column: &str) -> String {
    format!(
        "CASE WHEN typeof({column}) = 'integer' THEN {column} \
         WHEN {column} = CAST({column} AS INTEGER) THEN CAST({column} AS INTEGER) ELSE {column} END"
    )
}

/// Whether SQLite makes numbers of what looks like one in a column that is declared so.
fn holds_numbers(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    has(&["INT"]) || !(declared.is_empty() || has(&["CHAR", "CLOB", "TEXT", "BLOB"]))
}

/// Availability as the parameter for [`FOUND`].
pub(super) fn as_json(found: &[Available]) -> String {
    let rows: Vec<_> = found
        .iter()
        .map(|one| {
            serde_json::json!([one.bank_id, one.bank_name, one.bank_symbol, one.period.year(), one.period.quarter().as_str(), one.tag])
        })
        .collect();
    serde_json::Value::Array(rows).to_string()
}

impl Sqlite {
    pub(super) async fn scan(&self, request: &ScanRequest, sink: &mut Sink<'_>) -> Result<()> {
        let reports = self.reports_with_numbers().await?;
        let mut lease = self.lease().await?;
        let done = self.scan_on(&mut lease, request, &reports, sink).await;
        lease.settle("looking for gaps", done)
    }

    /// The reports, for a join by number. Where the columns hold texts no index would serve, so that it makes one of numbers.
    async fn reports_with_numbers(&self) -> Result<String> {
        let table = self.reports.quoted();
        let mut keys = self.report_columns().await?.iter().filter(|column| matches!(column.name.as_str(), "bank_id" | "fiscal_year"));
        if keys.all(|column| holds_numbers(&column.kind)) {
            return Ok(table);
        }
        Ok(format!(
            "(SELECT CAST(bank_id AS INTEGER) AS bank_id, CAST(fiscal_year AS INTEGER) AS fiscal_year, quarter, report_type FROM {table} \
             WHERE bank_id = CAST(bank_id AS INTEGER) AND fiscal_year = CAST(fiscal_year AS INTEGER))"
        ))
    }

    async fn scan_on(
        &self,
        connection: &mut SqliteConnection,
        request: &ScanRequest,
        reports: &str,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let mut snapshot = connection.begin().await?;
        if !request.candidates_only {
            self.scan_malformed(&mut snapshot, request, sink).await?;
        }
        for set in if request.candidates_only { Vec::new() } else { tag_sets(request) } {
            self.census(&mut snapshot, request, &set, sink).await?;
        }
        if !request.symbols.is_empty() {
            for etl in &request.etls {
                self.candidates(&mut snapshot, request, etl, reports, sink).await?;
            }
        }
        snapshot.commit().await
    }

    async fn scan_malformed(&self, connection: &mut SqliteConnection, request: &ScanRequest, sink: &mut Sink<'_>) -> sqlx::Result<()> {
        let mut query = QueryBuilder::new("SELECT CAST(bank_id AS TEXT), CAST(bank_symbol AS TEXT), CAST(fiscal_year AS TEXT), ");
        query.push(format!("CAST(quarter AS TEXT), count(*) FROM {} a WHERE {TAGS} IS NULL", self.availability.quoted()));
        push_period_filter(&mut query, request, "a");
        query.push(" GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4, 1");
        let mut rows = query.build().fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let key = AvailabilityKey {
                bank_id: naming(&row, 0)?,
                bank_symbol: naming(&row, 1)?,
                fiscal_year: naming(&row, 2)?,
                quarter: naming(&row, 3)?,
                mistyped: None,
            };
            sink(Scanned::NotAnArray { row: key, rows: u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0) });
        }
        Ok(())
    }

    async fn census(
        &self,
        connection: &mut SqliteConnection,
        request: &ScanRequest,
        set: &TagSet<'_>,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let mut query = QueryBuilder::new("");
        self.push_extra(&mut query, request);
        let wanted = if request.has_periods() { " FILTER (WHERE is_wanted)" } else { "" };
        query.push(format!(
            "SELECT CAST(bank_id AS TEXT), CAST(bank_symbol AS TEXT), CAST(quarter AS TEXT), \
             CAST(min(fiscal_year){wanted} AS TEXT), CAST(max(fiscal_year){wanted} AS TEXT), \
             count(DISTINCT fiscal_year){wanted} + coalesce(max(fiscal_year IS NULL){wanted}, 0), \
             typeof(bank_id), typeof(bank_symbol), min(typeof(fiscal_year)), typeof(quarter) FROM ("
        ));
        self.push_source(&mut query, request, &set.tags, Unwanted::Marked);
        // Texts sort after numbers, so that the typeof is needed to keep them out.
        query.push(format!(") s GROUP BY bank_id, bank_symbol, quarter, typeof(fiscal_year) = 'integer' AND fiscal_year {POSSIBLE_YEARS}"));
        let mut rows = query.build().fetch(connection);
        while let Some(row) = rows.try_next().await? {
            sink(group(&row, &set.etls, row.try_get(5)?, mistyped(&row, 6)?)?);
        }
        Ok(())
    }

    async fn candidates(
        &self,
        connection: &mut SqliteConnection,
        request: &ScanRequest,
        etl: &EtlScan,
        reports: &str,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let mut query = QueryBuilder::new("");
        self.push_extra(&mut query, request);
        query.push("SELECT CAST(bank_id AS TEXT), CAST(bank_symbol AS TEXT), CAST(fiscal_year AS TEXT), CAST(quarter AS TEXT), done");
        let types = 5 + etl.needs.len();
        for need in &etl.needs {
            query.push(format!(
                ", EXISTS (SELECT 1 FROM {} n WHERE n.bank_id = CAST(c.bank_id AS INTEGER) \
                 AND n.fiscal_year = CAST(c.fiscal_year AS INTEGER) AND n.quarter = c.quarter AND n.report_type",
                self.reports.quoted()
            ));
            push_one_of(&mut query, need);
            query.push(")");
        }
        query.push(", typeof(bank_id), typeof(bank_symbol), typeof(fiscal_year), typeof(quarter)");
        // A join and no NOT EXISTS: only for a join does SQLite make the index that a plain table may lack.
        query.push(" FROM (SELECT DISTINCT s.bank_id, s.bank_symbol, s.fiscal_year, s.quarter, r.bank_id IS NOT NULL AS done FROM (");
        self.push_source(&mut query, request, &tags(&etl.requires), Unwanted::LeftOut);
        query.push(format!(
            ") s LEFT JOIN {reports} r ON r.bank_id = CAST(s.bank_id AS INTEGER) \
             AND r.fiscal_year = CAST(s.fiscal_year AS INTEGER) AND r.quarter = s.quarter AND r.report_type"
        ));
        push_one_of(&mut query, &etl.report_types);
        query.push(" WHERE s.bank_symbol IN (SELECT value FROM json_each(");
        query.push_bind(serde_json::Value::from(request.symbols.clone()).to_string()).push("))");
        if !request.include_existing {
            query.push(" AND r.bank_id IS NULL");
        }
        query.push(") c");
        let mut rows = query.build().fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let mut candidate = candidate(&row, etl)?;
            candidate.key.mistyped = mistyped(&row, types)?;
            sink(Scanned::Candidate(candidate));
        }
        Ok(())
    }

    /// `extra`: the tags found in files that no availability row of that bank and period has.
    fn push_extra(&self, query: &mut QueryBuilder<Driver>, request: &ScanRequest) {
        if request.also_available.is_empty() {
            return;
        }
        query.push("WITH extra AS MATERIALIZED (SELECT * FROM (").push(FOUND).push_bind(as_json(&request.also_available));
        query.push(format!(
            ")) f WHERE NOT EXISTS (SELECT 1 FROM {} a WHERE {SAME_KEY} AND EXISTS \
             (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = f.tag))) ",
            self.availability.quoted()
        ));
    }

    /// The rows that have all the tags: those of the table, and those that would be made of `extra`.
    fn push_source(&self, query: &mut QueryBuilder<Driver>, request: &ScanRequest, tags: &[&str], unwanted: Unwanted) {
        let table = self.availability.quoted();
        let extra = !request.also_available.is_empty();
        let (bank_id, year) = (whole("a.bank_id"), whole("a.fiscal_year"));
        query.push(format!("SELECT {bank_id} AS bank_id, a.bank_symbol, {year} AS fiscal_year, a.quarter"));
        unwanted.push_mark(query, request, "a");
        query.push(format!(" FROM {table} a WHERE {TAGS} IS NOT NULL"));
        for &tag in tags {
            query.push(format!(" AND (EXISTS (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = ")).push_bind(tag.to_owned()).push(")");
            if extra {
                query.push(format!(" OR EXISTS (SELECT 1 FROM extra f WHERE {SAME_KEY} AND f.tag = ")).push_bind(tag.to_owned()).push(")");
            }
            query.push(")");
        }
        unwanted.push_filter(query, request, "a");
        if extra {
            query.push(" UNION ALL SELECT f.bank_id, min(f.bank_symbol), f.fiscal_year, f.quarter");
            unwanted.push_mark(query, request, "f");
            query.push(format!(" FROM extra f WHERE NOT EXISTS (SELECT 1 FROM {table} a WHERE {SAME_KEY})"));
            unwanted.push_filter(query, request, "f");
            query.push(" GROUP BY f.bank_id, f.fiscal_year, f.quarter HAVING 1");
            for &tag in tags {
                query.push(" AND max(f.tag = ").push_bind(tag.to_owned()).push(")");
            }
        }
    }
}

/// What a source of rows does with those of years and periods that are not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwanted {
    LeftOut,
    /// Where any are not asked for, a column `is_wanted` says which are.
    Marked,
}

impl Unwanted {
    fn push_mark(self, query: &mut QueryBuilder<Driver>, request: &ScanRequest, row: &str) {
        if self == Self::Marked && request.has_periods() {
            query.push(", (TRUE");
            push_period_filter(query, request, row);
            query.push(") AS is_wanted");
        }
    }

    fn push_filter(self, query: &mut QueryBuilder<Driver>, request: &ScanRequest, row: &str) {
        if self == Self::LeftOut {
            push_period_filter(query, request, row);
        }
    }
}

/// The first of the columns `bank_id`, `bank_symbol`, `fiscal_year` and `quarter` whose type, in four columns from this place on, is one
/// that equals nothing.
fn mistyped(row: &SqliteRow, from: usize) -> sqlx::Result<Option<Mistyped>> {
    let columns = [("bank_id", "number"), ("bank_symbol", "text"), ("fiscal_year", "number"), ("quarter", "text")];
    for (place, (column, wanted)) in columns.into_iter().enumerate() {
        let kind: String = row.try_get(from + place)?;
        let is_odd = kind == "blob" || (column == "bank_symbol" && !matches!(kind.as_str(), "text" | "null"));
        if is_odd {
            return Ok(Some(Mistyped { column, kind, wanted }));
        }
    }
    Ok(None)
}

/// Pushes the rest of a condition: that what stands before is one of these texts.
fn push_one_of(query: &mut QueryBuilder<Driver>, texts: &[String]) {
    let mut list = query.push(" IN (").separated(", ");
    for text in texts {
        list.push_bind(text.clone());
    }
    query.push(")");
}

/// A year that is none stays in, so that the user is told: in SQLite a number's column may hold any text, which sorts after numbers.
fn push_period_filter(query: &mut QueryBuilder<Driver>, request: &ScanRequest, row: &str) {
    if let Some(year) = request.from_year {
        query.push(format!(" AND ({row}.fiscal_year IS NULL OR {row}.fiscal_year >= CAST(")).push_bind(signed(year));
        query.push(" AS INTEGER))");
    }
    if let Some(year) = request.until_year {
        query.push(format!(" AND ({row}.fiscal_year IS NULL OR {row}.fiscal_year <= ")).push_bind(signed(year));
        query.push(format!(" OR typeof({row}.fiscal_year) NOT IN ('integer', 'real'))"));
    }
    if !request.periods.is_empty() {
        query.push(" AND (0");
        for period in &request.periods {
            query.push(format!(" OR ({row}.fiscal_year = CAST(")).push_bind(signed(period.year()));
            query.push(format!(" AS INTEGER) AND {row}.quarter = ")).push_bind(period.quarter().as_str()).push(")");
        }
        query.push(")");
    }
}
