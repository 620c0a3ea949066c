//! What a scan asks for and finds, the same for both databases.

use std::collections::BTreeMap;

use sqlx::{ColumnIndex, Decode, Row, Type};

use super::encoding::readable;
use crate::plan::model::candidate::{AvailabilityKey, Candidate, CensusGroup, Mistyped};
use crate::plan::model::etl::EtlIndex;
use crate::store::{EtlScan, ScanRequest, Scanned};

/// A group of the census: the columns `bank_id`, `bank_symbol`, `quarter`, smallest and largest `fiscal_year`.
pub(in crate::store) fn group<'r, R: Row>(row: &'r R, etls: &[EtlIndex], rows: i64, mistyped: Option<Mistyped>) -> sqlx::Result<Scanned>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
{
    Ok(Scanned::Group(CensusGroup {
        etls: etls.to_vec(),
        bank_id: naming(row, 0)?,
        bank_symbol: naming(row, 1)?,
        quarter: naming(row, 2)?,
        min_year: naming(row, 3)?,
        max_year: naming(row, 4)?,
        rows: u64::try_from(rows).unwrap_or(0),
        mistyped,
    }))
}

/// The condition on a year that it can be one. A census counts those that cannot apart, so that one bad row does not hide the good ones
/// of its bank.
pub(in crate::store) const POSSIBLE_YEARS: &str = "BETWEEN 1900 AND 2999";

/// A candidate: the four columns of its key, whether its report exists, and one column for each need.
pub(in crate::store) fn candidate<'r, R: Row>(row: &'r R, etl: &EtlScan) -> sqlx::Result<Candidate>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Candidate {
        etl: etl.etl,
        key: AvailabilityKey {
            bank_id: naming(row, 0)?,
            bank_symbol: naming(row, 1)?,
            fiscal_year: naming(row, 2)?,
            quarter: naming(row, 3)?,
            mistyped: None,
        },
        exists: row.try_get(4)?,
        needs_met: (5..5 + etl.needs.len()).map(|column| row.try_get(column)).collect::<sqlx::Result<_>>()?,
    })
}

/// A column as text that names its row: bytes that are no text are escaped.
pub(in crate::store) fn naming<'r, R: Row>(row: &'r R, column: usize) -> sqlx::Result<Option<String>>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
{
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column)?;
    Ok(bytes.map(readable))
}

/// A column as text, whatever bytes it holds: U+FFFD stands for those that are no text.
pub(in crate::store) fn text<'r, R: Row>(row: &'r R, column: usize) -> sqlx::Result<Option<String>>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Decode<'r, R::Database>,
{
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// A set of required tags, and the ETLs that require just these.
pub(in crate::store) struct TagSet<'a> {
    pub(in crate::store) tags: Vec<&'a str>,
    pub(in crate::store) etls: Vec<EtlIndex>,
}

/// The distinct sets of required tags: a census counts each once. Those that no ETL in the selection requires come last.
pub(in crate::store) fn tag_sets(request: &ScanRequest) -> Vec<TagSet<'_>> {
    let mut sets: BTreeMap<Vec<&str>, Vec<EtlIndex>> = BTreeMap::new();
    for others in &request.other_tags {
        sets.entry(tags(others)).or_default();
    }
    for etl in &request.etls {
        sets.entry(tags(&etl.requires)).or_default().push(etl.etl);
    }
    let mut sets: Vec<_> = sets.into_iter().map(|(tags, etls)| TagSet { tags, etls }).collect();
    sets.sort_by_key(|set| set.etls.is_empty());
    sets
}

/// Tags without repetition, in one order.
pub(in crate::store) fn tags(requires: &[String]) -> Vec<&str> {
    let mut tags: Vec<&str> = requires.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
