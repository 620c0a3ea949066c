//! Each rule of the judgement.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::facts::{EndedRun, Facts, OpenRun, RecentRuns};
use super::judgement::{Judgement, Status, judge, judge_age};
use super::recovery::{Action, wanted};
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::decision::{Decided, Decision, Why};
use crate::plan::decide::mismatch::{NameCount, SimilarType, UnknownTags};
use crate::plan::decide::plan::{BreakerPlan, Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::{HeldBack, Lateness, SourcePlan, SourceStatus};
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Seen};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::health::HealthSettings;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::institution::Institutions;
use crate::plan::model::job::{Owner, RunState};
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::source_state::{LastSuccess, Pause, SourceState};
use crate::plan::remember::unfinished::UnrecordedEnd;
use crate::plan::run::summary::LeftEnd;
use crate::plan::test_support::{bank, etl, source_called};

fn now() -> DateTime<Utc> {
    "2026-01-25T12:10:00Z".parse().unwrap()
}

fn ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn catalogue() -> Catalogue {
    Catalogue {
        institutions: Institutions::new(vec![bank("RY-CA", 1)]),
        etls: vec![etl("call_summary", "Call Summary")],
        sources: vec![source_called("us_house"), source_called("us_senate")],
    }
}

/// The record of a source that was collected until then, or never.
fn collected_until(frontier: Option<DateTime<Utc>>) -> SourceState {
    let last = |end| {
        let window = Window { start: end - TimeDelta::hours(6), end };
        let collected = Collected { source: "us_house".to_owned(), window, seen: Seen::Reported, records: None, message: None };
        LastSuccess { at: end, collected }
    };
    SourceState { frontier, last: frontier.map(last), ..SourceState::default() }
}

/// A source that is up to date, collected until the last window that was due.
fn up_to_date(source: usize) -> SourcePlan {
    let state = collected_until("2026-01-25T12:00:00Z".parse().ok());
    SourcePlan {
        source,
        state,
        standing: SourceStatus::UpToDate,
        new: Vec::new(),
        begin: None,
        again: Vec::new(),
        jobs: Vec::new(),
        behind: 0,
        missing: None,
        left: 0,
        next_due: now() + TimeDelta::hours(6),
        lateness: Lateness::OnTime,
        given_up: Vec::new(),
        held_back: Vec::new(),
        order: None,
        error: None,
        failed_runs: 0,
    }
}

fn key(period: &str) -> GapKey {
    GapKey::Report { bank: "RY-CA".to_owned(), period: period.parse().unwrap(), etl: "call_summary".to_owned() }
}

fn job(period: &str, why: Why) -> PlannedJob {
    PlannedJob {
        target: Target::Report { gap: Gap { bank: 0, period: period.parse().unwrap(), etl: 0 }, data_symbol: String::new() },
        key: key(period),
        why,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    }
}

/// A plan in which nothing is to be done, and all data is there.
fn idle() -> Plan {
    Plan { sources: vec![up_to_date(0), up_to_date(1)], ..Plan::default() }
}

fn ended(at: DateTime<Utc>, state: RunState, has_counts: bool) -> EndedRun {
    EndedRun { id: RunId::new(Uuid::nil()), state, started_at: at, ended_at: at, has_counts }
}

fn open() -> OpenRun {
    OpenRun { id: RunId::new(Uuid::nil()), host: "h".to_owned(), pid: 7, started_at: ago(1) }
}

fn fresh_run() -> RecentRuns {
    RecentRuns { last: Some(ended(now() - TimeDelta::minutes(10), RunState::Succeeded, true)), ..RecentRuns::default() }
}

fn facts(plan: &Plan) -> Facts<'_> {
    Facts { now: now(), plan, left: &[], warnings: &[], runs: fresh_run(), missing_since: BTreeMap::new(), unseen: Vec::new() }
}

fn judged(facts: Facts<'_>) -> Judgement {
    judge(facts, &catalogue(), &HealthSettings::default())
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.issues.iter().map(|issue| issue.trouble.code()).collect()
}

fn of(plan: &Plan) -> (Status, Vec<&'static str>) {
    let judgement = judged(facts(plan));
    (judgement.status, codes(&judgement))
}

#[test]
fn where_nothing_is_wrong_it_is_healthy() {
    let plan = idle();
    let judgement = judged(facts(&plan));
    assert_eq!((judgement.status, codes(&judgement)), (Status::Healthy, Vec::new()));
    assert_eq!((judgement.last_data_date().unwrap().to_string(), judgement.days_behind()), ("2026-01-24".to_owned(), Some(0)));
}

#[test]
fn silence_is_an_error_unless_a_run_is_under_way() {
    let plan = idle();
    let succeeded = |minutes| Some(ended(now() - TimeDelta::minutes(minutes), RunState::Succeeded, true));
    for (last, active, dead, status, expected) in [
        (succeeded(30), vec![], vec![], Status::Healthy, vec![]),
        (succeeded(31), vec![], vec![], Status::Unhealthy, vec!["no_recent_run"]),
        (succeeded(31), vec![open()], vec![], Status::Healthy, vec![]),
        (succeeded(31), vec![], vec![open()], Status::Unhealthy, vec!["no_recent_run", "run_died"]),
        (succeeded(1), vec![], vec![open()], Status::Unhealthy, vec!["run_died"]),
        (succeeded(-4), vec![], vec![], Status::Healthy, vec![]),
        (succeeded(-6), vec![], vec![], Status::Unhealthy, vec!["run_in_future"]),
        (None, vec![], vec![], Status::Unknown, vec!["no_run"]),
        (None, vec![open()], vec![], Status::Healthy, vec![]),
        (None, vec![], vec![open()], Status::Unhealthy, vec!["run_died"]),
        (Some(ended(now(), RunState::Failed, true)), vec![], vec![], Status::Healthy, vec![]),
        (Some(ended(now(), RunState::Failed, false)), vec![], vec![], Status::Unhealthy, vec!["run_failed"]),
        (Some(ended(now(), RunState::Cancelled, false)), vec![], vec![], Status::Healthy, vec!["run_stopped"]),
        (Some(ended(now(), RunState::Cancelled, true)), vec![open()], vec![], Status::Healthy, vec![]),
    ] {
        let judgement = judged(Facts { runs: RecentRuns { last: last.clone(), active, dead }, ..facts(&plan) });
        assert_eq!((judgement.status, codes(&judgement)), (status, expected), "{last:?}");
    }
    let settings = HealthSettings { tick: Duration::from_secs(3600) };
    let runs = RecentRuns { last: succeeded(119), ..RecentRuns::default() };
    assert_eq!(judge(Facts { runs, ..facts(&plan) }, &catalogue(), &settings).status, Status::Healthy, "the tick is configured");
}

#[test]
fn each_state_of_a_source_has_its_place() {
    let frontier = |at: Option<DateTime<Utc>>, lateness| SourcePlan { state: collected_until(at), lateness, ..up_to_date(1) };
    let standing = |standing| SourcePlan { standing, ..up_to_date(1) };
    let pause = Pause { since: ago(1), by: "ann".to_owned(), reason: "r".to_owned() };
    let paused = |plan: SourcePlan| SourcePlan { state: SourceState { paused: Some(pause.clone()), ..plan.state.clone() }, ..plan };
    let order = SkipOrder { since: ago(1), until: None, by: "ann".to_owned(), reason: "r".to_owned() };
    let quarantine = Quarantine { since: ago(2), why: QuarantineReason::Failures };
    let rest = Rest { since: ago(2), until: now() + TimeDelta::hours(1), why: RestReason::Failed };
    let window = Window::new(ago(12), ago(6)).unwrap();
    let held = |status| HeldBack { window, status, failed_runs: 1, error: None };
    let end = UnrecordedEnd { job: JobId::new(Uuid::nil()), why: "w".to_owned() };
    let held_back = vec![held(SourceStatus::Quarantined(quarantine)), held(SourceStatus::CoolingDown(rest))];
    for (plan, status, expected) in [
        (frontier(Some(ago(20)), Lateness::Overdue), Status::Unhealthy, vec!["source_overdue"]),
        (frontier(Some(ago(8)), Lateness::Late), Status::Healthy, vec!["source_late"]),
        (frontier(Some(ago(-8)), Lateness::Ahead), Status::Unhealthy, vec!["source_in_future"]),
        (frontier(None, Lateness::OnTime), Status::Unknown, vec!["never_collected"]),
        (frontier(None, Lateness::Overdue), Status::Unhealthy, vec!["source_overdue"]),
        (standing(SourceStatus::Quarantined(quarantine)), Status::Unhealthy, vec!["source_quarantined"]),
        (standing(SourceStatus::CoolingDown(rest)), Status::Healthy, vec!["source_failing"]),
        (SourcePlan { held_back, ..up_to_date(1) }, Status::Unhealthy, vec!["source_quarantined", "source_failing"]),
        (standing(SourceStatus::Unrecorded(end)), Status::Unhealthy, vec!["ends_unrecorded"]),
        (standing(SourceStatus::Skipped(order)), Status::Healthy, vec!["source_skipped"]),
        (paused(frontier(Some(ago(200)), Lateness::Overdue)), Status::Healthy, vec!["source_paused"]),
        (paused(frontier(Some(ago(-8)), Lateness::Ahead)), Status::Unhealthy, vec!["source_in_future", "source_paused"]),
        (SourcePlan { state: SourceState { empty: 3, ..up_to_date(1).state }, ..up_to_date(1) }, Status::Healthy, vec!["source_empty"]),
    ] {
        let plan = Plan { sources: vec![up_to_date(0), plan], ..idle() };
        assert_eq!(of(&plan), (status, expected), "{:?}", plan.sources[1]);
    }
}

#[test]
fn one_healthy_source_never_hides_a_dead_one() {
    let at = |source, until: &str| SourcePlan { state: collected_until(until.parse().ok()), ..up_to_date(source) };
    let worst = |plans: Vec<SourcePlan>| {
        let plan = Plan { sources: plans, ..idle() };
        let judgement = judged(facts(&plan));
        let worst = judgement.worst().unwrap();
        (worst.source, worst.last_day.map(|day| day.to_string()), judgement.days_behind())
    };
    assert_eq!(worst(vec![at(0, "2026-01-16T18:00:00Z"), up_to_date(1)]), (0, Some("2026-01-15".to_owned()), Some(9)));
    assert_eq!(worst(vec![up_to_date(0), at(1, "2026-01-16T18:00:00Z")]), (1, Some("2026-01-15".to_owned()), Some(9)));
    assert_eq!(worst(vec![at(0, "2026-01-16T18:00:00Z"), at(1, "never")]), (1, None, None), "of it there is no data at all");
    let pause = Some(Pause { since: ago(1), by: "ann".to_owned(), reason: "r".to_owned() });
    let mut paused = at(0, "2026-01-02T00:00:00Z");
    paused.state.paused = pause;
    assert_eq!(worst(vec![paused.clone(), up_to_date(1)]).0, 1, "what is paused is not meant to move");
    assert_eq!(worst(vec![paused]).2, Some(23));
}

#[test]
fn how_long_a_report_is_missing_counts_where_it_is_known() {
    let plan = Plan { jobs: vec![job("2025Q1", Why::Missing), job("2025Q2", Why::Missing), job("2025Q3", Why::Forced)], ..idle() };
    let since =
        |hours: [i64; 3]| ["2025Q1", "2025Q2", "2025Q3"].into_iter().zip(hours).map(|(period, hours)| (key(period), ago(hours))).collect();
    let with = |missing_since: BTreeMap<GapKey, DateTime<Utc>>| judged(Facts { missing_since, ..facts(&plan) });
    for (hours, status, expected) in [
        ([6, 1, 99], Status::Healthy, vec![]),
        ([7, 1, 99], Status::Healthy, vec!["reports_late"]),
        ([7, 25, 99], Status::Unhealthy, vec!["reports_overdue", "reports_late"]),
    ] {
        let judgement = with(since(hours));
        assert_eq!((judgement.status, codes(&judgement)), (status, expected), "{hours:?}");
    }
    assert_eq!(codes(&with(BTreeMap::new())), [""; 0], "a report that is new is not old");
    let judgement = with(since([7, 25, 99]));
    assert_eq!(judgement.issues[0].since, Some(ago(25)));
    assert_eq!(judgement.reports.unwrap().oldest, Some((key("2025Q2"), ago(25))), "the report that exists is not missing");
}

#[test]
fn a_report_that_is_not_made_counts_as_missing_unless_an_operator_wants_that() {
    let decided = |decision| {
        let decided = BTreeMap::from([(key("2025Q1"), Decided { decision, exists: false, unmet: Vec::new() })]);
        let plan = Plan { decided, ..idle() };
        codes(&judged(Facts { missing_since: BTreeMap::from([(key("2025Q1"), ago(99))]), ..facts(&plan) }))
    };
    let owner = Owner { host: "h".to_owned(), machine_id: None, boot_id: "b".to_owned(), pid: 1, pid_started: 2 };
    let rest = Rest { since: ago(2), until: now() + TimeDelta::hours(1), why: RestReason::Failed };
    for decision in [Decision::Waiting(0), Decision::CoolingDown(rest), Decision::Claimed(owner)] {
        assert_eq!(decided(decision.clone()), ["reports_overdue"], "{decision:?}");
    }
    let order = SkipOrder { since: ago(1), until: None, by: "ann".to_owned(), reason: "r".to_owned() };
    assert_eq!(decided(Decision::Skipped(order)), [""; 0]);
    let quarantine = Quarantine { since: ago(2), why: QuarantineReason::Failures };
    assert_eq!(decided(Decision::Quarantined(quarantine)), [""; 0], "it is told of as that");
}

#[test]
fn what_stands_in_the_way_of_reports_is_told() {
    let names = |of: &mut Plan, unknown: bool, similar: bool| {
        let tags = UnknownTags { etl: 0, tags: vec!["transcirpts".to_owned()] };
        of.data_issues.names.unknown_tags.extend(unknown.then_some(tags));
        let found = NameCount { name: "call_summary".to_owned(), rows: 1 };
        of.data_issues.names.similar_types.extend(similar.then_some(SimilarType { etl: 0, found }));
    };
    let without_data = || Plan { data_issues: DataIssues { without_rows: vec![0], ..DataIssues::default() }, ..idle() };
    let with = |mut plan: Plan, change: &dyn Fn(&mut Plan)| {
        change(&mut plan);
        of(&plan)
    };
    let quarantine = Quarantine { since: ago(2), why: QuarantineReason::Failures };
    let rest = Rest { since: ago(2), until: now() + TimeDelta::hours(1), why: RestReason::Failed };
    let breaker = BreakerPlan { etl: 0, since: ago(3), probe: None, behind: 4, error: None };
    let unmatched = |plan: &mut Plan, why| plan.data_issues.unmatched = Some(Unmatched { why, tags: Vec::new(), symbols: Vec::new() });
    let nothing = |why| with(without_data(), &|plan| unmatched(plan, why));
    assert_eq!(nothing(WhyUnmatched::NoRows), (Status::Unknown, vec!["no_data"]), "it may not have been loaded yet");
    assert_eq!(nothing(WhyUnmatched::NotSelected), (Status::Unknown, vec!["no_data"]));
    assert_eq!(nothing(WhyUnmatched::NoBank), (Status::Unhealthy, vec!["nothing_matches"]));
    assert_eq!(nothing(WhyUnmatched::NoTags), (Status::Unhealthy, vec!["requires_unmet"]));
    assert_eq!(with(without_data(), &|_| ()), (Status::Unhealthy, vec!["requires_unmet"]), "others have data");
    assert_eq!(with(without_data(), &|plan| names(plan, true, false)), (Status::Unhealthy, vec!["requires_unmet"]));
    assert_eq!(with(idle(), &|plan| names(plan, false, true)), (Status::Unhealthy, vec!["report_type_misspelled"]));
    assert_eq!(with(idle(), &|plan| plan.breakers.push(breaker.clone())), (Status::Unhealthy, vec!["breaker_open"]));
    let quarantined = |plan: &mut Plan| plan.quarantined.push((key("2025Q1"), quarantine, None));
    assert_eq!(with(idle(), &quarantined), (Status::Unhealthy, vec!["reports_quarantined"]));
    let cooling_down = |plan: &mut Plan| plan.cooling_down.push((key("2025Q1"), rest, None));
    assert_eq!(with(idle(), &cooling_down), (Status::Healthy, vec!["reports_failing"]));
    assert_eq!(with(idle(), &|plan| plan.data_issues.invalid_rows = 2), (Status::Healthy, vec!["invalid_rows"]));
    let no_bank = |plan: &mut Plan| plan.data_issues.without_data.push("RY-CA".to_owned());
    assert_eq!(with(idle(), &no_bank), (Status::Healthy, vec!["banks_without_data"]));
}

#[test]
fn what_waits_in_the_spool_or_could_not_be_seen_is_not_fine() {
    let mut plan = idle();
    let left = [LeftEnd { gap: key("2025Q1"), path: "p".into(), why: "refused".to_owned() }];
    plan.unrecorded.push((key("2025Q1"), UnrecordedEnd { job: JobId::new(Uuid::nil()), why: "refused".to_owned() }));
    let judgement = judged(Facts { left: &left, ..facts(&plan) });
    assert_eq!((judgement.status, codes(&judgement)), (Status::Unhealthy, vec!["ends_unrecorded"]), "the same end is told once");
    let plan = idle();
    let judgement = judged(Facts { unseen: vec!["the spool cannot be read".to_owned()], ..facts(&plan) });
    assert_eq!((judgement.status, codes(&judgement)), (Status::Unknown, vec!["not_seen"]));
    let mut unseen = Plan { data_issues: DataIssues { without_rows: vec![0], ..DataIssues::default() }, ..idle() };
    unseen.data_issues.names.unseen = Some("the tags cannot be read".to_owned());
    assert_eq!(of(&unseen), (Status::Unknown, vec!["not_seen"]), "and nothing is said of what was not compared");
    let warnings = ["w".to_owned()];
    let judgement = judged(Facts { warnings: &warnings, ..facts(&plan) });
    assert_eq!((judgement.status, codes(&judgement)), (Status::Healthy, vec!["warning"]));
}

#[test]
fn an_age_is_asked_of_the_named_sources_alone() {
    let at = |hours| SourcePlan { state: collected_until(Some(ago(hours))), ..up_to_date(0) };
    let never = SourcePlan { state: SourceState::default(), ..up_to_date(0) };
    for (plan, status, expected) in [
        (at(6), Status::Healthy, vec![]),
        (at(7), Status::Unhealthy, vec!["source_too_old"]),
        (at(-1), Status::Unhealthy, vec!["source_in_future"]),
        (never, Status::Unknown, vec!["never_collected"]),
    ] {
        let judgement = judge_age(&[&plan], &catalogue(), Duration::from_secs(7 * 3600), now());
        assert_eq!((judgement.status, codes(&judgement)), (status, expected));
        assert!(judgement.runs.is_none() && judgement.reports.is_none(), "what was not looked at is not shown as fine");
    }
}

#[test]
fn a_recovery_starts_where_something_is_wrong_and_a_run_has_work() {
    let with_work = Plan { jobs: vec![job("2025Q1", Why::Missing)], ..idle() };
    let silent = RecentRuns { last: Some(ended(ago(24), RunState::Succeeded, true)), ..RecentRuns::default() };
    let wrong = |plan| judged(Facts { runs: silent.clone(), ..facts(plan) });
    assert_eq!(wanted(&wrong(&with_work), &with_work, 2), Action::TriggeredCatchUp);
    assert_eq!(wanted(&wrong(&with_work), &with_work, 3), Action::CatchUpSuspended);
    assert_eq!(wanted(&judged(facts(&with_work)), &with_work, 0), Action::None, "the next run makes it");
    assert_eq!(wanted(&wrong(&idle()), &idle(), 0), Action::None, "a run would do nothing");
}
