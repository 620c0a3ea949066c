//! What several channels need to reach their receiver.

use url::Url;

use super::super::check::Check;
use super::super::http::address_problem;
use crate::plan::model::tell::Address;

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
