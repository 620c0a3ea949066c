use std::time::Duration;

use chrono::{DateTime, Utc};

use super::*;
use crate::plan::model::collection::{Collected, Seen};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{AttemptEnd, ReportKey, ReportRow};
use crate::plan::model::outcome::{Fault, Outcome};
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{FailureHistory, Quarantine, QuarantineReason, Rest, RestReason};
use crate::plan::remember::fingerprint::Fingerprint;

const RUN: &str = "7d0d5c1e-4b0e-4c39-9a4e-0c1b5f1f6a10";

fn at() -> DateTime<Utc> {
    "2026-03-01T10:15:30.123456Z".parse().unwrap()
}

fn attempt(outcome: Outcome) -> AttemptEnd {
    AttemptEnd { attempt: 2, outcome, ended_at: at(), duration_ms: 1234, tail: "last line\n\"quoted\"".to_owned(), pid: Some(4711) }
}

fn claim(number: u32) -> Claim {
    Claim { job: JobId::parse(&format!("7d0d5c1e-4b0e-4c39-9a4e-0c1b5f1f6a{number:02}")).unwrap(), fence: 3 }
}

fn history() -> FailureHistory {
    FailureHistory {
        failed_runs: 8,
        probes: 1,
        refunded: 2,
        not_ready: 0,
        lost: 1,
        rest: Some(Rest { since: at(), until: at() + Duration::from_secs(600), why: RestReason::Failed }),
        quarantine: Some(Quarantine { since: at(), why: QuarantineReason::Failures }),
        released: true,
        fingerprint: Some(Fingerprint { sources: "ab12".into(), etl: "cd34".into() }),
        error: Some("exit code 3 - boom".into()),
    }
}

fn key() -> ReportKey {
    ReportKey { bank_id: 1, period: "2025Q2".parse().unwrap(), report_type: "Call Summary".into(), other_types: Vec::new() }
}

fn row() -> ReportRow {
    ReportRow {
        key: key(),
        report_name: "Call Summary - Royal Bank of Canada 2025 Q2".into(),
        report_description: "d".into(),
        bank_name: "Royal Bank of Canada".into(),
        bank_symbol: "RY".into(),
        local_filepath: "/srv/reports/2025Q2/RY.md".into(),
        // The text stays in the report's file.
        markdown_content: None,
        generation_date: at(),
        generated_by: "etl-orch 0.1.0".into(),
        execution_id: RunId::parse(RUN).unwrap(),
        metadata: serde_json::json!({"job_id": claim(1).job, "attempt": 2, "etl": "call_summary", "sources": ["transcripts"]}),
    }
}

fn collected() -> Collected {
    Collected {
        source: "us_house".into(),
        window: Window { start: "2026-03-01T00:00:00Z".parse().unwrap(), end: "2026-03-01T06:00:00Z".parse().unwrap() },
        seen: Seen::Verified,
        records: Some(7),
        message: Some("Completed: 7 transactions".into()),
    }
}

/// The files of format 1, and what they say.
fn format_1() -> Vec<(&'static str, Record)> {
    let report = || -> GapKey { "RY-CA/2025Q2/call_summary".parse().unwrap() };
    let record = |number, gap, end| Record { claim: claim(number), gap, remote_id: None, staged: None, end };
    let succeeded = |artifact| JobEnd::Succeeded { attempt: attempt(Outcome::Succeeded), artifact };
    let cancelled = |attempt, reason: &str| JobEnd::Cancelled { attempt, reason: reason.into(), at: at() };
    let uncertain = Outcome::ReportedError { why: "no answer".into(), fault: Fault::Uncertain, exit: None };
    let no_room = Outcome::SpawnFailed { why: "no room".into(), may_pass: true };
    let failed = |outcome, error: &str, history| JobEnd::Failed { attempt: attempt(outcome), error: error.into(), history };
    vec![
        (include_str!("format1/succeeded.json"), record(1, report(), succeeded(Artifact::Report))),
        (include_str!("format1/succeeded-with-row.json"), record(2, report(), succeeded(Artifact::ReportRow(Box::new(row()))))),
        (
            include_str!("format1/collected.json"),
            record(3, GapKey::source("us_house"), succeeded(Artifact::Collection(Box::new(collected())))),
        ),
        (
            include_str!("format1/unverified.json"),
            record(4, report(), JobEnd::Unverified { attempt: attempt(Outcome::Succeeded), report: key(), before: Some("1a2b".into()) }),
        ),
        (include_str!("format1/failed.json"), record(5, report(), failed(Outcome::ExitCode(3), "exit code 3 - boom", history()))),
        (
            include_str!("format1/failed-followed.json"),
            Record {
                remote_id: Some("remote-17".into()),
                ..record(6, GapKey::source("us_house"), failed(uncertain, "no answer", FailureHistory::default()))
            },
        ),
        (
            include_str!("format1/skipped.json"),
            record(
                7,
                report(),
                JobEnd::Skipped { attempt: attempt(Outcome::NotReady(66)), reason: "not ready - no input".into(), history: history() },
            ),
        ),
        (
            include_str!("format1/cancelled.json"),
            record(8, report(), cancelled(Some(attempt(Outcome::TimedOut(Duration::from_millis(3_600_500)))), "interrupted")),
        ),
        (include_str!("format1/cancelled-between-attempts.json"), record(9, report(), cancelled(None, "the run was stopped"))),
        (
            include_str!("format1/cancelled-not-started.json"),
            record(10, report(), cancelled(Some(attempt(no_room)), "could not be started: no room")),
        ),
    ]
}

#[test]
fn files_of_format_1_are_still_read() {
    for (text, expected) in format_1() {
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }
}

#[test]
fn what_is_kept_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(directory(dir.path())).unwrap();
    let spool = Spool::reserve(dir.path(), RunId::parse(RUN).unwrap(), 1).unwrap();
    let records: Vec<Record> = format_1().into_iter().map(|(_, record)| record).collect();
    for record in &records {
        spool.keep(record, None).unwrap();
        spool.refill().unwrap();
    }
    assert_eq!(claims(dir.path()).unwrap(), records.iter().map(|record| record.claim).collect());
    drop(spool);
    assert_eq!(fs::read_dir(directory(dir.path())).unwrap().count(), records.len(), "no space stays set aside");
    let mut found: Vec<Record> = entries(dir.path()).unwrap().into_iter().map(|entry| entry.record.unwrap()).collect();
    found.sort_by_key(|record| record.claim.job);
    let mut records = records;
    records.sort_by_key(|record| record.claim.job);
    assert_eq!(found, records);
}

#[test]
fn a_later_format_is_refused() {
    let error = parse(br#"{"version":3,"record":{}}"#).unwrap_err();
    assert_eq!(error, "its format is version 3, and this etl-orch reads versions 1 to 2");
}

#[test]
fn an_entry_that_cannot_be_read_still_has_its_claim_and_why_it_was_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(directory(dir.path())).unwrap();
    let path = directory(dir.path()).join(format!("{}-3-2.json", claim(1).job));
    fs::write(&path, "{").unwrap();
    note_refusal(&path, Some("not this one"));
    let entry = &entries(dir.path()).unwrap()[0];
    assert!(entry.record.is_err());
    assert_eq!((entry.claim, entry.refusal.as_deref()), (Some(claim(1)), Some("not this one")));
    remove(entry).unwrap();
    assert_eq!(fs::read_dir(directory(dir.path())).unwrap().count(), 0);
}

#[test]
fn a_spool_that_is_no_directory_is_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(entries(dir.path()).unwrap().is_empty());
    fs::write(directory(dir.path()), "").unwrap();
    assert!(entries(dir.path()).is_err() && claims(dir.path()).is_err());
}
