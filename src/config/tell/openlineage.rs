//! `tell.openlineage`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Check;
use super::receiver;
use crate::plan::model::tell::OpenLineage as Settings;

/// A receiver of OpenLineage's events, such as Marquez.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenLineage {
    /// Its address; `/api/v1/lineage` is added to it. Required.
    url: Option<String>,
    /// Headers of each request, such as `Authorization`.
    headers: Option<BTreeMap<String, String>>,
    /// What the names of jobs and of tags are unique in. Default: `etl-orch`.
    namespace: Option<String>,
}

pub(super) fn openlineage(check: &mut Check, written: OpenLineage) -> Option<Settings> {
    let url = receiver::required_address(check, &["tell", "openlineage", "url"], written.url);
    let headers = receiver::headers(check, &["tell", "openlineage", "headers"], written.headers.as_ref());
    if let Some(namespace) = &written.namespace {
        check.text(&["tell", "openlineage", "namespace"], namespace);
    }
    Some(Settings { url: url?, headers, namespace: written.namespace.unwrap_or_else(|| "etl-orch".to_owned()) })
}
