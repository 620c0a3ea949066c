//! A database for one test, and short ways to fill and to ask it.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use etl_orch::plan::model::ids::{JobId, RunId};
use etl_orch::plan::model::job::{AttemptEnd, Claim, NewRun, Owner, ReportKey, ReportRow};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::model::period::Period;
use etl_orch::plan::model::settings::{Database, DatabaseTarget, Durability, TableName};
use etl_orch::plan::remember::claim::{ClaimRequest, ClaimTarget, Claimed};
use etl_orch::plan::remember::failure_history::{FailureHistory, GapState, Rest, RestReason};
use etl_orch::plan::remember::recorded_job::{JobSubject, NewJob};
use etl_orch::store::{self, Access, Available, EtlScan, ScanRequest, Scanned, Store};
use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tempfile::TempDir;
use uuid::Uuid;

use crate::endings::Endings;
use crate::postgres_server::TestDatabase;

/// The tables in the plain shape of the users' documentation, in which a row may hold anything.
const PLAIN_POSTGRES: &str = "
    CREATE TABLE aegis_data_availability (bank_id integer, bank_name varchar, bank_symbol varchar, fiscal_year integer,
        quarter varchar, database_names text[]);
    CREATE TABLE aegis_reports (bank_id integer, fiscal_year integer, quarter varchar, report_type varchar,
        UNIQUE (bank_id, fiscal_year, quarter, report_type))";
const PLAIN_SQLITE: &str = "
    CREATE TABLE aegis_data_availability (bank_id INTEGER, bank_name TEXT, bank_symbol TEXT, fiscal_year INTEGER,
        quarter TEXT, database_names TEXT);
    CREATE TABLE aegis_reports (bank_id INTEGER, fiscal_year INTEGER, quarter TEXT, report_type TEXT,
        UNIQUE (bank_id, fiscal_year, quarter, report_type))";

pub(crate) struct Fixture {
    pub(crate) database: Database,
    /// Where a SQLite file stands.
    pub(crate) dir: TempDir,
    server: Option<TestDatabase>,
}

impl Fixture {
    /// A file that is not there yet.
    pub(crate) fn bare_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = DatabaseTarget::Sqlite(dir.path().join("etl.db"));
        Self { database: settings(target), dir, server: None }
    }

    /// A database that is empty.
    pub(crate) fn bare_postgres() -> Self {
        let server = TestDatabase::create();
        let url = server.url();
        let target = DatabaseTarget::Postgres { url: SecretString::from(url.clone()), shown: url };
        Self { database: settings(target), dir: tempfile::tempdir().unwrap(), server: Some(server) }
    }

    pub(crate) async fn sqlite() -> Self {
        let fixture = Self::bare_sqlite();
        std::fs::write(fixture.file(), "").unwrap();
        fixture.sql(PLAIN_SQLITE).await;
        fixture
    }

    pub(crate) async fn postgres() -> Self {
        let fixture = Self::bare_postgres();
        fixture.sql(PLAIN_POSTGRES).await;
        fixture
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("etl.db")
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.open_for(Access::ReadWrite).await.unwrap()
    }

    pub(crate) async fn open_for(&self, access: Access) -> store::Result<Arc<dyn Store>> {
        store::open(&self.database, access).await
    }

    /// Runs statements.
    pub(crate) async fn sql(&self, statements: &str) {
        self.try_sql(statements).await.unwrap();
    }

    /// Runs statements, which the database may refuse.
    pub(crate) async fn try_sql(&self, statements: &str) -> sqlx::Result<()> {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        let Some(server) = &self.server else {
            let mut connection = self.raw_sqlite().await;
            statements.execute(&mut connection).await?;
            return connection.close().await;
        };
        statements.execute(&mut PgConnection::connect(&server.url()).await?).await.map(drop)
    }

    /// The rows of a query, its columns as text joined by `|`.
    pub(crate) async fn rows(&self, query: &str) -> Vec<String> {
        match &self.server {
            None => {
                let mut connection = self.raw_sqlite().await;
                let rows = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                let column = |row: &sqlx::sqlite::SqliteRow, i| {
                    let bytes: Option<Vec<u8>> = row.try_get_unchecked(i).unwrap();
                    bytes.map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default()
                };
                rows.iter().map(|row| (0..row.len()).map(|i| column(row, i)).collect::<Vec<_>>().join("|")).collect()
            }
            Some(server) => server.sql(query).lines().map(str::to_owned).collect(),
        }
    }

    /// A client of the PostgreSQL database.
    pub(crate) fn psql(&self) -> std::process::Command {
        self.server.as_ref().unwrap().psql()
    }

    async fn raw_sqlite(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap()
    }

    /// One of our own tables, by its name in this database.
    pub(crate) fn own(&self, table: &str) -> String {
        if self.is_sqlite() { table.to_owned() } else { format!("etl_orch.{table}") }
    }

    /// A list of tags as a literal.
    pub(crate) fn tags(&self, tags: &[&str]) -> String {
        if self.is_sqlite() { format!("'{}'", serde_json::json!(tags)) } else { format!("'{{{}}}'", tags.join(",")) }
    }

    /// An availability row with the tag `transcripts`.
    pub(crate) async fn available(&self, bank_id: i64, symbol: &str, period: &str) {
        self.available_with(bank_id, symbol, period, &["transcripts"]).await;
    }

    pub(crate) async fn available_with(&self, bank_id: i64, symbol: &str, at: &str, tags: &[&str]) {
        let period = period(at);
        self.sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
             VALUES ({bank_id}, 'Bank {bank_id}', '{symbol}', {}, '{}', {})",
            period.year(),
            period.quarter().as_str(),
            self.tags(tags)
        ))
        .await;
    }

    pub(crate) async fn report(&self, bank_id: i64, at: &str, report_type: &str) {
        let period = period(at);
        self.sql(&format!(
            "INSERT INTO aegis_reports (bank_id, fiscal_year, quarter, report_type) VALUES ({bank_id}, {}, '{}', '{report_type}')",
            period.year(),
            period.quarter().as_str()
        ))
        .await;
    }

    /// State, and whether an error and an end are recorded, of every job.
    pub(crate) async fn jobs(&self) -> Vec<String> {
        self.rows(&format!("SELECT state, coalesce(error, '') FROM {} ORDER BY position, queued_at, id", self.own("etl_jobs"))).await
    }

    /// Kind, who, why, and whether it names a job, of every order, in the order in which they were given.
    pub(crate) async fn orders(&self) -> Vec<String> {
        self.rows(&format!(
            "SELECT kind, gap_key, actor, reason, CASE WHEN job_id IS NULL THEN '' ELSE 'job' END FROM {} ORDER BY id",
            self.own("overrides")
        ))
        .await
    }

    /// Fence, whether it is noted, and whether `--force` is pending, of the gap of [`new_job`].
    pub(crate) async fn gap(&self) -> Vec<String> {
        self.rows(&format!(
            "SELECT fence, CASE WHEN noted THEN 'noted' ELSE '' END, CASE WHEN forced_at IS NULL THEN '' ELSE 'forced' END
             FROM {} WHERE gap_key = 'RY-CA/2025Q2/call_summary'",
            self.own("gap_states")
        ))
        .await
    }

    /// Number, outcome, number of the outcome and error of every attempt.
    pub(crate) async fn attempts(&self) -> Vec<String> {
        self.rows(&format!(
            "SELECT n, coalesce(outcome, ''), coalesce(CAST(outcome_number AS text), ''), coalesce(error, '') FROM {} ORDER BY job_id, n",
            self.own("etl_attempts")
        ))
        .await
    }
}

fn settings(target: DatabaseTarget) -> Database {
    Database {
        target,
        max_connections: 4,
        durability: Durability::Full,
        availability: TableName::parse("aegis_data_availability").unwrap(),
        version_column: None,
        reports: TableName::parse("aegis_reports").unwrap(),
    }
}

pub(crate) fn period(text: &str) -> Period {
    text.parse().unwrap()
}

/// A moment, `second` seconds into a day of 2025.
pub(crate) fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 6, 1, 12, 0, 0).unwrap() + chrono::Duration::seconds(i64::from(second))
}

pub(crate) fn owner() -> Owner {
    Owner { host: "here".into(), machine_id: Some("machine".into()), boot_id: "boot".into(), pid: 4242, pid_started: 99 }
}

/// Records a run as begun.
pub(crate) async fn begin_run(store: &dyn Store) -> RunId {
    let id = RunId::new(Uuid::new_v4());
    let run = NewRun {
        id,
        owner: owner(),
        state_dir: "/var/lib/etl-orch".to_owned(),
        version: "1.2.3",
        options: serde_json::json!({"force": false}),
        lease: std::time::Duration::from_secs(600),
        started_at: at(0),
    };
    store.begin_run(&run).await.unwrap();
    id
}

/// A job of bank 1 for 2025 Q2.
pub(crate) fn of_bank(bank_id: i64) -> JobSubject {
    JobSubject::Report { bank_id }
}

pub(crate) fn new_job(position: usize) -> NewJob {
    NewJob {
        id: JobId::new(Uuid::new_v4()),
        gap: "RY-CA/2025Q2/call_summary".parse().unwrap(),
        subject: of_bank(1),
        position,
        forced: false,
        fingerprint: None,
        destination: None,
    }
}

/// Records jobs as planned by `me`.
pub(crate) async fn enqueue(store: &dyn Store, run: RunId, jobs: &[NewJob]) {
    store.enqueue(run, jobs, at(1)).await.unwrap();
}

/// A run with one job that is queued.
pub(crate) async fn queued(store: &dyn Store) -> NewJob {
    let run = begin_run(store).await;
    let job = new_job(0);
    enqueue(store, run, std::slice::from_ref(&job)).await;
    job
}

/// A request to claim a job, of a gap that nobody has claimed before.
pub(crate) fn wish(job: JobId, report: &ReportKey) -> ClaimRequest<'_> {
    ClaimRequest { job, wanted: ClaimTarget::Report(report), planned_fence: 0, pool: None, log: "log", at: at(2) }
}

pub(crate) fn key() -> ReportKey {
    ReportKey { bank_id: 1, period: period("2025Q2"), report_type: "Call Summary".into(), other_types: vec![] }
}

/// A run with one job that is claimed.
pub(crate) async fn claimed(store: &dyn Store) -> Claim {
    let job = queued(store).await;
    claim(store, job.id).await
}

pub(crate) async fn claim(store: &dyn Store, job: JobId) -> Claim {
    yes(store.claim(&ClaimRequest { log: "logs/1.log", ..wish(job, &key()) }).await.unwrap())
}

/// The claim that was granted.
pub(crate) fn yes(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Yes { claim, .. } => claim,
        other => panic!("{other:?}"),
    }
}

/// What a gap is remembered by after so many failed runs, the last at [`at`]\(10): it rests for 100 seconds.
pub(crate) fn failed_runs(failed_runs: u32) -> FailureHistory {
    let rest = Rest { since: at(10), until: at(110), why: RestReason::Failed };
    FailureHistory { failed_runs, rest: Some(rest), error: Some("exit code 1".into()), ..FailureHistory::default() }
}

/// The claim's job fails, and that is all that is remembered of its gap.
pub(crate) async fn fail(store: &dyn Store, claim: Claim) {
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "exit code 1", &failed_runs(1)).await.unwrap());
}

/// What is known of the gap of [`new_job`], where it has a past.
pub(crate) async fn gap_state(store: &dyn Store) -> Option<GapState> {
    let mut states = store.gap_states().await.unwrap();
    assert!(states.len() < 2, "{states:?}");
    states.pop()
}

pub(crate) fn end(attempt: u32, outcome: Outcome) -> AttemptEnd {
    AttemptEnd { attempt, outcome, ended_at: at(10), duration_ms: 1500, tail: "last line".into(), pid: None }
}

pub(crate) fn report_row() -> ReportRow {
    ReportRow {
        key: key(),
        report_name: "Call Summary RY 2025 Q2".into(),
        report_description: "what was said".into(),
        bank_name: "Royal Bank".into(),
        bank_symbol: "RY".into(),
        local_filepath: "/reports/ry.md".into(),
        markdown_content: Some("# RY\0".into()),
        generation_date: at(9),
        generated_by: "etl-orch".into(),
        execution_id: RunId::new(Uuid::from_u128(7)),
        metadata: serde_json::json!({"attempt": 1, "nul": "\0"}),
    }
}

pub(crate) fn found(bank_id: i64, symbol: &str, at: &str, tag: &str) -> Available {
    Available { bank_id, bank_name: format!("Bank {bank_id}"), bank_symbol: symbol.into(), period: period(at), tag: tag.into() }
}

/// A scan for one ETL of `Call Summary` from `transcripts`, for these symbols.
pub(crate) fn request(symbols: &[&str]) -> ScanRequest {
    ScanRequest {
        etls: vec![EtlScan { etl: 0, report_types: vec!["Call Summary".into()], requires: vec!["transcripts".into()], needs: vec![] }],
        symbols: symbols.iter().map(|&symbol| symbol.to_owned()).collect(),
        ..ScanRequest::default()
    }
}

/// What a scan found, in one order: candidates as `etl id symbol year quarter`, with `exists` and the needs after it
/// where they say something; groups as `[etls] id symbol quarter min-max xrows`.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) candidates: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) malformed: Option<(u64, Vec<String>)>,
}

pub(crate) async fn scan(store: &dyn Store, request: &ScanRequest) -> Seen {
    let mut seen = Seen::default();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
    store
        .scan(request, &mut |scanned| match scanned {
            Scanned::Candidate(one) => {
                let key = &one.key;
                let columns = [&key.bank_id, &key.bank_symbol, &key.fiscal_year, &key.quarter].map(text).join(" ");
                let mut line = format!("{} {columns}", one.etl);
                if one.exists {
                    line.push_str(" exists");
                }
                if !one.needs_met.is_empty() {
                    line = format!("{line} {:?}", one.needs_met);
                }
                seen.candidates.push(line);
            }
            Scanned::Group(group) => {
                assert!(seen.candidates.is_empty(), "groups come first");
                seen.groups.push(format!(
                    "{:?} {} {} {} {}-{} x{}",
                    group.etls,
                    text(&group.bank_id),
                    text(&group.bank_symbol),
                    text(&group.quarter),
                    text(&group.min_year),
                    text(&group.max_year),
                    group.rows
                ));
            }
            Scanned::NotAnArray { row, rows } => {
                let (all, examples) = seen.malformed.get_or_insert_default();
                *all += rows;
                examples.push(format!("{} {} {}", text(&row.bank_symbol), text(&row.fiscal_year), text(&row.quarter)));
            }
        })
        .await
        .unwrap();
    seen.candidates.sort();
    seen.groups.sort();
    seen
}
