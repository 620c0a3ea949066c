//! Decides what the answer to a status request means. Sends nothing.

use reqwest::StatusCode;
use serde_json::Value;

use super::exchange::{Answer, Content};
use super::journal::{MOST_CHARS, one_line};
use super::request::Request;
use super::triggering::{Refusal, fault_of, with_advice};
use super::unanswered::Unanswered;
use crate::plan::model::outcome::Fault;
use crate::plan::model::work::HttpSpec;

/// What is known of a job after a status request.
#[derive(Debug, PartialEq)]
pub(super) enum JobStatus {
    /// It is still running.
    Running(StateAnswer),
    /// It is done.
    Succeeded(StateAnswer),
    /// It failed, with the reason.
    Failed(StateAnswer, String),
    /// The service does not know it.
    Unknown(StatusCode),
    /// No usable answer, with the reason; the next request may get one.
    NoAnswer(String),
    /// No usable answer, and asking again in this attempt cannot help.
    Refused(Refusal),
}

/// The answer to a status request.
#[derive(Debug, PartialEq)]
pub(super) struct StateAnswer {
    /// The line for the log: state, message, progress.
    pub(super) line: String,
    /// The whole answer.
    pub(super) answer: Value,
}

/// Judges the answer.
pub(super) fn judge(asked: Result<Answer, Unanswered>, request: &Request, spec: &HttpSpec) -> JobStatus {
    let answer = match asked {
        Ok(answer) => answer,
        Err(Unanswered::Distrusted(why)) => return JobStatus::Refused(Refusal { why, fault: Fault::Configuration }),
        Err(unanswered @ (Unanswered::NotSent(_) | Unanswered::HostShort(_) | Unanswered::Sent(_))) => {
            return JobStatus::NoAnswer(unanswered.why().to_owned());
        }
    };
    let answers = || format!("{} answers {}", request.shown(), answer.summary());
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return JobStatus::Unknown(answer.status);
    }
    if !answer.is_good() {
        return match fault_of(answer.status) {
            Fault::Transient => JobStatus::NoAnswer(answers()),
            fault @ (Fault::Permanent | Fault::Configuration | Fault::Busy | Fault::Uncertain | Fault::HostShort) => {
                JobStatus::Refused(Refusal { why: with_advice(answers(), &answer), fault })
            }
        };
    }
    let status = answer.status.as_u16();
    match answer.content {
        Content::Json(json) => state_in(json, spec)
            .unwrap_or_else(|| JobStatus::NoAnswer(format!("{} answers {status} without a state at {}", request.shown(), spec.state))),
        Content::Text(_) => JobStatus::NoAnswer(format!("{} answers {status} with something that is not JSON", request.shown())),
        Content::Unread(why) => JobStatus::NoAnswer(format!("{} answers {status}, but {why}", request.shown())),
    }
}

fn state_in(answer: Value, spec: &HttpSpec) -> Option<JobStatus> {
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
    let state = StateAnswer { line, answer };
    Some(if spec.succeeded.contains(&name) {
        JobStatus::Succeeded(state)
    } else if spec.failed.contains(&name) {
        JobStatus::Failed(state, message.unwrap_or_else(|| "the service reports failed".to_owned()))
    } else {
        JobStatus::Running(state)
    })
}
