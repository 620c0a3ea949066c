//! The events of a small run, for the tests of what is made from events.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::plan::decide::plan::Plan;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::said::{Records, Stage, StageState};
use crate::plan::model::window::Window;
use crate::plan::run::ended::End;
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef};
use crate::plan::run::expectations::Expectations;
use crate::plan::run::summary::RunSummary;
use crate::plan::run::told::RunEnd;

/// 2026-01-16 06:15:00 UTC, so many seconds later.
pub(crate) fn at(seconds: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_768_544_100, 0).unwrap() + TimeDelta::seconds(i64::from(seconds))
}

pub(crate) fn run_id() -> RunId {
    RunId::new(Uuid::from_u128(0x7007))
}

/// It fails once and then makes its report.
pub(crate) const REPORT: u128 = 0x1001;
/// It crashes.
pub(crate) const CRASH: u128 = 0x2002;
/// It waits and is not started.
pub(crate) const UNSTARTED: u128 = 0x3003;

/// Three jobs in 16 seconds.
pub(crate) fn events() -> Vec<Event> {
    let window = Window::new(at(0) - TimeDelta::hours(6), at(0)).unwrap();
    let name = |label: &str, gap: &str, window| JobName { label: label.to_owned(), gap: gap.parse().unwrap(), window };
    let jobs = vec![
        name("RY 2025 Q2 [call_summary]", "RY-CA/2025Q2/call_summary", None),
        name("TD 2025 Q2 [key_themes]", "TD-CA/2025Q2/key_themes", None),
        name("us_house 2026-01-16 00:15–06:15Z", "source:us_house", Some(window)),
    ];
    let started = EventKind::RunStarted { jobs, waiting: 0, chains: 3, max_parallel: 2, expectations: Expectations::default() };
    let mut events = vec![Event { at: at(0), run: run_id(), kind: started }];
    let of_jobs = first_attempt().into_iter().chain(second_attempt()).chain(others());
    events.extend(of_jobs.map(|(second, index, id, event)| {
        let job = JobRef { index, id: JobId::new(Uuid::from_u128(id)) };
        Event { at: at(second), run: run_id(), kind: EventKind::Job { job, event } }
    }));
    events.sort_by_key(|event| event.at);
    events
}

/// Its end, with this exit code.
pub(crate) fn end(exit_code: u8) -> RunEnd {
    let summary = RunSummary {
        run: Some(run_id()),
        started_at: at(0),
        plan: Plan::default(),
        outlook: None,
        results: None,
        synced: 0,
        lost: Vec::new(),
        respooled: 0,
        left: Vec::new(),
        warnings: Vec::new(),
    };
    RunEnd {
        at: at(16),
        exit_code,
        is_success: exit_code == 0,
        stopped_by: None,
        outcome: Ok(summary),
        text: String::new(),
        messages: BTreeMap::new(),
    }
}

/// When, the job's position and id, and what happened.
type Told = (u32, usize, u128, JobEvent);

fn log() -> PathBuf {
    PathBuf::from("/var/logs/2026-01-16/1001/1.log")
}

fn first_attempt() -> Vec<Told> {
    let told = |second, event| (second, 0, REPORT, event);
    let seconds = Duration::from_secs;
    let exit = Outcome::ExitCode(3);
    vec![
        told(1, JobEvent::AttemptStarted { attempt: 1, of: 3 }),
        told(2, JobEvent::Line("\u{1b}[31mreading \"RY\"".to_owned())),
        told(4, JobEvent::AttemptEnded { attempt: 1, end: End::Exited(3), outcome: Some(exit), duration: seconds(3) }),
        told(4, JobEvent::Retrying { attempt: 1, of: 3, error: "exit code 3".to_owned(), log: Some(log()), delay: Some(seconds(5)) }),
    ]
}

fn second_attempt() -> Vec<Told> {
    let told = |second, event| (second, 0, REPORT, event);
    let seconds = Duration::from_secs;
    let records = |read| Records { read: Some(read), estimate: Some(400), ..Records::default() };
    let stage = |n, name: &str, state, from, read, until: Option<u32>| {
        JobEvent::Stage(Stage {
            n,
            name: name.to_owned(),
            state,
            started_at: at(from),
            ended_at: until.map(at),
            records: records(read),
            counts: Vec::new(),
        })
    };
    vec![
        told(9, JobEvent::AttemptStarted { attempt: 2, of: 3 }),
        told(9, stage(1, "extract", StageState::Started, 9, 0, None)),
        told(10, stage(1, "extract", StageState::Running, 9, 100, None)),
        told(11, JobEvent::LinesOmitted(7)),
        told(12, stage(1, "extract", StageState::Complete, 9, 400, Some(12))),
        told(12, stage(2, "load", StageState::Started, 12, 0, None)),
        told(15, JobEvent::AttemptEnded { attempt: 2, end: End::Exited(0), outcome: Some(Outcome::Succeeded), duration: seconds(6) }),
        told(15, JobEvent::Ended { state: JobState::Succeeded, duration: seconds(14), reason: None, log: None }),
    ]
}

fn others() -> Vec<Told> {
    let seconds = Duration::from_secs;
    let crashed = |event| (6, 1, CRASH, event);
    let signal = Outcome::Signal(11);
    let (reason, stopped) = (Some("ended by signal 11".to_owned()), Some("the run was stopped".to_owned()));
    vec![
        (2, 1, CRASH, JobEvent::AttemptStarted { attempt: 1, of: 1 }),
        crashed(JobEvent::AttemptEnded { attempt: 1, end: End::Signalled(11), outcome: Some(signal), duration: seconds(4) }),
        crashed(JobEvent::Ended { state: JobState::Failed, duration: seconds(4), reason, log: Some(log()) }),
        (3, 2, UNSTARTED, JobEvent::WaitsForPool(Some("llm".to_owned()))),
        (16, 2, UNSTARTED, JobEvent::WaitsForPool(None)),
        (16, 2, UNSTARTED, JobEvent::Ended { state: JobState::Cancelled, duration: Duration::ZERO, reason: stopped, log: None }),
    ]
}
