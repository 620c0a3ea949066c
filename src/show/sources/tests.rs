//! What is said of sources.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SourceView, sources_as_json, sources_as_text};
use crate::plan::decide::decision::Why;
use crate::plan::decide::freshness::{Freshness, Newest};
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::source::Source;
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::source_state::{LastSuccess, Pause, SourceState};
use crate::plan::run::summary::{JobResult, Results, RunSummary};
use crate::plan::test_support::{etl, plan_of, source_called};
use crate::show::{run_as_json, run_as_text};

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-01-{time}:00:00Z").parse().unwrap()
}

fn window(start: &str, end: &str) -> Window {
    Window { start: at(start), end: at(end) }
}

fn collection(source: usize, window: Window, windows: u64) -> Collection {
    Collection { source, window, windows, remote: None }
}

/// Collected until midnight.
fn up_to_date(source: usize) -> SourcePlan {
    SourcePlan {
        source,
        state: SourceState { frontier: Some(at("16T00")), ..SourceState::default() },
        standing: SourceStatus::UpToDate,
        new: Vec::new(),
        again: Vec::new(),
        jobs: Vec::new(),
        behind: 0,
        missing: None,
        left: 0,
        next_due: at("16T06"),
        lateness: Lateness::OnTime,
        error: None,
        failed_runs: 0,
    }
}

/// Three windows behind.
fn behind(source: usize, standing: SourceStatus) -> SourcePlan {
    SourcePlan {
        standing,
        behind: 3,
        missing: Some(window("16T00", "16T18")),
        next_due: at("17T00"),
        lateness: Lateness::Late,
        ..up_to_date(source)
    }
}

fn due(source: usize, jobs: Vec<Collection>) -> SourcePlan {
    SourcePlan { jobs, ..behind(source, SourceStatus::Due) }
}

fn pause() -> Pause {
    Pause { since: at("15T09"), by: "ann\u{202e}".to_owned(), reason: "the site \u{1b}[31mmoved\nhouse".to_owned() }
}

const HOSTILE: &str = "HTTP 500\u{1b}[2J\r\nbad";

/// Every standing once, with texts that would control a terminal.
fn all() -> Vec<SourcePlan> {
    let skip = SkipOrder { since: at("15T09"), until: Some(at("20T00")), by: "bob".to_owned(), reason: "no\u{7}".to_owned() };
    let owner = Owner { host: "h\u{1b}c".to_owned(), boot_id: String::new(), pid: 7, pid_started: 1 };
    let quarantine = Quarantine { since: at("14T00"), why: QuarantineReason::Failures };
    let rest = Rest { since: at("16T17"), until: at("16T19"), why: RestReason::Failed };
    let with_error = |plan: SourcePlan| SourcePlan { error: Some(HOSTILE.to_owned()), failed_runs: 2, ..plan };
    let last = LastSuccess {
        at: at("16T01"),
        collected: Collected {
            source: "source_0".to_owned(),
            window: window("15T18", "16T00"),
            seen: Seen::Reported,
            records: Some(17),
            message: Some("Completed: 17\u{1b}[0m".to_owned()),
        },
    };
    let resumed = Collection { remote: Some("r-1".to_owned()), ..collection(6, window("16T06", "16T12"), 1) };
    vec![
        SourcePlan { state: SourceState { last: Some(last), ..up_to_date(0).state }, ..up_to_date(0) },
        SourcePlan { state: SourceState { paused: Some(pause()), ..up_to_date(1).state }, ..behind(1, SourceStatus::Paused(pause())) },
        behind(2, SourceStatus::Skipped(skip)),
        behind(3, SourceStatus::Claimed(owner)),
        SourcePlan { lateness: Lateness::Overdue, ..with_error(behind(4, SourceStatus::Quarantined(quarantine))) },
        with_error(behind(5, SourceStatus::CoolingDown(rest))),
        SourcePlan { left: 1, ..with_error(due(6, vec![collection(6, window("16T00", "16T06"), 1), resumed])) },
        SourcePlan { behind: 0, missing: None, lateness: Lateness::OnTime, ..due(7, vec![collection(7, window("10T00", "11T00"), 4)]) },
        SourcePlan { lateness: Lateness::Ahead, ..up_to_date(8) },
    ]
}

fn catalogue(sources: usize) -> Catalogue {
    let named = |number| Source { name: "An \u{1b}[1modd name".to_owned(), ..source_called(&format!("source_{number}")) };
    Catalogue { sources: (0..sources).map(named).collect(), etls: vec![etl("call_summary", "Call Summary")], ..Catalogue::default() }
}

/// A dry run that finds these sources, and looks at no report.
fn report(sources: Vec<SourcePlan>) -> RunSummary {
    let job = |collection: &Collection| PlannedJob {
        target: Target::Collection(collection.clone()),
        key: GapKey::source(&format!("source_{}", collection.source)),
        why: Why::Missing,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    };
    let jobs = sources.iter().flat_map(|plan| &plan.jobs).map(job).collect();
    RunSummary {
        run: None,
        started_at: at("16T18"),
        plan: Plan { sources, ..plan_of(jobs, Vec::new()) },
        results: None,
        synced: 0,
        lost: Vec::new(),
        respooled: 0,
        warnings: Vec::new(),
    }
}

fn ended(state: JobState, records: Option<i64>, seen: Seen) -> JobResult {
    let collected =
        Collected { source: String::new(), window: window("16T00", "16T06"), seen, records, message: Some("said\u{1b}".to_owned()) };
    JobResult {
        id: JobId::new(Uuid::nil()),
        state,
        attempts: 1,
        exhausted: false,
        duration: Duration::from_secs(2),
        reason: (state == JobState::Failed).then(|| HOSTILE.to_owned()),
        collected: (state == JobState::Succeeded).then_some(collected),
    }
}

/// The same as a run, whose jobs ended so.
fn run(sources: Vec<SourcePlan>, jobs: Vec<JobResult>) -> RunSummary {
    let results = Results { jobs, duration: Duration::from_secs(2), ..Results::default() };
    RunSummary { run: Some(RunId::new(Uuid::nil())), results: Some(results), ..report(sources) }
}

/// No character of it controls a terminal.
fn is_safe(text: &str) -> bool {
    !text.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}')
}

#[test]
fn each_source_is_named_with_what_is_done_about_it() {
    let text = run_as_text(&report(all()), &catalogue(9));
    assert!(is_safe(&text), "{text:?}");
    insta::assert_snapshot!(text, @r"
    ================================================================================
    ETL ORCHESTRATOR EXECUTION SUMMARY
    ================================================================================
    Timestamp: 2026-01-16T18:00:00.000000Z

    SOURCES: 9 sources, 2 due, 1 paused, 1 skipped, 1 running elsewhere, 1 quarantined, 1 cooling down, 5 late, 1 overdue, 1 ahead of the clock
    --------------------------------------------------------------------------------
      • source_0: up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z
      • source_1: paused by ann\u{202e} since 2026-01-15T09:00:00Z: the site \u{1b}[31mmoved\nhouse; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      • source_2: skipped by bob since 2026-01-15T09:00:00Z until 2026-01-20T00:00:00Z: no\u{7}; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      • source_3: running elsewhere, process 7 on h\u{1b}c; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      • source_4: quarantined since 2026-01-14T00:00:00Z, too many failed runs in a row: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (OVERDUE)
      • source_5: cooling down, until 2026-01-16T19:00:00Z: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      • source_6: due, 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z, in 2 jobs, 1 of them begun by the service before; 1 left for later runs; failed before: HTTP 500\u{1b}[2J\r\nbad (late)
      • source_7: due, 4 windows asked for, in 1 job
      • source_8: up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z (ahead of the clock)

    Warnings:
      ⚠ source_1: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
      ⚠ source_2: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
      ⚠ source_3: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
      ⚠ source_4: overdue: collected until 2026-01-16T00:00:00Z; error_after is 13h
      ⚠ source_5: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
      ⚠ source_6: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
      ⚠ source_8: collected until 2026-01-16T00:00:00Z, which is in the future: the clock of this host went back, or was ahead
    ================================================================================
    ");
}

#[test]
fn sources_that_are_up_to_date_share_a_line_when_they_are_many() {
    let text = |plans: Vec<SourcePlan>| {
        let text = run_as_text(&report(plans), &catalogue(6));
        text.split_once("SOURCES").unwrap().1.to_owned()
    };
    let mut five: Vec<SourcePlan> = (0..5).map(up_to_date).collect();
    insta::assert_snapshot!(text(five.clone()), @"
    : 5 sources, all up to date
    --------------------------------------------------------------------------------
      • source_0, source_1, source_2, source_3, source_4: up to date; next due 2026-01-16T06:00:00Z
    ================================================================================
    ");
    five.push(due(5, vec![collection(5, window("16T00", "16T18"), 3)]));
    insta::assert_snapshot!(text(five), @"
    : 6 sources, 1 due, 1 late
    --------------------------------------------------------------------------------
      • source_5: due, 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z, in 1 job (late)
      • source_0, source_1, source_2, source_3, source_4: up to date; next due 2026-01-16T06:00:00Z

    Warnings:
      ⚠ source_5: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
    ================================================================================
    ");
    let never = SourcePlan { state: SourceState::default(), ..up_to_date(0) };
    let paused = SourcePlan { state: SourceState { paused: Some(pause()), ..up_to_date(1).state }, ..up_to_date(1) };
    insta::assert_snapshot!(text(vec![never, paused]), @r"
    : 2 sources, 1 paused
    --------------------------------------------------------------------------------
      • source_0: nothing was due yet; next due 2026-01-16T06:00:00Z
      • source_1: up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z; paused by ann\u{202e} since 2026-01-15T09:00:00Z: the site \u{1b}[31mmoved\nhouse
    ================================================================================
    ");
}

#[test]
fn reports_are_told_before_sources_and_only_where_they_were_asked_for() {
    let both = RunSummary { plan: Plan { etls: vec![0], ..report(vec![up_to_date(0)]).plan }, ..report(Vec::new()) };
    let text = run_as_text(&both, &catalogue(1));
    insta::assert_snapshot!(text, @"
    ================================================================================
    ETL ORCHESTRATOR EXECUTION SUMMARY
    ================================================================================
    Timestamp: 2026-01-16T18:00:00.000000Z
    Monitored Institutions: 0 banks
    Data Availability: 0 bank-period combinations with transcripts
    Existing Reports: 0 reports

    NOTHING TO GO BY: no monitored bank has data that was asked for

    SOURCES: 1 source, all up to date
    --------------------------------------------------------------------------------
      • source_0: up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z
    ================================================================================
    ");
    let json: serde_json::Value = serde_json::from_str(&run_as_json(&report(all()), &catalogue(9), 0).unwrap()).unwrap();
    assert_eq!((&json["gaps"]["total"], &json["gaps"]["planned"], &json["jobs"]), (&0.into(), &0.into(), &serde_json::json!([])));
    assert!(both.plan.gaps() == 0 && !both.plan.has_gaps() && report(all()).plan.has_gaps());
}

#[test]
fn what_was_collected_is_said_as_it_is_known() {
    let plans = (0..3).map(|source| due(source, vec![collection(source, window("16T00", "16T06"), 1)])).collect();
    let results = vec![
        ended(JobState::Succeeded, Some(17), Seen::Reported),
        ended(JobState::Succeeded, None, Seen::Verified),
        ended(JobState::Failed, None, Seen::Reported),
    ];
    let text = run_as_text(&run(plans, results), &catalogue(3));
    assert!(is_safe(&text), "{text:?}");
    insta::assert_snapshot!(text.split_once("EXECUTION RESULTS\n").unwrap().1, @r"
    --------------------------------------------------------------------------------
    Total Jobs: 3
    Successful: 2 ✅
    Failed: 1 ❌
    Duration: 2.0s

    Collected:
      ✅ source_0 2026-01-16T00:00:00Z/2026-01-16T06:00:00Z: 17 records, reported (not verified): said\u{1b}
      ✅ source_1 2026-01-16T00:00:00Z/2026-01-16T06:00:00Z: number of records unknown, verified: said\u{1b}

    Failed Jobs:
      ❌ source_2 2026-01-16T00:00:00Z/2026-01-16T06:00:00Z: HTTP 500\u{1b}[2J\r\nbad

    Warnings:
      ⚠ source_2: late: collected until 2026-01-16T00:00:00Z; warn_after is 7h
    ================================================================================
    ");
}

fn warnings(report: &RunSummary) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(&run_as_json(report, &catalogue(9), 0).unwrap()).unwrap();
    json["warnings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_has_waited_too_long_is_a_warning_until_it_is_collected() {
    let job = || vec![collection(0, window("16T00", "16T18"), 3)];
    let overdue = || SourcePlan { lateness: Lateness::Overdue, ..due(0, job()) };
    let warned = ["source_0: overdue: collected until 2026-01-16T00:00:00Z; error_after is 13h"];
    assert_eq!(warnings(&report(vec![overdue()])), warned);
    assert_eq!(warnings(&run(vec![overdue()], vec![ended(JobState::Failed, None, Seen::Reported)])), warned);
    assert_eq!(warnings(&run(vec![overdue()], vec![ended(JobState::Succeeded, Some(1), Seen::Reported)])), [""; 0]);
    let left = SourcePlan { left: 1, ..overdue() };
    let moved = ["source_0: overdue: collected until 2026-01-16T00:00:00Z before this run; error_after is 13h"];
    assert_eq!(warnings(&run(vec![left], vec![ended(JobState::Succeeded, Some(1), Seen::Reported)])), moved, "not all was collected");
}

#[test]
fn a_frontier_in_the_future_and_an_empty_source_are_warnings() {
    let ahead = SourcePlan { lateness: Lateness::Ahead, ..up_to_date(0) };
    let never = SourcePlan { lateness: Lateness::Late, state: SourceState::default(), ..up_to_date(1) };
    let empty = |source, empty| SourcePlan { state: SourceState { empty, ..up_to_date(source).state }, ..up_to_date(source) };
    assert_eq!(
        warnings(&report(vec![ahead, never, empty(2, 3), empty(3, 2)])),
        [
            "source_0: collected until 2026-01-16T00:00:00Z, which is in the future: the clock of this host went back, or was ahead",
            "source_1: late: nothing was collected yet; warn_after is 7h",
            "source_2: 3 successes in a row with 0 records",
        ]
    );
    let collected = |before, records| {
        let plan = due(0, vec![collection(0, window("16T00", "16T18"), 3)]);
        let plan = SourcePlan { state: SourceState { empty: before, ..plan.state.clone() }, ..plan };
        warnings(&run(vec![plan], vec![ended(JobState::Succeeded, records, Seen::Reported)]))
    };
    assert_eq!(collected(2, Some(0)), ["source_0: 3 successes in a row with 0 records"]);
    assert_eq!(collected(5, Some(1)), [""; 0]);
    assert_eq!(collected(5, None), ["source_0: 5 successes in a row with 0 records"], "not known is not something");
}

/// The sources of a summary as JSON.
fn json_of(report: &RunSummary) -> Vec<serde_json::Value> {
    let mut json: serde_json::Value = serde_json::from_str(&run_as_json(report, &catalogue(9), 0).unwrap()).unwrap();
    assert_eq!(json["schema_version"], 1);
    serde_json::from_value(json["sources"].take()).unwrap()
}

#[test]
fn json_has_the_same_facts() {
    let sources = vec![all().remove(6)];
    let results = vec![ended(JobState::Succeeded, Some(17), Seen::Reported), ended(JobState::Failed, None, Seen::Reported)];
    insta::assert_snapshot!(format!("{:#}", json_of(&run(sources, results))[0]), @r#"
    {
      "id": "source_6",
      "name": "An \u001b[1modd name",
      "standing": "due",
      "behind": 3,
      "missing": {
        "start": "2026-01-16T00:00:00Z",
        "end": "2026-01-16T18:00:00Z"
      },
      "left": 1,
      "next_due": "2026-01-17T00:00:00Z",
      "lateness": "late",
      "frontier": "2026-01-16T00:00:00Z",
      "paused": null,
      "skipped": null,
      "claimed": null,
      "quarantined": null,
      "cooling_down": null,
      "last": null,
      "failed_runs": 2,
      "error": "HTTP 500\\u{1b}[2J\\r\\nbad",
      "jobs": [
        {
          "gap": "source:source_6",
          "window": {
            "start": "2026-01-16T00:00:00Z",
            "end": "2026-01-16T06:00:00Z"
          },
          "windows": 1,
          "resumed": false,
          "result": {
            "id": "00000000-0000-0000-0000-000000000000",
            "state": "succeeded",
            "attempts": 1,
            "duration_seconds": 2.0,
            "reason": null,
            "collected": {
              "window": {
                "start": "2026-01-16T00:00:00Z",
                "end": "2026-01-16T06:00:00Z"
              },
              "seen": "reported",
              "records": 17,
              "message": "said\\u{1b}"
            }
          }
        },
        {
          "gap": "source:source_6",
          "window": {
            "start": "2026-01-16T06:00:00Z",
            "end": "2026-01-16T12:00:00Z"
          },
          "windows": 1,
          "resumed": true,
          "result": {
            "id": "00000000-0000-0000-0000-000000000000",
            "state": "failed",
            "attempts": 1,
            "duration_seconds": 2.0,
            "reason": "HTTP 500\\u{1b}[2J\\r\\nbad",
            "collected": null
          }
        }
      ]
    }
    "#);
}

#[test]
fn json_tells_what_is_done_about_a_source_and_why() {
    let sources = json_of(&report(all()));
    let of = |source: &serde_json::Value| {
        let keys = ["paused", "skipped", "claimed", "quarantined", "cooling_down", "last"];
        let given: Vec<String> =
            keys.iter().filter(|key| !source[**key].is_null()).map(|key| format!("\n  {key}: {}", source[*key])).collect();
        format!("{} {}{}", source["standing"], source["lateness"], given.concat())
    };
    insta::assert_snapshot!(sources.iter().map(of).collect::<Vec<_>>().join("\n"), @r#"
    "up_to_date" "on_time"
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "paused" "late"
      paused: {"by":"ann\\u{202e}","since":"2026-01-15T09:00:00Z","reason":"the site \\u{1b}[31mmoved\\nhouse"}
    "skipped" "late"
      skipped: {"by":"bob","since":"2026-01-15T09:00:00Z","until":"2026-01-20T00:00:00Z","reason":"no\\u{7}"}
    "claimed" "late"
      claimed: {"host":"h\\u{1b}c","pid":7}
    "quarantined" "overdue"
      quarantined: {"why":"failures","since":"2026-01-14T00:00:00Z","until":null}
    "cooling_down" "late"
      cooling_down: {"why":"failed","since":"2026-01-16T17:00:00Z","until":"2026-01-16T19:00:00Z"}
    "due" "late"
    "due" "on_time"
    "up_to_date" "ahead"
    "#);
}

fn views() -> Vec<SourceView> {
    let freshness = [
        Some(Freshness::Until(Newest::Day("2026-01-07".parse().unwrap()))),
        Some(Freshness::Until(Newest::Moment(at("16T17")))),
        Some(Freshness::Nothing),
        Some(Freshness::NoTime("17\u{1b}".to_owned())),
        Some(Freshness::Failed("no such table\u{1b}[2J".to_owned())),
        Some(Freshness::Until(Newest::Day("2026-01-16".parse().unwrap()))),
        Some(Freshness::Until(Newest::Day("2026-01-18".parse().unwrap()))),
        None,
        None,
    ];
    all().into_iter().zip(freshness).map(|(plan, freshness)| SourceView { queued: plan.behind, plan, freshness }).collect()
}

#[test]
fn a_page_of_sources_has_a_block_for_each() {
    let text = sources_as_text(&views(), &catalogue(9), at("16T18"));
    assert!(is_safe(&text), "{text:?}");
    insta::assert_snapshot!(text, @r#"
    SOURCES: 9 sources, 2 due, 1 paused, 1 skipped, 1 running elsewhere, 1 quarantined, 1 cooling down, 5 late, 1 overdue, 1 ahead of the clock

    source_0 (An \u{1b}[1modd name)
      state      up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z
      last       2026-01-16T01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-16T06:00:00Z
      data       until 2026-01-07 (9 days old)

    source_1 (An \u{1b}[1modd name)
      state      paused by ann\u{202e} since 2026-01-15T09:00:00Z: the site \u{1b}[31mmoved\nhouse; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      data       until 2026-01-16T17:00:00Z (1 hour old)

    source_2 (An \u{1b}[1modd name)
      state      skipped by bob since 2026-01-15T09:00:00Z until 2026-01-20T00:00:00Z: no\u{7}; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      data       none

    source_3 (An \u{1b}[1modd name)
      state      running elsewhere, process 7 on h\u{1b}c; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      data       unknown: freshness answers "17\u{1b}", which is no date or time

    source_4 (An \u{1b}[1modd name)
      state      quarantined since 2026-01-14T00:00:00Z, too many failed runs in a row: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (OVERDUE)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       unknown: no such table\u{1b}[2J

    source_5 (An \u{1b}[1modd name)
      state      cooling down, until 2026-01-16T19:00:00Z: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z (late)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       until 2026-01-16 (today)

    source_6 (An \u{1b}[1modd name)
      state      due, 3 windows behind, from 2026-01-16T00:00:00Z to 2026-01-16T18:00:00Z, in 2 jobs, 1 of them begun by the service before; 1 left for later runs; failed before: HTTP 500\u{1b}[2J\r\nbad (late)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       until 2026-01-18 (in the future)

    source_7 (An \u{1b}[1modd name)
      state      due, 4 windows asked for, in 1 job
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-17T00:00:00Z

    source_8 (An \u{1b}[1modd name)
      state      up to date, collected until 2026-01-16T00:00:00Z; next due 2026-01-16T06:00:00Z (ahead of the clock)
      last       never
      collected  until 2026-01-16T00:00:00Z
      next due   2026-01-16T06:00:00Z
    "#);
    assert_eq!(sources_as_text(&[], &catalogue(0), at("16T18")), "no sources are configured\n");
}

#[test]
fn the_page_has_its_facts_as_json_too() {
    let json: serde_json::Value = serde_json::from_str(&sources_as_json(&views(), &catalogue(9), at("16T18")).unwrap()).unwrap();
    assert_eq!((&json["schema_version"], &json["kind"]), (&1.into(), &"sources".into()));
    assert_eq!((&json["sources"][0]["id"], &json["sources"][1]["queued"]), (&"source_0".into(), &3.into()));
    let fresh: Vec<String> = json["sources"].as_array().unwrap().iter().map(|source| source["freshness"].to_string()).collect();
    insta::assert_snapshot!(fresh.join("\n"), @r#"
    {"until":"2026-01-07","age_seconds":777600,"error":null}
    {"until":"2026-01-16T17:00:00Z","age_seconds":3600,"error":null}
    {"until":null,"age_seconds":null,"error":null}
    {"until":null,"age_seconds":null,"error":"freshness answers \"17\\u{1b}\", which is no date or time"}
    {"until":null,"age_seconds":null,"error":"no such table\\u{1b}[2J"}
    {"until":"2026-01-16","age_seconds":0,"error":null}
    {"until":"2026-01-18","age_seconds":-172800,"error":null}
    null
    null
    "#);
}
