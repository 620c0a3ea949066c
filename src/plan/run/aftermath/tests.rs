use super::*;
use crate::plan::decide::decision::Why;
use crate::plan::model::collection::Collection;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::outcome::{ExitCodes, Fault};
use crate::plan::model::patterns::{EndClass, EndPattern};
use crate::plan::model::said::Said;
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::test_support::{command, program};

fn at() -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn job(target: Target, gate: Gate) -> PlannedJob {
    let fingerprint = Some(Fingerprint { sources: "s".into(), etl: "e".into() });
    PlannedJob { target, key: GapKey::source("us_house"), why: Why::Missing, gate, planned_fence: 0, fingerprint }
}

fn report() -> PlannedJob {
    let gap = Gap { bank: 0, period: "2025Q2".parse().unwrap(), etl: 0 };
    job(Target::Report { gap, data_symbol: "RY".into() }, Gate::Open)
}

fn collection() -> PlannedJob {
    let window = Window { start: at() - chrono::TimeDelta::hours(6), end: at() };
    job(Target::Collection(Collection { source: 0, window, windows: 1, remote_id: None }), Gate::Open)
}

fn ended(tail: &str) -> Ended {
    let (end, duration) = (End::Exited(1), Duration::from_millis(1500));
    Ended {
        end,
        duration,
        tail: tail.to_owned(),
        pid: Some(7),
        answer: None,
        service_job: None,
        remote_id: None,
        said: Said::default(),
        error: None,
    }
}

/// The gap failed twice before.
fn history() -> FailureHistory {
    FailureHistory { failed_runs: 2, error: Some("before".into()), ..FailureHistory::default() }
}

fn aftermath(job: &PlannedJob, number: u32, stop: Option<&StopReason>, finding: Finding) -> Aftermath {
    let attempted = Attempted {
        job,
        number,
        work: &program(command()),
        retry: &RetryPolicy::default(),
        cooldown: &Cooldown::default(),
        history: &history(),
        stop,
        at: at(),
        random: 0.5,
    };
    attempted.aftermath(&ended("starting\nValueError: boom\n\n"), finding)
}

fn after(job: &PlannedJob, number: u32, outcome: Outcome) -> Aftermath {
    aftermath(job, number, None, Finding::Failed(outcome))
}

fn job_end(aftermath: Aftermath) -> JobEnd {
    match aftermath.next {
        Next::End(end) => end,
        Next::Retry { wait, .. } => panic!("another attempt after {wait:?}"),
    }
}

fn spawn_failed(may_pass: bool) -> Outcome {
    Outcome::SpawnFailed { why: "no such file".into(), may_pass }
}

fn reported(fault: Fault) -> Outcome {
    Outcome::ReportedError { why: "the service says no".into(), fault, exit: None }
}

#[test]
fn every_end_but_a_claimed_success_has_its_outcome() {
    let work = program(command());
    for (end, expected) in [
        (End::Exited(0), None),
        (End::Completed, None),
        (End::Exited(3), Some(Outcome::ExitCode(3))),
        (End::Exited(66), Some(Outcome::NotReady(66))),
        (End::Signalled(9), Some(Outcome::Signal(9))),
        (End::TimedOut, Some(Outcome::TimedOut(Duration::from_secs(60)))),
        (End::Stopped, Some(Outcome::Interrupted)),
        (End::SpawnFailed("no such file".into()), Some(spawn_failed(false))),
        (End::HostShort("no such file".into()), Some(spawn_failed(true))),
        (End::Vanished, Some(Outcome::Lost)),
        (End::Unseen("?".into()), Some(Outcome::Lost)),
    ] {
        assert_eq!(outcome(&Ended { end: end.clone(), ..ended("") }, &work), expected, "{end:?}");
    }
}

/// Class, step after the first attempt, step after the last one, and whether the gap is charged then.
#[test]
fn what_follows_from_each_outcome() {
    let retry = NextStep::Retry(Duration::from_secs(5));
    for (outcome, class, first, last, charged) in [
        (Outcome::ExitCode(1), Class::Transient, retry, NextStep::Fail, true),
        (Outcome::ExitCode(65), Class::Permanent, NextStep::Fail, NextStep::Fail, true),
        (Outcome::ExitCode(78), Class::Configuration, NextStep::Fail, NextStep::Fail, false),
        (Outcome::NotReady(66), Class::NotReady, NextStep::Skip, NextStep::Skip, false),
        (Outcome::Signal(9), Class::Crash, retry, NextStep::Fail, true),
        (Outcome::Lost, Class::Crash, retry, NextStep::Fail, true),
        (Outcome::TimedOut(Duration::from_secs(60)), Class::Transient, retry, NextStep::Fail, true),
        (Outcome::NoOutput("gone".into()), Class::Transient, retry, NextStep::Fail, true),
        (Outcome::HostUnfit("no room".into()), Class::HostUnfit, NextStep::Fail, NextStep::Fail, false),
        (spawn_failed(true), Class::HostShort, retry, NextStep::Fail, false),
        (spawn_failed(false), Class::Configuration, NextStep::Fail, NextStep::Fail, false),
        (reported(Fault::Transient), Class::Transient, retry, NextStep::Fail, true),
        (reported(Fault::Permanent), Class::Permanent, NextStep::Fail, NextStep::Fail, true),
        (reported(Fault::Configuration), Class::Configuration, NextStep::Fail, NextStep::Fail, false),
        (reported(Fault::Busy), Class::NotReady, NextStep::Skip, NextStep::Skip, false),
        (reported(Fault::Uncertain), Class::Uncertain, NextStep::Fail, NextStep::Fail, true),
        (reported(Fault::HostShort), Class::HostShort, retry, NextStep::Fail, false),
        (reported(Fault::JobsLost), Class::HostShort, retry, NextStep::Fail, false),
        (Outcome::Interrupted, Class::Interrupted, NextStep::Cancel, NextStep::Cancel, false),
    ] {
        for job in [report(), collection()] {
            let early = after(&job, 1, outcome.clone());
            assert_eq!((early.class, early.next.step()), (class, first), "{outcome:?}");
            let late = after(&job, 3, outcome.clone());
            assert_eq!((late.class, late.next.step()), (class, last), "{outcome:?}");
            let end = job_end(late);
            let runs = end.history().map_or(2, |history| history.failed_runs);
            assert_eq!(runs, if charged { 3 } else { 2 }, "{outcome:?}");
        }
    }
}

#[test]
fn a_source_remembers_an_error_that_is_not_charged_and_a_report_does_not() {
    for outcome in [spawn_failed(false), Outcome::ExitCode(78)] {
        let of_report = job_end(after(&report(), 1, outcome.clone()));
        assert_eq!(of_report.history().as_deref(), Some(&history()), "{outcome:?}");
        let of_source = job_end(after(&collection(), 1, outcome));
        let told = FailureHistory { error: of_source.error().map(str::to_owned), ..history() };
        assert_eq!(of_source.history().as_deref(), Some(&told));
    }
}

#[test]
fn the_failure_of_a_probe_is_charged_as_one() {
    let end = job_end(after(&PlannedJob { gate: Gate::Probe, ..report() }, 3, Outcome::ExitCode(1)));
    assert_eq!(end.history().unwrap().probes, 1);
}

#[test]
fn the_last_line_is_given_where_the_outcome_does_not_say_what_went_wrong() {
    assert_eq!(job_end(after(&report(), 3, Outcome::ExitCode(3))).error(), Some("exit code 3 - ValueError: boom"));
    assert_eq!(job_end(after(&report(), 3, Outcome::NoOutput("gone".into()))).error(), Some("no output: gone"));
}

#[test]
fn a_stopped_job_says_who_stopped_it_but_not_that_the_whole_run_stops() {
    let by_operator = StopReason::Cancelled { by: "anna".into(), reason: "wrong bank".into() };
    for (stop, error) in
        [(None, "interrupted"), (Some(&StopReason::Signal(15)), "interrupted"), (Some(&by_operator), "cancelled by anna: wrong bank")]
    {
        let end = job_end(aftermath(&report(), 1, stop, Finding::Failed(Outcome::Interrupted)));
        assert_eq!((end.state(), end.error()), (JobState::Cancelled, Some(error)));
    }
    // A job that failed by itself while it was being stopped has failed.
    let end = job_end(aftermath(&report(), 3, Some(&by_operator), Finding::Failed(Outcome::ExitCode(1))));
    assert_eq!((end.state(), end.error()), (JobState::Failed, Some("exit code 1 - ValueError: boom")));
}

#[test]
fn a_success_that_could_not_be_looked_at_is_none_yet() {
    let key = ReportKey { bank_id: 1, period: "2025Q2".parse().unwrap(), report_type: "Call Summary".into(), other_types: Vec::new() };
    let unverified = aftermath(&report(), 1, None, Finding::ReportUnverified { report: key.clone(), before: Some("a".into()) });
    assert_eq!(unverified.note, Some(JobNote::ReportUnverified));
    let end = job_end(unverified);
    assert_eq!((end.state(), end.unverified_report()), (JobState::Cancelled, Some(&key)));
    assert_eq!(end.attempt().unwrap().outcome, Outcome::Succeeded);
    let unverified = aftermath(&collection(), 1, None, Finding::CollectionUnverified);
    let end = job_end(unverified);
    assert_eq!((end.state(), &end.attempt().unwrap().outcome), (JobState::Cancelled, &Outcome::Lost));
    assert_eq!(end.history(), None);
}

#[test]
fn a_report_that_is_there_is_a_success_however_its_attempt_ended() {
    for outcome in [Outcome::Signal(11), Outcome::ExitCode(65), Outcome::ExitCode(78), Outcome::NotReady(66), Outcome::Lost] {
        assert!(may_have_written(&outcome));
        let there = aftermath(&report(), 1, None, Finding::ReportThere(outcome.clone()));
        assert_eq!((there.class, there.next.step()), (Class::Success, NextStep::Succeed), "{outcome:?}");
        let note = there.note.as_ref().unwrap().to_string();
        assert!(note.contains(&outcome.to_string()) && note.ends_with(" - ValueError: boom"), "{note}");
        let end = job_end(there);
        assert_eq!((end.state(), &end.attempt().unwrap().outcome), (JobState::Succeeded, &outcome));
        assert_eq!(end.history().as_deref(), Some(&FailureHistory::default()), "the failures before are forgotten");
    }
    assert!(!may_have_written(&Outcome::Interrupted), "the stop is why it ended");
}

#[test]
fn a_success_is_recorded_with_the_facts_of_its_attempt() {
    let succeeded = aftermath(&report(), 2, None, Finding::Succeeded(Artifact::Report));
    assert_eq!((succeeded.class, succeeded.note.clone(), succeeded.next.step()), (Class::Success, None, NextStep::Succeed));
    let attempt = AttemptEnd {
        attempt: 2,
        outcome: Outcome::Succeeded,
        ended_at: at(),
        duration_ms: 1500,
        tail: "starting\nValueError: boom\n\n".into(),
        pid: Some(7),
    };
    assert_eq!(job_end(succeeded), JobEnd::Succeeded { attempt, artifact: Artifact::Report });
}

fn if_stopped(outcome: Outcome) -> JobEnd {
    match after(&report(), 1, outcome).next {
        Next::Retry { if_stopped, .. } => *if_stopped,
        Next::End(end) => panic!("{end:?}"),
    }
}

#[test]
fn what_failed_before_a_stop_is_charged_and_what_was_stopped_with_the_run_is_not() {
    for outcome in [Outcome::Signal(9), Outcome::Signal(11), Outcome::ExitCode(3), Outcome::TimedOut(Duration::from_secs(60))] {
        let end = if_stopped(outcome.clone());
        assert_eq!((end.state(), end.history().map(|history| history.failed_runs)), (JobState::Failed, Some(3)), "{outcome:?}");
        assert_eq!(end.attempt().unwrap().outcome, outcome);
        assert!(end.error().unwrap().ends_with("; the run was stopped before another attempt"), "{end:?}");
    }
    for outcome in [Outcome::Signal(15), Outcome::Signal(2), Outcome::ExitCode(143)] {
        assert_eq!(if_stopped(outcome.clone()).state(), JobState::Cancelled, "{outcome:?}");
        let last = |stop| job_end(aftermath(&report(), 3, stop, Finding::Failed(outcome.clone())));
        assert_eq!(last(Some(&StopReason::Signal(15))).attempt().unwrap().outcome, Outcome::Interrupted, "{outcome:?}");
        assert_eq!(last(None).state(), JobState::Failed, "{outcome:?}");
    }
    assert_eq!(if_stopped(spawn_failed(true)).history().map(|history| history.failed_runs), Some(2), "nor what is not its fault");
}

#[test]
fn what_a_program_says_of_its_end_counts() {
    let pattern = |pattern: &str, is| EndPattern { exit: None, pattern: Some(regex::Regex::new(pattern).unwrap()), is };
    let patterns = vec![pattern("^⚠️", EndClass::NotReady), pattern("rate limit", EndClass::Transient)];
    let work = Work::Command { command: command(), exit_codes: ExitCodes { patterns, ..ExitCodes::default() } };
    let said = |code, tail: &str, error: Option<(&str, Option<Fault>)>| {
        let error = error.map(|(message, fault)| ChildError { message: message.to_owned(), fault });
        let ended = Ended { end: End::Exited(code), error, ..ended(tail) };
        let outcome = outcome(&ended, &work)?;
        let note = explain(&outcome, &ended, &work).unwrap();
        Some(format!("{} {:?} {:?}: {note}", outcome.name(), outcome.number(), work.exit_codes().classify(&outcome)))
    };
    let (config, transient) = (Some(("no key", Some(Fault::Configuration))), Some(("too many", Some(Fault::Transient))));
    let lines = [
        said(0, "⚠️ fine", None),
        said(0, "bye", config),
        said(0, "bye", Some(("stage a is incomplete", None))),
        said(1, "bye", config),
        said(1, "bye", transient),
        said(66, "bye", transient),
        said(65, "bye", Some(("it broke", None))),
        said(1, "⚠️ no transcript\nbye", config),
        said(1, "rate limit\nbye", None),
        said(1, "bye", None),
    ];
    insta::assert_snapshot!(lines.map(|line| line.unwrap_or("none".to_owned())).join("\n"), @r#"
    none
    reported_error Some(0) Configuration: no key
    reported_error Some(0) Transient: stage a is incomplete
    reported_error Some(1) Configuration: no key
    reported_error Some(1) Transient: too many
    reported_error Some(66) Transient: too many
    exit_code Some(65) Permanent: exit code 65 - it broke
    not_ready Some(1) NotReady: not ready - ⚠️ no transcript
    reported_error Some(1) Transient: exit code 1: rate limit
    exit_code Some(1) Transient: exit code 1 - bye
    "#);
}
