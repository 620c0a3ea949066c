//! A world with many banks and two ETLs, its invocations, and the counts of faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;

use crate::archive;
use crate::invocation::Invocation;
use crate::mount_namespace::MountNamespace;
use crate::printed::Printed;
use crate::processes::{assert_none_alive, etls_of};
use crate::seed::Random;
use crate::sources::Sources;
use crate::support::world::Done;
use crate::support::{Kind, World};
use crate::tally::Tally;

/// The ETLs' script.
const SCRIPT: &str = include_str!("etl.sh");

/// What the scripts of ETLs and collectors have in common.
const CHILD: &str = include_str!("child.sh");

/// The banks: key and id.
const BANKS: [(&str, i64); 10] = [
    ("RY-CA", 1),
    ("BMO-CA", 2),
    ("CM-CA", 3),
    ("NA-CA", 4),
    ("BNS-CA", 5),
    ("TD-CA", 6),
    ("JPM-US", 7),
    ("BAC-US", 8),
    ("WFC-US", 9),
    ("GS-US", 10),
];

/// The first fiscal year with data; each call of [`Scene::more_work`] adds later periods.
const FIRST_YEAR: usize = 2000;

/// Name and report type. etl-orch writes the rows of the first; the second writes its own, and needs the first.
const ETLS: [(&str, &str); 2] = [("call_summary", "Call Summary"), ("key_themes", "Key Themes")];

const CONFIG: &str = r#"state_dir: state
retry: {max_attempts: 3, initial_delay: 10ms, multiplier: 1, max_delay: 10ms}
run: {max_parallel: 4}
etls:
  call_summary:
    report_type: Call Summary
    requires: [transcripts]
    reports: {by: orchestrator}
    command: [sh, etl.sh, "{etl}", "{bank_key}", "{period}", "{output}"]
    output: "reports/{period}/{bank_key}.md"
    timeout: 1m
    grace: 200ms
  key_themes:
    report_type: Key Themes
    requires: [transcripts]
    needs: [call_summary]
    reports: {by: etl}
    command: [sh, etl.sh, "{etl}", "{bank_key}", "{period}", "{bank_id}"]
    timeout: 1m
    grace: 200ms
"#;

static SCENES: AtomicU32 = AtomicU32::new(0);

/// A world in which faults are injected.
pub(crate) struct Scene {
    world: World,
    /// A mount namespace, in scenarios that mount file systems.
    pub(crate) mounts: Option<MountNamespace>,
    /// The sources, in scenarios that collect.
    pub(crate) sources: Option<Sources>,
    /// Chooses the faults and their moments.
    pub(crate) random: Random,
    /// Counts so far.
    pub(crate) tally: Tally,
    /// Reports and windows whose success was printed, with the number of starts until then.
    pub(crate) printed: Printed,
    seed: u64,
    tag: String,
    invocations: u32,
    /// The banks that have data.
    banks: &'static [(&'static str, i64)],
    quarters: usize,
}

/// A report that must exist once the scene has converged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpectedReport {
    pub(crate) bank: &'static str,
    pub(crate) year: usize,
    pub(crate) quarter: usize,
    pub(crate) etl: &'static str,
    pub(crate) report_type: &'static str,
}

impl ExpectedReport {
    /// As etl-orch names it: `RY-CA/2025Q2/call_summary`.
    pub(crate) fn gap(&self) -> String {
        format!("{}/{}Q{}/{}", self.bank, self.year, self.quarter, self.etl)
    }

    /// The bank as the tables name it.
    pub(crate) fn symbol(&self) -> &'static str {
        self.bank.split('-').next().unwrap_or(self.bank)
    }
}

impl Scene {
    /// A scene without data: there is nothing to do yet.
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        Self::of(&BANKS, kind, seed)
    }

    /// A scene in which one run has little to do: two banks, and a source that has a window to collect.
    pub(crate) fn small(kind: Kind, seed: u64) -> Self {
        let mut scene = Self::of(&BANKS[..2], kind, seed);
        archive::open(&scene);
        scene.more_work(1);
        scene
    }

    fn of(banks: &'static [(&'static str, i64)], kind: Kind, seed: u64) -> Self {
        let world = World::new(kind);
        let lines: Vec<_> = banks.iter().map(|(key, id)| format!("{key}: {{id: {id}, name: \"Bank {key}\"}}\n")).collect();
        world.institutions(&lines.concat());
        world.write("etl-orch.yaml", &format!("database: {{url: \"{}\"}}\n{CONFIG}", world.url()));
        world.write("etl.sh", SCRIPT);
        world.write("child.sh", CHILD);
        world.write("sql.sh", &world.sql_function());
        world.write("marks", "");
        for directory in ["broken", "locks", "daemons", "reports", "state", "var"] {
            fs::create_dir_all(world.path(directory)).expect("a directory");
        }
        let tag = format!("{}.{}.", std::process::id(), SCENES.fetch_add(1, Ordering::Relaxed));
        Self {
            world,
            mounts: None,
            sources: None,
            random: Random::new(seed),
            tally: Tally::new(),
            printed: Printed::default(),
            seed,
            tag,
            invocations: 0,
            banks,
            quarters: 0,
        }
    }

    /// Creates our own tables, so that they can be queried however the first run ends.
    pub(crate) fn make_tables(&mut self) {
        let done = self.run(&["init"]);
        assert_eq!(done.code, 0, "{done:?}");
    }

    /// Adds data for this many further quarters: twenty gaps each.
    pub(crate) fn more_work(&mut self, quarters: usize) {
        let tags = match self.world.kind() {
            Kind::Sqlite => "'[\"transcripts\"]'",
            Kind::Postgres => "ARRAY['transcripts']",
        };
        let periods = (self.quarters..self.quarters + quarters).map(period);
        let rows: Vec<_> = periods
            .flat_map(|(year, quarter)| {
                self.banks.iter().map(move |(key, id)| {
                    let symbol = key.split('-').next().unwrap_or(key);
                    format!("({id}, 'Bank {key}', '{symbol}', {year}, 'Q{quarter}', {tags})")
                })
            })
            .collect();
        self.sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names) VALUES {}",
            rows.join(", ")
        ));
        self.quarters += quarters;
    }

    /// Adds files with data for this many quarters, of three banks: six gaps each. There need not be a database yet.
    pub(crate) fn work_from_files(&mut self, quarters: usize) {
        self.banks = &BANKS[..3];
        self.world.also("availability: {sync: [{tag: transcripts, files: \"data/{bank_symbol}_{period}.txt\"}]}");
        for (year, quarter) in (self.quarters..self.quarters + quarters).map(period) {
            for (key, _) in self.banks {
                self.world.write(&format!("data/{}_{year}Q{quarter}.txt", key.split('-').next().unwrap_or(key)), "data");
            }
        }
        self.quarters += quarters;
    }

    /// Every report for which there is data, in order.
    pub(crate) fn reports(&self) -> Vec<ExpectedReport> {
        let mut reports: Vec<_> = (0..self.quarters)
            .map(period)
            .flat_map(|(year, quarter)| {
                self.banks.iter().flat_map(move |(bank, _)| {
                    ETLS.iter().map(move |(etl, report_type)| ExpectedReport { bank, year, quarter, etl, report_type })
                })
            })
            .collect();
        reports.sort();
        reports
    }

    /// How many reports are not on record.
    pub(crate) fn missing(&self) -> usize {
        let made: usize = self.sql("SELECT count(*) FROM aegis_reports")[0].parse().expect("a count");
        self.reports().len() - made
    }

    /// The world.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Which database it has.
    pub(crate) fn kind(&self) -> Kind {
        self.world.kind()
    }

    /// The beginning of the tags of all its invocations.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Starts the binary.
    pub(crate) fn start(&mut self, args: &[&str]) -> Invocation {
        self.start_with(args, &[])
    }

    /// The same, with these variables.
    pub(crate) fn start_with(&mut self, args: &[&str], variables: &[(&str, String)]) -> Invocation {
        self.start_below(args, variables, |command| command)
    }

    /// The same, with the command changed at the end.
    pub(crate) fn start_below(
        &mut self,
        args: &[&str],
        variables: &[(&str, String)],
        change: impl FnOnce(Command) -> Command,
    ) -> Invocation {
        self.invocations += 1;
        let mut command = self.world.command(args);
        command.env("CHAOS_SEED", self.seed.to_string()).envs(self.sources.iter().flat_map(Sources::clock));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let Some(mounts) = &self.mounts {
            command = mounts.inside(&self.world.path(""), &command);
        }
        Invocation::start(change(command), format!("{}{}.", self.tag, self.invocations))
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&mut self, args: &[&str]) -> Done {
        let done = self.start(args).wait();
        self.note(&done);
        done
    }

    /// Runs the binary, and calls `harm` from a random moment on until the run ends or there were this many faults.
    pub(crate) fn run_with_faults(&mut self, faults: u64, mut harm: impl FnMut(&mut Self)) {
        let mut invocation = self.start(&[]);
        sleep(self.random.moment());
        while invocation.is_running() && self.tally.faults < faults {
            harm(self);
        }
        self.expect_normal_end(invocation);
    }

    /// Waits for the end of an invocation that was neither killed nor stopped, and checks its exit code.
    pub(crate) fn expect_normal_end(&mut self, invocation: Invocation) {
        let tag = invocation.tag().to_owned();
        let done = invocation.wait();
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        self.note(&done);
        assert_none_alive(&tag);
    }

    /// Appends the output of an invocation to `invocations.log`, for the analysis of a failure.
    pub(crate) fn note(&mut self, done: &Done) {
        self.tally.runs += 1;
        self.tally.failed_runs += u64::from(done.code == 1);
        self.printed.read(&self.world, done);
        let path = self.world.path("invocations.log");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{before}== exit {}\n{}{}", done.code, done.stderr, done.stdout)).expect("a file");
    }

    /// What has been made so far is not made again, though its success was not printed.
    pub(crate) fn expect_no_more_starts(&mut self) {
        self.printed.made(&self.world);
    }

    /// Runs an `sh` script in the world's directory and mount namespace, and returns its output.
    pub(crate) fn shell(&self, script: &str) -> String {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(self.world.path("")).stdin(Stdio::null());
        if let Some(mounts) = &self.mounts {
            sh = mounts.inside(&self.world.path(""), &sh);
        }
        let output = sh.output().expect("sh");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// The locks that daemons of ETLs hold, by file. It shows them whatever they did to their environment.
    pub(crate) fn daemons(&self) -> String {
        self.shell("for file in daemons/*; do [ ! -e \"$file\" ] || flock -n -E 99 \"$file\" true || echo \"$file\"; done")
    }

    /// Runs SQL and returns its rows, columns joined by `|`, without empty lines.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        if self.mounts.is_none() || self.kind() == Kind::Postgres {
            return self.world.sql(sql);
        }
        let text = self.shell(&format!("sqlite3 -cmd '.timeout 10000' var/etl-orch.db <<'END'\n{sql};\nEND\n"));
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Copies the world's directory into the build directory, and returns the path of the copy.
    pub(crate) fn keep(&self, test: &str) -> PathBuf {
        let name = format!("chaos-{}-{}", test.replace("::", "-"), self.seed);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Best effort: the test has failed already. An earlier failure may have left a copy.
        let _ = fs::remove_dir_all(&place);
        let _ = Command::new("cp").arg("-a").arg(self.world.path("")).arg(&place).status();
        place
    }
}

/// Kills what a broken binary left running.
impl Drop for Scene {
    fn drop(&mut self) {
        for process in etls_of(&self.tag) {
            process.kill();
        }
    }
}

/// Year and quarter of the period with this number.
fn period(index: usize) -> (usize, usize) {
    (FIRST_YEAR + index / 4, index % 4 + 1)
}
