//! Our own tables with rows that nobody wrote so: each is left alone, and stops nothing.

use std::time::Duration;

use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::ids::RunId;
use etl_orch::plan::model::job::{NewRun, ReportKey, RunState};
use etl_orch::plan::model::orders::{GapOrder, GapOrderKind, SourceOrder, SourceOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::settings::Durability;
use etl_orch::plan::model::window::Window;
use etl_orch::plan::remember::alert::{Alert, AlertState, Subject};
use etl_orch::plan::remember::arrivals::{Arrival, ArrivalQuery, NewlySeen, SeenData};
use etl_orch::plan::remember::breaker::OpenBreaker;
use etl_orch::plan::remember::claim::{ClaimRequest, ClaimTarget, Claimed};
use etl_orch::plan::remember::recorded_job::{JobSubject, NewJob};
use etl_orch::plan::remember::stored_decision::{DecisionChanges, StoredDecision};
use etl_orch::store::{self, Store};

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claimed, end, enqueue, failed_runs, key, new_job, owner, queued, wish};

crate::on_both_databases![
    no_value_of_any_column_stops_anything,
    a_gap_whose_record_cannot_be_read_is_left_alone_until_a_retry,
    a_gap_whose_running_job_cannot_be_read_is_left_alone,
    a_source_whose_record_cannot_be_read_is_not_collected,
];

const TABLES: [&str; 11] = [
    "etl_runs",
    "etl_jobs",
    "etl_attempts",
    "gap_states",
    "breakers",
    "sources",
    "disclosure_queue",
    "decisions",
    "notifications",
    "data_seen",
    "data_arrivals",
];

const TIMES: [&str; 5] = ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'294276-12-31'", "NULL"];
const NUMBERS: [&str; 5] = ["-5", "2147483647", "9223372036854775807", "-9223372036854775808", "NULL"];
const TEXTS: [&str; 6] = ["''", "'x'", "E'\\n\\x1b'", "'source:'", "'2b5e9a4e-3a53-4a5b-8c5e-111111111111'", "NULL"];
const JSONS: [&str; 4] = ["'{}'", "'null'", "'[1]'", "NULL"];
const TRUTHS: [&str; 3] = ["TRUE", "FALSE", "NULL"];
const ANYTHING: [&str; 14] = [
    "NULL",
    "-5",
    "9223372036854775807",
    "1.5",
    "1e300",
    "''",
    "'x'",
    "'infinity'",
    "'275760-01-01T00:00:00Z'",
    "x'ff00'",
    "CAST(x'52ff' AS TEXT)",
    "'a' || char(0) || 'b'",
    "'[1]'",
    "'2b5e9a4e-3a53-4a5b-8c5e-111111111111'",
];

impl Fixture {
    /// Every column with the values to be put there.
    async fn columns(&self) -> Vec<(&'static str, String, &'static [&'static str])> {
        let mut all = Vec::new();
        for table in TABLES {
            let query = if self.is_sqlite() {
                format!("SELECT name, type FROM pragma_table_info('{table}')")
            } else {
                format!(
                    "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'etl_orch' AND table_name = '{table}'"
                )
            };
            for row in self.rows(&query).await {
                let (name, kind) = row.split_once('|').unwrap();
                let values: &[&str] = match kind {
                    "timestamptz" => &TIMES,
                    "int4" | "int8" => &NUMBERS,
                    "text" => &TEXTS,
                    "jsonb" => &JSONS,
                    "bool" => &TRUTHS,
                    _ => &ANYTHING,
                };
                all.push((table, name.to_owned(), values));
            }
        }
        all
    }

    /// Takes away what keeps such values out, as far as the database lets it, and keeps the rows as they are.
    async fn open_the_gates(&self) {
        for table in TABLES {
            let own = self.own(table);
            self.sql(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {own}")).await;
        }
        if !self.is_sqlite() {
            let checks = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
                 WHERE connamespace = 'etl_orch'::regnamespace AND contype IN ('c', 'f')";
            let nulls = "SELECT format('ALTER TABLE etl_orch.%I ALTER %I DROP NOT NULL', c.table_name, c.column_name)
                 FROM information_schema.columns c WHERE c.table_schema = 'etl_orch' AND c.table_name NOT IN ('overrides', '_sqlx_migrations')
                 AND c.is_nullable = 'NO' AND NOT EXISTS (SELECT 1 FROM information_schema.key_column_usage k
                     WHERE k.table_schema = 'etl_orch' AND k.table_name = c.table_name AND k.column_name = c.column_name)";
            for query in [checks, nulls] {
                for statement in self.rows(query).await {
                    self.sql(&statement).await;
                }
            }
        }
    }

    /// Puts a value into a column of every row, after it has put back what was there before. Returns whether the database took it.
    async fn put(&self, table: &str, column: &str, value: &str) -> bool {
        let off = if self.is_sqlite() { "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; " } else { "" };
        let tables: Vec<String> = TABLES.iter().map(|table| self.own(table)).collect();
        let empty: Vec<String> = tables.iter().map(|table| format!("DELETE FROM {table}; ")).collect();
        let kept = TABLES.iter().zip(&tables);
        let fill: Vec<String> = kept.map(|(table, own)| format!("INSERT INTO {own} SELECT * FROM kept_{table}; ")).collect();
        let (empty, fill) = (empty.concat(), fill.concat());
        let all = format!("{off}BEGIN; {empty}{fill}UPDATE {} SET {column} = {value}; COMMIT", self.own(table));
        self.try_sql(&all).await.is_ok()
    }
}

fn other() -> ReportKey {
    ReportKey { bank_id: 2, ..key() }
}

fn job_of(gap: &str, bank_id: i64) -> NewJob {
    NewJob { gap: gap.parse().unwrap(), subject: JobSubject::Report { bank_id }, ..new_job(0) }
}

const RUNNING: &str = "RY-CA/2025Q2/call_summary";
const FAILED: &str = "BMO-CA/2025Q2/call_summary";
const SOURCE: &str = "us_house";

/// A row of everything: a gap with a running job, one that failed, a breaker, a source with a frontier and windows.
async fn fill(fixture: &Fixture, store: &dyn Store) {
    let run = begin_run(store).await;
    let failed = job_of(FAILED, 2);
    enqueue(store, run, std::slice::from_ref(&failed)).await;
    let report = other();
    let Claimed::Yes { claim, .. } = store.claim(&wish(failed.id, &report)).await.unwrap() else { panic!("not claimed") };
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "exit code 1", &failed_runs(1)).await.unwrap());
    claimed(store).await;
    let breaker = OpenBreaker {
        etl: "call_summary".into(),
        since: at(1),
        banks: vec!["RY-CA".into()],
        etl_digest: "d".into(),
        probed: None,
        probed_at: None,
    };
    store.set_breaker("call_summary", Some(&breaker), &[]).await.unwrap();
    let windows = [Window { start: at(0), end: at(10) }, Window { start: at(10), end: at(20) }];
    store.enqueue_windows(SOURCE, &windows, at(1)).await.unwrap();
    let pause = SourceOrder { source: SOURCE.into(), kind: SourceOrderKind::Pause, by: "anna".into(), reason: "r".into(), at: at(2) };
    assert!(store.order_source(&pause).await.unwrap());
    let decision = StoredDecision::Waiting { need: "call_summary".into() };
    let changes = DecisionChanges { new: vec![(FAILED.parse().unwrap(), decision)], ..DecisionChanges::default() };
    store.record_decisions(run, &changes, at(1)).await.unwrap();
    tell(store).await.unwrap();
    let (tags, bank, period) = ("[]".to_owned(), "RY-CA".to_owned(), "2025Q2".parse().unwrap());
    let arrivals = vec![Arrival { tags: tags.clone(), bank: bank.clone(), period, first_seen_at: at(1), is_latest: true }];
    let seen = SeenData { tags, newest: [(bank, [period].into())].into() };
    store.record_seen(&[NewlySeen { seen, arrivals }]).await.unwrap();
    fixture.sql(&format!("UPDATE {} SET frontier = paused_at", fixture.own("sources"))).await;
}

async fn tell(store: &dyn Store) -> store::Result<()> {
    let alert = Alert { state: AlertState::Failing, since: at(0), reason: Some("r".to_owned()), log: None };
    store.record_notified("mail", &[(&Subject::Gap(FAILED.parse().unwrap()), Some(&alert))], at(1)).await
}

/// Everything that a run asks of our own tables.
async fn everything_works(store: &dyn Store, case: &str) {
    macro_rules! works {
        ($call:expr) => {
            match $call.await {
                Ok(done) => done,
                Err(error) => panic!("{case}: {}: {error}", stringify!($call)),
            }
        };
    }
    works!(store.running_runs());
    works!(store.running_jobs());
    works!(store.gap_states());
    works!(store.open_breakers());
    works!(store.notified());
    works!(tell(store));
    works!(store.source_states());
    works!(store.queue());
    works!(store.find_jobs("", 10));
    works!(store.decisions());
    works!(store.decisions_at(&[], at(5)));
    works!(store.seen_data());
    works!(store.arrivals(ArrivalQuery::Tags("[]")));
    let new = NewRun {
        id: RunId::new(uuid::Uuid::new_v4()),
        owner: owner(),
        state_dir: "/var/lib/etl-orch".to_owned(),
        version: "1",
        options: serde_json::json!({}),
        lease: Duration::from_secs(600),
        started_at: at(0),
    };
    works!(store.begin_run(&new));
    let windows = Window { start: at(0), end: at(20) };
    let source = NewJob { gap: GapKey::source(SOURCE), subject: JobSubject::Windows(windows), ..new_job(2) };
    let jobs = [job_of(RUNNING, 1), NewJob { position: 1, ..job_of(FAILED, 2) }, source];
    works!(store.enqueue(new.id, &jobs, at(1)));
    works!(store.record_decisions(new.id, &DecisionChanges { ended: vec![FAILED.parse().unwrap()], ..DecisionChanges::default() }, at(9)));
    for (job, report) in jobs.iter().zip([key(), other()]) {
        if let Claimed::Yes { claim, .. } = works!(store.claim(&ClaimRequest { planned_fence: 1, ..wish(job.id, &report) })) {
            works!(store.watch(new.id));
            works!(store.report_in_progress(claim));
            assert!(works!(store.end_attempt(claim, &end(1, Outcome::ExitCode(1)))), "{case}");
            works!(store.lose(claim, &failed_runs(1), at(9)));
        }
    }
    let wanted = ClaimTarget::Windows { source: SOURCE, window: windows };
    works!(store.claim(&ClaimRequest { job: jobs[2].id, wanted, planned_fence: 1, pool: None, log: "log", at: at(2) }));
    let gaps: Vec<GapKey> = [RUNNING, FAILED].map(|gap| gap.parse().unwrap()).to_vec();
    for kind in [GapOrderKind::Retry, GapOrderKind::Skip { until: None }, GapOrderKind::Unskip] {
        works!(store.order(&GapOrder { kind, by: "anna".into(), reason: "r".into(), at: at(3) }, &gaps));
    }
    works!(store.end_run(new.id, RunState::Failed, None, at(9)));
}

async fn no_value_of_any_column_stops_anything(mut fixture: Fixture) {
    // Nothing is to outlast a power cut here.
    fixture.database.durability = Durability::Relaxed;
    let store = fixture.open().await;
    fill(&fixture, &*store).await;
    fixture.open_the_gates().await;
    let mut put = 0;
    for (place, (table, column, values)) in fixture.columns().await.into_iter().enumerate() {
        // Every other value, so that it takes half as long.
        for value in values.iter().skip(place % 2).step_by(2) {
            if fixture.put(table, &column, value).await {
                put += 1;
                everything_works(&*store, &format!("{table}.{column} = {value}")).await;
            }
        }
    }
    assert!(put > 150, "{put} values were put into columns");
}

async fn why_left_alone(store: &dyn Store, gap: &str) -> Option<String> {
    let states = store.gap_states().await.unwrap();
    let skip = states.into_iter().find(|state| state.key.to_string() == gap)?.skip?;
    assert_eq!(skip.by, "etl-orch");
    Some(skip.reason)
}

async fn a_gap_whose_record_cannot_be_read_is_left_alone_until_a_retry(fixture: Fixture) {
    let store = fixture.open().await;
    fill(&fixture, &*store).await;
    let far = if fixture.is_sqlite() { "'soon'" } else { "'infinity'" };
    fixture.sql(&format!("UPDATE {} SET rest_until = {far} WHERE gap_key = '{FAILED}'", fixture.own("gap_states"))).await;

    let value = if fixture.is_sqlite() { "\"soon\"" } else { "infinity" };
    let why = format!(
        "its record cannot be read: gap_states.rest_until is {value}, and must be a time in the years 1900 to 9999; \
         `etl-orch retry` writes it anew"
    );
    assert_eq!(why_left_alone(&*store, FAILED).await, Some(why.clone()));
    let run = begin_run(&*store).await;
    let job = job_of(FAILED, 2);
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    let report = other();
    match store.claim(&wish(job.id, &report)).await.unwrap() {
        Claimed::Ordered(order) => assert_eq!(order.reason, why),
        claimed => panic!("{claimed:?}"),
    }
    let retry = GapOrder { kind: GapOrderKind::Retry, by: "anna".into(), reason: "r".into(), at: at(30) };
    assert_eq!(store.order(&retry, &[FAILED.parse().unwrap()]).await.unwrap(), 1);
    assert_eq!(why_left_alone(&*store, FAILED).await, None);
    let job = job_of(FAILED, 2);
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    assert!(matches!(store.claim(&wish(job.id, &report)).await.unwrap(), Claimed::Yes { .. }));
}

async fn a_gap_whose_running_job_cannot_be_read_is_left_alone(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    fixture.sql(&format!("UPDATE {} SET pid = -5", fixture.own("etl_runs"))).await;
    assert!(store.running_runs().await.unwrap().is_empty());
    assert!(store.running_jobs().await.unwrap().is_empty(), "nobody takes it for lost");
    let why = why_left_alone(&*store, RUNNING).await.unwrap();
    let id = first.job;
    let said = format!("it counts as running, as the record of its job {id} cannot be read: etl_runs.pid is -5, and must be");
    assert!(why.starts_with(&said), "{why}");

    let job = queued(&*store).await;
    let report = key();
    match store.claim(&wish(job.id, &report)).await.unwrap() {
        Claimed::Ordered(order) => assert_eq!(order.reason, why),
        claimed => panic!("{claimed:?}"),
    }
    // The way out that it names.
    fixture.sql(&format!("UPDATE {} SET state = 'lost' WHERE id = '{id}'", fixture.own("etl_jobs"))).await;
    fixture.sql(&format!("UPDATE {} SET pid = 5", fixture.own("etl_runs"))).await;
    let job = queued(&*store).await;
    let fenced = ClaimRequest { planned_fence: 1, ..wish(job.id, &report) };
    assert!(matches!(store.claim(&fenced).await.unwrap(), Claimed::Yes { .. }));
}

async fn a_source_whose_record_cannot_be_read_is_not_collected(fixture: Fixture) {
    let store = fixture.open().await;
    fill(&fixture, &*store).await;
    let far = if fixture.is_sqlite() { "'soon'" } else { "'-infinity'" };
    fixture.sql(&format!("UPDATE {} SET frontier = {far}, paused_at = NULL", fixture.own("sources"))).await;
    assert!(store.source_states().await.unwrap().is_empty());
    let why = why_left_alone(&*store, "source:us_house").await.unwrap();
    assert!(why.starts_with("the record of the source cannot be read: sources.frontier is"), "{why}");
}
