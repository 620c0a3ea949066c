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
    match address(text) {
        Ok(address) => Some(address),
        Err(problem) => {
            check.wrong(path, format!("{} {problem}", check.document.named(path)));
            None
        }
    }
}

/// The address of a receiver, or what is wrong with it.
pub(super) fn address(text: String) -> Result<Address, String> {
    if let Some(problem) = address_problem(&text) {
        return Err(problem);
    }
    let url = Url::parse(&text).map_err(|error| format!("is no address: {error}"))?;
    Ok(Address::new(text, &url.origin().ascii_serialization()))
}

/// Checks the headers that are sent to a receiver.
pub(super) fn headers(check: &mut Check, path: &[&str], written: Option<&BTreeMap<String, String>>) -> Headers {
    let values = http::headers(check, path, written, &[]);
    values.into_iter().map(|(name, value)| (name, value.fill(&Values::new()).into())).collect()
}
