//! Compares what the configuration names with what the data has, without a plan.

use crate::plan::decide::mismatch::NameIssues;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::{Etl, writes_reports};
use crate::plan::model::settings::SyncRule;
use crate::store::{self, Store};

/// Checks the data tables, and whether the data has the types of reports and the tags that ETLs name. Without ETLs there are none.
///
/// # Errors
/// When the database fails, or a table is not as it must be.
pub async fn compare(store: &dyn Store, catalogue: &Catalogue, sync: &[SyncRule]) -> store::Result<NameIssues> {
    let etls = &catalogue.etls;
    if etls.is_empty() {
        return Ok(NameIssues::default());
    }
    store.check_data_tables(writes_reports(etls), !sync.is_empty()).await?;
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
