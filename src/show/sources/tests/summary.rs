//! Sources in the text summary of a run.

use super::*;

#[test]
fn each_source_is_named_with_what_is_done_about_it() {
    let text = run_as_text(&report(all()), &catalogue(9));
    assert!(is_safe(&text), "{text:?}");
    insta::assert_snapshot!(text, @r"
    ================================================================================
    ETL ORCHESTRATOR EXECUTION SUMMARY
    ================================================================================
    9 sources · 5 late · 1 overdue

    Timestamp: 2026-01-16 18:00:00Z

    SOURCES: 9 sources, 2 due, 1 paused, 1 skipped, 1 running elsewhere, 1
      quarantined, 1 cooling down, 5 late, 1 overdue, 1 ahead of the clock
    --------------------------------------------------------------------------------
      • source_0: up to date, collected until 2026-01-16 00:00:00Z; next due
        2026-01-16 06:00:00Z
      • source_1: paused by ann\u{202e} since 2026-01-15 09:00:00Z: the site
        \u{1b}[31mmoved\nhouse; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      • source_2: skipped by bob since 2026-01-15 09:00:00Z until 2026-01-20
        00:00:00Z: no\u{7}; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      • source_3: running elsewhere, process 7 on h\u{1b}c; 3 windows behind,
        2026-01-16 00:00–18:00Z (late)
      • source_4: quarantined since 2026-01-14 00:00:00Z, too many failed runs in a
        row: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, 2026-01-16 00:00–18:00Z
        (OVERDUE)
      • source_5: cooling down, until 2026-01-16 19:00:00Z: HTTP
        500\u{1b}[2J\r\nbad; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      • source_6: due, 3 windows behind, 2026-01-16 00:00–18:00Z, in 2 jobs, 1 of
        them already started at the service; 1 left for later runs; failed before:
        HTTP 500\u{1b}[2J\r\nbad (late)
      • source_7: due, 4 windows requested, in 1 job
      • source_8: up to date, collected until 2026-01-16 00:00:00Z; next due
        2026-01-16 06:00:00Z (ahead of the clock)

    Warnings:
      ⚠ source_1: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
      ⚠ source_2: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
      ⚠ source_3: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
      ⚠ source_4: overdue: collected until 2026-01-16 00:00:00Z; error_after is 13h
      ⚠ source_5: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
      ⚠ source_6: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
      ⚠ source_8: collected until 2026-01-16 00:00:00Z, which is in the future: the
        clock of this host went back, or was ahead
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
    insta::assert_snapshot!(text(five.clone()), @r"
    : 5 sources, all up to date
    --------------------------------------------------------------------------------
      • source_0, source_1, source_2, source_3, source_4: up to date; next due
        2026-01-16 06:00:00Z
    ================================================================================
    ");
    five.push(due(5, vec![collection(5, window("16T00", "16T18"), 3)]));
    insta::assert_snapshot!(text(five), @r"
    : 6 sources, 1 due, 1 late
    --------------------------------------------------------------------------------
      • source_5: due, 3 windows behind, 2026-01-16 00:00–18:00Z, in 1 job (late)
      • source_0, source_1, source_2, source_3, source_4: up to date; next due
        2026-01-16 06:00:00Z

    Warnings:
      ⚠ source_5: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
    ================================================================================
    ");
    let never = SourcePlan { state: SourceState::default(), ..up_to_date(0) };
    let paused = SourcePlan { state: SourceState { paused: Some(pause()), ..up_to_date(1).state }, ..up_to_date(1) };
    insta::assert_snapshot!(text(vec![never, paused]), @r"
    : 2 sources, 1 paused
    --------------------------------------------------------------------------------
      • source_0: nothing was due yet; next due 2026-01-16 06:00:00Z
      • source_1: up to date, collected until 2026-01-16 00:00:00Z; next due
        2026-01-16 06:00:00Z; paused by ann\u{202e} since 2026-01-15 09:00:00Z: the
        site \u{1b}[31mmoved\nhouse
    ================================================================================
    ");
}

#[test]
fn reports_come_before_sources_and_only_if_they_are_selected() {
    let both = RunSummary { plan: Plan { etls: vec![0], ..report(vec![up_to_date(0)]).plan }, ..report(Vec::new()) };
    let text = run_as_text(&both, &catalogue(1));
    insta::assert_snapshot!(text, @r"
    ================================================================================
    ETL ORCHESTRATOR EXECUTION SUMMARY
    ================================================================================
    0 banks · 0 of 0 reports · 1 source

    Timestamp: 2026-01-16 18:00:00Z
    Monitored Institutions: 0 banks
    Data Availability: 0 bank-period combinations with transcripts
    Existing Reports: 0 reports
    Reports In: aegis_reports

    NO DATA: no monitored bank has the required data

    SOURCES: 1 source, all up to date
    --------------------------------------------------------------------------------
      • source_0: up to date, collected until 2026-01-16 00:00:00Z; next due
        2026-01-16 06:00:00Z
    ================================================================================
    ");
    let json: serde_json::Value = serde_json::from_str(&run_as_json(&report(all()), &catalogue(9))).unwrap();
    assert_eq!((&json["gaps"]["total"], &json["gaps"]["planned"], &json["jobs"]), (&0.into(), &0.into(), &serde_json::json!([])));
    assert!(both.plan.gaps() == 0 && !both.plan.has_gaps() && report(all()).plan.has_gaps());
}

#[test]
fn a_collection_is_reported_or_verified() {
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
    Duration: 2s

    Collected:
      ✅ source_0 2026-01-16 00:00–06:00Z: 17 records, reported (not verified):
         said\u{1b}
      ✅ source_1 2026-01-16 00:00–06:00Z: number of records unknown, verified:
         said\u{1b}

    Failed Jobs:
      ❌ source_2 2026-01-16 00:00–06:00Z: HTTP 500\u{1b}[2J\r\nbad
         job 00000000

    SOURCES: 3 sources, 2 collected, 1 not all collected, 1 late
    --------------------------------------------------------------------------------
      • source_0: 1 window was due, 2026-01-16 00:00–06:00Z: collected
      • source_1: 1 window was due, 2026-01-16 00:00–06:00Z: collected
      • source_2: 1 window was due, 2026-01-16 00:00–06:00Z: failed (late)

    Warnings:
      ⚠ source_2: late: collected until 2026-01-16 00:00:00Z; warn_after is 7h
    ================================================================================
    ");
}

fn warnings(report: &RunSummary) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(&run_as_json(report, &catalogue(9))).unwrap();
    json["warnings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_late_source_is_a_warning_until_it_is_collected() {
    let job = || vec![collection(0, window("16T00", "16T18"), 3)];
    let overdue = || SourcePlan { lateness: Lateness::Overdue, ..due(0, job()) };
    let warned = ["source_0: overdue: collected until 2026-01-16 00:00:00Z; error_after is 13h"];
    assert_eq!(warnings(&report(vec![overdue()])), warned);
    assert_eq!(warnings(&run(vec![overdue()], vec![ended(JobState::Failed, None, Seen::Reported)])), warned);
    assert_eq!(warnings(&run(vec![overdue()], vec![ended(JobState::Succeeded, Some(1), Seen::Reported)])), [""; 0]);
    let left = SourcePlan { left: 1, ..overdue() };
    let moved = ["source_0: overdue: collected until 2026-01-16 00:00:00Z before this run; error_after is 13h"];
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
            "source_0: collected until 2026-01-16 00:00:00Z, which is in the future: the clock of this host went back, or was ahead",
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
