//! A database that the previous version of etl-orch made and wrote.

use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::{self, Access, StoreError};

use crate::endings::Endings;
use crate::fixture::{Fixture, at, claim, end, enqueue, gap_state, new_job};

crate::on_both_databases![
    what_the_previous_version_wrote_is_kept,
    the_previous_version_is_not_migrated_by_a_reader,
    orders_are_kept_by_a_version_that_knows_more_kinds,
];

const RUNNING: &str = "00000000-0000-0000-0000-000000000001";
const QUEUED: &str = "00000000-0000-0000-0000-000000000002";
const FAILED: &str = "00000000-0000-0000-0000-000000000003";
const RUN: &str = "00000000-0000-0000-0000-00000000000a";

/// The part of the printed schema that makes the versions before this one.
pub(crate) fn before_version(schema: &str, version: u32) -> String {
    let (before, _) = schema.split_once(&format!("-- Version {version}:")).unwrap();
    format!("{before}COMMIT;")
}

/// Makes our tables as the previous version did, with the record of its migration, and writes rows into each.
async fn previous(fixture: &Fixture) {
    fixture.sql(&before_version(&store::schema_sql(&fixture.database, None), 2)).await;
    let (runs, jobs) = (fixture.own("etl_runs"), fixture.own("etl_jobs"));
    let (attempts, gaps) = (fixture.own("etl_attempts"), fixture.own("gap_states"));
    let (time, long_ago) = ("'2025-06-01T12:00:00.000000Z'", "'2025-06-01T13:00:00.000000Z'");
    let gap = "RY-CA/2025Q2/call_summary";
    fixture
        .sql(&format!(
            "INSERT INTO {runs} (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
             VALUES ('{RUN}', 'here', 'boot', 4242, 99, '0.1.0', '{{}}', 'running', {time}, {long_ago});
             INSERT INTO {jobs} (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, error,
                                 queued_at, started_at, ended_at)
             VALUES ('{RUNNING}', '{RUN}', '{gap}', 'call_summary', 'RY-CA', 1, 2025, 'Q2', 0, FALSE, 'running', 7, NULL, {time}, {time}, NULL),
                    ('{QUEUED}', '{RUN}', '{gap}', 'call_summary', 'RY-CA', 1, 2025, 'Q2', 1, FALSE, 'queued', NULL, NULL, {time}, NULL, NULL),
                    ('{FAILED}', '{RUN}', 'other', 'call_summary', 'RY-CA', 1, 2025, 'Q2', 2, TRUE, 'failed', 3, 'no', {time}, {time}, {time});
             INSERT INTO {attempts} (job_id, n, outcome, outcome_number, error, pid, log, tail, started_at, ended_at, duration_ms)
             VALUES ('{RUNNING}', 1, NULL, NULL, NULL, 5, 'log', NULL, {time}, NULL, NULL),
                    ('{FAILED}', 1, 'exit_code', 1, 'exit code 1', 6, 'log', 'tail', {time}, {time}, 10);
             INSERT INTO {gaps} (gap_key, fence) VALUES ('{gap}', 7), ('other', 3)"
        ))
        .await;
}

/// The versions of the migrations that are part of this etl-orch, in their order.
fn versions_of_this_etl_orch() -> Vec<String> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap();
    let version = |name: &str| name.split('_').next().unwrap().trim_start_matches('0').to_owned();
    let mut versions: Vec<String> = files.map(|file| version(file.unwrap().file_name().to_str().unwrap())).collect();
    versions.sort_by_key(|version| version.parse::<u32>().unwrap());
    versions
}

/// All that the previous version knew of.
async fn old_rows(fixture: &Fixture) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in [
        ("etl_runs", "id, host, boot_id, pid, pid_started, version, state, started_at, lease_until"),
        (
            "etl_jobs",
            "id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, error, queued_at, started_at, ended_at",
        ),
        ("etl_attempts", "job_id, n, outcome, outcome_number, error, pid, log, tail, started_at, ended_at, duration_ms"),
        ("gap_states", "gap_key, fence"),
    ] {
        rows.extend(fixture.rows(&format!("SELECT {columns} FROM {} ORDER BY 1", fixture.own(table))).await);
    }
    rows
}

async fn what_the_previous_version_wrote_is_kept(fixture: Fixture) {
    previous(&fixture).await;
    let before = old_rows(&fixture).await;
    assert_eq!(before.len(), 8);
    fixture.open().await.close().await;
    assert_eq!(old_rows(&fixture).await, before);
    let store = fixture.open().await;
    let versions = if fixture.is_sqlite() { "etl_migrations" } else { "etl_orch._sqlx_migrations" };
    assert_eq!(fixture.rows(&format!("SELECT version FROM {versions} ORDER BY 1")).await, versions_of_this_etl_orch());

    // Nothing is remembered yet, and what was going on goes on.
    assert!(store.gap_states().await.unwrap().is_empty());
    assert!(store.open_breakers().await.unwrap().is_empty());
    assert!(fixture.orders().await.is_empty());
    assert!(store.running_runs().await.unwrap()[0].expired);
    let running = store.running_jobs().await.unwrap().pop().unwrap();
    assert_eq!((running.claim.fence, running.claim.job.to_string().as_str()), (7, RUNNING));
    assert_eq!((&running.history, running.fingerprint, running.cancel), (&FailureHistory::default(), None, None));
    let lost = running.history.lost(None, at(20));
    assert!(store.lose(running.claim, &lost, at(20)).await.unwrap());
    assert_eq!(gap_state(&*store).await.unwrap().history, lost);
    enqueue(&*store, running.run, &[new_job(3)]).await;
    let found = store.find_jobs(QUEUED, 1).await.unwrap().pop().unwrap();
    let claim = claim(&*store, found.id).await;
    assert_eq!(claim, Claim { job: found.id, fence: 8 });
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(gap_state(&*store).await, None);
}

async fn orders_are_kept_by_a_version_that_knows_more_kinds(fixture: Fixture) {
    fixture.sql(&before_version(&store::schema_sql(&fixture.database, None), 3)).await;
    let overrides = fixture.own("overrides");
    let insert = |kind: &str| {
        format!(
            "INSERT INTO {overrides} (gap_key, kind, job_id, actor, reason, at) VALUES ('gap', '{kind}', 'job', 'anna', 'why', '2025-06-01T12:00:00.000000Z')"
        )
    };
    for kind in ["retry", "skip", "cancel"] {
        fixture.sql(&insert(kind)).await;
    }
    fixture.sql(&format!("DELETE FROM {overrides} WHERE kind = 'skip'")).await;
    let all = format!("SELECT id, gap_key, kind, job_id, actor, reason, at FROM {overrides} ORDER BY id");
    let before = fixture.rows(&all).await;
    assert_eq!(before.len(), 2);
    let store = fixture.open().await;
    assert_eq!(fixture.rows(&all).await, before, "with their ids");
    let pause = crate::windows::order("us_house", etl_orch::plan::model::orders::SourceOrderKind::Pause, 1);
    assert!(store.order_source(&pause).await.unwrap());
    let kinds = format!("SELECT id, kind FROM {overrides} ORDER BY id");
    assert_eq!(fixture.rows(&kinds).await, ["1|retry", "3|cancel", "4|pause"]);
    assert!(store.queue().await.unwrap().is_empty());
}

async fn the_previous_version_is_not_migrated_by_a_reader(fixture: Fixture) {
    previous(&fixture).await;
    let error = fixture.open_for(Access::ReadOnly).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema(_)), "{error:?}");
    let needed = format!("version {}: `etl-orch init`", versions_of_this_etl_orch().last().unwrap());
    assert!(error.to_string().contains("version 1") && error.to_string().contains(&needed), "{error}");
    assert_eq!(old_rows(&fixture).await.len(), 8);
    fixture.open_for(Access::Init).await.unwrap().close().await;
    assert_eq!(fixture.open_for(Access::ReadOnly).await.unwrap().running_jobs().await.unwrap().len(), 1);
}
