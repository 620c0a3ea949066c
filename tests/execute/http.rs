//! A stand-in of the service, calls of it, and how they go when nothing is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use etl_orch::execute::http::HttpExecutor;
use etl_orch::execute::stop::StopSender;
use etl_orch::execute::{AttemptEvent, Call, End, Ended};
use etl_orch::plan::model::gap::report_values;
use etl_orch::plan::model::institution::Institution;
use etl_orch::plan::model::work::{HttpMethod, HttpSpec, RequestSpec};
use etl_orch::plan::run::stop::{StopLevel, StopReason};
use etl_orch::plan::text::body::Body;
use etl_orch::plan::text::placeholder::{Placeholder, Scope};
use etl_orch::plan::text::template::Template;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::bench::within;
use crate::service::{Course, KEY, Seen, Service, count};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) struct Rig {
    pub(crate) service: Arc<Service>,
    pub(crate) executor: Arc<HttpExecutor>,
    pub(crate) dir: TempDir,
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse(text, Scope::ALL).unwrap()
}

pub(crate) fn request(method: HttpMethod, url: &str, json: Option<Body>) -> RequestSpec {
    RequestSpec { method, url: template(url), headers: vec![("X-API-Key".to_owned(), template(KEY))], json }
}

/// What configuration would say of the service at this address.
pub(crate) fn spec(url: &str) -> HttpSpec {
    let body = Body::Object(vec![
        ("source".to_owned(), Body::Text(template("{source}"))),
        ("year".to_owned(), Body::Text(template("{window_year}"))),
        ("limit".to_owned(), Body::Plain(json!(100))),
    ]);
    HttpSpec {
        trigger: request(HttpMethod::Post, &format!("{url}/etl/trigger"), Some(body)),
        job_id: "/job_id".to_owned(),
        status: request(HttpMethod::Get, &format!("{url}/etl/status/{{remote_id}}"), None),
        every: Duration::from_millis(5),
        follows_location: false,
        state: "/status".to_owned(),
        succeeded: vec!["completed".to_owned()],
        failed: vec!["failed".to_owned(), "error".to_owned()],
        success_if: None,
        message: Some("/message".to_owned()),
        progress: Some("/progress".to_owned()),
        total: Some("/total".to_owned()),
        cancel: None,
        request_timeout: Duration::from_secs(60),
        timeout: LONG,
        rate: None,
        ca_file: None,
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { service: Arc::new(Service::start()), executor: Arc::default(), dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.path().join("logs/job/1.log")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap()
    }

    pub(crate) fn call(&self) -> Call {
        self.call_of(spec(&self.service.url()))
    }

    pub(crate) fn call_of(&self, spec: HttpSpec) -> Call {
        let values = BTreeMap::from([(Placeholder::Source, "house".to_owned()), (Placeholder::WindowYear, "2026".to_owned())]);
        Call { spec, values, remote_id: None, triggered_before: Duration::ZERO, traceparent: None, log: self.log_path() }
    }

    /// A call that can be cancelled.
    pub(crate) fn cancellable(&self) -> Call {
        let cancel = request(HttpMethod::Post, &format!("{}/etl/cancel/{{remote_id}}", self.service.url()), None);
        self.call_of(HttpSpec { cancel: Some(cancel), ..spec(&self.service.url()) })
    }

    pub(crate) fn start(&self, call: Call) -> Asked {
        let stop = StopSender::default();
        let signal = stop.signal();
        let (say, said) = mpsc::channel(1024);
        let executor = self.executor.clone();
        Asked { ended: tokio::spawn(async move { executor.run(call, signal, say).await }), stop, said }
    }

    pub(crate) async fn run(&self, call: Call) -> Ended {
        self.start(call).end().await
    }

    /// Waits for requests.
    pub(crate) async fn until(&self, wanted: impl Fn(&[Seen]) -> bool + Send + 'static) {
        let service = self.service.clone();
        tokio::task::spawn_blocking(move || service.until(wanted)).await.unwrap();
    }

    /// The service's only job.
    pub(crate) fn job(&self) -> String {
        self.service.jobs().pop().unwrap()
    }
}

/// A call under way.
pub(crate) struct Asked {
    pub(crate) ended: JoinHandle<Ended>,
    pub(crate) stop: StopSender,
    pub(crate) said: mpsc::Receiver<AttemptEvent>,
}

impl Asked {
    pub(crate) async fn end(self) -> Ended {
        within(self.ended).await.unwrap()
    }

    /// Waits for a line that has these words.
    pub(crate) async fn hear(&mut self, words: &str) -> String {
        loop {
            match within(self.said.recv()).await.expect("the call ended before it said what was awaited") {
                AttemptEvent::Line(line) if line.contains(words) => return line,
                AttemptEvent::Line(_)
                | AttemptEvent::Said(_)
                | AttemptEvent::Waits(_)
                | AttemptEvent::Progress(_)
                | AttemptEvent::LinesOmitted(_)
                | AttemptEvent::Triggered(_)
                | AttemptEvent::Spawned(_) => {}
            }
        }
    }
}

#[tokio::test]
async fn a_job_is_triggered_once_and_followed_to_its_end() {
    let rig = Rig::new();
    rig.service.goes(Course::Completes { running: 3 });
    let mut asked = rig.start(rig.call());
    let Some(AttemptEvent::Triggered(id)) = within(asked.said.recv()).await else { panic!("the first thing said is the id") };
    assert_eq!(id, rig.job());
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id, ended.pid), (End::Completed, None, None));
    assert_eq!(ended.answer.unwrap()["message"], "Completed: 17 transactions from 3 PDFs");
    assert_eq!(
        ended.tail,
        format!(
            "triggered: job {id} (HTTP 200)\nqueued: Job queued\nrunning: Processing house disclosures (1/3)\nrunning: Processing house disclosures (2/3)\nrunning: Processing house disclosures (3/3)\ncompleted: Completed: 17 transactions from 3 PDFs"
        )
    );
    let log = rig.log();
    assert!(log.lines().zip(ended.tail.lines()).all(|(log, tail)| log.split_once("Z ").unwrap().1 == tail), "{log}");
    let requests = rig.service.requests();
    assert_eq!(requests[0].body, json!({"source": "house", "year": 2026, "limit": 100}));
    assert!(requests.iter().all(|request| request.headers["x-api-key"] == KEY));
    assert_eq!((rig.service.triggers(), rig.service.polls()), (1, 5));
}

#[tokio::test]
async fn the_requests_for_a_report_name_its_bank_and_period() {
    let rig = Rig::new();
    let bank = Institution { key: "RY-CA".to_owned(), id: 7, name: "Royal Bank".to_owned(), kind: None, priority: 0, place: String::new() };
    let text = |text: &str| Body::Text(template(text));
    let body = Body::Object(vec![
        ("bank".to_owned(), text("{bank_name} ({bank_id})")),
        ("limit".to_owned(), text("{bank_id}")),
        ("year".to_owned(), text("{fiscal_year}")),
        ("quarter".to_owned(), text("{quarter}")),
    ]);
    let url = format!("{}/etl/trigger?report={{report_type}}", rig.service.url());
    let trigger = request(HttpMethod::Post, &url, Some(body));
    let values = report_values(&bank, "2025Q2".parse().unwrap(), "call_summary", "Call Summary");
    let call = Call { values, ..rig.call_of(HttpSpec { trigger, ..spec(&rig.service.url()) }) };
    assert_eq!(rig.run(call).await.end, End::Completed);
    assert_eq!(rig.service.requests()[0].body, json!({"bank": "Royal Bank (7)", "limit": 7, "year": 2025, "quarter": "Q2"}));
}

#[tokio::test]
async fn every_request_names_the_span_of_its_attempt_unless_it_has_a_header_of_its_own() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let mut call = rig.cancellable();
    let (given, own) = ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-own-01");
    call.traceparent = Some(given.to_owned());
    call.spec.trigger.headers.push(("Traceparent".to_owned(), template(own)));
    let asked = rig.start(call);
    rig.until(|seen| count(seen, "/etl/status") == 1).await;
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    assert_eq!(asked.end().await.end, End::Stopped);
    let requests = rig.service.requests();
    for (path, expected) in [("/etl/trigger", own), ("/etl/status", given), ("/etl/cancel", given)] {
        let seen = requests.iter().find(|seen| seen.path.starts_with(path)).unwrap();
        assert_eq!(seen.headers.get_all("traceparent").iter().collect::<Vec<_>>(), [expected], "{path}");
    }
}

#[tokio::test]
async fn what_does_not_change_is_told_once() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let asked = rig.start(rig.call());
    rig.until(|seen| seen.len() > 10).await;
    rig.service.finish(&rig.job());
    let ended = asked.end().await;
    assert_eq!(ended.end, End::Completed);
    assert_eq!(ended.tail.lines().count(), 3, "{}", ended.tail);
}

#[tokio::test]
async fn a_failure_is_what_the_service_says() {
    for (source, state) in [("house", "failed"), ("senate", "error")] {
        let rig = Rig::new();
        rig.service.goes(Course::Fails(format!("Error:\n{KEY} {}", "x".repeat(3000))));
        let mut call = rig.call();
        call.values.insert(Placeholder::Source, source.to_owned());
        let ended = rig.run(call).await;
        let End::Reported { why, fault } = ended.end else { panic!("{:?}", ended.end) };
        assert_eq!(format!("{fault:?}"), "Transient");
        assert!(why.starts_with("Error: [redacted] xxx") && why.chars().count() <= 1001, "{why}");
        assert_eq!(ended.answer.unwrap()["status"], state);
        assert!(!rig.log().contains(KEY) && !ended.tail.contains(KEY));
        assert_eq!(ended.remote_id, None);
    }
}

#[tokio::test]
async fn a_failure_without_words_is_one_too() {
    let rig = Rig::new();
    rig.service.goes(Course::Fails(String::new()));
    let End::Reported { why, .. } = rig.run(rig.call()).await.end else { panic!("it failed") };
    assert_eq!(why, "the service reports failed");
}

#[tokio::test]
async fn a_job_from_before_is_followed_and_not_triggered_again() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let mut first = rig.start(rig.call());
    first.hear("triggered").await;
    first.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    let remote_id = first.end().await.remote_id;
    assert_eq!(remote_id, Some(rig.job()));
    rig.service.finish(&rig.job());
    std::fs::remove_dir_all(rig.dir.path().join("logs")).unwrap();
    let ended = rig.run(Call { remote_id, ..rig.call() }).await;
    assert_eq!((ended.end, rig.service.triggers()), (End::Completed, 1));
}

#[tokio::test]
async fn a_job_that_the_service_has_forgotten_is_triggered_again() {
    let rig = Rig::new();
    let ended = rig.run(Call { remote_id: Some("gone before".to_owned()), ..rig.call() }).await;
    assert_eq!((ended.end, rig.service.triggers()), (End::Completed, 1));
    assert!(ended.tail.starts_with("the service no longer knows gone before; triggering again\ntriggered: job "), "{}", ended.tail);
    assert_eq!(rig.service.requests()[0].path, "/etl/status/gone%20before");
}

#[tokio::test]
async fn a_job_that_vanishes_on_the_way_is_not_triggered_again_by_the_same_call() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let mut asked = rig.start(rig.call());
    asked.hear("running").await;
    let id = rig.job();
    rig.service.restart();
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id), (End::Vanished, None));
    assert!(ended.tail.ends_with(&format!("the service does not know its job {id} any more (404)")), "{}", ended.tail);
    assert_eq!(rig.service.triggers(), 1);
}

#[tokio::test]
async fn connections_are_used_again_but_not_for_triggers() {
    let rig = Rig::new();
    let a = rig.run(rig.call()).await;
    std::fs::remove_dir_all(rig.dir.path().join("logs")).unwrap();
    let b = rig.run(rig.call()).await;
    assert_eq!((a.end, b.end), (End::Completed, End::Completed));
    assert_eq!(rig.service.connections(), 3, "one for each trigger, and one for all states");
}
