//! What the embedded database leaves in its directory.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use etl_orch::plan::model::job::RunState;
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::settings::DatabaseTarget;
use etl_orch::store::{Access, StoreError};

use crate::fixture::{Fixture, at, begin_run, claimed, end, queued, request, scan, wish};

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn reading_leaves_every_byte_as_it_was() {
    let fixture = Fixture::bare_sqlite();
    let store = fixture.open().await;
    claimed(&*store).await;
    store.close().await;
    let before = contents(fixture.dir.path());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["etl.db"], "a closed database is one file");
    let modified = std::fs::metadata(fixture.file()).unwrap().modified().unwrap();
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    store.check_data_tables(true, true).await.unwrap();
    scan(&*store, &request(&["RY"])).await;
    assert_eq!(store.running_jobs().await.unwrap().len(), 1);
    store.close().await;
    assert_eq!(contents(fixture.dir.path()), before);
    assert_eq!(std::fs::metadata(fixture.file()).unwrap().modified().unwrap(), modified);
}

#[tokio::test]
async fn reading_beside_a_writer_sees_what_it_wrote() {
    let fixture = Fixture::bare_sqlite();
    let writer = fixture.open().await;
    begin_run(&*writer).await;
    let reader = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert_eq!(reader.running_runs().await.unwrap().len(), 1);
    begin_run(&*writer).await;
    assert_eq!(reader.running_runs().await.unwrap().len(), 2);
    reader.close().await;
    begin_run(&*writer).await;
    writer.close().await;
    assert_eq!(contents(fixture.dir.path()).len(), 1);
}

#[tokio::test]
async fn reading_what_is_not_there_makes_nothing() {
    let fixture = Fixture::bare_sqlite();
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    store.check_data_tables(true, true).await.unwrap();
    assert!(scan(&*store, &request(&["RY"])).await.candidates.is_empty());
    assert!(store.running_jobs().await.unwrap().is_empty());
    store.close().await;
    assert!(contents(fixture.dir.path()).is_empty());
}

#[tokio::test]
async fn files_and_directories_are_made_for_nobody_else() {
    let mut fixture = Fixture::bare_sqlite();
    let dir = fixture.dir.path().join("deep/var");
    fixture.database.target = DatabaseTarget::Sqlite(dir.join("etl.db"));
    let store = fixture.open().await;
    begin_run(&*store).await;
    assert_eq!(mode(&dir), 0o700);
    for name in contents(&dir).keys() {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    assert_eq!(contents(&dir).len(), 3);
    store.close().await;
}

#[tokio::test]
async fn data_tables_are_not_added_to_somebodys_database_unless_told() {
    let fixture = Fixture::sqlite().await;
    fixture.sql("DROP TABLE aegis_reports").await;
    let store = fixture.open().await;
    let error = store.check_data_tables(false, false).await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("aegis_reports") && text.contains("etl-orch init")), "{error}");
    store.close().await;
    let store = fixture.open_for(Access::Init).await.unwrap();
    store.check_data_tables(true, true).await.unwrap();
}

#[tokio::test]
async fn two_processes_may_make_the_file_at_once() {
    let fixture = Fixture::bare_sqlite();
    let opened = tokio::join!(fixture.open(), fixture.open(), fixture.open(), fixture.open());
    for store in [&opened.0, &opened.1, &opened.2, &opened.3] {
        store.check_data_tables(true, true).await.unwrap();
        begin_run(&**store).await;
    }
    assert_eq!(opened.2.running_runs().await.unwrap().len(), 4);
}

#[tokio::test]
async fn nothing_is_recorded_in_a_file_that_is_no_longer_at_its_path() {
    for (what, harm) in [
        ("its file was removed", "rm etl.db"),
        ("its file was removed", "mv etl.db away.db"),
        ("its file was replaced", "cp etl.db copy.db && mv copy.db etl.db"),
        ("its file was replaced", "rm etl.db && touch etl.db"),
    ] {
        let fixture = Fixture::sqlite().await;
        let store = fixture.open().await;
        let claim = claimed(&*store).await;
        shell(&fixture, harm);
        for _ in 0..3 {
            let error = store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap_err();
            assert!(matches!(error, StoreError::Replaced { .. }) && !error.may_pass(), "{harm}: {error}");
            assert!(error.to_string().contains(what) && error.to_string().contains("etl.db"), "{harm}: {error}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_log_that_was_removed_is_made_again_and_nothing_is_lost() {
    let fixture = Fixture::sqlite().await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    shell(&fixture, "rm etl.db-wal");
    let error = store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("-wal"), "{error}");
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    assert_eq!(fixture.attempts().await, ["1|exit_code|1|exit code 1"]);
}

#[tokio::test]
async fn a_file_that_is_put_back_is_used_again() {
    let fixture = Fixture::sqlite().await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    shell(&fixture, "mv etl.db away.db");
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.is_err());
    shell(&fixture, "mv away.db etl.db");
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    store.close().await;
    assert_eq!(contents(fixture.dir.path()).keys().collect::<Vec<_>>(), ["etl.db"]);
}

#[tokio::test]
async fn an_operation_that_is_given_up_leaves_no_transaction_behind() {
    let fixture = Fixture::sqlite().await;
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let (job, report) = (queued(&*store).await, crate::fixture::key());
    for polls in 0..200 {
        let wish = wish(job.id, &report);
        let mut claim = std::pin::pin!(store.claim(&wish));
        for _ in 0..polls {
            if futures::poll!(&mut claim).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    store.end_run(run, RunState::Failed, None, at(9)).await.unwrap();
    assert_eq!(fixture.rows("SELECT state FROM etl_runs ORDER BY state").await, ["failed", "running"]);
}

fn shell(fixture: &Fixture, script: &str) {
    let done = std::process::Command::new("sh").args(["-c", script]).current_dir(fixture.dir.path()).status().unwrap();
    assert!(done.success(), "{script}");
}

#[tokio::test]
async fn what_is_no_database_is_named_with_its_path() {
    let mut fixture = Fixture::bare_sqlite();
    std::fs::write(fixture.file(), "this is a letter to a friend, and a long one too".repeat(100)).unwrap();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = fixture.open_for(access).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("etl.db") && error.to_string().contains("not a database"), "{error}");
    }
    fixture.database.target = DatabaseTarget::Sqlite(fixture.file().join("below/a.db"));
    let error = fixture.open_for(Access::ReadWrite).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    fixture.database.target = DatabaseTarget::Sqlite(fixture.dir.path().to_owned());
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = fixture.open_for(access).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    }
}
