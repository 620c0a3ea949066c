//! What several channels need to reach their receiver.

use std::collections::BTreeMap;

use url::Url;

use super::super::check::Check;
use super::super::http::{self, address_problem};
use crate::plan::model::tell::{Address, Headers};
use crate::plan::text::placeholder::Values;

/// Checks the address of a receiver, which must be given.
pub(super) fn required_address(check: &mut Check, path: &[&str], given: Option<String>) -> Option<Address> {
    let Some(text) = given else {
        let name = check.document.named(path);
        check.missing(path, format!("{name} is missing; write its address, https://..."));
        return None;
    };
    if let Some(problem) = address_problem(&text) {
        check.wrong(path, format!("{} {problem}", check.document.named(path)));
        return None;
    }
    let url = Url::parse(&text).ok()?;
    let origin = url.origin().ascii_serialization();
    Some(Address::new(text, &origin))
}

/// Checks the headers that are sent to a receiver.
pub(super) fn headers(check: &mut Check, path: &[&str], written: Option<&BTreeMap<String, String>>) -> Headers {
    let values = http::headers(check, path, written, &[]);
    values.into_iter().map(|(name, value)| (name, value.fill(&Values::new()).into())).collect()
}
