//! The `Location` of a trigger's answer, which says where the job can be seen. It is used on the service's own host alone: the requests
//! carry credentials.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::request::Requests;

/// Stands for a job's id in an address; no character of it is percent-encoded.
const ID: &str = "etl-orch-id-of-a-job";

/// The id of the job that can be seen there, if that is on the host of `trigger`: the path, or the part of it that stands for the id in the
/// configured address.
pub(super) fn id_at(location: &Url, trigger: &Url, requests: &Requests<'_>) -> Option<String> {
    if location.origin() != trigger.origin() {
        return None;
    }
    if requests.follows_location() {
        let query = location.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Some(format!("{}{query}", location.path()));
    }
    let status = requests.status(ID).ok()?.url;
    let (before, after) = status.as_str().split_once(ID)?;
    let id = location.as_str().strip_prefix(before)?.strip_suffix(after)?;
    if id.contains(['/', '?', '#']) {
        return None;
    }
    percent_decode_str(id).decode_utf8().ok().map(Cow::into_owned)
}
