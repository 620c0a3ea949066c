//! Compares what the configuration names with what the data has, without a plan.

use super::error::RunError;
use super::prepare::check_tables;
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::Etl;
use crate::plan::model::settings::SyncRule;
use crate::store::{self, Store};

/// Checks the data tables and the rights on them, and whether the data has the types of reports and the tags that ETLs name. Without ETLs
/// there are none.
///
/// # Errors
/// When the database fails, a table is not as it must be, or the database user lacks a right.
pub async fn compare(store: &dyn Store, catalogue: &Catalogue, sync: &[SyncRule]) -> Result<NameIssues, RunError> {
    if catalogue.etls.is_empty() {
        return Ok(NameIssues::default());
    }
    if let Some(cannot_write) = check_tables(store, &catalogue.etls, sync).await? {
        return Err(cannot_write);
    }
    Ok(issues(store, catalogue, sync).await?)
}

/// The same, of tables that were checked.
pub(super) async fn issues(store: &dyn Store, catalogue: &Catalogue, sync: &[SyncRule]) -> store::Result<NameIssues> {
    let etls = &catalogue.etls;
    let types: Vec<_> = etls.iter().map(Etl::report_types).collect();
    let supplied: Vec<&str> = sync.iter().map(|rule| rule.tag.as_str()).collect();
    let mut required: Vec<String> =
        etls.iter().flat_map(|etl| &etl.requires).filter(|tag| !supplied.contains(&tag.as_str())).cloned().collect();
    required.sort_unstable();
    required.dedup();
    let types = store.report_types(&types).await?;
    let tags = if required.is_empty() { Vec::new() } else { store.availability_tags(&required).await? };
    Ok(NameIssues::of_all(etls, &types, tags, &supplied))
}
