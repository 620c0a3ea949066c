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
    /// No usable answer; the next request may get one.
    NoAnswer {
        why: String,
        /// Whether the service got the request, as far as that is known.
        is_reached: bool,
    },
    /// No usable answer, and asking again in this attempt cannot help.
    Refused(Refusal),
}

/// The answer to a status request.
#[derive(Debug, PartialEq)]
pub(super) struct StateAnswer {
    /// The state, as the service writes it.
    pub(super) name: String,
    /// The line for the log: state, message, progress.
    pub(super) line: String,
    /// How much is done, and of how much, where these are whole numbers.
    pub(super) done: Option<u64>,
    pub(super) of: Option<u64>,
    /// The whole answer.
    pub(super) answer: Value,
}

/// Judges the answer.
pub(super) fn judge(asked: Result<Answer, Unanswered>, request: &Request, spec: &HttpSpec) -> JobStatus {
    let answer = match asked {
        Ok(answer) => answer,
        Err(Unanswered::Distrusted(why)) => return JobStatus::Refused(Refusal { why, fault: Fault::Configuration }),
        Err(Unanswered::NotSent(why) | Unanswered::HostShort(why)) => return JobStatus::NoAnswer { why, is_reached: false },
        Err(Unanswered::Sent(why)) => return unreadable(why),
    };
    let answers = || format!("{} answers {}", request.shown(), answer.summary());
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return JobStatus::Unknown(answer.status);
    }
    if !answer.is_good() {
        return match fault_of(answer.status) {
            Fault::Transient => unreadable(answers()),
            fault @ (Fault::Permanent | Fault::Configuration | Fault::Busy | Fault::Uncertain | Fault::HostShort | Fault::JobsLost) => {
                JobStatus::Refused(Refusal { why: with_advice(answers(), &answer), fault })
            }
        };
    }
    let (status, extent) = (answer.status.as_u16(), answer.extent());
    match answer.content {
        Content::Json(json) => state_in(json, spec)
            .unwrap_or_else(|| unreadable(format!("{} answers {status} without a state at {}{extent}", request.shown(), spec.state))),
        Content::Text(_) => unreadable(format!("{} answers {status} with something that is not JSON", request.shown())),
        Content::Unread(why) => unreadable(format!("{} answers {status}, but {why}", request.shown())),
    }
}

fn unreadable(why: String) -> JobStatus {
    JobStatus::NoAnswer { why, is_reached: true }
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
    // Whoever reads these words makes no difference between capitals and small letters.
    let is_in = |states: &[String]| states.iter().any(|state| state.to_lowercase() == name.to_lowercase());
    let (has_succeeded, has_failed) = (is_in(&spec.succeeded), is_in(&spec.failed));
    let number = |pointer: &Option<String>| at(pointer)?.parse().ok();
    let (done, of) = (number(&spec.progress), number(&spec.total));
    let state = StateAnswer { name, line, done, of, answer };
    Some(if has_succeeded {
        match spec.success_if.as_ref().and_then(|success| success.unmet(&state.answer)) {
            None => JobStatus::Succeeded(state),
            Some(why) => {
                let why = format!("the service reports {}, but {why}", state.line);
                JobStatus::Failed(state, why)
            }
        }
    } else if has_failed {
        JobStatus::Failed(state, message.unwrap_or_else(|| "the service reports failed".to_owned()))
    } else {
        JobStatus::Running(state)
    })
}
