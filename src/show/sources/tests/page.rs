//! The page of `etl-orch sources`.

use super::*;
use crate::plan::decide::freshness::{Freshness, Newest};
use crate::show::sources::{ListedSource, SourcesView};

fn views() -> Vec<ListedSource> {
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
    all().into_iter().zip(freshness).map(|(plan, freshness)| ListedSource { queued: plan.behind, plan, freshness }).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
fn a_page_of_sources_has_a_block_for_each() {
    let text = SourcesView::new(&views(), &catalogue(9), at("16T18")).text();
    assert!(is_safe(&text), "{text:?}");
    insta::assert_snapshot!(text, @r#"
    SOURCES: 9 sources, 2 due, 1 paused, 1 skipped, 1 running elsewhere, 1 quarantined, 1 cooling down, 5 late, 1 overdue, 1 ahead of the clock

    source_0 (An \u{1b}[1modd name)
      state      up to date, collected until 2026-01-16 00:00:00Z; next due 2026-01-16 06:00:00Z
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-16 06:00:00Z
      data       until 2026-01-07 (9 days old)

    source_1 (An \u{1b}[1modd name)
      state      paused by ann\u{202e} since 2026-01-15 09:00:00Z: the site \u{1b}[31mmoved\nhouse; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      data       until 2026-01-16 17:00:00Z (1 hour old)

    source_2 (An \u{1b}[1modd name)
      state      skipped by bob since 2026-01-15 09:00:00Z until 2026-01-20 00:00:00Z: no\u{7}; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      data       none

    source_3 (An \u{1b}[1modd name)
      state      running elsewhere, process 7 on h\u{1b}c; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      data       unknown: freshness answers "17\u{1b}", which is not a date or time

    source_4 (An \u{1b}[1modd name)
      state      quarantined since 2026-01-14 00:00:00Z, too many failed runs in a row: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, 2026-01-16 00:00–18:00Z (OVERDUE)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       unknown: no such table\u{1b}[2J

    source_5 (An \u{1b}[1modd name)
      state      cooling down, until 2026-01-16 19:00:00Z: HTTP 500\u{1b}[2J\r\nbad; 3 windows behind, 2026-01-16 00:00–18:00Z (late)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       until 2026-01-16 (today)

    source_6 (An \u{1b}[1modd name)
      state      due, 3 windows behind, 2026-01-16 00:00–18:00Z, in 2 jobs, 1 of them already started at the service; 1 left for later runs; failed before: HTTP 500\u{1b}[2J\r\nbad (late)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z
      queue      3 windows
      failures   2 runs in a row; the last: HTTP 500\u{1b}[2J\r\nbad
      data       until 2026-01-18 (in the future)

    source_7 (An \u{1b}[1modd name)
      state      due, 4 windows requested, in 1 job
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-17 00:00:00Z

    source_8 (An \u{1b}[1modd name)
      state      up to date, collected until 2026-01-16 00:00:00Z; next due 2026-01-16 06:00:00Z (ahead of the clock)
      last       2026-01-16 01:00:00Z 17 records, reported (not verified): Completed: 17\u{1b}[0m
      collected  until 2026-01-16 00:00:00Z
      next due   2026-01-16 06:00:00Z
    "#);
    assert_eq!(SourcesView::new(&[], &catalogue(0), at("16T18")).text(), "no sources are configured\n");
}

#[test]
fn the_page_has_the_same_facts_as_json() {
    let json: serde_json::Value = serde_json::from_str(&SourcesView::new(&views(), &catalogue(9), at("16T18")).json().unwrap()).unwrap();
    assert_eq!((&json["schema_version"], &json["kind"]), (&1.into(), &"sources".into()));
    assert_eq!((&json["sources"][0]["id"], &json["sources"][1]["queued"]), (&"source_0".into(), &3.into()));
    let fresh: Vec<String> = json["sources"].as_array().unwrap().iter().map(|source| source["freshness"].to_string()).collect();
    insta::assert_snapshot!(fresh.join("\n"), @r#"
    {"until":"2026-01-07T00:00:00Z","day":"2026-01-07","age_seconds":777600,"error":null}
    {"until":"2026-01-16T17:00:00Z","day":null,"age_seconds":3600,"error":null}
    {"until":null,"day":null,"age_seconds":null,"error":null}
    {"until":null,"day":null,"age_seconds":null,"error":"freshness answers \"17\\u{1b}\", which is not a date or time"}
    {"until":null,"day":null,"age_seconds":null,"error":"no such table\\u{1b}[2J"}
    {"until":"2026-01-16T00:00:00Z","day":"2026-01-16","age_seconds":0,"error":null}
    {"until":"2026-01-18T00:00:00Z","day":"2026-01-18","age_seconds":-172800,"error":null}
    null
    null
    "#);
}
