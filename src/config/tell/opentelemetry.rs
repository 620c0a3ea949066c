//! `tell.opentelemetry`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Check;
use super::receiver;
use crate::plan::model::settings::Variables;
use crate::plan::model::tell::{Address, OpenTelemetry as Settings};

const PATH: [&str; 2] = ["tell", "opentelemetry"];
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
pub(in crate::config) const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// A receiver of traces by OTLP over HTTP, such as an OpenTelemetry Collector.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenTelemetry {
    /// Its address; `/v1/traces` is added to it. Default: the variable `OTEL_EXPORTER_OTLP_ENDPOINT`.
    endpoint: Option<String>,
    /// Headers of each request. Default: the variable `OTEL_EXPORTER_OTLP_HEADERS`.
    headers: Option<BTreeMap<String, String>>,
    /// The service that the traces are of. Default: the variable `OTEL_SERVICE_NAME`, or else `etl-orch`.
    service_name: Option<String>,
}

pub(super) fn opentelemetry(check: &mut Check, written: OpenTelemetry, variables: &Variables) -> Option<Settings> {
    let variable = |name| variables.get(name).filter(|value: &&String| !value.trim().is_empty());
    let endpoint = match (written.endpoint, variable(ENDPOINT_VARIABLE)) {
        (None, Some(address)) => of_variable(check, address),
        (None, None) => {
            check.missing(
                &[&PATH[..], &["endpoint"]].concat(),
                format!("tell.opentelemetry.endpoint is missing; write its address, https://..., or set {ENDPOINT_VARIABLE}"),
            );
            None
        }
        (given, _) => receiver::required_address(check, &[&PATH[..], &["endpoint"]].concat(), given),
    };
    let headers = match (written.headers, variable(HEADERS_VARIABLE)) {
        (None, Some(list)) => header_list(list).into_iter().map(|(name, value)| (name, value.into())).collect(),
        (given, _) => receiver::headers(check, &[&PATH[..], &["headers"]].concat(), given.as_ref()),
    };
    if let Some(name) = &written.service_name {
        check.text(&[&PATH[..], &["service_name"]].concat(), name);
    }
    let service_name = written.service_name.or_else(|| variable(NAME_VARIABLE).cloned()).unwrap_or_else(|| "etl-orch".to_owned());
    Some(Settings { endpoint: endpoint?, headers, service_name })
}

fn of_variable(check: &mut Check, address: &str) -> Option<Address> {
    match receiver::address(address.to_owned()) {
        Ok(address) => Some(address),
        Err(problem) => {
            check.wrong_key(&PATH, format!("{ENDPOINT_VARIABLE} {problem}"));
            None
        }
    }
}

/// The headers of `name=value,name=value`, whose values are percent-encoded.
pub(in crate::config) fn header_list(text: &str) -> Vec<(String, String)> {
    let decoded = |value: &str| percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
    text.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.trim().to_owned(), decoded(value))).collect()
}
