//! A directory with a configuration, banks, ETLs as `sh` scripts, and a database; and the real binary to run on it.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::postgres::TestDatabase;

/// Which database a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The embedded one.
    Sqlite,
    /// A real server, started for the tests.
    Postgres,
}

/// A world of its own. Three banks: RY-CA (1), BMO-CA (2), TD-CA (6). Two ETLs that etl-orch writes the rows for,
/// `call_summary` and `key_themes`; each runs `sh etl.sh NAME BANK PERIOD OUTPUT` and by default writes a line to its output.
pub(crate) struct World {
    root: TempDir,
    kind: Kind,
    url: String,
    server: Option<TestDatabase>,
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; 128 + n when signal n ended the process itself.
    pub(crate) code: i32,
    /// stdout.
    pub(crate) stdout: String,
    /// stderr.
    pub(crate) stderr: String,
}

const INSTITUTIONS: &str = r#"RY-CA: {id: 1, name: "Royal Bank of Canada", type: "Canadian_Banks"}
BMO-CA: {id: 2, name: "Bank of Montreal", type: "Canadian_Banks"}
TD-CA: {id: 6, name: "Toronto-Dominion Bank", type: "Canadian_Banks"}
"#;

const ETLS: &str = r#"etls:
  call_summary:
    report_type: Call Summary
    requires: [transcripts]
    command: [sh, etl.sh, "{etl}", "{bank_symbol}", "{period}", "{output}"]
    output: "reports/{period}/{bank_symbol}_{etl}.md"
    timeout: 1m
    grace: 10s
  key_themes:
    report_type: Key Themes
    requires: [transcripts]
    command: [sh, etl.sh, "{etl}", "{bank_symbol}", "{period}", "{output}"]
    output: "reports/{period}/{bank_symbol}_{etl}.md"
    timeout: 1m
    grace: 10s
"#;

/// Retries at once, so that no test waits for a backoff.
const RETRY: &str = "retry: {max_attempts: 3, initial_delay: 1ms, multiplier: 1, max_delay: 1ms}\n";

impl World {
    /// A world with empty data tables.
    pub(crate) fn new(kind: Kind) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let server = (kind == Kind::Postgres).then(TestDatabase::create);
        let url = match &server {
            None => "sqlite://var/etl-orch.db".to_owned(),
            Some(server) => server.url(),
        };
        let world = Self { root, kind, url, server };
        world.write("monitored_institutions.yaml", INSTITUTIONS);
        world.write("etl.sh", "echo \"$1 of $2 for $3\" > \"$4\"\n");
        world.configure("reports: {by: orchestrator}\n", ETLS);
        world.create_data_tables();
        world
    }

    /// Writes the configuration anew: `settings` are further top-level keys, `etls` the whole `etls:` section.
    pub(crate) fn configure(&self, settings: &str, etls: &str) {
        let retry = if settings.contains("retry:") { "" } else { RETRY };
        let url = &self.url;
        self.write("etl-orch.yaml", &format!("database: {{url: \"{url}\"}}\nstate_dir: var\n{retry}{settings}{etls}"));
    }

    /// The same ETLs with further top-level settings.
    pub(crate) fn settings(&self, settings: &str) {
        self.configure(&format!("reports: {{by: orchestrator}}\n{settings}"), ETLS);
    }

    /// One ETL, `call_summary`, of which etl-orch writes the row, that runs this POSIX sh script with the arguments
    /// NAME BANK PERIOD OUTPUT. `more` are further keys of the ETL, a line each.
    pub(crate) fn single_etl(&self, script: &str, more: &[&str]) {
        self.write("etl.sh", script);
        let more: String = more.iter().map(|line| format!("    {line}\n")).collect();
        let etl = format!(
            "etls:\n  call_summary:\n    report_type: Call Summary\n    requires: [transcripts]\n    \
             command: [sh, etl.sh, \"{{etl}}\", \"{{bank_symbol}}\", \"{{period}}\", \"{{output}}\"]\n    \
             output: \"reports/{{period}}/{{bank_symbol}}_{{etl}}.md\"\n{more}"
        );
        self.configure("reports: {by: orchestrator}\n", &etl);
    }

    /// Makes a row of available transcripts.
    pub(crate) fn available(&self, symbol: &str, bank_id: i64, year: u16, quarter: &str) {
        let tags = match self.kind {
            Kind::Sqlite => "'[\"transcripts\"]'",
            Kind::Postgres => "ARRAY['transcripts']",
        };
        self.sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names) \
             VALUES ({bank_id}, 'Bank', '{symbol}', {year}, '{quarter}', {tags})"
        ));
    }

    /// The binary with this world's configuration, run in its directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-orch"));
        command.args(args).args(["--config", "etl-orch.yaml"]).current_dir(self.root.path()).stdin(Stdio::null());
        command.env_remove("ETL_ORCH_CONFIG").env_remove("NO_COLOR").env("RUST_BACKTRACE", "1");
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(&self.command(args).output().expect("the binary starts"))
    }

    /// Starts the binary, stdout and stderr captured.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Path of a file in the world's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file, making its directories.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("a file");
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Which database it has.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL and returns its rows, columns joined by `|`. `etl_runs`, `etl_jobs` and `etl_attempts` may be named
    /// without their schema.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        let text = match &self.server {
            Some(server) => server.sql(&format!("SET search_path = public, etl_orch; {sql}")),
            None => {
                let output = Command::new("sqlite3")
                    .args(["-cmd", ".timeout 10000"])
                    .arg(self.path("var/etl-orch.db"))
                    .arg(sql)
                    .output()
                    .expect("sqlite3 is installed; scripts/test.sh does it");
                assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
        };
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The single value of a query.
    pub(crate) fn value(&self, sql: &str) -> String {
        let rows = self.sql(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].clone()
    }

    /// The states of all jobs, `gap_key|state`, by gap and time.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.sql("SELECT gap_key, state FROM etl_jobs ORDER BY gap_key, queued_at")
    }

    /// The outcomes of all attempts, `gap_key|n|outcome`.
    pub(crate) fn attempts(&self) -> Vec<String> {
        self.sql(
            "SELECT j.gap_key, a.n, a.outcome FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id ORDER BY j.queued_at, j.gap_key, a.n",
        )
    }

    /// The reports on record, `symbol year quarter type`.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.sql(
            "SELECT bank_symbol || ' ' || fiscal_year || ' ' || quarter || ' ' || report_type FROM aegis_reports \
             ORDER BY bank_symbol, fiscal_year, quarter, report_type",
        )
    }

    /// Every file below a directory with its bytes, for comparing.
    pub(crate) fn bytes_below(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.path(name)];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
                found.push((path, Vec::new()));
            } else if path.exists() {
                let bytes = fs::read(&path).expect("a file");
                found.push((path, bytes));
            }
        }
        found.sort();
        found
    }

    fn create_data_tables(&self) {
        match self.kind {
            Kind::Sqlite => {
                let init = self.run(&["init"]);
                assert_eq!(init.code, 0, "{init:?}");
            }
            Kind::Postgres => {
                self.sql(POSTGRES_TABLES);
            }
        }
    }
}

/// The users' tables, in their real shape.
pub(crate) const POSTGRES_TABLES: &str = "
CREATE TABLE aegis_data_availability (
    id SERIAL PRIMARY KEY,
    bank_id INTEGER NOT NULL,
    bank_name VARCHAR(255) NOT NULL,
    bank_symbol VARCHAR(50) NOT NULL,
    fiscal_year INTEGER NOT NULL,
    quarter VARCHAR(10) NOT NULL,
    database_names TEXT[],
    last_updated TIMESTAMP DEFAULT now()
);
CREATE TABLE aegis_reports (
    id SERIAL PRIMARY KEY,
    report_name VARCHAR(255) NOT NULL,
    report_description TEXT NOT NULL,
    report_type VARCHAR(100) NOT NULL,
    bank_id INTEGER,
    bank_name VARCHAR(255) NOT NULL,
    bank_symbol VARCHAR(50) NOT NULL,
    fiscal_year INTEGER NOT NULL,
    quarter VARCHAR(10) NOT NULL,
    local_filepath TEXT,
    markdown_content TEXT,
    generation_date TIMESTAMP NOT NULL DEFAULT now(),
    generated_by VARCHAR(100),
    execution_id UUID,
    metadata JSONB,
    UNIQUE (bank_id, fiscal_year, quarter, report_type)
);";

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The summary as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An invocation that runs. Killed when it is dropped before its end.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    /// Starts a command with its output captured.
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        Self { child: Some(child) }
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// Sends it a signal, by name: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill");
        assert!(sent.success(), "kill -s {name}");
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child").is_none())
    }

    /// Waits for its end, at most a minute.
    pub(crate) fn wait(mut self) -> Done {
        let mut child = self.child.take().expect("running");
        let stdout = read_all(child.stdout.take().expect("piped"));
        let stderr = read_all(child.stderr.take().expect("piped"));
        let mut status = None;
        until("the invocation ends", || {
            status = child.try_wait().expect("a child");
            status.is_some()
        });
        let (stdout, stderr) = (stdout.join().expect("stdout"), stderr.join().expect("stderr"));
        Done::of(&Output { status: status.expect("ended"), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("readable");
        bytes
    })
}

/// Waits until something is so: a handshake with a deadline that only a broken program reaches.
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    within(Duration::from_secs(60), what, is_so);
}

/// The same with a deadline of the caller's.
pub(crate) fn within(deadline: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < deadline, "waited {deadline:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process of this pid exists and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// Reads a pid that a script wrote, once it is there.
pub(crate) fn pid_in(path: &Path) -> u32 {
    let mut pid = None;
    until("a pid is written", || {
        pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    pid.expect("written")
}
