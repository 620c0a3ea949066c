//! Sends one request and reads its answer, within limits. What the answer means is decided elsewhere.

use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::json;
use super::request::{Request, without_secrets};
use super::unanswered::{Unanswered, innermost};
use crate::plan::text::nul::without_nul;
use crate::plan::text::retry_after;
use crate::plan::text::secrets::Secrets;
use crate::plan::text::span;

/// Of an answer with a longer body only so much is read.
pub(super) const MAX_BODY: usize = 1024 * 1024;

/// What a service answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// What came with it.
    pub(super) content: Content,
    /// Whether that is only the beginning of a body that is too long.
    pub(super) is_cut: bool,
    /// `Retry-After`; at least a second.
    pub(super) retry_after: Option<Duration>,
    /// `Location`, resolved against the address of the request.
    pub(super) location: Option<Url>,
    /// The same for messages, without parts that may be secret.
    pub(super) shown_location: Option<String>,
}

/// When a service that asks to come later takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// After this long.
    After(Duration),
    /// It does not say.
    Sometime,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// JSON, without secrets and NUL.
    Json(Value),
    /// Other text, without secrets and NUL.
    Text(String),
    /// It was not read to its end; why.
    Unread(String),
}

/// Sends a request and reads the answer.
pub(super) async fn send(client: &Client, request: &Request, limit: Duration, secrets: &Secrets) -> Result<Answer, Unanswered> {
    let began = Instant::now();
    let answer = exchange(client, request, limit, secrets).await;
    let (took, shown) = (began.elapsed(), secrets.clean(&request.shown()).into_owned());
    let (span, duration_seconds) = (span::brief(took), span::seconds(took));
    match &answer {
        Ok(Answer { status, .. }) => {
            let status = status.as_u16();
            tracing::debug!(request = shown, status, duration_seconds, "{shown} answers {status} ({span})");
        }
        Err(error) => tracing::debug!(request = shown, duration_seconds, "{shown}: {} (after {span})", secrets.clean(error.why())),
    }
    answer
}

async fn exchange(client: &Client, request: &Request, limit: Duration, secrets: &Secrets) -> Result<Answer, Unanswered> {
    let mut asked = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone()).timeout(limit);
    if let Some(json) = &request.json {
        asked = asked.json(json);
    }
    let response = asked.send().await.map_err(|error| Unanswered::new(&error, request, limit))?;
    let headers = response.headers();
    let retry_after = retry_after(headers);
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).and_then(|location| request.url.join(location).ok());
    let shown_location = location.as_ref().map(|url: &Url| secrets.clean(&without_secrets(url)).into_owned());
    let status = response.status();
    let clean = |json| Content::Json(json::without_nul(secrets.clean_json(json)));
    let (content, is_cut) = match read(response, limit).await {
        Ok(Body { bytes, is_cut: false }) => {
            let text = || Content::Text(secrets.clean(&without_nul(&String::from_utf8_lossy(&bytes))).into_owned());
            (json::read(&bytes).map_or_else(text, clean), false)
        }
        Ok(Body { bytes, is_cut: true }) => {
            let too_long = || Content::Unread(format!("its answer is longer than {} KiB", MAX_BODY / 1024));
            (json::read_beginning(&bytes).map_or_else(too_long, clean), true)
        }
        Err(why) => (Content::Unread(why), false),
    };
    Ok(Answer { status, content, is_cut, retry_after, location, shown_location })
}

/// A body, or its beginning.
struct Body {
    bytes: Vec<u8>,
    is_cut: bool,
}

async fn read(mut response: Response, limit: Duration) -> Result<Body, String> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(Body { bytes, is_cut: false }),
            Ok(Some(chunk)) => {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MAX_BODY {
                    bytes.truncate(MAX_BODY);
                    return Ok(Body { bytes, is_cut: true });
                }
            }
            Err(error) if error.is_timeout() => {
                return Err(format!("its answer did not come to an end within {}", span::exact(limit)));
            }
            Err(error) => return Err(format!("its answer broke off: {}", innermost(&error))),
        }
    }
}

/// `Retry-After`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    retry_after::wait(text(RETRY_AFTER)?, text(DATE), Utc::now())
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) fn is_good(&self) -> bool {
        self.status.is_success()
    }

    /// When the service takes the same request, of which nothing came now; `None` where it does not ask to come later.
    pub(super) fn later(&self) -> Option<Later> {
        let asked = self.retry_after.map(Later::After);
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => asked.or(Some(Later::Sometime)),
            StatusCode::CONFLICT | StatusCode::LOCKED | StatusCode::TOO_EARLY | StatusCode::SERVICE_UNAVAILABLE => asked,
            _ => None,
        }
    }

    /// ` in the first 1024 KiB of its answer`, where only those were read.
    pub(super) fn extent(&self) -> String {
        if self.is_cut { format!(" in the first {} KiB of its answer", MAX_BODY / 1024) } else { String::new() }
    }

    /// Status and description, for messages: `422: body.year: not an integer`.
    pub(super) fn summary(&self) -> String {
        let said = match &self.content {
            Content::Json(json) => error_text_in(json),
            Content::Text(text) if !text.trim_start().starts_with('<') && !text.trim().is_empty() => {
                Some(super::journal::one_line(text.trim(), 200))
            }
            Content::Text(_) => None,
            Content::Unread(why) => Some(why.clone()),
        };
        let said = said.or_else(|| self.status.canonical_reason().map(str::to_owned));
        said.map_or(self.status.as_u16().to_string(), |said| format!("{}: {said}", self.status.as_u16()))
    }
}

/// The description of an error: `detail` as FastAPI writes it, a text or a list of problems; otherwise `message`, `error` or `title`.
fn error_text_in(json: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let problem = |problem: &Value| {
        let place = problem.get("loc").and_then(Value::as_array).map(|loc| loc.iter().filter_map(text).collect::<Vec<_>>().join("."));
        let said = problem.get("msg").and_then(text)?;
        Some(place.filter(|place| !place.is_empty()).map_or(said.clone(), |place| format!("{place}: {said}")))
    };
    let said = match json.get("detail") {
        Some(Value::Array(problems)) => {
            Some(problems.iter().filter_map(problem).collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
        }
        Some(detail) => text(detail),
        None => ["message", "error", "title"].iter().find_map(|key| text(json.get(key)?)),
    };
    said.map(|said| super::journal::one_line(&said, super::journal::MOST_CHARS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_service_complains_of_is_found() {
        for (json, said) in [
            (json!({"detail": "Unknown source: x"}), Some("Unknown source: x")),
            (
                json!({"detail": [{"loc": ["body", "year"], "msg": "not an integer", "type": "t"}, {"loc": ["body", 0], "msg": "too short"}]}),
                Some("body.year: not an integer; body.0: too short"),
            ),
            (json!({"detail": [{"msg": "bad"}, 7, null]}), Some("bad")),
            (json!({"detail": []}), None),
            (json!({"error": "two\nlines"}), Some("two lines")),
            (json!([1]), None),
            (json!({"detail": {"x": 1}}), None),
        ] {
            assert_eq!(error_text_in(&json).as_deref(), said, "{json}");
        }
    }
}
