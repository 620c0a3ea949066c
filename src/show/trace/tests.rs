use super::*;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{JobState, RunCounts, RunState};
use crate::plan::model::said::{Metric, Records, StageState};
use crate::plan::remember::past::PastRun;
use crate::plan::remember::trace::fixture::{at, attempt, facts, good, job, stage};
use crate::plan::remember::trace::usual::Usual;
use crate::plan::remember::trace::{JobFacts, Output, Publication};
use crate::show::View;
use uuid::Uuid;

fn run(state: RunState) -> PastRun {
    PastRun {
        id: good().job.run,
        state,
        host: "etl-1".to_owned(),
        pid: 4242,
        version: "1.2.3".to_owned(),
        options: serde_json::json!({"bank_symbol": ["RY"], "force": true}),
        started_at: at(-500),
        ended_at: (state != RunState::Running).then(|| at(50_000)),
        counts: (state != RunState::Running).then(|| RunCounts { planned: 2, succeeded: 1, failed: 1, ..RunCounts::default() }),
        metrics: Vec::new(),
        capped: 0,
    }
}

/// A job of the users' pipeline, whose first attempt failed.
fn pipeline() -> JobFacts {
    let attempts = vec![attempt(1, Some("exit_code"), 200, Some(1200)), attempt(2, Some("succeeded"), 6200, Some(51_400))];
    let mut facts = facts(job(JobState::Succeeded, attempts));
    let mut seen = 6200;
    let stages = [
        ("Snowflake Query", 3200, Some(245), None, &[][..]),
        ("Pre-filtering", 0, Some(245), Some(198), &[]),
        ("idiCORE Enrichment", 28_500, None, Some(198), &[]),
        ("CCC Litigator Check", 6100, None, None, &[("phones checked", 594), ("flagged", 12)]),
        ("DNC Check", 2300, None, None, &[("phones checked", 594), ("in DNC", 45)]),
        ("Results Upload", 5100, None, Some(198), &[]),
    ];
    for (name, took, read, written, counts) in stages {
        let mut stage = stage(2, name, StageState::Complete, seen, Some(seen + took));
        let rejected = read.zip(written).map(|(read, written): (u64, u64)| read - written);
        stage.stage.records = Records { read, written, rejected, estimate: None };
        stage.stage.counts = counts.iter().map(|(name, count): &(&str, u64)| ((*name).to_owned(), *count)).collect();
        facts.stages.push(stage);
        seen += took;
    }
    facts.job.metrics = vec![Metric { name: "llm_cost_usd".to_owned(), value: 0.25 }];
    facts.job.forced = true;
    facts.publication = Some(Publication::Done);
    facts
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
fn a_job_has_the_layout_of_its_users() {
    insta::assert_snapshot!(JobTraceView::new(&pipeline(), Some(&run(RunState::Failed))).text(), @r"
    ============================================
    ETL JOB TRACE: 00000000-0000-0000-0000-000000000001
    ============================================

    Job Info:
      Status: succeeded
      Gap: RY-CA/2025Q2/key_themes
      Created: 1970-01-01 00:00:00Z
      Started: 1970-01-01 00:00:00Z
      Completed: 1970-01-01 00:00:51Z
      Duration: 51.2s
      Run: 00000000, on etl-1 (run --bank-symbol RY --force)
      Forced: yes
      Metrics: llm_cost_usd 0.2500
      Log: /logs/2.log

    Pipeline Trace:
      [OK] Job Created - planned by run 00000000, forced
      [OK] Job Started - after 200ms in the queue, on etl-1
      [FAIL] Attempt 1 - error of exit_code (1s)
      [OK] Wait - 5s, before attempt 2
      [OK] Attempt 2 - reported success (45.2s)
      [OK] Snowflake Query - 245 read (3.2s)
      [OK] Pre-filtering - 245 read -> 198 written, 47 rejected (0ms)
      [OK] idiCORE Enrichment - 198 written (28.5s)
      [OK] CCC Litigator Check - 594 phones checked, 12 flagged (6.1s)
      [OK] DNC Check - 594 phones checked, 45 in DNC (2.3s)
      [OK] Results Upload - 198 written (5.1s)
      [OK] Verification - its report was seen
      [OK] Publication - its row is written, its file in its place
      [OK] Job Complete - Success

    Performance:
      Total Duration: 51.2s
      Attempt 1: 1s
      Wait before attempt 2: 5s
      Snowflake Query (attempt 2): 3.2s
      Pre-filtering (attempt 2): 0ms
      idiCORE Enrichment (attempt 2): 28.5s (bottleneck) 56%
      CCC Litigator Check (attempt 2): 6.1s
      DNC Check (attempt 2): 2.3s
      Results Upload (attempt 2): 5.1s

    Data Flow:
      Snowflake Query (attempt 2): 245 read
      Pre-filtering (attempt 2): 245 read -> 198 written, 47 rejected
      idiCORE Enrichment (attempt 2): 198 written
      CCC Litigator Check (attempt 2): 594 phones checked, 12 flagged
      DNC Check (attempt 2): 594 phones checked, 45 in DNC
      Results Upload (attempt 2): 198 written

    Timeline:
      T+0.0s    Job created
      T+0.2s    Job started
      T+0.2s    Attempt 1 began
      T+1.2s    Attempt 1: error of exit_code
      T+6.2s    Attempt 2 began
      T+6.2s    Snowflake Query began
      T+9.4s    Snowflake Query ended: 245 read
      T+9.4s    Pre-filtering began
      T+9.4s    Pre-filtering ended: 245 read -> 198 written, 47 rejected
      T+9.4s    idiCORE Enrichment began
      T+37.9s   idiCORE Enrichment ended: 198 written
      T+37.9s   CCC Litigator Check began
      T+44.0s   CCC Litigator Check ended: 594 phones checked, 12 flagged
      T+44.0s   DNC Check began
      T+46.3s   DNC Check ended: 594 phones checked, 45 in DNC
      T+46.3s   Results Upload began
      T+51.4s   Results Upload ended: 198 written
      T+51.4s   Attempt 2: reported success
      T+51.4s   Job succeeded

    Issues Found:
      retried: 2 attempts were made
      not checked: durations and records against earlier successes: none is on record

    ============================================
    ");
}

#[test]
fn a_job_of_which_all_is_well_has_no_issues() {
    let facts = good();
    let text = JobTraceView::new(&facts, None).text();
    assert!(text.contains("\nIssues Found:\n  None\n"), "{text}");
    assert!(text.contains("  Run: 00000000, no longer on record\n"), "{text}");
}

#[test]
fn a_running_job_is_shown_so_far() {
    let mut facts = facts(job(JobState::Running, vec![attempt(1, None, 1000, None)]));
    facts.stages = vec![stage(1, "Query", StageState::Running, 2000, None)];
    facts.outputs = vec![Output::UnderWay];
    insta::assert_snapshot!(JobTraceView::new(&facts, Some(&run(RunState::Running))).text(), @r"
    ============================================
    ETL JOB TRACE: 00000000-0000-0000-0000-000000000001
    ============================================

    Job Info:
      Status: running
      Gap: RY-CA/2025Q2/key_themes
      Created: 1970-01-01 00:00:00Z
      Started: 1970-01-01 00:00:01Z
      Completed: not yet
      Duration: 59s so far
      Run: 00000000, on etl-1 (run --bank-symbol RY --force)
      Log: /logs/1.log

    Pipeline Trace:
      [OK] Job Created - planned by run 00000000
      [OK] Job Started - after 1s in the queue, on etl-1
      [RUN] Attempt 1 - under way (59s)
      [RUN] Query - under way, 5 read -> 4 written, 1 rejected (58s)
      [RUN] Job Running - 59s so far

    Performance:
      Total Duration: 59s so far
      Query: 58s (bottleneck) 98%
      Outside of stages: 1s

    Data Flow:
      Query: 5 read -> 4 written, 1 rejected

    Timeline:
      T+0.0s    Job created
      T+1.0s    Job started
      T+1.0s    Attempt 1 began
      T+2.0s    Query began

    Issues Found:
      none in what was checked
      not checked: durations and records against earlier successes: none is on record

    ============================================
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
fn every_kind_of_trouble_has_its_mark_and_its_sentence() {
    let attempts = vec![
        attempt(1, Some("reported_error"), 1000, Some(2000)),
        attempt(2, Some("no_output"), 3000, Some(4000)),
        attempt(3, Some("lost"), 5000, None),
    ];
    let mut facts = facts(job(JobState::Lost, attempts));
    let odd = Records { read: Some(5), written: Some(3), rejected: None, estimate: None };
    facts.stages = vec![
        stage(1, "Slow", StageState::Complete, 1000, Some(1900)),
        stage(1, "Open", StageState::Started, 1950, None),
        stage(2, "Half", StageState::Incomplete, 3000, Some(3100)),
        stage(2, "Empty", StageState::Complete, 3100, Some(3200)),
    ];
    facts.stages[2].stage.records = odd;
    facts.stages[3].stage.records = Records::default();
    facts.warn_after = Some(std::time::Duration::from_millis(899));
    facts.outputs = vec![Output::LeftOut(12_345), Output::Missing, Output::Unknown("is on another host".to_owned())];
    facts.job.ended_at = Some(at(6000));
    let before = good();
    let mut stages = vec![stage(1, "Empty", StageState::Complete, 0, Some(100)), stage(1, "Half", StageState::Complete, 0, Some(100))];
    for stage in &mut stages {
        stage.job = before.job.id;
    }
    facts.usual = Usual::new(&[&before.job], &stages);
    insta::assert_snapshot!(JobTraceView::new(&facts, None).text(), @r"
    ============================================
    ETL JOB TRACE: 00000000-0000-0000-0000-000000000001
    ============================================

    Job Info:
      Status: lost
      Gap: RY-CA/2025Q2/key_themes
      Created: 1970-01-01 00:00:00Z
      Started: 1970-01-01 00:00:01Z
      Completed: unknown, as its run died; a later run noticed it at 1970-01-01 00:00:06Z
      Duration: at least 4s, as far as it is on record
      Run: 00000000, no longer on record
      Log: /logs/3.log

    Pipeline Trace:
      [OK] Job Created - planned by run 00000000
      [OK] Job Started - after 1s in the queue
      [FAIL] Attempt 1 - error of reported_error (1s)
      [WARN] Slow - 5 read -> 4 written, 1 rejected (900ms)
      [FAIL] Open - did not end, 5 read -> 4 written, 1 rejected (50ms)
      [OK] Wait - 1s, before attempt 2
      [WARN] Attempt 2 - reported success (1s)
      [FAIL] Half - incomplete, 5 read -> 3 written (100ms)
      [WARN] Empty (100ms)
      [FAIL] Verification - after attempt 2: error of no_output
      [OK] Wait - 1s, before attempt 3
      [FAIL] Attempt 3 - error of lost
      [FAIL] Job Lost

    Performance:
      Total Duration: unknown, as the run died; its parts took at least
      Slow (attempt 1): 900ms
      Open (attempt 1): 50ms
      Outside of stages (attempt 1): 50ms
      Wait before attempt 2: 1s
      Half (attempt 2): 100ms
      Empty (attempt 2): 100ms
      Outside of stages (attempt 2): 800ms
      Wait before attempt 3: 1s

    Data Flow:
      Slow (attempt 1): 5 read -> 4 written, 1 rejected
      Open (attempt 1): 5 read -> 4 written, 1 rejected
      Half (attempt 2): 5 read -> 3 written

    Timeline:
      T+0.0s    Job created
      T+1.0s    Job started
      T+1.0s    Attempt 1 began
      T+1.0s    Slow began
      T+1.9s    Slow ended: 5 read -> 4 written, 1 rejected
      T+1.9s    Open began
      T+2.0s    Attempt 1: error of reported_error
      T+3.0s    Attempt 2 began
      T+3.0s    Half began
      T+3.1s    Half ended: 5 read -> 3 written
      T+3.1s    Empty began
      T+3.2s    Empty ended
      T+4.0s    Attempt 2: reported success
      T+5.0s    Attempt 3 began
      T+5.0s    The last that is on record; its run died

    Issues Found:
      lost: its run died before it ended
      retried: 3 attempts were made
      attempt 1 reported an error: error of reported_error
      Slow took 900ms, longer than warn_after (899ms)
      Open began and did not end
      the log of attempt 1 lacks 12,345 bytes, as logs are limited
      Half ended incomplete
      Half read 5, wrote 3 and did not say how many it rejected: 2 are missing
      Empty did not say how many records it had, while 1 of the last successes had some
      the log of attempt 2 is not there: /logs/2.log
      not checked: Open against earlier successes: none had this stage
      not checked: the log of attempt 3: it is on another host

    ============================================
    ");
}

#[test]
fn a_run_has_its_chains_and_the_issues_of_its_jobs() {
    let failed = |n: u128, gap: &str, start: i64, end: i64| {
        let mut facts = facts(job(JobState::Failed, vec![attempt(1, Some("exit_code"), start, Some(end))]));
        facts.job.id = JobId::new(Uuid::from_u128(n << 96));
        facts.job.gap = gap.parse().unwrap();
        facts.job.error = Some("exit code 3".to_owned());
        facts
    };
    let mut good = good();
    good.job.id = JobId::new(Uuid::from_u128(1 << 96));
    let mut queued = failed(4, "TD-CA/2025Q1/key_themes", 0, 0);
    (queued.job.state, queued.job.started_at, queued.job.error) = (JobState::Cancelled, None, Some("the run was stopped".to_owned()));
    queued.job.attempts.clear();
    let jobs = [queued, failed(2, "TD-CA/2025Q2/key_themes", 2500, 9000), good];
    insta::assert_snapshot!(RunTraceView::new(&run(RunState::Failed), &jobs, at(60_000)).text(), @r"
    ============================================
    ETL RUN TRACE: 00000000-0000-0000-0000-000000000002
    ============================================

    Run Info:
      Status: failed
      Started: 1969-12-31 23:59:59Z
      Completed: 1970-01-01 00:00:50Z
      Duration: 50.5s
      Host: etl-1, process 4242
      Version: 1.2.3
      Command: run --bank-symbol RY --force
      Jobs: 1 of 2 made, 1 failed

    Pipeline Trace:
      RY-CA
        [OK] T+1.5s RY-CA/2025Q2/key_themes (00000001) - succeeded (1s)
      TD-CA
        [FAIL] T+3.0s TD-CA/2025Q2/key_themes (00000002) - failed (6.5s)
        [SKIP] TD-CA/2025Q1/key_themes (00000004) - cancelled

    Performance:
      Total Duration: 50.5s
      RY-CA: 1s
      TD-CA: 6.5s (bottleneck) 13%

    Issues Found:
      TD-CA/2025Q2/key_themes (00000002): failed: exit code 3
      TD-CA/2025Q1/key_themes (00000004): cancelled: the run was stopped
      not checked: durations and records against earlier successes: none is on record (1 job)
      not checked: records: nothing was counted (1 job)

    ============================================
    ");
}
