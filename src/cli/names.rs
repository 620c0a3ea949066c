//! Banks, ETLs and sources as people name them.

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::institution::{BankIndex, SelectError};
use crate::plan::model::source::SourceIndex;
use crate::plan::text::nearest::suggestion;

/// The bank that is meant by `RY`, `ry` or `RY-CA`.
pub(super) fn bank(catalogue: &Catalogue, symbol: &str) -> Result<BankIndex, SelectError> {
    catalogue.institutions.select(symbol)
}

/// The ETL of this name, or why there is none.
pub(super) fn etl(catalogue: &Catalogue, name: &str) -> Result<EtlIndex, String> {
    let etls = &catalogue.etls;
    etls.iter().position(|etl| etl.name == name).ok_or_else(|| {
        let hint = suggestion(name, etls.iter().map(|etl| etl.name.as_str()));
        format!("unknown ETL {name:?}{hint}")
    })
}

/// The source of this id, or why there is none.
pub(super) fn source(catalogue: &Catalogue, id: &str) -> Result<SourceIndex, String> {
    let sources = &catalogue.sources;
    sources.iter().position(|source| source.id == id).ok_or_else(|| {
        let hint = suggestion(id, sources.iter().map(|source| source.id.as_str()));
        let none = if sources.is_empty() { "; no sources are configured" } else { "" };
        format!("unknown source {id:?}{hint}{none}")
    })
}
