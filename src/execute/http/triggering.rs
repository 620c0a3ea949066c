//! Decides what the answer to a trigger means. Sends nothing.

use reqwest::StatusCode;
use serde_json::Value;

use super::exchange::{Answer, Content};
use super::location::id_at;
use super::request::{Request, Requests};
use super::unanswered::Unanswered;
use crate::plan::model::outcome::Fault;

/// Longest id of a job, in characters.
const LONGEST_ID: usize = 200;

/// The end of a message when it is unknown whether a job was started.
pub(super) const MAY_HAVE_STARTED: &str = "the service may have started the job all the same; it is not triggered again in this run";

/// Why a request failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    /// What can be done about it.
    pub(super) fault: Fault,
}

/// The id of the job that was started.
pub(super) fn judge(
    asked: Result<Answer, Unanswered>,
    request: &Request,
    requests: &Requests<'_>,
) -> Result<(String, StatusCode), Refusal> {
    let refuse = |fault, why: String| Err(Refusal { why, fault });
    let answer = match asked {
        Ok(answer) => answer,
        Err(Unanswered::NotSent(why)) => return refuse(Fault::Transient, why),
        Err(Unanswered::HostShort(why)) => return refuse(Fault::HostShort, why),
        Err(Unanswered::Distrusted(why)) => return refuse(Fault::Configuration, why),
        Err(Unanswered::Sent(why)) => return refuse(Fault::Uncertain, format!("{why}; {MAY_HAVE_STARTED}")),
    };
    if answer.is_good() {
        let problem = match id_of(&answer, request, requests) {
            Ok(id) => return Ok((id, answer.status)),
            Err(problem) => problem,
        };
        return refuse(Fault::Uncertain, format!("{} answers {} {problem}; {MAY_HAVE_STARTED}", request.shown(), answer.status.as_u16()));
    }
    let answers = format!("{} answers {}", request.shown(), answer.summary());
    match answer.status {
        StatusCode::GATEWAY_TIMEOUT | StatusCode::BAD_GATEWAY | StatusCode::REQUEST_TIMEOUT => {
            refuse(Fault::Uncertain, format!("{answers}; {MAY_HAVE_STARTED}"))
        }
        status => refuse(fault_of(status), with_advice(answers, &answer)),
    }
}

/// The fault that a status other than 2xx stands for.
pub(super) fn fault_of(status: StatusCode) -> Fault {
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Fault::Configuration,
        // The last four: it is doing that already, is locked, will not begin yet, or has too much to do.
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::LOCKED | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Fault::Transient
        }
        status if status.is_redirection() => Fault::Configuration,
        status if status.is_client_error() => Fault::Permanent,
        _ => Fault::Transient,
    }
}

/// `answers` with advice, if there is some for this status.
pub(super) fn with_advice(answers: String, answer: &Answer) -> String {
    match (&answer.shown_location, answer.status) {
        (Some(location), status) if status.is_redirection() => {
            format!("{answers}, and points to {location}; redirects are not followed, correct the address")
        }
        (_, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => format!("{answers}; correct the address"),
        _ => answers,
    }
}

/// The id of the job: in the body, or in the `Location`.
///
/// # Errors
/// What the answer is like instead, as the end of a sentence.
fn id_of(answer: &Answer, request: &Request, requests: &Requests<'_>) -> Result<String, String> {
    let at_location = || answer.location.as_ref().and_then(|location| id_at(location, &request.url, requests)).and_then(usable);
    if requests.follows_location() {
        return at_location().ok_or_else(|| match &answer.shown_location {
            Some(location) => format!("with the Location {location}, which is not followed: it is on another host, or too long"),
            None => "without a Location, and status has no url".to_owned(),
        });
    }
    let pointer = requests.job_id();
    let problem = match &answer.content {
        Content::Json(json) => match id_in(json, pointer) {
            Some(id) => return Ok(id),
            None => format!("without a job's id at {pointer}{}", answer.extent()),
        },
        Content::Text(_) => "with something that is not JSON".to_owned(),
        Content::Unread(why) => format!("but {why}"),
    };
    at_location().ok_or(problem)
}

fn id_in(json: &Value, pointer: &str) -> Option<String> {
    usable(match json.pointer(pointer)? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    })
}

/// The id of a job, if it can be stored and put into an address.
fn usable(id: String) -> Option<String> {
    // "." and ".." in an address would lead to another path.
    let is_usable = !id.is_empty() && id.chars().count() <= LONGEST_ID && !id.contains(char::is_control) && id != "." && id != "..";
    is_usable.then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_a_short_text_or_a_number() {
        let id = |value: Value| id_in(&json!({ "job": {"id": value} }), "/job/id");
        assert_eq!(id(json!("a b")), Some("a b".to_owned()));
        assert_eq!(id(json!(17)), Some("17".to_owned()));
        assert_eq!(id(json!("x".repeat(200))), Some("x".repeat(200)));
        for useless in [json!(null), json!(""), json!("a\nb"), json!(["a"]), json!(true), json!("x".repeat(201)), json!("..")] {
            assert_eq!(id(useless.clone()), None, "{useless}");
        }
    }

    #[test]
    fn every_status_has_its_fault() {
        for (status, fault) in [
            (301, Fault::Configuration),
            (307, Fault::Configuration),
            (400, Fault::Permanent),
            (401, Fault::Configuration),
            (403, Fault::Configuration),
            (404, Fault::Configuration),
            (405, Fault::Configuration),
            (407, Fault::Configuration),
            (408, Fault::Transient),
            (409, Fault::Transient),
            (422, Fault::Permanent),
            (423, Fault::Transient),
            (425, Fault::Transient),
            (429, Fault::Transient),
            (500, Fault::Transient),
            (503, Fault::Transient),
        ] {
            assert_eq!(fault_of(StatusCode::from_u16(status).unwrap()), fault, "{status}");
        }
    }
}
