//! Decides what the answer to a trigger means. Sends nothing.

use reqwest::StatusCode;
use serde_json::Value;

use super::exchange::{Answer, Content};
use super::request::Request;
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

/// The id of the job that was started; `pointer` says where it is.
pub(super) fn judge(asked: Result<Answer, Unanswered>, request: &Request, pointer: &str) -> Result<(String, StatusCode), Refusal> {
    let refuse = |fault, why: String| Err(Refusal { why, fault });
    let answer = match asked {
        Ok(answer) => answer,
        Err(Unanswered::NotSent(why)) => return refuse(Fault::Transient, why),
        Err(Unanswered::HostShort(why)) => return refuse(Fault::HostShort, why),
        Err(Unanswered::Distrusted(why)) => return refuse(Fault::Configuration, why),
        Err(Unanswered::Sent(why)) => return refuse(Fault::Uncertain, format!("{why}; {MAY_HAVE_STARTED}")),
    };
    if answer.is_good() {
        let problem = match &answer.content {
            Content::Json(json) => match id_in(json, pointer) {
                Some(id) => return Ok((id, answer.status)),
                None => format!("without a job's id at {pointer}"),
            },
            Content::Text(_) => "with something that is not JSON".to_owned(),
            Content::Unread(why) => format!("but {why}"),
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
        StatusCode::REQUEST_TIMEOUT => Fault::Transient,
        status if status.is_redirection() => Fault::Configuration,
        status if status.is_client_error() => Fault::Permanent,
        _ => Fault::Transient,
    }
}

/// `answers` with advice, if there is some for this status.
pub(super) fn with_advice(answers: String, answer: &Answer) -> String {
    match (&answer.location, answer.status) {
        (Some(location), status) if status.is_redirection() => {
            format!("{answers}, and points to {location}; redirects are not followed, correct the address")
        }
        (_, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => format!("{answers}; correct the address"),
        _ => answers,
    }
}

/// The id of the job, if it can be stored and put into an address.
fn id_in(json: &Value, pointer: &str) -> Option<String> {
    let id = match json.pointer(pointer)? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
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
            (409, Fault::Permanent),
            (422, Fault::Permanent),
            (500, Fault::Transient),
            (503, Fault::Transient),
        ] {
            assert_eq!(fault_of(StatusCode::from_u16(status).unwrap()), fault, "{status}");
        }
    }
}
