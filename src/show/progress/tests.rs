//! The lines of a live display at some moments of a run.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::board::Board;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Records, Stage, StageState};
use crate::plan::remember::durations::{Durations, PastSuccess};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef, ServiceWait, WaitReason};
use crate::plan::run::expectations::Expectations;
use crate::plan::run::forecast::Interval;

fn at(seconds: i64) -> DateTime<Utc> {
    "2026-11-28T14:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

fn tell(board: &mut Board, seconds: i64, kind: EventKind) {
    board.event(&Event { at: at(seconds), run: RunId::new(Uuid::nil()), kind });
}

fn of_job(board: &mut Board, seconds: i64, index: usize, event: JobEvent) {
    tell(board, seconds, EventKind::Job { job: JobRef { index, id: JobId::new(Uuid::nil()) }, event });
}

fn started(board: &mut Board, seconds: i64, job: usize, attempt: u32) {
    of_job(board, seconds, job, JobEvent::AttemptStarted { attempt, of: 3 });
}

fn ended(board: &mut Board, seconds: i64, job: usize, state: JobState) {
    of_job(board, seconds, job, JobEvent::Ended { state, duration: Duration::from_secs(1), reason: None, log: None });
}

/// A run of so many jobs.
fn run(jobs: usize) -> Board {
    expected(jobs, Expectations::default())
}

/// A run of so many jobs of which this is expected.
fn expected(jobs: usize, expectations: Expectations) -> Board {
    let mut board = Board::default();
    let name = |n: usize| JobName {
        label: format!("B{n} 2025 Q2 [call_summary]"),
        gap: format!("B{n}-CA/2025Q2/call_summary").parse().unwrap(),
        window: None,
    };
    let kind = EventKind::RunStarted { jobs: (0..jobs).map(name).collect(), waiting: 0, chains: jobs, max_parallel: 4, expectations };
    tell(&mut board, 0, kind);
    board
}

fn embedding() -> Stage {
    let records = Records { read: Some(1500), estimate: Some(3000), ..Records::default() };
    Stage {
        n: 1,
        name: "Embedding".to_owned(),
        state: StageState::Running,
        started_at: at(30),
        ended_at: None,
        records,
        counts: Vec::new(),
    }
}

fn some_of_everything() -> Board {
    let mut board = run(9);
    for (job, state) in [JobState::Succeeded, JobState::Succeeded, JobState::Failed, JobState::Skipped].into_iter().enumerate() {
        ended(&mut board, 9, job, state);
    }
    started(&mut board, 10, 4, 1);
    of_job(
        &mut board,
        11,
        4,
        JobEvent::Line("Connected to\u{1b}[31m Snowflake – reading the transcripts of the last eight quarters".to_owned()),
    );
    started(&mut board, 20, 5, 2);
    of_job(&mut board, 60, 5, JobEvent::Stage(embedding()));
    let error = "exit code 1 - Connection timeout".to_owned();
    of_job(&mut board, 62, 6, JobEvent::Retrying { attempt: 1, of: 3, error, log: None, delay: Some(Duration::from_secs(20)) });
    of_job(&mut board, 63, 7, JobEvent::WaitsForPool(Some("gpu".to_owned())));
    of_job(&mut board, 63, 8, JobEvent::WaitsForPool(Some("gpu".to_owned())));
    of_job(&mut board, 64, 8, JobEvent::WaitsForPool(None));
    board
}

#[test]
fn a_line_says_what_a_chain_does_or_waits_for() {
    let board = some_of_everything();
    let shown = [(80, false), (40, true)].map(|(columns, is_ascii)| board.lines(at(90), (columns, 24), is_ascii).join("\n"));
    insta::assert_snapshot!(shown.join("\n----\n"), @r"
      1m 20s B4 2025 Q2 [call_summary] Connected to\u{1b}[31m Snowflake – reading …
      1m 10s B5 2025 Q2 [call_summary] (attempt 2/3) 50%: Embedding, 1,500 of 3,00…
    14:01:22 B6 2025 Q2 [call_summary] waits for attempt 2/3: exit code 1 - Connec…
             B7 2025 Q2 [call_summary] waits for pool gpu
    █████████████░░░░░░░░░░░░░░░░░ 2 made, 1 failed, 1 skipped, 5 left, 1m 30s
    ----
      1m 20s B4 2025 Q2 [call_summary] C...
      1m 10s B5 2025 Q2 [call_summary] (...
    14:01:22 B6 2025 Q2 [call_summary] w...
             B7 2025 Q2 [call_summary] w...
    2 made, 1 failed, 1 skipped, 5 left,...
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_is_drawn_before_the_run() {
    assert_eq!(Board::default().lines(at(0), (80, 24), false), [""; 0]);
    for columns in 1..100 {
        let lines = some_of_everything().lines(at(90), (columns, 24), false);
        assert!(lines.iter().all(|line| line.chars().count() < columns), "{columns}: {lines:?}");
    }
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut board = run(30);
    (0..30).for_each(|job| started(&mut board, 1, job, 1));
    tell(
        &mut board,
        2,
        EventKind::RunStopping {
            reason: crate::plan::run::stop::StopReason::Signal(2),
            is_immediate: false,
            running: 30,
            grace: Duration::ZERO,
        },
    );
    insta::assert_snapshot!(board.lines(at(3), (80, 6), false).join("\n"), @r"
          2s B0 2025 Q2 [call_summary] 
          2s B1 2025 Q2 [call_summary] 
          2s B2 2025 Q2 [call_summary] 
            and 27 more
    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0 made, 30 left, 3s, stopping
    ");
}

#[test]
fn a_line_says_what_a_request_to_a_service_waits_for() {
    let mut board = run(4);
    (0..4).for_each(|job| started(&mut board, 0, job, 1));
    let reasons = [WaitReason::Rate, WaitReason::OtherJobs, WaitReason::Pause(at(70)), WaitReason::Rate];
    for (job, reason) in reasons.into_iter().enumerate() {
        of_job(&mut board, 1, job, JobEvent::WaitsForService(Some(ServiceWait { host: "etl:8000".to_owned(), reason })));
    }
    of_job(&mut board, 2, 0, JobEvent::Stage(embedding()));
    of_job(&mut board, 3, 3, JobEvent::WaitsForService(None));
    of_job(&mut board, 3, 3, JobEvent::Line("running".to_owned()));
    let shown = [4, 70].map(|now| board.lines(at(now), (120, 24), false)[..4].join("\n"));
    insta::assert_snapshot!(shown.join("\n----\n"), @r"
          4s B0 2025 Q2 [call_summary] waits for the rate of etl:8000; 50%: Embedding, 1,500 of 3,000 read
          4s B1 2025 Q2 [call_summary] waits for other jobs at etl:8000
          4s B2 2025 Q2 [call_summary] waits until 14:01:10, as etl:8000 asks
          4s B3 2025 Q2 [call_summary] running
    ----
      1m 10s B0 2025 Q2 [call_summary] waits for the rate of etl:8000; 50%: Embedding, 1,500 of 3,000 read
      1m 10s B1 2025 Q2 [call_summary] waits for other jobs at etl:8000
      1m 10s B2 2025 Q2 [call_summary] waits for its turn at etl:8000
      1m 10s B3 2025 Q2 [call_summary] running
    ");
}

#[test]
fn of_a_stage_that_stopped_nobody_says_when_it_will_be_over() {
    let got_to = |read| Stage { records: Records { read: Some(read), ..embedding().records }, ..embedding() };
    let mut board = run(1);
    started(&mut board, 30, 0, 1);
    for (second, read) in [(32, 300), (36, 600), (40, 900), (44, 1200)] {
        of_job(&mut board, second, 0, JobEvent::Stage(got_to(read)));
    }
    // The child says something else, but does not get on.
    of_job(&mut board, 50, 0, JobEvent::Stage(got_to(1200)));
    let shown = [45, 54, 57].map(|now| board.lines(at(now), (120, 24), false)[0].clone());
    insta::assert_snapshot!(shown.join("\n"), @r"
         15s B0 2025 Q2 [call_summary] 40%, about 20s left: Embedding, 1,200 of 3,000 read
         24s B0 2025 Q2 [call_summary] 40%, about 11s left: Embedding, 1,200 of 3,000 read
         27s B0 2025 Q2 [call_summary] 40%: Embedding, 1,200 of 3,000 read
    ");
}

#[test]
fn a_progress_bar_is_shown_as_its_child_draws_it() {
    let mut board = run(1);
    started(&mut board, 0, 0, 1);
    of_job(&mut board, 1, 0, JobEvent::ProgressBar("Processing:  43%|████".to_owned()));
    assert_eq!(board.lines(at(3), (80, 24), false)[0], "      3s B0 2025 Q2 [call_summary] Processing:  43%|████");
}

#[test]
fn what_the_last_successes_let_expect_is_said_and_nothing_else() {
    let success =
        |took| PastSuccess { filled_by: "call_summary".to_owned(), bank: Some("X-CA".to_owned()), took: Duration::from_secs(took) };
    let durations = Durations::of([100, 200, 300].map(success));
    let like = durations.of_gap(&"B0-CA/2025Q2/call_summary".parse().unwrap()).cloned();
    let end = Interval { from: at(300), to: at(620) };
    let mut board = expected(4, Expectations { end: Some(end), lengths: vec![like.clone(), like.clone(), like, None] });
    for (job, attempt) in [(0, 1), (1, 1), (2, 2), (3, 1)] {
        started(&mut board, 0, job, attempt);
    }
    of_job(&mut board, 0, 0, JobEvent::Line("reading".to_owned()));
    of_job(&mut board, 50, 1, JobEvent::Stage(embedding()));
    let shown = [60, 301, 620].map(|now| board.lines(at(now), (120, 24), false).join("\n"));
    insta::assert_snapshot!(shown.join("\n----\n"), @r"
          1m B0 2025 Q2 [call_summary] about 2m 20s left; reading
          1m B1 2025 Q2 [call_summary] 50%, about 10s left: Embedding, 1,500 of 3,000 read
          1m B2 2025 Q2 [call_summary] (attempt 2/3) 
          1m B3 2025 Q2 [call_summary] 
    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0 made, 4 left, 1m, expected 14:05–14:11
    ----
       5m 1s B0 2025 Q2 [call_summary] reading
       5m 1s B1 2025 Q2 [call_summary] 50%: Embedding, 1,500 of 3,000 read
       5m 1s B2 2025 Q2 [call_summary] (attempt 2/3) 
       5m 1s B3 2025 Q2 [call_summary] 
    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0 made, 4 left, 5m 1s, expected 14:05–14:11
    ----
     10m 20s B0 2025 Q2 [call_summary] reading
     10m 20s B1 2025 Q2 [call_summary] 50%: Embedding, 1,500 of 3,000 read
     10m 20s B2 2025 Q2 [call_summary] (attempt 2/3) 
     10m 20s B3 2025 Q2 [call_summary] 
    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0 made, 4 left, 10m 20s
    ");
}
