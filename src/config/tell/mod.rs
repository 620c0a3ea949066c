//! `tell:`. Each channel has its own file, with its keys as they are written and their check.

mod mail;
mod openlineage;
mod opentelemetry;
mod pings;
mod receiver;
mod textfile;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::scalars::WrittenDuration;
use crate::plan::model::settings::Variables;
use crate::plan::model::tell::TellSettings;

pub(super) use self::opentelemetry::{HEADERS_VARIABLE, header_list};

/// Who is told of runs. None of them can fail or delay one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tell {
    /// After the end of a run, all of them together may take this long. Default: 10s.
    timeout: Option<WrittenDuration>,
    /// A dead man's switch, in the shape of healthchecks.io.
    pings: Option<pings::Pings>,
    /// The file of metrics for node_exporter, `/var/lib/prometheus/node-exporter/etl-orch.prom`.
    textfile: Option<String>,
    /// A chat, such as Slack or Mattermost, that is told of changes: by its incoming webhook.
    webhook: Option<webhook::Webhook>,
    /// People who are told of changes by mail.
    mail: Option<mail::Mail>,
    /// A receiver of traces by OTLP over HTTP, such as an OpenTelemetry Collector.
    opentelemetry: Option<opentelemetry::OpenTelemetry>,
    /// A receiver of OpenLineage's events, such as Marquez.
    openlineage: Option<openlineage::OpenLineage>,
    /// A file to which what happens to jobs is appended, a JSON object per line.
    events_file: Option<String>,
}

/// Checks `tell:`.
pub(super) fn tell(check: &mut Check, written: Tell, variables: &Variables) -> TellSettings {
    TellSettings {
        timeout: check.not_zero(&["tell", "timeout"], written.timeout).unwrap_or(TellSettings::default().timeout),
        pings: written.pings.and_then(|written| pings::pings(check, written)),
        textfile: textfile::textfile(check, written.textfile),
        webhook: written.webhook.and_then(|written| webhook::webhook(check, written)),
        mail: written.mail.and_then(|written| mail::mail(check, written)),
        opentelemetry: written.opentelemetry.and_then(|written| opentelemetry::opentelemetry(check, written, variables)),
        openlineage: written.openlineage.and_then(|written| openlineage::openlineage(check, written)),
        events_file: check.path(&["tell", "events_file"], written.events_file),
    }
}
