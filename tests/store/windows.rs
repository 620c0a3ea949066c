//! The windows of disclosure sources: short ways to fill the queue and to work on it.

use chrono::{DateTime, Duration, TimeZone, Utc};
use etl_orch::plan::model::collection::{Collected, Seen};
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::orders::{SourceOrder, SourceOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::claim::{ClaimRequest, ClaimTarget, Claimed};
use etl_orch::plan::remember::recorded_job::{JobSubject, NewJob};
use etl_orch::plan::remember::source_state::{QueuedWindow, SourceState};
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;
use uuid::Uuid;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, end, enqueue, yes};

pub(crate) const HOUSE: &str = "us_house";

/// The start of the window of this number: windows are six hours long.
pub(crate) fn start(number: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 16, 0, 0, 0).unwrap() + Duration::hours(6) * number
}

/// From the window of one number to before that of another.
pub(crate) fn windows(from: i32, to: i32) -> Window {
    Window { start: start(from), end: start(to) }
}

/// The window of this number.
pub(crate) fn window(number: i32) -> Window {
    windows(number, number + 1)
}

/// Puts the windows of these numbers into the queue.
pub(crate) async fn put(store: &dyn Store, source: &str, numbers: impl IntoIterator<Item = i32>) {
    let windows: Vec<_> = numbers.into_iter().map(window).collect();
    store.enqueue_windows(source, &windows, at(0)).await.unwrap();
}

pub(crate) fn job_of(source: &str, window: Window) -> NewJob {
    NewJob {
        id: JobId::new(Uuid::new_v4()),
        gap: GapKey::source(source),
        subject: JobSubject::Windows(window),
        position: 0,
        forced: false,
        fingerprint: None,
        destination: None,
    }
}

/// A run with one job that is queued, for these windows.
pub(crate) async fn planned(store: &dyn Store, source: &str, window: Window) -> JobId {
    let run = begin_run(store).await;
    let job = job_of(source, window);
    enqueue(store, run, std::slice::from_ref(&job)).await;
    job.id
}

/// A request to claim a job for windows.
pub(crate) fn wish_for(job: JobId, source: &str, window: Window) -> ClaimRequest<'_> {
    ClaimRequest { job, wanted: ClaimTarget::Windows { source, window }, planned_fence: 0, pool: None, log: "log", at: at(2) }
}

/// Plans a job for these windows, and asks for it.
pub(crate) async fn ask(store: &dyn Store, source: &str, window: Window) -> Claimed {
    let job = planned(store, source, window).await;
    store.claim(&wish_for(job, source, window)).await.unwrap()
}

/// A claim on a job for these windows.
pub(crate) async fn claim(store: &dyn Store, source: &str, window: Window) -> Claim {
    yes(ask(store, source, window).await)
}

pub(crate) fn collected(source: &str, window: Window) -> Collected {
    Collected { source: source.into(), window, seen: Seen::Reported, records: Some(3), message: Some("3 transactions".into()) }
}

/// The claim's job succeeds with these windows.
pub(crate) async fn succeed(store: &dyn Store, claim: Claim, made: &Collected) {
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Collection(Box::new(made.clone()))).await.unwrap());
}

/// Windows are claimed and collected.
pub(crate) async fn collect(store: &dyn Store, source: &str, window: Window) {
    let claim = claim(store, source, window).await;
    succeed(store, claim, &collected(source, window)).await;
}

pub(crate) fn order(source: &str, kind: SourceOrderKind, second: u32) -> SourceOrder {
    SourceOrder { source: source.into(), kind, by: "anna".into(), reason: "because".into(), at: at(second) }
}

pub(crate) async fn state(store: &dyn Store, source: &str) -> SourceState {
    let states = store.source_states().await.unwrap();
    states.into_iter().find(|state| state.source == source).unwrap_or_default()
}

/// The queue of a source as `start-end`, in windows from the first, with what is said of each.
pub(crate) async fn queue(store: &dyn Store, source: &str) -> Vec<String> {
    let number = |at: DateTime<Utc>| (at - start(0)).num_hours() / 6;
    let queue = store.queue().await.unwrap();
    let shown = |one: &QueuedWindow| {
        let mut text = format!("{}-{}", number(one.window.start), number(one.window.end));
        for (says, word) in [
            (one.is_collected, " collected"),
            (one.is_urgent, " requested"),
            (one.is_requested && !one.is_urgent, " tried"),
            (one.given_up.is_some(), " given up"),
        ] {
            text.push_str(if says { word } else { "" });
        }
        text + &one.remote_id.as_ref().map(|remote_id| format!(" {remote_id}")).unwrap_or_default()
    };
    queue.iter().filter(|one| one.source == source).map(shown).collect()
}

/// Every row of the queue: its state, whether somebody asked for it, whether a job ever claimed it.
pub(crate) async fn rows(fixture: &Fixture) -> Vec<String> {
    fixture
        .rows(&format!(
            "SELECT state, coalesce(requested_by, ''), CASE WHEN job_id IS NULL THEN '' ELSE 'job' END,
                    CASE WHEN collected_at IS NULL THEN '' ELSE 'at' END, coalesce(remote_id, '')
             FROM {} ORDER BY source, window_start, window_end",
            fixture.own("disclosure_queue")
        ))
        .await
}
