//! What the answer to a question for a job's state means. Sends nothing.

use reqwest::StatusCode;
use serde_json::Value;

use super::exchange::{Answer, Content};
use super::journal::{MOST_CHARS, one_line};
use super::request::Request;
use super::triggering::{Refusal, fault_of, with_advice};
use super::unanswered::Unanswered;
use crate::plan::model::outcome::Fault;
use crate::plan::model::work::HttpSpec;

/// What is known of a job after a question.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// It goes on.
    GoesOn(State),
    /// It is done.
    Succeeded(State),
    /// It failed; why.
    Failed(State, String),
    /// The service does not know it.
    Unknown(StatusCode),
    /// Nothing; the next question may be answered.
    Nothing(String),
    /// Nothing, and there is no use in asking again now.
    Refused(Refusal),
}

/// A state as the service says it.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    /// For people: state, message, progress.
    pub(super) line: String,
    /// The whole answer.
    pub(super) answer: Value,
}

/// Judges the answer.
pub(super) fn judge(asked: Result<Answer, Unanswered>, request: &Request, spec: &HttpSpec) -> Seen {
    let answer = match asked {
        Ok(answer) => answer,
        Err(Unanswered::Distrusted(why)) => return Seen::Refused(Refusal { why, fault: Fault::Configuration }),
        Err(unanswered @ (Unanswered::NotSent(_) | Unanswered::Sent(_))) => return Seen::Nothing(unanswered.why().to_owned()),
    };
    let answers = || format!("{} answers {}", request.shown(), answer.words());
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Seen::Unknown(answer.status);
    }
    if !answer.is_good() {
        return match fault_of(answer.status) {
            Fault::Transient => Seen::Nothing(answers()),
            fault @ (Fault::Permanent | Fault::Configuration | Fault::Busy | Fault::Uncertain) => {
                Seen::Refused(Refusal { why: with_advice(answers(), &answer), fault })
            }
        };
    }
    let status = answer.status.as_u16();
    match answer.content {
        Content::Json(json) => state_in(json, spec)
            .unwrap_or_else(|| Seen::Nothing(format!("{} answers {status} without a state at {}", request.shown(), spec.state))),
        Content::Text(_) => Seen::Nothing(format!("{} answers {status} with something that is not JSON", request.shown())),
        Content::Unread(why) => Seen::Nothing(format!("{} answers {status}, but {why}", request.shown())),
    }
}

fn state_in(answer: Value, spec: &HttpSpec) -> Option<Seen> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(one_line(text.trim(), MOST_CHARS)),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let at = |pointer: &Option<String>| text(answer.pointer(pointer.as_deref()?)?);
    let name = match answer.pointer(&spec.state)? {
        Value::Bool(is) => is.to_string(),
        other => text(other)?,
    };
    let message = spec.message_in(&answer).map(|message| one_line(message.trim(), MOST_CHARS)).filter(|message| !message.is_empty());
    let done = match (at(&spec.progress), at(&spec.total)) {
        (Some(done), Some(total)) => format!(" ({done}/{total})"),
        (Some(done), None) => format!(" ({done})"),
        (None, _) => String::new(),
    };
    let line = match &message {
        Some(message) => format!("{name}: {message}{done}"),
        None => format!("{name}{done}"),
    };
    let state = State { line, answer };
    Some(if spec.succeeded.contains(&name) {
        Seen::Succeeded(state)
    } else if spec.failed.contains(&name) {
        Seen::Failed(state, message.unwrap_or_else(|| "the service reports failed".to_owned()))
    } else {
        Seen::GoesOn(state)
    })
}
