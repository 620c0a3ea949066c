//! The scan: what is available, and which of it lacks its report, in one snapshot.
//!
//! Its statements are not kept for another use: after a few uses the server would plan them without looking at the
//! values, and such a plan has been seen to take a hundred times as long.

use futures::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Postgres as Driver, QueryBuilder, Row};

use super::Postgres;
use super::dialect::kind_of;
use crate::store::operation::operation;
use crate::store::shared::encoding::{Characters, storable};
use crate::store::shared::scanned::{POSSIBLE_YEARS, TagSet, candidate, group, tag_sets, tags};
use crate::store::{Available, EtlScan, FailureKind, Result, ScanRequest, Scanned};

type Sink<'a> = dyn FnMut(Scanned) + Send + 'a;

/// Availability row `a` is of the bank and period of `f`.
pub(super) const SAME_KEY: &str = "a.bank_id = f.bank_id AND a.fiscal_year = f.fiscal_year AND a.quarter = f.quarter";

/// Pushes `found` as a table expression with the columns `place`, `bank_id`, `bank_name`, `bank_symbol`,
/// `fiscal_year`, `quarter` and `tag`, to be given a name.
pub(super) fn push_found(query: &mut QueryBuilder<Driver>, found: &[Available]) {
    fn texts<'a>(found: &'a [Available], text: impl Fn(&'a Available) -> &'a str) -> Vec<String> {
        found.iter().map(|one| storable(text(one)).into_owned()).collect()
    }
    query.push("(SELECT place - 1 AS place, bank_id, bank_name, bank_symbol, fiscal_year, quarter, tag FROM unnest(");
    query.push_bind(found.iter().map(|one| one.bank_id).collect::<Vec<i64>>());
    query.push(", ").push_bind(texts(found, |one| &one.bank_name));
    query.push(", ").push_bind(texts(found, |one| &one.bank_symbol));
    query.push(", ").push_bind(found.iter().map(|one| i32::from(one.period.year())).collect::<Vec<i32>>());
    query.push(", ").push_bind(texts(found, |one| one.period.quarter().as_str()));
    query.push(", ").push_bind(texts(found, |one| &one.tag));
    query.push(") WITH ORDINALITY AS u (bank_id, bank_name, bank_symbol, fiscal_year, quarter, tag, place))");
}

/// The years of a group as bits, one for each of 64 years that follow each other. Counting them so takes half as long
/// as `count(DISTINCT ...)`, which sorts all rows and cannot be done in parallel.
const YEARS_AS_BITS: &str = "bit_or(1::int8 << (s.fiscal_year & 63)::int)";

/// The texts that a scan sends.
fn texts_of(request: &ScanRequest) -> String {
    let etls = request.etls.iter().flat_map(|etl| etl.requires.iter().chain(etl.needs.iter().flatten()).chain(&etl.report_types));
    let etls = etls.chain(request.other_tags.iter().flatten());
    let found = request.also_available.iter().flat_map(|one| [&one.bank_name, &one.bank_symbol, &one.tag]);
    request.symbols.iter().chain(etls).chain(found).map(String::as_str).collect()
}

/// Sends the texts. Returns the characters that were sent.
async fn may_be_sent(connection: &mut PgConnection, texts: &str) -> sqlx::Result<Characters> {
    sqlx::query("SELECT $1::text IS NULL").bind(storable(texts).into_owned()).execute(connection).await?;
    Ok(Characters::sent())
}

impl Postgres {
    pub(super) async fn scan(&self, request: &ScanRequest, sink: &mut Sink<'_>) -> Result<()> {
        let integer_years = self.columns().await?.has_integer_years();
        let texts = texts_of(request);
        // What the server lacks is in no row of it. Rows go to the sink only once, so that the scan itself cannot be repeated.
        let characters = if texts.is_ascii() { Characters::All } else { operation!(self, "looking for gaps", may_be_sent, &texts)? };
        let mut lease = self.lease().await?;
        let done = async {
            // Texts that are not ASCII can only be sent in an encoding.
            let takes_any_bytes = texts.is_ascii() && self.has_rows_without_unicode(&mut lease).await?;
            characters.only(self.scan_on(&mut lease, request, integer_years, takes_any_bytes, sink)).await
        };
        let done = done.await;
        lease.settle("looking for gaps", done)
    }

    /// Whether a row has bytes that the encoding of the database leaves undefined, such as 0x81 in WIN1252. The server refuses a whole
    /// answer for one of them.
    async fn has_rows_without_unicode(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let looked = sqlx::query(AssertSqlSafe(format!(
            "SELECT CASE WHEN current_setting('server_encoding') NOT IN ('UTF8', 'SQL_ASCII') THEN \
             (SELECT count(convert_to(bank_symbol::text, 'UTF8')) + count(convert_to(quarter::text, 'UTF8')) FROM {}) END",
            self.availability.quoted()
        )));
        match looked.execute(connection).await {
            Ok(_) => Ok(false),
            Err(error) if FailureKind::of(&error, kind_of) == FailureKind::Characters => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn scan_on(
        &self,
        connection: &mut PgConnection,
        request: &ScanRequest,
        integer_years: bool,
        takes_any_bytes: bool,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        if takes_any_bytes {
            sqlx::query("SET LOCAL client_encoding = 'SQL_ASCII'").execute(&mut *snapshot).await?;
        }
        for set in if request.candidates_only { Vec::new() } else { tag_sets(request) } {
            self.census(&mut snapshot, request, &set, integer_years, sink).await?;
        }
        if !request.symbols.is_empty() {
            for etl in &request.etls {
                self.candidates(&mut snapshot, request, etl, sink).await?;
            }
        }
        snapshot.commit().await
    }

    async fn census(
        &self,
        connection: &mut PgConnection,
        request: &ScanRequest,
        set: &TagSet<'_>,
        integer_years: bool,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let mut query = QueryBuilder::new("");
        self.push_extra(&mut query, request);
        let wanted = if request.has_periods() { " FILTER (WHERE s.is_wanted)" } else { "" };
        let (first, last) = (format!("(min(s.fiscal_year){wanted})"), format!("(max(s.fiscal_year){wanted})"));
        query.push(format!(
            "SELECT s.bank_id::text, s.bank_symbol::text, s.quarter::text, {first}::text, {last}::text, \
             count(*){wanted}, count(s.fiscal_year){wanted}, {last}::float8 - {first}::float8 < 64, "
        ));
        let years = if integer_years { YEARS_AS_BITS } else { "count(DISTINCT s.fiscal_year)" };
        query.push(years).push(wanted).push(" FROM (");
        self.push_source(&mut query, request, &set.tags, Unwanted::Marked);
        query.push(format!(") s GROUP BY s.bank_id, s.bank_symbol, s.quarter, s.fiscal_year {POSSIBLE_YEARS}"));
        if !integer_years {
            // As one that is too small or too large.
            query.push(" AND s.fiscal_year = trunc(s.fiscal_year)");
        }
        let as_bits = years == YEARS_AS_BITS;
        let mut rows = query.build().persistent(false).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let (all, with_year): (i64, i64) = (row.try_get(5)?, row.try_get(6)?);
            let distinct = match row.try_get::<Option<i64>, _>(8)? {
                Some(bits) if as_bits && row.try_get(7)? => i64::from(bits.count_ones()),
                // Years that far apart are not all years; repeated rows of such a group count each.
                Some(_) if as_bits => with_year,
                Some(distinct) => distinct,
                None => 0,
            };
            sink(group(&row, &set.etls, distinct + i64::from(all > with_year), None)?);
        }
        Ok(())
    }

    async fn candidates(
        &self,
        connection: &mut PgConnection,
        request: &ScanRequest,
        etl: &EtlScan,
        sink: &mut Sink<'_>,
    ) -> sqlx::Result<()> {
        let reports = self.reports.quoted();
        let mut query = QueryBuilder::new("");
        self.push_extra(&mut query, request);
        query.push("SELECT c.bank_id::text, c.bank_symbol::text, c.fiscal_year::text, c.quarter::text, c.done");
        for need in &etl.needs {
            query.push(format!(
                ", EXISTS (SELECT 1 FROM {reports} n WHERE n.bank_id = c.bank_id AND n.fiscal_year = c.fiscal_year \
                 AND n.quarter = c.quarter AND n.report_type"
            ));
            push_one_of(&mut query, need);
            query.push(")");
        }
        let push_report = |query: &mut QueryBuilder<Driver>| {
            query.push(format!(
                "EXISTS (SELECT 1 FROM {reports} r WHERE r.bank_id = s.bank_id AND r.fiscal_year = s.fiscal_year \
                 AND r.quarter = s.quarter AND r.report_type"
            ));
            push_one_of(query, &etl.report_types);
            query.push(")");
        };
        query.push(" FROM (SELECT DISTINCT s.bank_id, s.bank_symbol, s.fiscal_year, s.quarter, ");
        if request.include_existing {
            push_report(&mut query);
        } else {
            query.push("FALSE");
        }
        query.push(" AS done FROM (");
        self.push_source(&mut query, request, &tags(&etl.requires), Unwanted::LeftOut);
        // A join, which the server may do last: where few reports are missing, few symbols are to be looked up.
        query.push(") s WHERE s.bank_symbol IN (SELECT unnest(");
        query.push_bind(request.symbols.iter().map(|symbol| storable(symbol).into_owned()).collect::<Vec<_>>()).push("::text[]))");
        if !request.include_existing {
            query.push(" AND NOT ");
            push_report(&mut query);
        }
        query.push(") c");
        let mut rows = query.build().persistent(false).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            sink(Scanned::Candidate(candidate(&row, etl)?));
        }
        Ok(())
    }

    /// `extra`: the tags found in files that no availability row of that bank and period has.
    fn push_extra(&self, query: &mut QueryBuilder<Driver>, request: &ScanRequest) {
        if request.also_available.is_empty() {
            return;
        }
        query.push("WITH extra AS MATERIALIZED (SELECT DISTINCT bank_id, bank_symbol, fiscal_year, quarter, tag FROM ");
        push_found(query, &request.also_available);
        query.push(format!(
            " f WHERE NOT EXISTS (SELECT 1 FROM {} a WHERE {SAME_KEY} AND f.tag = ANY(a.database_names))) ",
            self.availability.quoted()
        ));
    }

    /// The rows that have all the tags: those of the table, and those that would be made of `extra`.
    fn push_source(&self, query: &mut QueryBuilder<Driver>, request: &ScanRequest, tags: &[&str], unwanted: Unwanted) {
        let table = self.availability.quoted();
        let extra = !request.also_available.is_empty();
        query.push("SELECT a.bank_id, a.bank_symbol, a.fiscal_year, a.quarter");
        unwanted.push_mark(query, request, "a");
        query.push(format!(" FROM {table} a WHERE TRUE"));
        for &tag in tags {
            query.push(" AND (").push_bind(storable(tag).into_owned()).push(" = ANY(a.database_names)");
            if extra {
                query.push(format!(" OR EXISTS (SELECT 1 FROM extra f WHERE {SAME_KEY} AND f.tag = "));
                query.push_bind(storable(tag).into_owned()).push(")");
            }
            query.push(")");
        }
        unwanted.push_filter(query, request, "a");
        if extra {
            query.push(" UNION ALL SELECT f.bank_id, min(f.bank_symbol), f.fiscal_year, f.quarter");
            unwanted.push_mark(query, request, "f");
            query.push(format!(" FROM extra f WHERE NOT EXISTS (SELECT 1 FROM {table} a WHERE {SAME_KEY})"));
            unwanted.push_filter(query, request, "f");
            query.push(" GROUP BY f.bank_id, f.fiscal_year, f.quarter HAVING TRUE");
            for &tag in tags {
                query.push(" AND bool_or(f.tag = ").push_bind(storable(tag).into_owned()).push(")");
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

/// Pushes the rest of a condition: that what stands before is one of these texts.
fn push_one_of(query: &mut QueryBuilder<Driver>, texts: &[String]) {
    let mut list = query.push(" IN (").separated(", ");
    for text in texts {
        list.push_bind(storable(text).into_owned());
    }
    query.push(")");
}

fn push_period_filter(query: &mut QueryBuilder<Driver>, request: &ScanRequest, row: &str) {
    if let Some(year) = request.from_year {
        query.push(format!(" AND ({row}.fiscal_year IS NULL OR {row}.fiscal_year >= ")).push_bind(i32::from(year)).push(")");
    }
    if let Some(year) = request.until_year {
        query.push(format!(" AND ({row}.fiscal_year IS NULL OR {row}.fiscal_year <= ")).push_bind(i32::from(year)).push(")");
    }
    if !request.periods.is_empty() {
        query.push(" AND (FALSE");
        for period in &request.periods {
            query.push(format!(" OR ({row}.fiscal_year = ")).push_bind(i32::from(period.year()));
            query.push(format!(" AND {row}.quarter = ")).push_bind(period.quarter().as_str()).push(")");
        }
        query.push(")");
    }
}
