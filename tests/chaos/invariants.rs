//! What must be true once a scene has converged, whatever the faults were.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::archive;
use crate::frontiers;
use crate::marks::{Mark, MarkKind};
use crate::processes::assert_none_alive;
use crate::scene::Scene;
use crate::sources::BY_SERVICE;
use crate::support::Kind;

/// An attempt on record, with its job.
struct Attempt {
    gap: String,
    fence: String,
    run: String,
    outcome: String,
}

/// Checks all invariants.
pub(crate) fn hold(scene: &mut Scene) {
    nothing_is_left_running(scene);
    every_report_is_there_once(scene);
    the_marks_agree_with_the_records(scene);
    frontiers::hold(scene);
    archive::hold(scene);
    scene.printed.hold(scene.world());
    the_state_directory_is_clean(scene);
    no_workspace_is_left(scene);
    the_database_is_sound(scene);
    let count = |scene: &Scene, sql: &str| scene.sql(sql)[0].parse().expect("a count");
    scene.tally.jobs = count(scene, "SELECT count(*) FROM etl_jobs");
    scene.tally.lost = count(scene, "SELECT count(*) FROM etl_jobs WHERE state = 'lost'");
    scene.tally.successes = scene.printed.count();
    scene.tally.reports = scene.reports().len() as u64;
    let starts = Mark::read(&scene.world().read("marks")).into_iter().filter(|mark| mark.kind == MarkKind::Start);
    let gaps: Vec<_> = starts.map(|mark| mark.gap).collect();
    scene.tally.repeats = (gaps.len() - gaps.iter().collect::<HashSet<_>>().len()) as u64;
}

fn nothing_is_left_running(scene: &Scene) {
    assert_none_alive(scene.tag());
    assert_eq!(scene.daemons(), "", "daemons are left");
    let none: [&str; 0] = [];
    assert_eq!(scene.sql("SELECT id, gap_key, state FROM etl_jobs WHERE state IN ('queued', 'running')"), none, "jobs are left open");
    assert_eq!(scene.sql("SELECT id, state FROM etl_runs WHERE state = 'running'"), none, "runs are left open");
}

/// No gap in these scenarios fails permanently.
pub(crate) fn quarantine_has_a_cause(scene: &Scene) {
    let without = scene.sql(
        "SELECT gap_key, quarantine_reason, failed_runs, lost FROM gap_states WHERE quarantined_at IS NOT NULL AND NOT \
         (quarantine_reason = 'crashes' AND lost >= 3 OR quarantine_reason = 'failures' AND failed_runs >= 8)",
    );
    assert_eq!(without, [""; 0], "quarantined without cause");
}

/// Each gap has one row and, where etl-orch publishes the report, one file; the job that succeeded made both.
fn every_report_is_there_once(scene: &Scene) {
    let rows = scene.sql(
        "SELECT bank_symbol, fiscal_year, quarter, report_type, markdown_content FROM aegis_reports \
         ORDER BY bank_symbol, fiscal_year, quarter, report_type",
    );
    let mut contents = BTreeMap::new();
    for row in &rows {
        let (key, content) = row.rsplit_once('|').expect("columns");
        let twice = contents.insert(key.to_owned(), content.to_owned());
        assert_eq!(twice, None, "two rows of one report: {rows:?}");
    }
    let succeeded = scene.sql("SELECT gap_key, id FROM etl_jobs WHERE state = 'succeeded'");
    let mut makers: HashMap<&str, Vec<&str>> = HashMap::new();
    for (gap, job) in succeeded.iter().filter_map(|row| row.split_once('|')) {
        makers.entry(gap).or_default().push(job);
    }
    let mut files: BTreeSet<String> = scene.shell("find reports -type f").lines().map(str::to_owned).collect();
    for report in scene.reports() {
        let gap = report.gap();
        let key = format!("{}|{}|Q{}|{}", report.symbol(), report.year, report.quarter, report.report_type);
        let content = contents.remove(&key).unwrap_or_else(|| panic!("no row of {gap}"));
        let made: Vec<_> = content.split(' ').collect();
        assert_eq!(made[0], gap, "the row belongs to another gap");
        let makers = makers.remove(gap.as_str()).unwrap_or_default();
        if report.etl == "call_summary" {
            // The row is written with the success, in one transaction.
            assert_eq!(makers, [made[1]], "the jobs that succeeded over {gap}, and the one that its row is of");
            let file = format!("reports/{}Q{}/{}.md", report.year, report.quarter, report.bank);
            assert!(files.remove(&file), "no file of {gap}");
            assert_eq!(scene.world().read(&file).trim(), content, "the file and the row of {gap}");
        } else {
            // An ETL that is killed after it wrote its row has filled the gap without a success.
            assert!(makers.len() <= 1, "{gap} was filled more than once: {makers:?}");
        }
    }
    assert!(contents.is_empty(), "unexpected rows: {contents:?}");
    assert!(files.is_empty(), "unexpected files: {files:?}");
}

fn the_marks_agree_with_the_records(scene: &Scene) {
    let attempts = attempts(scene);
    let (mut started, mut ended) = (HashSet::new(), HashSet::new());
    let mut last: HashMap<String, Mark> = HashMap::new();
    for mark in Mark::read(&scene.world().read("marks")) {
        let key = (mark.job.clone(), mark.attempt);
        match mark.kind {
            MarkKind::Overlap => panic!("an earlier start of the gap was still alive: {mark}"),
            MarkKind::End => {
                ended.insert(key);
                continue;
            }
            MarkKind::Start => assert!(started.insert(key.clone()), "started twice: {mark}"),
        }
        match attempts.get(&key) {
            Some(attempt) => assert_eq!(
                (attempt.gap.as_str(), attempt.fence.as_str(), attempt.run.as_str()),
                (mark.gap.as_str(), mark.fence.to_string().as_str(), mark.run.as_str()),
                "the record of {mark}"
            ),
            None => panic!("started without being on record: {mark}"),
        }
        if let Some(before) = last.insert(mark.gap.clone(), mark.clone()) {
            let retry = mark.job == before.job && mark.fence == before.fence && mark.attempt > before.attempt;
            let later = mark.job != before.job && mark.fence > before.fence;
            assert!(retry || later, "fences rise with every claim: {before}; then {mark}");
        }
    }
    // Jobs of a service leave no marks; `frontiers` asks the service.
    let by_service = format!("source:{BY_SERVICE}");
    for (key, attempt) in attempts.iter().filter(|(_, attempt)| attempt.outcome == "succeeded" && attempt.gap != by_service) {
        assert!(ended.contains(key), "recorded as a success, but it never reached its end: {key:?}, {}", attempt.gap);
    }
}

fn attempts(scene: &Scene) -> HashMap<(String, u32), Attempt> {
    let rows = scene.sql(
        "SELECT a.job_id, a.n, j.gap_key, j.fence, j.run_id, coalesce(a.outcome, '') FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id",
    );
    let attempt = |row: &String| {
        let [job, n, gap, fence, run, outcome] = row.split('|').map(str::to_owned).collect::<Vec<_>>().try_into().ok()?;
        Some(((job, n.parse().ok()?), Attempt { gap, fence, run, outcome }))
    };
    rows.iter().map(|row| attempt(row).unwrap_or_else(|| panic!("no attempt: {row:?}"))).collect()
}

/// All gaps are filled: no workspace has a file, and the spool is empty.
fn the_state_directory_is_clean(scene: &Scene) {
    let left = scene.shell("find state/work state/spool ! -type d 2> /dev/null || true");
    assert_eq!(left, "", "left in the state directory");
}

/// The directories of the workspaces are removed too.
fn no_workspace_is_left(scene: &Scene) {
    assert_eq!(scene.shell("find state/work -mindepth 1"), "", "workspaces of filled gaps");
}

fn the_database_is_sound(scene: &Scene) {
    if scene.kind() == Kind::Sqlite {
        assert_eq!(scene.sql("PRAGMA integrity_check"), ["ok"]);
        assert_eq!(scene.sql("PRAGMA foreign_key_check"), [""; 0]);
    }
}
