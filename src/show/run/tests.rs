//! Gaps in the summary of a run, as text and as JSON.

mod many;

use chrono::{DateTime, Utc};

use super::RunView;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{BreakerPlan, Gate, Plan, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::Etl;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::ids::JobId;
use crate::plan::model::institution::Institutions;
use crate::plan::model::listed::Listed;
use crate::plan::model::settings::TableName;
use crate::plan::model::target::Target;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::unfinished::UnrecordedEnd;
use crate::plan::run::summary::{LeftEnd, RunSummary};
use crate::plan::test_support::{bank, etl, plan_of};
use crate::show::View;

fn run_as_text(summary: &RunSummary, catalogue: &Catalogue) -> String {
    RunView::new(summary, catalogue, &TableName::parse("aegis_reports").unwrap(), 0).text()
}

fn run_as_json(summary: &RunSummary, catalogue: &Catalogue) -> String {
    RunView::new(summary, catalogue, &TableName::parse("aegis_reports").unwrap(), 0).json().unwrap()
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-{time}:00Z").parse().unwrap()
}

fn key(text: &str) -> GapKey {
    text.parse().unwrap()
}

fn listed<T>(entries: Vec<T>) -> Listed<T> {
    let mut listed = Listed::default();
    for entry in entries {
        listed.push(entry);
    }
    listed
}

fn skip(by: &str, reason: &str, until: Option<DateTime<Utc>>) -> SkipOrder {
    SkipOrder { since: at("01T08:00"), until, by: by.to_owned(), reason: reason.to_owned() }
}

fn quarantine(why: QuarantineReason) -> Quarantine {
    Quarantine { since: at("02T10:15"), why }
}

fn rest(why: RestReason) -> Rest {
    Rest { since: at("03T10:00"), until: at("03T10:40"), why }
}

fn job(bank: usize, gate: Gate) -> PlannedJob {
    PlannedJob {
        target: Target::Report { gap: Gap { bank, period: "2025Q2".parse().unwrap(), etl: 1 }, data_symbol: String::new() },
        key: key(&format!("{}/2025Q2/key_themes", ["RY-CA", "BMO-CA", "TD-CA"][bank])),
        why: Why::Missing,
        gate,
        planned_fence: 0,
        fingerprint: None,
    }
}

/// A bit of everything.
fn plan() -> Plan {
    Plan {
        skipped: listed(vec![
            (
                key("RY-CA/2025Q1/call_summary"),
                skip("ann", "restated in \u{1b}[31mDecember", Some("2026-12-01T00:00:00Z".parse().unwrap())),
            ),
            (key("RY-CA/2024Q4/call_summary"), skip("uid 1000", "nobody wants it", None)),
        ]),
        quarantined: listed(vec![
            (
                key("BMO-CA/2025Q1/call_summary"),
                quarantine(QuarantineReason::Failures),
                Some("exit code 1 - Connection timeout".to_owned()),
            ),
            (
                key("BMO-CA/2024Q4/call_summary"),
                quarantine(QuarantineReason::Permanent),
                Some(format!("exit code 65 - {}", "x".repeat(500))),
            ),
            (key("BMO-CA/2024Q3/call_summary"), quarantine(QuarantineReason::Crashes), None),
        ]),
        cooling_down: listed(vec![
            (key("TD-CA/2025Q1/call_summary"), rest(RestReason::Failed), Some("no output\nat all".to_owned())),
            (key("TD-CA/2024Q4/call_summary"), rest(RestReason::NotReady), Some("not ready - transcript is a draft".to_owned())),
        ]),
        breakers: vec![BreakerPlan {
            etl: 1,
            since: at("03T09:00"),
            probe: Some(0),
            behind: 2,
            error: Some("exit code 1 - no\nmodel".to_owned()),
        }],
        ..plan_of(vec![job(0, Gate::Probe), job(1, Gate::BehindProbe), job(2, Gate::BehindProbe)], Vec::new())
    }
}

fn report(plan: Plan) -> RunSummary {
    RunSummary {
        run: None,
        started_at: at("03T10:15"),
        plan,
        outlook: None,
        results: None,
        synced: 0,
        lost: Vec::new(),
        respooled: 0,
        left: Vec::new(),
        warnings: Vec::new(),
    }
}

fn banks() -> Institutions {
    Institutions::new(vec![bank("RY-CA", 1), bank("BMO-CA", 2), bank("TD-CA", 6)])
}

fn catalogue() -> Catalogue {
    Catalogue { institutions: banks(), etls: etls().to_vec(), ..Catalogue::default() }
}

fn etls() -> [Etl; 2] {
    [etl("call_summary", "Call Summary"), etl("key_themes", "Key Themes")]
}

/// The text without its head.
fn text(report: &RunSummary) -> String {
    let text = run_as_text(report, &catalogue());
    text.split_once("Existing Reports: 0 reports\n\n").unwrap().1.to_owned()
}

#[test]
fn each_gap_that_is_not_planned_is_named_with_its_reason() {
    insta::assert_snapshot!(text(&report(plan())), @r#"
    📋 GAPS IDENTIFIED: 8 missing reports
    --------------------------------------------------------------------------------

    Bank RY-CA (RY):
      • 2025 Q2: key_themes (the probe)

    Bank BMO-CA (BMO):
      • 2025 Q2: key_themes (waits for the probe)

    Bank TD-CA (TD):
      • 2025 Q2: key_themes (waits for the probe)

    Deferred: 2 until an ETL that fails for everyone works again
      • key_themes, since 2026-11-03 09:00:00Z; 1 probe, 2 wait for it; its last
        error: exit code 1 - no\nmodel
    Skipped: 2
      • RY-CA/2025Q1/call_summary: by ann since 2026-11-01 08:00:00Z until
        2026-12-01 00:00:00Z: restated in \u{1b}[31mDecember
      • RY-CA/2024Q4/call_summary: by uid 1000 since 2026-11-01 08:00:00Z: nobody
        wants it
    Quarantined: 3
      • BMO-CA/2025Q1/call_summary: since 2026-11-02 10:15:00Z, too many failed runs
        in a row: exit code 1 - Connection timeout
      • BMO-CA/2024Q4/call_summary: since 2026-11-02 10:15:00Z, another attempt
        cannot help: exit code 65 -
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      • BMO-CA/2024Q3/call_summary: since 2026-11-02 10:15:00Z, three runs in a row
        died over it
      Release with: etl-orch retry BANK YEAR QUARTER ETL --reason TEXT
    Cooling down: 2
      • TD-CA/2025Q1/call_summary: until 2026-11-03 10:40:00Z: no output\nat all
      • TD-CA/2024Q4/call_summary: not ready, until 2026-11-03 10:40:00Z: transcript
        is a draft
    ================================================================================
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
fn json_has_the_same_facts() {
    let mut json: serde_json::Value = serde_json::from_str(&run_as_json(&report(plan()), &catalogue())).unwrap();
    let gates: Vec<&str> = json["jobs"].as_array().unwrap().iter().filter_map(|job| job["gate"].as_str()).collect();
    assert_eq!(gates, ["probe", "behind_probe", "behind_probe"]);
    assert_eq!((&json["schema_version"], &json["respooled"]), (&1.into(), &0.into()));
    assert_eq!(json["quarantined"][1]["error"].as_str().unwrap().len(), "exit code 65 - ".len() + 500, "programs get all of it");
    json["quarantined"][1]["error"] = "[LONG]".into();
    let of = |keys: &[&str]| keys.iter().map(|key| format!("{key}: {:#}", json[key])).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(of(&["gaps", "skipped", "quarantined", "cooling_down", "breakers"]), @r#"
    gaps: {
      "total": 8,
      "planned": 3,
      "startable": 1,
      "waiting": 0,
      "unrecorded": 0,
      "claimed": 0,
      "skipped": 2,
      "quarantined": 3,
      "cooling_down": 2,
      "behind_probe": 2,
      "deferred": 0,
      "made_again": 0
    }
    skipped: [
      {
        "gap": "RY-CA/2025Q1/call_summary",
        "by": "ann",
        "reason": "restated in \\u{1b}[31mDecember",
        "since": "2026-11-01T08:00:00Z",
        "until": "2026-12-01T00:00:00Z"
      },
      {
        "gap": "RY-CA/2024Q4/call_summary",
        "by": "uid 1000",
        "reason": "nobody wants it",
        "since": "2026-11-01T08:00:00Z",
        "until": null
      }
    ]
    quarantined: [
      {
        "gap": "BMO-CA/2025Q1/call_summary",
        "why": "failures",
        "since": "2026-11-02T10:15:00Z",
        "error": "exit code 1 - Connection timeout"
      },
      {
        "gap": "BMO-CA/2024Q4/call_summary",
        "why": "permanent",
        "since": "2026-11-02T10:15:00Z",
        "error": "[LONG]"
      },
      {
        "gap": "BMO-CA/2024Q3/call_summary",
        "why": "crashes",
        "since": "2026-11-02T10:15:00Z",
        "error": null
      }
    ]
    cooling_down: [
      {
        "gap": "TD-CA/2025Q1/call_summary",
        "why": "failed",
        "since": "2026-11-03T10:00:00Z",
        "until": "2026-11-03T10:40:00Z",
        "error": "no output\\nat all"
      },
      {
        "gap": "TD-CA/2024Q4/call_summary",
        "why": "not_ready",
        "since": "2026-11-03T10:00:00Z",
        "until": "2026-11-03T10:40:00Z",
        "error": "not ready - transcript is a draft"
      }
    ]
    breakers: [
      {
        "etl": "key_themes",
        "since": "2026-11-03T09:00:00Z",
        "probe": "RY-CA/2025Q2/key_themes",
        "waiting": 2,
        "error": "exit code 1 - no\\nmodel"
      }
    ]
    "#);
}

#[test]
fn gaps_count_even_if_all_of_them_rest() {
    let resting = Plan { jobs: Vec::new(), breakers: Vec::new(), skipped: Listed::default(), ..plan() };
    assert!(text(&report(resting)).starts_with("📋 GAPS IDENTIFIED: 5 missing reports, none to be made now\n"));
    let busy = Plan { jobs: vec![job(0, Gate::Open)], ..plan() };
    assert!(text(&report(busy)).starts_with("📋 GAPS IDENTIFIED: 6 missing reports\n"));
}

#[test]
fn a_skipped_gap_counts_neither_as_missing_nor_as_existing() {
    let only = |existing, skipped, invalid_rows| {
        let mut plan = plan_of(Vec::new(), Vec::new());
        plan.existing = existing;
        plan.skipped = listed(vec![(key("RY-CA/2025Q1/call_summary"), skip("ann", "no", None)); skipped]);
        plan.data_issues.invalid_rows = invalid_rows;
        let text = run_as_text(&report(plan), &catalogue());
        text.lines().find(|line| line.contains("NO ")).unwrap().to_owned()
    };
    assert_eq!(only(3, 0, 0), "✅ NO GAPS: all 3 reports that the data allows for exist");
    assert_eq!(only(3, 1, 0), "NO GAPS: 3 reports exist, 1 is skipped");
    assert_eq!(only(0, 2, 0), "NO GAPS: 0 reports exist, 2 are skipped");
    assert_eq!(only(1, 2, 3), "NO GAPS in the rows that could be read: 1 report exists, 2 are skipped; 3 rows");
    assert_eq!(only(0, 0, 0), "NO DATA: no monitored bank has the required data");
}

#[test]
fn an_etl_that_fails_for_everyone_may_have_no_probe() {
    let breakers = vec![
        BreakerPlan { etl: 0, since: at("03T09:00"), probe: None, behind: 1, error: None },
        BreakerPlan { etl: 1, since: at("03T09:00"), probe: Some(0), behind: 0, error: None },
    ];
    let plan = Plan { breakers, ..plan_of(vec![job(0, Gate::Probe)], Vec::new()) };
    let text = text(&report(plan));
    assert!(text.contains("Deferred: 1 until an ETL that fails for everyone works again\n"), "{text}");
    assert!(text.contains("  • call_summary, since 2026-11-03 09:00:00Z; no probe is possible now, 1 waits\n    for it\n"), "{text}");
    assert!(text.contains("  • key_themes, since 2026-11-03 09:00:00Z; 1 probe\n"), "{text}");
}

#[test]
fn ends_recorded_from_the_spool_are_counted_and_noteworthy() {
    let dry = RunSummary { respooled: 1, ..report(plan_of(Vec::new(), Vec::new())) };
    assert!(run_as_text(&dry, &catalogue()).contains("\nTo be recorded from the spool: 1 attempt\n"));
    let run = RunSummary { respooled: 2, run: Some(crate::plan::model::ids::RunId::new(uuid::Uuid::nil())), ..dry.clone() };
    assert!(run_as_text(&run, &catalogue()).contains("\nRecorded from the spool: 2 attempts\n"));
    assert!(run.is_noteworthy());
    let unchanged = report(Plan { jobs: Vec::new(), breakers: Vec::new(), ..plan() });
    assert!(!unchanged.is_noteworthy(), "what rests, is quarantined or skipped was told before");
}

#[test]
fn an_end_that_waits_in_the_spool_is_named_with_its_reason_and_the_way_out() {
    let why = "recording the end of a job: not this one\n";
    let end = UnrecordedEnd { job: JobId::new(uuid::Uuid::nil()), why: why.to_owned() };
    let gap = key("RY-CA/2025Q1/call_summary");
    let left = vec![LeftEnd { gap: gap.clone(), path: "/srv/var/spool/a.json".into(), why: why.to_owned() }];
    let waiting = Plan { unrecorded: listed(vec![(gap, end)]), ..plan_of(Vec::new(), Vec::new()) };
    insta::assert_snapshot!(text(&RunSummary { left, ..report(waiting) }), @r#"
    📋 GAPS IDENTIFIED: 1 missing report
    --------------------------------------------------------------------------------

    Ended, but not on record: 1
      • RY-CA/2025Q1/call_summary: its end waits in the spool (job 00000000):
        recording the end of a job: not this one\n

    Warnings:
      ⚠ the end of 1 job waits in /srv/var/spool until the database takes it:
        RY-CA/2025Q1/call_summary: recording the end of a job: not this one\n; to
        give one up, `etl-orch retry GAP --reason TEXT` has the work done again, and
        `etl-orch cancel JOB --reason TEXT` leaves the gap alone
    ================================================================================
    "#);
}
