use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::plan::decide::coverage::ReportState;
use crate::plan::model::gap::Gap;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::institution::Institutions;
use crate::plan::model::job::{JobState, RunCounts, RunState};
use crate::plan::model::said::Metric;
use crate::plan::remember::past::PastAttempt;
use crate::plan::test_support::{bank, etl};

const HOSTILE: &str = "</pre><script>alert('x')</script>\u{202e}\"&";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn catalogue(banks: usize) -> Catalogue {
    let banks = (0..banks).map(|n| bank(&format!("B{n}-CA"), 1 + i64::try_from(n).unwrap())).collect();
    let etls = ["call_summary", "key_themes", "cm_readthrough", "ratios"];
    Catalogue { institutions: Institutions::new(banks), etls: etls.iter().map(|name| etl(name, name)).collect(), sources: Vec::new() }
}

fn periods(years: std::ops::Range<u16>) -> impl Iterator<Item = Period> {
    years.flat_map(|year| ["Q1", "Q2", "Q3", "Q4"].map(|quarter| format!("{year}{quarter}").parse().unwrap()))
}

/// It failed once and, where its number is a multiple of seven, for good.
fn job(n: usize, run: RunId, catalogue: &Catalogue) -> PastJob {
    let (seconds, is_bad) = (i64::try_from(n).unwrap(), n.is_multiple_of(7));
    let attempt = |n: u32, outcome: &str| PastAttempt {
        n,
        outcome: Some(outcome.to_owned()),
        number: None,
        error: Some(HOSTILE.to_owned()),
        log: format!("/var/{HOSTILE}/{n}.log"),
        remote_id: None,
        started_at: at(seconds + i64::from(n) * 5),
        ended_at: Some(at(seconds + i64::from(n) * 5 + 4)),
        duration_ms: Some(4000),
    };
    PastJob {
        id: JobId::new(Uuid::from_u128(n as u128)),
        run,
        gap: format!("{}/2026Q4/call_summary", catalogue.institutions.get(n).key).parse().unwrap(),
        window: None,
        state: if is_bad { JobState::Failed } else { JobState::Succeeded },
        forced: false,
        error: is_bad.then(|| HOSTILE.to_owned()),
        queued_at: at(0),
        started_at: Some(at(seconds)),
        ended_at: Some(at(seconds + 10)),
        metrics: Vec::new(),
        attempts: vec![attempt(1, "exit_code"), attempt(2, if is_bad { "exit_code" } else { "succeeded" })],
    }
}

/// A run of a job for each of the first banks.
fn facts(catalogue: &Catalogue) -> ReportFacts {
    let banks = catalogue.institutions.len();
    let mut coverage = Coverage::new(0..banks, (0..catalogue.etls.len()).collect());
    for bank in 0..banks {
        for period in periods(2017..2027) {
            (0..catalogue.etls.len()).for_each(|etl| coverage.note(Gap { bank, period, etl }, ReportState::Made));
        }
        if bank.is_multiple_of(7) {
            coverage.note(Gap { bank, period: "2026Q4".parse().unwrap(), etl: 0 }, ReportState::Quarantined);
        }
    }
    let run = |n: i64| PastRun {
        id: RunId::new(Uuid::from_u128(n.unsigned_abs().into())),
        state: if n % 9 == 8 { RunState::Failed } else { RunState::Succeeded },
        host: HOSTILE.to_owned(),
        pid: 1,
        version: "1".to_owned(),
        options: serde_json::Value::Null,
        started_at: at(-900 * n),
        ended_at: Some(at(-900 * n + 60)),
        counts: Some(RunCounts { planned: if n == 0 { 14 } else { 0 }, succeeded: 12, failed: 2, ..RunCounts::default() }),
        metrics: Vec::new(),
        capped: 0,
    };
    let runs: Vec<PastRun> = (0..500).map(run).collect();
    let last_jobs: Vec<PastJob> = (0..banks.min(14)).map(|n| job(n, runs[0].id, catalogue)).collect();
    let failures = last_jobs.iter().filter(|job| job.state == JobState::Failed).cloned();
    let failures = failures.map(|job| FailedJob { job, last_lines: Some(format!("one\n{HOSTILE}\nthree")) }).collect();
    let day = |n: i64, etl: &str| DayOfWork {
        day: (at(0) - chrono::TimeDelta::days(30 - n)).date_naive(),
        filled_by: etl.to_owned(),
        succeeded: 14,
        total: Duration::from_secs(14 * n.unsigned_abs()),
        longest: Duration::from_secs(90),
    };
    let work = (1..=30).flat_map(|n| ["call_summary", HOSTILE].map(|etl| day(n, etl))).collect();
    let cost = DayMetric { day: at(0).date_naive(), metric: Metric { name: HOSTILE.to_owned(), value: 12.5 } };
    ReportFacts {
        now: at(60),
        host: "h<o>st".to_owned(),
        coverage,
        sources: Vec::new(),
        runs,
        last_jobs,
        failures,
        work,
        metrics: vec![cost],
    }
}

#[test]
fn nothing_from_outside_is_markup() {
    let catalogue = catalogue(14);
    let page = ReportView::new(&facts(&catalogue), &catalogue).html();
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains("h<o>st"));
    assert!(page.contains("&lt;/pre&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{202e}&quot;&amp;"));
    assert!(!page.contains(" style=") && !page.contains(" onclick="), "the policy allows no other style than the page's own");
}

#[test]
fn every_cell_that_failed_leads_to_its_failure() {
    let catalogue = catalogue(14);
    let facts = facts(&catalogue);
    let page = ReportView::new(&facts, &catalogue).html();
    for failed in &facts.failures {
        let id = failed.job.id;
        assert_eq!(page.matches(&format!("<a href=\"#job-{id}\"")).count(), 1, "{id}");
        assert_eq!(page.matches(&format!(" id=\"job-{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn a_page_of_very_many_banks_shows_those_that_lack_most_and_stays_small() {
    let catalogue = catalogue(2000);
    let page = ReportView::new(&facts(&catalogue), &catalogue).html();
    assert!(page.len() < 1024 * 1024, "{}", page.len());
    assert!(page.contains("1,975 more banks not shown"));
    assert!(page.contains(">B0<span") && !page.contains(">B1<span"));
}

#[test]
fn a_page_of_nothing_says_so() {
    let catalogue = Catalogue::default();
    let facts = ReportFacts {
        now: at(0),
        host: String::new(),
        coverage: Coverage::new([], Vec::new()),
        sources: Vec::new(),
        runs: Vec::new(),
        last_jobs: Vec::new(),
        failures: Vec::new(),
        work: Vec::new(),
        metrics: Vec::new(),
    };
    let page = ReportView::new(&facts, &catalogue).html();
    for text in ["no data for any report", "No sources are configured", "No run on record", "Nothing has failed", "Nothing was made"] {
        assert!(page.contains(text), "{text}");
    }
}
