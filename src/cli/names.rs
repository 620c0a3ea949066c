//! Banks, ETLs and sources as people name them.

use crate::config::Config;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::institution::{BankIndex, SelectError};
use crate::plan::model::source::SourceIndex;
use crate::plan::text::nearest::did_you_mean;

/// The bank that is meant by `RY`, `ry` or `RY-CA`.
pub(super) fn bank(config: &Config, symbol: &str) -> Result<BankIndex, SelectError> {
    config.catalogue.institutions.select(symbol)
}

/// The ETL of this name, or why there is none.
pub(super) fn etl(config: &Config, name: &str) -> Result<EtlIndex, String> {
    config.catalogue.etls.iter().position(|etl| etl.name == name).ok_or_else(|| {
        let hint = did_you_mean(name, config.catalogue.etls.iter().map(|etl| etl.name.as_str()));
        format!("unknown ETL {name:?}{hint}")
    })
}

/// The source of this id, or why there is none.
pub(super) fn source(config: &Config, id: &str) -> Result<SourceIndex, String> {
    config.catalogue.sources.iter().position(|source| source.id == id).ok_or_else(|| {
        let hint = did_you_mean(id, config.catalogue.sources.iter().map(|source| source.id.as_str()));
        let none = if config.catalogue.sources.is_empty() { "; no sources are configured" } else { "" };
        format!("unknown source {id:?}{hint}{none}")
    })
}
