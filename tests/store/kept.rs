//! A row that was written is looked at in the same transaction: what keeps rows out without an error makes the operation fail.

use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::{Store, StoreError};

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claimed, end, enqueue, found, key, new_job, queued, report_row, wish};

crate::on_both_databases![
    a_report_that_a_trigger_keeps_out_is_no_success,
    a_report_that_a_trigger_leaves_as_it_was_is_no_success,
    a_report_behind_a_view_that_forgets_it_is_no_success,
    availability_that_a_trigger_keeps_out_is_an_error,
    a_record_that_a_trigger_keeps_out_is_an_error,
];

impl Fixture {
    /// From now on `event` on the table does nothing, without an error.
    async fn ignore(&self, event: &str, table: &str) {
        let name = table.replace('.', "_");
        self.sql(&if self.is_sqlite() {
            format!("CREATE TRIGGER ignore_{name} BEFORE {event} ON {table} BEGIN SELECT RAISE(IGNORE); END")
        } else {
            format!(
                "CREATE FUNCTION ignore_{name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                 CREATE TRIGGER ignore BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION ignore_{name}()"
            )
        })
        .await;
    }

    /// From now on nothing is ignored any more.
    async fn heed(&self, table: &str) {
        let name = table.replace('.', "_");
        self.sql(&if self.is_sqlite() { format!("DROP TRIGGER ignore_{name}") } else { format!("DROP FUNCTION ignore_{name} CASCADE") })
            .await;
    }
}

fn is_not_kept<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str) {
    let error = result.unwrap_err();
    assert!(error.is_not_kept() && !error.may_pass(), "{error:?}");
    assert!(error.to_string().starts_with(&format!("the row that was written to {table} is not there: a rule")), "{error}");
}

/// The report cannot be recorded, and the job goes on as if that had not been tried.
async fn is_no_success(fixture: &Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    is_not_recorded(fixture, &*store, claim).await;
}

async fn is_not_recorded(fixture: &Fixture, store: &dyn Store, claim: Claim) {
    let row = || Artifact::ReportRow(Box::new(report_row()));
    is_not_kept(store.succeed(claim, &end(1, Outcome::Succeeded), row()).await, "aegis_reports");
    assert_eq!(fixture.jobs().await, ["running|"]);
    assert_eq!(fixture.attempts().await, ["1|||"]);
}

async fn a_report_that_a_trigger_keeps_out_is_no_success(fixture: Fixture) {
    fixture.ignore("INSERT", "aegis_reports").await;
    is_no_success(&fixture).await;
    fixture.heed("aegis_reports").await;
    let store = fixture.open().await;
    let claim = store.running_jobs().await.unwrap()[0].claim;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
}

async fn a_report_that_a_trigger_leaves_as_it_was_is_no_success(fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_reports ADD COLUMN execution_id varchar").await;
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    fixture.report(1, "2025Q2", "Call Summary").await;
    fixture
        .sql(if fixture.is_sqlite() {
            "CREATE TRIGGER old AFTER UPDATE ON aegis_reports WHEN new.execution_id IS NOT NULL
             BEGIN UPDATE aegis_reports SET execution_id = NULL WHERE rowid = new.rowid; END"
        } else {
            "CREATE FUNCTION old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
             CREATE TRIGGER old BEFORE UPDATE ON aegis_reports FOR EACH ROW EXECUTE FUNCTION old()"
        })
        .await;
    is_not_recorded(&fixture, &*store, claim).await;
}

async fn a_report_behind_a_view_that_forgets_it_is_no_success(fixture: Fixture) {
    fixture.sql("ALTER TABLE aegis_reports RENAME TO kept; CREATE VIEW aegis_reports AS SELECT * FROM kept WHERE bank_id > 5").await;
    fixture
        .sql(if fixture.is_sqlite() {
            "CREATE TRIGGER forget INSTEAD OF INSERT ON aegis_reports BEGIN SELECT 1; END;
             CREATE TRIGGER forget_too INSTEAD OF UPDATE ON aegis_reports BEGIN SELECT 1; END"
        } else {
            "CREATE RULE forget AS ON INSERT TO aegis_reports DO INSTEAD NOTHING"
        })
        .await;
    is_no_success(&fixture).await;
}

async fn availability_that_a_trigger_keeps_out_is_an_error(fixture: Fixture) {
    let store = fixture.open().await;
    fixture.ignore("INSERT", "aegis_data_availability").await;
    let wanted = [found(1, "RY", "2025Q2", "transcripts")];
    is_not_kept(store.add_availability(&wanted).await, "aegis_data_availability");
    fixture.heed("aegis_data_availability").await;
    assert_eq!(store.add_availability(&wanted).await.unwrap(), 1);
    fixture.ignore("UPDATE", "aegis_data_availability").await;
    is_not_kept(store.add_availability(&[found(1, "RY", "2025Q2", "press")]).await, "aegis_data_availability");
}

async fn a_record_that_a_trigger_keeps_out_is_an_error(fixture: Fixture) {
    let store = fixture.open().await;
    let [runs, jobs, attempts, queue] = ["etl_runs", "etl_jobs", "etl_attempts", "disclosure_queue"].map(|table| fixture.own(table));

    fixture.ignore("INSERT", &jobs).await;
    let run = begin_run(&*store).await;
    is_not_kept(store.enqueue(run, &[new_job(0)], at(1)).await, &jobs);
    fixture.heed(&jobs).await;

    let job = queued(&*store).await;
    let report = key();
    for (event, table) in [("UPDATE", &jobs), ("INSERT", &attempts)] {
        fixture.ignore(event, table).await;
        is_not_kept(store.claim(&wish(job.id, &report)).await, table);
        fixture.heed(table).await;
    }
    let claim = crate::fixture::claim(&*store, job.id).await;
    assert!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1))).await.unwrap());
    fixture.ignore("INSERT", &attempts).await;
    is_not_kept(store.begin_attempt(claim, 2, None, "log", at(3)).await, &attempts);
    fixture.heed(&attempts).await;

    // What changed nothing says so.
    fixture.ignore("UPDATE", &jobs).await;
    assert!(!store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::ReportRow(Box::new(report_row()))).await.unwrap());
    assert_eq!(fixture.rows("SELECT * FROM aegis_reports").await, [""; 0]);

    fixture.ignore("INSERT", &queue).await;
    is_not_kept(store.enqueue_windows("us_house", &[Window { start: at(0), end: at(9) }], at(1)).await, &queue);
    fixture.heed(&queue).await;

    // What was recorded before counts as done, also with a trigger in the way.
    enqueue(&*store, run, &[]).await;
    let again = new_job(1);
    fixture.heed(&jobs).await;
    enqueue(&*store, run, std::slice::from_ref(&again)).await;
    fixture.ignore("INSERT", &jobs).await;
    enqueue(&*store, run, &[again]).await;
    fixture.ignore("INSERT", &runs).await;
}
