use uuid::Uuid;

use super::fixture::{at, attempt, facts, good, job, stage, successes};
use super::issues::{Issue, Unchecked, findings};
use super::parts::{Timed, bottleneck, parts, percent};
use super::steps::{Mark, StepKind, steps};
use super::usual::{Usual, earlier};
use super::*;
use crate::plan::model::ids::JobId;
use crate::plan::model::said::{ChildLog, LogLevel, Records, StageState};

fn named(issue: &Issue<'_>) -> &'static str {
    match issue {
        Issue::Ended { .. } => "ended",
        Issue::OwnerLost => "owner lost",
        Issue::Retried { .. } => "retried",
        Issue::SucceededAllTheSame { .. } => "succeeded all the same",
        Issue::NotPlaced { .. } => "not placed",
        Issue::ReportedError { .. } => "reported error",
        Issue::OverLimit { .. } => "over limit",
        Issue::Slow { .. } => "slow",
        Issue::NoRecords { .. } => "no records",
        Issue::Unbalanced { .. } => "unbalanced",
        Issue::LeftOpen { .. } => "left open",
        Issue::Incomplete { .. } => "incomplete",
        Issue::Truncated { .. } => "truncated",
        Issue::NoLog { .. } => "no log",
        Issue::NotStored { .. } => "not stored",
    }
}

fn left_out() -> PastLog {
    let message = "at most 1000 messages of an attempt are stored; the log has the rest".to_owned();
    PastLog { attempt: 1, log: ChildLog { n: 1001, at: at(1500), level: LogLevel::Omitted, message } }
}

/// A stage that counts by a name of its own alone.
fn counts(number: u64) -> Vec<(String, u64)> {
    vec![("themes".to_owned(), number)]
}

fn issues_of(facts: &JobFacts) -> Vec<&'static str> {
    findings(facts).issues.iter().map(named).collect()
}

fn changed(change: impl FnOnce(&mut JobFacts)) -> JobFacts {
    let mut facts = good();
    change(&mut facts);
    facts
}

#[test]
fn a_good_job_has_no_issue_and_all_was_checked() {
    let facts = good();
    assert_eq!(findings(&facts), issues::Findings::default());
    let marks: Vec<Mark> = steps(&facts, &findings(&facts)).iter().map(|step| step.mark).collect();
    assert_eq!(marks, [Mark::Ok; 6]);
}

#[test]
fn each_issue_is_found_and_only_that() {
    let slow = |facts: &mut JobFacts| facts.stages[0].stage.ended_at = Some(at(9000));
    for (name, facts) in [
        ("over limit", changed(|facts| facts.warn_after = Some(Duration::from_millis(799)))),
        ("slow", changed(slow)),
        ("no records", changed(|facts| facts.stages[0].stage.records = Records::default())),
        ("unbalanced", changed(|facts| facts.stages[0].stage.records.rejected = None)),
        ("left open", changed(|facts| facts.stages[0].stage.state = StageState::Running)),
        ("incomplete", changed(|facts| facts.stages[0].stage.state = StageState::Incomplete)),
        ("truncated", changed(|facts| facts.outputs[0] = Output::LeftOut(9))),
        ("truncated", changed(|facts| facts.outputs[0] = Output::NotWritten)),
        ("no log", changed(|facts| facts.outputs[0] = Output::Missing)),
        ("not stored", changed(|facts| facts.not_stored.push(left_out()))),
        (
            "no records",
            changed(|facts| {
                facts.stages[0].stage = Stage { records: Records::default(), counts: counts(0), ..facts.stages[0].stage.clone() }
            }),
        ),
        ("not placed", changed(|facts| facts.publication = Some(Publication::Left("/reports/x.md".into())))),
        ("owner lost", changed(|facts| facts.job.state = JobState::Lost)),
        ("ended", changed(|facts| facts.job.state = JobState::Cancelled)),
        ("ended", changed(|facts| facts.job.state = JobState::Skipped)),
        ("succeeded all the same", changed(|facts| facts.job.attempts[0].outcome = Some("exit_code".to_owned()))),
    ] {
        assert_eq!(issues_of(&facts), [name]);
    }
    let over_both = changed(|facts| {
        slow(facts);
        facts.warn_after = Some(Duration::from_secs(1));
    });
    assert_eq!(issues_of(&over_both), ["over limit"]);
    let reported = changed(|facts| {
        facts.job.state = JobState::Failed;
        facts.job.attempts[0].outcome = Some("reported_error".to_owned());
    });
    assert_eq!(issues_of(&reported), ["ended", "reported error"]);
    let retried = changed(|facts| {
        facts.job.attempts.insert(0, attempt(0, Some("exit_code"), 0, Some(500)));
        facts.outputs.push(Output::Silent);
    });
    assert_eq!(issues_of(&retried), ["retried"]);
}

#[test]
fn slow_is_more_than_three_times_the_median_and_a_second() {
    let is_slow = |usual: &[i64], took: i64| {
        let facts = changed(|facts| {
            facts.usual = successes(usual);
            facts.stages[0].stage.ended_at = Some(at(1100 + took));
        });
        issues_of(&facts) == ["slow"]
    };
    assert!(is_slow(&[1000], 3001) && !is_slow(&[1000], 3000));
    assert!(is_slow(&[1000, 9000, 1000], 3001), "of several the one in the middle");
    assert!(!is_slow(&[10], 1000) && is_slow(&[10], 1011), "a machine may be busy for a moment");
}

#[test]
fn what_could_not_be_checked_is_said() {
    let unchecked = |facts: &JobFacts| findings(facts).unchecked.iter().map(|check| format!("{check:?}")).collect::<Vec<_>>();
    assert_eq!(unchecked(&changed(|facts| facts.usual = Usual::default())), ["Usual"]);
    let other = changed(|facts| facts.stages[0].stage.name = "Other".to_owned());
    assert!(matches!(findings(&other).unchecked.as_slice(), [Unchecked::UsualOf(place)] if place.attempt == 1));
    let silent = changed(|facts| facts.stages.clear());
    assert_eq!(findings(&silent).unchecked, [Unchecked::Records]);
    let counted = changed(|facts| {
        facts.stages[0].stage.records = Records::default();
        facts.stages[0].stage.counts = counts(7);
    });
    assert_eq!(findings(&counted), issues::Findings::default(), "a named count is one too");
    let elsewhere = changed(|facts| facts.outputs[0] = Output::Unknown("is on another host".to_owned()));
    assert_eq!(findings(&elsewhere).unchecked, [Unchecked::Log { attempt: 1, why: "is on another host" }]);
}

#[test]
fn a_running_job_is_measured_so_far_and_its_open_stage_is_no_issue() {
    let facts = changed(|facts| {
        facts.job = job(JobState::Running, vec![attempt(1, Some("exit_code"), 1000, Some(2000)), attempt(2, None, 7000, None)]);
        facts.stages = vec![stage(2, "Query", StageState::Started, 8000, None)];
        facts.outputs = vec![Output::Silent, Output::UnderWay];
        facts.usual = successes(&[50_000]);
    });
    assert_eq!(issues_of(&facts), ["retried"]);
    let found = findings(&facts);
    let steps: Vec<(Mark, Option<u128>)> =
        steps(&facts, &found).iter().map(|step| (step.mark, step.took.map(|took| took.as_millis()))).collect();
    assert_eq!(steps[2..5], [(Mark::Fail, Some(1000)), (Mark::Ok, Some(5000)), (Mark::Run, Some(53_000))]);
    assert_eq!(steps[5..], [(Mark::Run, Some(52_000)), (Mark::Run, Some(59_000))]);
}

#[test]
fn a_job_that_was_lost_lasted_until_its_last_sign_of_life() {
    let lost = PastAttempt { duration_ms: None, ..attempt(1, Some("lost"), 1000, Some(3_600_000)) };
    let mut facts = facts(job(JobState::Lost, vec![lost]));
    facts.stages = vec![stage(1, "Query", StageState::Complete, 1100, Some(1900)), stage(1, "Upload", StageState::Started, 2000, None)];
    assert_eq!((facts.until(), facts.took()), (at(2000), Some(Duration::from_secs(1))), "not until a later run noticed");
    assert_eq!(facts.job.took(facts.now), None);
    assert_eq!(facts.attempt_took(&facts.job.attempts[0]), Duration::from_secs(1));
}

#[test]
fn every_state_has_its_last_step() {
    for (state, mark) in [
        (JobState::Queued, Mark::Run),
        (JobState::Running, Mark::Run),
        (JobState::Succeeded, Mark::Ok),
        (JobState::Failed, Mark::Fail),
        (JobState::Lost, Mark::Fail),
        (JobState::Skipped, Mark::Skip),
        (JobState::Cancelled, Mark::Skip),
    ] {
        let facts = facts(job(state, Vec::new()));
        let steps = steps(&facts, &findings(&facts));
        let last = steps.last().unwrap();
        assert_eq!((last.mark, &last.what), (mark, &StepKind::End(state)));
    }
}

#[test]
fn the_time_of_a_job_is_divided_among_stages_waits_and_the_rest() {
    let mut facts = facts(job(
        JobState::Succeeded,
        vec![attempt(1, Some("exit_code"), 1000, Some(2000)), attempt(2, Some("succeeded"), 7000, Some(20_000))],
    ));
    facts.stages = vec![
        stage(2, "a", StageState::Complete, 8000, Some(12_000)),
        // They overlap by a second.
        stage(2, "b", StageState::Complete, 11_000, Some(19_000)),
    ];
    let parts = parts(&facts);
    let seen: Vec<(&str, u64)> = parts
        .iter()
        .map(|part| {
            let name = match part.what {
                Timed::Stage(_, stage) => stage.name.as_str(),
                Timed::Attempt(_) => "attempt",
                Timed::Unstaged(_) => "rest",
                Timed::WaitBefore(_) => "wait",
                Timed::Verification => "verification",
            };
            (name, part.took.as_secs())
        })
        .collect();
    assert_eq!(seen, [("attempt", 1), ("wait", 5), ("a", 4), ("b", 8), ("rest", 2), ("verification", 0)]);
    let durations: Vec<Duration> = parts.iter().map(|part| part.took).collect();
    assert_eq!(bottleneck(&durations), Some(3));
    assert_eq!(percent(durations[3], facts.took().unwrap()), 42);
    assert_eq!((bottleneck(&[]), bottleneck(&durations[..1]), percent(durations[0], Duration::ZERO)), (None, None, 0));
}

#[test]
fn earlier_successes_are_those_of_the_same_etl_that_had_ended() {
    let this = job(JobState::Succeeded, vec![attempt(1, Some("succeeded"), 0, Some(5000))]);
    let other = |n: u128, end: i64, state: JobState, gap: &str| PastJob {
        id: JobId::new(Uuid::from_u128(n)),
        gap: gap.parse().unwrap(),
        ..job(state, vec![attempt(1, Some("succeeded"), 0, Some(end))])
    };
    let jobs = [
        this.clone(),
        other(10, 6000, JobState::Succeeded, "RY-CA/2025Q1/key_themes"),
        other(11, 4000, JobState::Succeeded, "TD-CA/2025Q1/key_themes"),
        other(12, 4000, JobState::Failed, "RY-CA/2025Q1/key_themes"),
        other(13, 4000, JobState::Succeeded, "RY-CA/2025Q1/call_summary"),
    ];
    assert_eq!(earlier(&jobs, &this).iter().map(|job| job.id.number()).collect::<Vec<_>>(), [11]);
}
