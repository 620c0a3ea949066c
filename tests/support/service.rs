//! A fake of the service that collects disclosures: its answers, byte for byte where that matters, and its failures.
//!
//! It runs in the test's process, on a thread and a port of its own, until it is dropped. Nothing in it depends on time: a job
//! advances when its state is asked for, or when the test says so.
//!
//! ```text
//! let service = Service::start();                  // key "the-service-key", 1000 requests per second
//! // in the configuration:
//! //   trigger: {url: "{service.url()}/etl/trigger", headers: {X-API-Key: the-service-key}, json: {source: house}}
//! //   status: {url: "{service.url()}/etl/status/{remote_id}", every: 10ms}
//! world.run();
//! assert_eq!(service.triggers(), 1);
//! ```
//!
//! Before a run, `goes(Course::..)` sets the course of later jobs, `next([Answer::..])` replaces the answers to the next requests, and
//! `limit(..)` sets the rate limit. During a run, `until(|seen| ..)` waits for requests, and `finish(id)`, `fail(id, ..)` and
//! `restart()` change the jobs. `requests()` has all requests with their times.

#![allow(clippy::allow_attributes, dead_code, reason = "shared by test binaries that each use a part of it")]

#[path = "service/handlers.rs"]
mod handlers;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use axum::http::HeaderMap;
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::sync::Notify;

/// The value it requires in `X-API-Key`.
pub(crate) const KEY: &str = "the-service-key";

/// Far longer than anything takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The course of a job: its states, one for each request of its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Course {
    /// `queued` once, `running` this many times, then `completed`.
    Completes { running: u32 },
    /// The same, with a result without records.
    CompletesEmpty,
    /// `completed` at once, with this message.
    Says(String),
    /// `running` once, then `error` for the Senate and `failed` for all others, with this message.
    Fails(String),
    /// `running`, until the test changes it.
    Stuck,
    /// Its state can never be read: the request is answered with 500.
    Unreadable,
    /// `completed` at once, at the beginning of an answer of 2 MB.
    Wordy,
}

/// A replacement for the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The usual answer.
    Own,
    /// This status, with this text.
    Status(u16, &'static str),
    /// 200 with JSON that has neither id nor state.
    Empty,
    /// 200 with a body that is not JSON.
    Nonsense,
    /// 200 with 50 MB.
    Huge,
    /// 307 to this address.
    Redirect(&'static str),
    /// 429 with this `Retry-After`, or none.
    Busy(Option<String>),
    /// 503 with this `Retry-After`.
    Unavailable(&'static str),
    /// The request is carried out, but its answer is sent only after [`Service::release`].
    Late,
    /// The request is carried out, and answered with 202 and, instead of a body, the `Location` of its job.
    Located,
    /// 202 with this `Location`.
    LocatedAt(&'static str),
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) at: Instant,
    /// The connection it came on.
    pub(crate) from: SocketAddr,
}

/// A job of the service.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The body of its trigger.
    pub(crate) asked: Value,
    /// Requests of its state so far.
    pub(crate) looks: u32,
    /// Its number among all jobs.
    number: usize,
    source: String,
    course: Course,
}

struct Inner {
    jobs: HashMap<String, Job>,
    course: Course,
    next: VecDeque<Answer>,
    seen: Vec<Seen>,
    limit: (usize, Duration),
    by_date: bool,
    taken: VecDeque<Instant>,
    connections: usize,
    breaks_reused: bool,
    killer: Option<Killer>,
    speaks_otherwise: bool,
}

/// A source whose jobs bring the service down, so that it forgets all jobs.
struct Killer {
    source: String,
    /// The first time only when there are so many jobs; before that no job comes to an end.
    among: usize,
    has_killed: bool,
}

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    release: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no request panics")
    }
}

/// The service. Dropping it stops it.
pub(crate) struct Service {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    /// Starts a service whose jobs are complete at the third request of their state, without a rate limit.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                jobs: HashMap::new(),
                course: Course::Completes { running: 1 },
                next: VecDeque::new(),
                seen: Vec::new(),
                limit: (1000, Duration::from_secs(1)),
                by_date: false,
                taken: VecDeque::new(),
                connections: 0,
                breaks_reused: false,
                killer: None,
                speaks_otherwise: false,
            }),
            changed: Condvar::new(),
            release: Notify::new(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of its own");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a socket");
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (router, counting) = (handlers::router(shared.clone()), shared.clone());
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let listener = listener.tap_io(move |_| counting.lock().connections += 1);
            tokio::select! {
                _ = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()) => {}
                _ = ended => {}
            }
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve);
            runtime.shutdown_background();
        });
        Self { shared, address, end: Some(end), thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the course of jobs triggered from now on.
    pub(crate) fn goes(&self, course: Course) {
        self.shared.lock().course = course;
    }

    /// Replaces the answers to the next requests, in this order.
    pub(crate) fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().next.extend(answers);
    }

    /// Sets the rate limit for triggers and requests of states together; the real one is 10 in 60 s.
    pub(crate) fn limit(&self, requests: usize, span: Duration) {
        self.shared.lock().limit = (requests, span);
    }

    /// Makes `Retry-After` a date from now on.
    pub(crate) fn says_dates(&self) {
        self.shared.lock().by_date = true;
    }

    /// Closes a connection under every trigger that comes on it after another request; the trigger is carried out.
    pub(crate) fn breaks_reused_connections(&self) {
        self.shared.lock().breaks_reused = true;
    }

    /// Jobs of this source bring the service down when their state is asked for: the first time when there are `among` jobs.
    pub(crate) fn is_brought_down_by(&self, source: &str, among: usize) {
        self.shared.lock().killer = Some(Killer { source: source.to_owned(), among, has_killed: false });
    }

    /// From now on JSON has a byte order mark, states have capitals, and ids are numbers of 30 digits.
    pub(crate) fn speaks_otherwise(&self) {
        self.shared.lock().speaks_otherwise = true;
    }

    /// Sends the answers that were held back.
    pub(crate) fn release(&self) {
        self.shared.release.notify_one();
    }

    /// Makes the job complete at the next request of its state.
    pub(crate) fn finish(&self, id: &str) {
        self.shared.lock().jobs.get_mut(id).expect("a job of this service").course = Course::Completes { running: 0 };
    }

    /// Makes the job failed at the next request of its state.
    pub(crate) fn fail(&self, id: &str, message: &str) {
        self.shared.lock().jobs.get_mut(id).expect("a job of this service").course = Course::Fails(message.to_owned());
    }

    /// Forgets all jobs, which the real service keeps in memory only.
    pub(crate) fn restart(&self) {
        self.shared.lock().jobs.clear();
    }

    /// Ids of all jobs.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.shared.lock().jobs.keys().cloned().collect()
    }

    /// All jobs with their ids, in the order of their triggers.
    pub(crate) fn known(&self) -> Vec<(String, Job)> {
        let mut jobs: Vec<_> = self.shared.lock().jobs.clone().into_iter().collect();
        jobs.sort_by_key(|(_, job)| job.number);
        jobs
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Number of triggers so far.
    pub(crate) fn triggers(&self) -> usize {
        count(&self.requests(), "/etl/trigger")
    }

    /// Number of requests of a state so far.
    pub(crate) fn polls(&self) -> usize {
        count(&self.requests(), "/etl/status/")
    }

    /// Number of cancel requests so far.
    pub(crate) fn cancels(&self) -> usize {
        count(&self.requests(), "/etl/cancel/")
    }

    /// Number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until the requests so far satisfy a condition. It blocks: call it with `spawn_blocking` from async code.
    pub(crate) fn until(&self, wanted: impl Fn(&[Seen]) -> bool) {
        let (_unlocked, outcome) =
            self.shared.changed.wait_timeout_while(self.shared.lock(), DEADLINE, |inner| !wanted(&inner.seen)).expect("no request panics");
        assert!(!outcome.timed_out(), "this must not take so long");
    }
}

/// How many of these requests have a path with this prefix.
pub(crate) fn count(seen: &[Seen], path: &str) -> usize {
    seen.iter().filter(|seen| seen.path.starts_with(path)).count()
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end.take().map(|end| end.send(()));
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// A time in the format of `Date` and `Retry-After`.
pub(crate) fn date(at: SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
