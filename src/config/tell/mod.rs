//! `tell:`. Each channel has its own file, with its keys as they are written and their check.

mod mail;
mod pings;
mod receiver;
mod textfile;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::scalars::WrittenDuration;
use crate::plan::model::tell::TellSettings;

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
}

/// Checks `tell:`.
pub(super) fn tell(check: &mut Check, written: Tell) -> TellSettings {
    TellSettings {
        timeout: check.not_zero(&["tell", "timeout"], written.timeout).unwrap_or(TellSettings::default().timeout),
        pings: written.pings.and_then(|written| pings::pings(check, written)),
        textfile: textfile::textfile(check, written.textfile),
        webhook: written.webhook.and_then(|written| webhook::webhook(check, written)),
        mail: written.mail.and_then(|written| mail::mail(check, written)),
    }
}
