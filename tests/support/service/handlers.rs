//! The answers of the fake service: routes, rate limit, and the states of its jobs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Answer, Course, Inner, Job, KEY, Seen, Shared, date};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/etl/trigger", post(trigger))
        // Its own limit, of which nothing is left for the next hour.
        .route("/ml/train", post(async || busy(Some("3599".to_owned()))))
        .route("/etl/status/{job_id}", get(status))
        .route("/etl/cancel/{job_id}", post(cancel))
        .fallback(async || detail(404, json!("Not Found")))
        .method_not_allowed_fallback(async || detail(405, json!("Method Not Allowed")))
        .layer(from_fn_with_state(shared.clone(), record_and_answer))
        .with_state(shared)
}

/// Records the request, then answers it: by a replacement that was set, by a refusal, or by its handler.
async fn record_and_answer(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().expect("it is served with them").0;
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let (replacement, breaks) = {
        let mut inner = shared.lock();
        let is_reused = inner.seen.iter().any(|seen| seen.from == from);
        let breaks = inner.breaks_reused && is_reused && parts.method == Method::POST;
        inner.seen.push(Seen {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            headers: parts.headers.clone(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            at: Instant::now(),
            from,
        });
        (inner.next.pop_front().unwrap_or(Answer::Own), breaks)
    };
    shared.changed.notify_all();
    let usual = async {
        if let Some(refused) = shared.lock().refused() {
            return refused;
        }
        if parts.headers.get("x-api-key").is_none_or(|key| key != KEY) {
            return detail(401, json!("API key required. Provide via X-API-Key header."));
        }
        next.run(Request::from_parts(parts, Body::from(bytes))).await
    };
    if breaks {
        usual.await;
        let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("closed")) });
        return Body::from_stream(broken).into_response();
    }
    match replacement {
        Answer::Own => usual.await,
        Answer::Status(status, text) => (code(status), text).into_response(),
        Answer::Empty => json_of(200, &json!({"status_of": "nothing"})),
        Answer::Nonsense => (StatusCode::OK, "<html>a page</html>").into_response(),
        Answer::Huge => (StatusCode::OK, vec![b' '; 50_000_000]).into_response(),
        Answer::Redirect(to) => (code(307), [(header::LOCATION, to)]).into_response(),
        Answer::Busy(after) => busy(after),
        Answer::Unavailable(after) => (code(503), [(header::RETRY_AFTER, after)]).into_response(),
        Answer::Located => {
            let body = axum::body::to_bytes(usual.await.into_body(), 1 << 20).await.unwrap_or_default();
            let begun: Value = serde_json::from_slice(&body).unwrap_or_default();
            let location = format!("/etl/status/{}", begun["job_id"].as_str().unwrap_or_default());
            (code(202), [(header::LOCATION, location)]).into_response()
        }
        Answer::LocatedAt(location) => (code(202), [(header::LOCATION, location)]).into_response(),
        Answer::Late => {
            let answer = usual.await;
            shared.release.notified().await;
            answer
        }
    }
}

impl Inner {
    /// One rate limit for triggers and requests of states: a sliding window.
    fn refused(&mut self) -> Option<Response> {
        let (requests, span) = self.limit;
        let now = Instant::now();
        while self.taken.front().is_some_and(|at| now.duration_since(*at) >= span) {
            self.taken.pop_front();
        }
        if self.taken.len() < requests {
            self.taken.push_back(now);
            return None;
        }
        let wait = self.taken.front().map_or(span, |first| span.saturating_sub(now.duration_since(*first)));
        let seconds = wait.as_secs() + 1;
        let after = if self.by_date { date(SystemTime::now() + Duration::from_secs(seconds)) } else { seconds.to_string() };
        Some(busy(Some(after)))
    }
}

async fn trigger(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let Ok(Value::Object(body)) = serde_json::from_slice(&body) else {
        return detail(422, json!([{"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error", "input": {}}]));
    };
    let mut problems = Vec::new();
    for (field, kind) in [("year", "int"), ("lookback_days", "int"), ("limit", "int")] {
        if let Some(value) = body.get(field)
            && !(value.is_i64() || value.is_null() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()))
        {
            problems.push(json!({"type": format!("{kind}_parsing"), "loc": ["body", field],
                "msg": "Input should be a valid integer, unable to parse string as an integer", "input": value}));
        }
    }
    let source = match body.get("source") {
        None => "house".to_owned(),
        Some(Value::String(source)) => source.clone(),
        Some(other) => {
            problems
                .push(json!({"type": "string_type", "loc": ["body", "source"], "msg": "Input should be a valid string", "input": other}));
            String::new()
        }
    };
    if !problems.is_empty() {
        return detail(422, Value::Array(problems));
    }
    if !["house", "senate", "eu_parliament", "california", "uk_parliament"].contains(&source.as_str()) {
        return detail(400, json!(format!("Unknown source: {source}")));
    }
    let mut inner = shared.lock();
    let id = if inner.speaks_otherwise { format!("9{:029}", inner.jobs.len()) } else { uuid::Uuid::new_v4().to_string() };
    let course = inner.course.clone();
    let number = inner.jobs.len();
    let asked = Value::Object(body);
    inner.jobs.insert(id.clone(), Job { asked, looks: 0, number, source: source.clone(), course });
    let begun = json!({"job_id": id, "status": "started", "message": format!("ETL job started for {source}")});
    if inner.speaks_otherwise { foreign(&begun) } else { json_of(200, &begun) }
}

async fn status(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let mut inner = shared.lock();
    let known = inner.jobs.len();
    let mut is_held = false;
    if let Some(source) = inner.jobs.get(&id).map(|job| job.source.clone())
        && let Some(killer) = &mut inner.killer
    {
        is_held = !killer.has_killed;
        if killer.source == source && (killer.has_killed || known >= killer.among) {
            killer.has_killed = true;
            inner.jobs.clear();
        }
    }
    let speaks_otherwise = inner.speaks_otherwise;
    match inner.jobs.get_mut(&id) {
        Some(_) if is_held => json_of(200, &json!({"job_id": id, "status": "running"})),
        Some(Job { course: Course::Unreadable, looks, .. }) => {
            *looks += 1;
            (code(500), "Internal Server Error").into_response()
        }
        Some(Job { course: Course::Wordy, source, looks, .. }) => {
            *looks += 1;
            let text =
                format!(r#"{{"status": "completed", "message": "{}", "log": "{}"}}"#, completed(source, false), "x".repeat(2_000_000));
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
        Some(job) if speaks_otherwise => foreign(&job.look(&id)),
        Some(job) => json_of(200, &job.look(&id)),
        None => detail(404, json!("Job not found")),
    }
}

/// The same as another service would write it.
fn foreign(json: &Value) -> Response {
    let mut json = json.clone();
    let upper = json["status"].as_str().map(str::to_uppercase);
    json["status"] = upper.into();
    let id = json["job_id"].as_str().unwrap_or_default().to_owned();
    let text = json.to_string().replace(&format!("\"{id}\""), &id);
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], format!("\u{FEFF}{text}")).into_response()
}

/// Cancels a job. The users' service cannot; others can.
async fn cancel(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.lock().jobs.remove(&id) {
        Some(_) => json_of(200, &json!({"status": "cancelled"})),
        None => detail(404, json!("Job not found")),
    }
}

impl Job {
    /// Whether it has reported `completed`.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.course, Course::Completes { running } if self.looks > running + u32::from(running > 0))
    }

    fn look(&mut self, id: &str) -> Value {
        self.looks += 1;
        let running = |done: u32, of: u32| ("running", format!("Processing {} disclosures", self.source), Some(done), Some(of));
        let (status, message, progress, total) = match &self.course {
            Course::Completes { .. } if self.is_complete() => ("completed", completed(&self.source, false), None, None),
            Course::CompletesEmpty if self.looks > 1 => ("completed", completed(&self.source, true), None, None),
            Course::Says(what) => ("completed", what.clone(), None, None),
            Course::Completes { .. } if self.looks == 1 => ("queued", "Job queued".to_owned(), None, None),
            Course::Completes { running: times } => running(self.looks - 1, *times),
            Course::Fails(why) if self.looks > 1 => {
                let status = if self.source == "senate" { "error" } else { "failed" };
                (status, why.clone(), None, None)
            }
            Course::CompletesEmpty | Course::Fails(_) => running(0, 1),
            Course::Stuck | Course::Unreadable | Course::Wordy => running(3, 10),
        };
        json!({
            "job_id": id,
            "status": status,
            "progress": progress,
            "total": total,
            "message": message,
            "started_at": "2026-01-16T00:00:00",
            "completed_at": (status == "completed").then_some("2026-01-16T00:05:00"),
        })
    }
}

/// The result of a complete job, by source.
fn completed(source: &str, empty: bool) -> String {
    match (source, empty) {
        ("house", false) => "Completed: 17 transactions from 3 PDFs",
        ("house", true) => "Completed: 0 transactions from 0 PDFs",
        ("senate", false) => "Completed [http]: 12 senators, 30 disclosures, 44 transactions, 0 errors",
        ("senate", true) => "Completed [http]: 0 senators, 0 disclosures, 0 transactions, 0 errors",
        (_, false) => "Completed: 5 inserted, 7 updated, 9 skipped, 0 failed",
        (_, true) => "Completed: 0 inserted, 0 updated, 0 skipped, 0 failed",
    }
    .to_owned()
}

fn busy(after: Option<String>) -> Response {
    let mut answer = json_of(429, &json!({"error": "Rate limit exceeded: 10 per 1 minute"}));
    answer.headers_mut().extend(after.and_then(|after| Some((header::RETRY_AFTER, after.parse().ok()?))));
    answer
}

fn detail(status: u16, detail: Value) -> Response {
    json_of(status, &json!({ "detail": detail }))
}

fn json_of(status: u16, json: &Value) -> Response {
    (code(status), [(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}
