//! A directory with a configuration, banks, ETLs as `sh` scripts, and a database; and the real binary to run on it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::postgres::TestDatabase;
pub(crate) use super::running::{Done, Running, is_alive, kill, pid_in, until, within};

/// The database of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file, the embedded database.
    Sqlite,
    /// A real server, started for the tests.
    Postgres,
}

/// A test's own directory, configuration and database. Three banks: RY-CA (1), BMO-CA (2), TD-CA (6). Two ETLs that etl-orch writes the rows for,
/// `call_summary` and `key_themes`; each runs `sh etl.sh NAME BANK PERIOD OUTPUT` and by default writes a line to its output.
pub(crate) struct World {
    root: TempDir,
    kind: Kind,
    url: String,
    server: Option<TestDatabase>,
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

/// Retries without a back-off, so that no test waits for one.
const RETRY: &str = "retry: {max_attempts: 3, initial_delay: 1ms, multiplier: 1, max_delay: 1ms}\n";

/// Cool-downs that end at once, so that the next run tries failed gaps again.
const COOLDOWN: &str = "cooldown: {initial: 1ms, max: 1ms}\n";

/// Lines of a script that create the file `waiting`, then wait for a file `go`.
pub(crate) const WAITS: &str =
    "touch waiting\nleft=1200\nuntil [ -e go ]; do left=$((left - 1)); [ $left -gt 0 ] || exit 65; sleep 0.05; done\n";

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

    /// Replaces the configuration: `settings` are further top-level keys, `etls` the whole `etls:` section.
    pub(crate) fn configure(&self, settings: &str, etls: &str) {
        let retry = if settings.contains("retry:") { "" } else { RETRY };
        let cooldown = if settings.contains("cooldown:") { "" } else { COOLDOWN };
        let url = &self.url;
        self.write("etl-orch.yaml", &format!("database: {{url: \"{url}\"}}\nstate_dir: var\n{retry}{cooldown}{settings}{etls}"));
    }

    /// Replaces the configuration: the default ETLs with these top-level settings.
    pub(crate) fn settings(&self, settings: &str) {
        self.configure(&format!("reports: {{by: orchestrator}}\n{settings}"), ETLS);
    }

    /// Replaces the ETLs by one, `call_summary`, for which etl-orch writes the row. It runs this POSIX sh script with the arguments
    /// NAME BANK PERIOD OUTPUT. `more` are further keys of the ETL, a line each.
    pub(crate) fn single_etl(&self, script: &str, more: &[&str]) {
        self.etls(script, &[etl("call_summary", "Call Summary", more)]);
    }

    /// Replaces the ETLs by these (see [`etl`] and [`etl_with_row`]), which run this script.
    pub(crate) fn etls(&self, script: &str, etls: &[String]) {
        self.write("etl.sh", script);
        self.configure("", &format!("etls:\n{}", etls.concat()));
    }

    /// Adds top-level settings to the configuration.
    pub(crate) fn also(&self, settings: &str) {
        let config = self.read("etl-orch.yaml");
        self.write("etl-orch.yaml", &format!("{config}{settings}\n"));
    }

    /// The shell function `sql STATEMENT` for scripts; it uses this world's database.
    pub(crate) fn sql_function(&self) -> String {
        match self.kind {
            Kind::Sqlite => "sql() { sqlite3 -cmd '.timeout 20000' var/etl-orch.db \"$1\"; }\n".to_owned(),
            Kind::Postgres => format!("sql() {{ psql -XqAt -v ON_ERROR_STOP=1 -d '{}' -c \"$1\"; }}\n", self.url),
        }
    }

    /// Replaces the monitored banks: `KEY: {id: N, name: ...}`, a line each.
    pub(crate) fn institutions(&self, lines: &str) {
        self.write("monitored_institutions.yaml", lines);
    }

    /// Inserts a row of available transcripts.
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

    /// Inserts the row of a report, as an ETL would.
    pub(crate) fn report(&self, symbol: &str, bank_id: i64, year: u16, quarter: &str, report_type: &str) {
        self.sql(&insert_report(symbol, &bank_id.to_string(), &year.to_string(), quarter, report_type, "old"));
    }

    /// The binary with this world's configuration, run in its directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-orch"));
        command.args(args).args(["--config", "etl-orch.yaml"]).current_dir(self.root.path()).stdin(Stdio::null());
        command.env_remove("ETL_ORCH_CONFIG").env_remove("NO_COLOR").env("RUST_BACKTRACE", "1");
        command.env("TZ", "UTC").env("COLUMNS", "1000");
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::of(&self.command(args).output().expect("the binary starts"))
    }

    /// Runs the binary to its end, and checks the exit code.
    pub(crate) fn run_to(&self, code: i32, args: &[&str]) -> Done {
        let done = self.run(args);
        assert_eq!(done.code, code, "{args:?}: {}\n{}", done.stdout, done.stderr);
        done
    }

    /// Starts the binary; stdout and stderr are captured.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Runs an `sh` script in the world's directory, in a mount namespace of its own; `"$@"` is the binary.
    pub(crate) fn with_mounts(&self, script: &str, args: &[&str]) -> Done {
        let namespace: &[&str] = if rustix::process::geteuid().is_root() { &["-m"] } else { &["-r", "-m"] };
        let unshare = |script: &str| {
            let (mut unshare, run) = (Command::new("unshare"), self.command(args));
            unshare.args(namespace).args(["sh", "-c", script, "sh"]).arg(run.get_program()).args(run.get_args());
            unshare.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
            Done::of(&unshare.current_dir(self.root.path()).stdin(Stdio::null()).output().expect("unshare is installed"))
        };
        let permitted = unshare("mount -t tmpfs tmpfs .");
        assert_eq!(permitted.code, 0, "mounting is not permitted; run as root, or allow user namespaces: {permitted:?}");
        unshare(script)
    }

    /// Path of a file in the world's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file, and creates its directories.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("a file");
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The contents of the files in the world's directory whose names have this prefix, sorted by name. Scripts write such notes about
    /// themselves.
    pub(crate) fn notes(&self, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.path()).expect("a directory").map(|entry| entry.expect("an entry"));
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names.iter().filter(|name| name.starts_with(prefix)).map(|name| self.read(name).trim().to_owned()).collect()
    }

    /// Waits until scripts have written this many notes, and reads them as pids.
    pub(crate) fn pids(&self, prefix: &str, many: usize) -> Vec<u32> {
        let pids = || -> Vec<u32> { self.notes(prefix).iter().filter_map(|note| note.parse().ok()).collect() };
        until(&format!("{many} notes {prefix}* are written"), || pids().len() == many);
        pids()
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
        let text = if let Some(server) = &self.server {
            server.sql(&format!("SET search_path = public, etl_orch; {sql}"))
        } else {
            let mut sqlite = Command::new("sqlite3");
            sqlite.args(["-cmd", ".timeout 10000"]).arg(self.path("var/etl-orch.db")).arg(sql);
            let output = sqlite.output().expect("sqlite3 is installed; scripts/test.sh does it");
            assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// A `psql` on the world's PostgreSQL.
    pub(crate) fn psql(&self) -> Command {
        self.server.as_ref().expect("a world on PostgreSQL").psql()
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

    /// The rows of reports, `symbol year quarter type`.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.sql(
            "SELECT bank_symbol || ' ' || fiscal_year || ' ' || quarter || ' ' || report_type FROM aegis_reports \
             ORDER BY bank_symbol, fiscal_year, quarter, report_type",
        )
    }

    /// Every file below a directory with its content, to compare.
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

/// The section of an ETL for which etl-orch writes the row: `sh etl.sh NAME BANK PERIOD OUTPUT`. `more` are further keys.
pub(crate) fn etl(name: &str, report_type: &str, more: &[&str]) -> String {
    let output = ["reports: {by: orchestrator}", "output: \"reports/{period}/{bank_symbol}_{etl}.md\""];
    section(name, report_type, "\"{output}\"", &[&output[..], more].concat())
}

/// The section of an ETL that writes its row itself: `sh etl.sh NAME BANK PERIOD BANK_ID`. `more` are further keys.
pub(crate) fn etl_with_row(name: &str, report_type: &str, more: &[&str]) -> String {
    section(name, report_type, "\"{bank_id}\"", &[&["reports: {by: etl}"], more].concat())
}

fn section(name: &str, report_type: &str, last: &str, keys: &[&str]) -> String {
    let has = |key: &str| keys.iter().any(|line| line.starts_with(key));
    let mut lines = vec![format!("  {name}:"), format!("    report_type: {report_type}")];
    if !has("requires:") {
        lines.push("    requires: [transcripts]".to_owned());
    }
    if !has("command:") {
        lines.push(format!("    command: [sh, etl.sh, \"{{etl}}\", \"{{bank_symbol}}\", \"{{period}}\", {last}]"));
    }
    lines.extend(keys.iter().map(|key| format!("    {key}")));
    lines.join("\n") + "\n"
}

/// SQL that inserts the row of a report. The values may be variables of a script.
pub(crate) fn insert_report(symbol: &str, bank_id: &str, year: &str, quarter: &str, report_type: &str, content: &str) -> String {
    format!(
        "INSERT INTO aegis_reports (report_name, report_description, report_type, bank_id, bank_name, bank_symbol, fiscal_year, quarter, \
         markdown_content) VALUES ('Name', 'Description', '{report_type}', {bank_id}, 'Bank', '{symbol}', {year}, '{quarter}', '{content}')"
    )
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
