//! The lines of a live display at some moments of a run.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::board::Board;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Records, Stage, StageState};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef};

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
    let mut board = Board::default();
    let name =
        |n: usize| JobName { label: format!("B{n} 2025 Q2 [call_summary]"), gap: format!("B{n}-CA/2025Q2/call_summary").parse().unwrap() };
    let kind = EventKind::RunStarted { jobs: (0..jobs).map(name).collect(), waiting: 0, chains: jobs, max_parallel: 4 };
    tell(&mut board, 0, kind);
    board
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
    let records = Records { read: Some(1500), estimate: Some(3000), ..Records::default() };
    let stage = Stage {
        n: 1,
        name: "Embedding".to_owned(),
        state: StageState::Running,
        started_at: at(30),
        ended_at: None,
        records,
        counts: Vec::new(),
    };
    of_job(&mut board, 60, 5, JobEvent::Stage(stage));
    let error = "exit code 1 - Connection timeout".to_owned();
    of_job(&mut board, 62, 6, JobEvent::Retrying { attempt: 1, of: 3, error, log: None, delay: Duration::from_secs(20) });
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
      1m 10s B5 2025 Q2 [call_summary] (attempt 2/3) Embedding 50%, about 1m left:…
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
