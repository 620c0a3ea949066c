//! `tell.pings`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Check;
use super::receiver;
use crate::plan::model::tell::Address;

/// A dead man's switch, in the shape of healthchecks.io.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pings {
    /// The address of the check; `/start` and `/fail` are added to it. Required.
    url: Option<String>,
}

pub(super) fn pings(check: &mut Check, written: Pings) -> Option<Address> {
    receiver::required_address(check, &["tell", "pings", "url"], written.url)
}
