//! `tell.webhook`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Check;
use super::receiver;
use crate::plan::model::tell;

/// A chat, such as Slack or Mattermost, that is told of changes: by its incoming webhook.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// The address that is posted to. Required.
    url: Option<String>,
    /// Further headers. Default: none.
    headers: Option<BTreeMap<String, String>>,
}

pub(super) fn webhook(check: &mut Check, written: Webhook) -> Option<tell::Webhook> {
    let headers = receiver::headers(check, &["tell", "webhook", "headers"], written.headers.as_ref());
    let url = receiver::required_address(check, &["tell", "webhook", "url"], written.url)?;
    Some(tell::Webhook { url, headers })
}
