//! A world with many banks and two ETLs, the invocations in it, and the faults that were counted.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::desk::Desk;
use crate::invocation::Invocation;
use crate::processes::{etls_of, nothing_is_alive_of};
use crate::room::Room;
use crate::seed::Random;
use crate::support::world::Done;
use crate::support::{Kind, World};

/// The ETLs' script.
const SCRIPT: &str = include_str!("etl.sh");

/// What it and the collectors' script have in common.
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

/// The first fiscal year that there is data for; each round of work brings later periods.
const FIRST_YEAR: usize = 2000;

/// etl-orch writes the rows of the first, the second writes them itself and needs the first.
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

/// A world in which things go wrong.
pub(crate) struct Scene {
    world: World,
    /// Where it mounts file systems that nobody else sees.
    pub(crate) room: Option<Room>,
    /// Its sources, and the time in which they are collected.
    pub(crate) desk: Option<Desk>,
    /// What the faults are drawn from.
    pub(crate) random: Random,
    /// What happened so far.
    pub(crate) tally: Tally,
    /// Whether the database server was stopped without a chance to write down what it knew.
    pub(crate) server_crashed: bool,
    seed: u64,
    tag: String,
    invocations: u32,
    quarters: usize,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Processes that were killed.
    pub(crate) kills: u64,
    /// Runs that were told to stop, and did.
    pub(crate) stops: u64,
    /// Runs that were killed, or stopped at once: what they had just asked of somebody may be on record nowhere.
    pub(crate) cuts: u64,
    /// Other faults: connections ended, disks filled.
    pub(crate) faults: u64,
    /// Runs that ended with 1: what they could not do, a later one did.
    pub(crate) failed_runs: u64,
    /// Runs that it took to converge, all together.
    pub(crate) runs_to_converge: u64,
    /// Jobs that were lost.
    pub(crate) lost: u64,
    /// Reports that were made.
    pub(crate) reports: u64,
    /// The longest that something of an ETL was alive after a process of etl-orch was killed.
    pub(crate) slowest_end: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, stops, cuts, faults, failed_runs, runs_to_converge, lost, reports, slowest_end } = self;
        write!(
            f,
            "{kills} kills, {stops} stops, {cuts} runs cut off, {faults} other faults, {failed_runs} failed runs, {lost} jobs lost, {runs_to_converge} runs to converge, "
        )?;
        write!(f, "{reports} reports, slowest end {} ms", slowest_end.as_millis())
    }
}

/// A report that must exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) bank: &'static str,
    pub(crate) year: usize,
    pub(crate) quarter: usize,
    pub(crate) etl: &'static str,
    pub(crate) report_type: &'static str,
}

impl Wanted {
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
    /// Everything in place, and nothing to do yet.
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let world = World::new(kind);
        let banks: Vec<_> = BANKS.iter().map(|(key, id)| format!("{key}: {{id: {id}, name: \"Bank {key}\"}}\n")).collect();
        world.institutions(&banks.concat());
        world.write("etl-orch.yaml", &format!("database: {{url: \"{}\"}}\n{CONFIG}", world.url()));
        world.write("etl.sh", SCRIPT);
        world.write("child.sh", CHILD);
        world.write("sql.sh", &world.sql_function());
        world.write("marks", "");
        for directory in ["locks", "daemons", "reports", "state", "var"] {
            fs::create_dir_all(world.path(directory)).expect("a directory");
        }
        let tag = format!("{}.{}.", std::process::id(), SCENES.fetch_add(1, Ordering::Relaxed));
        Self {
            world,
            room: None,
            desk: None,
            random: Random::new(seed),
            tally: Tally::default(),
            server_crashed: false,
            seed,
            tag,
            invocations: 0,
            quarters: 0,
        }
    }

    /// Has our own tables made, so that they can be looked at whatever becomes of the first run.
    pub(crate) fn make_tables(&mut self) {
        let done = self.run(&["init"]);
        assert_eq!(done.code, 0, "{done:?}");
    }

    /// Data for so many further quarters: twenty gaps each.
    pub(crate) fn more_work(&mut self, quarters: usize) {
        let tags = match self.world.kind() {
            Kind::Sqlite => "'[\"transcripts\"]'",
            Kind::Postgres => "ARRAY['transcripts']",
        };
        let periods = (self.quarters..self.quarters + quarters).map(period);
        let rows: Vec<_> = periods
            .flat_map(|(year, quarter)| {
                BANKS.map(|(key, id)| {
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

    /// Every report that there is data for, in order.
    pub(crate) fn reports(&self) -> Vec<Wanted> {
        let mut reports: Vec<_> = (0..self.quarters)
            .map(period)
            .flat_map(|(year, quarter)| {
                BANKS
                    .iter()
                    .flat_map(move |(bank, _)| ETLS.iter().map(move |(etl, report_type)| Wanted { bank, year, quarter, etl, report_type }))
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
        self.invocations += 1;
        let mut command = self.world.command(args);
        command.env("CHAOS_SEED", self.seed.to_string()).envs(self.desk.iter().flat_map(Desk::clock));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let Some(room) = &self.room {
            command = room.inside(&self.world.path(""), &command);
        }
        Invocation::start(command, format!("{}{}.", self.tag, self.invocations))
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&mut self, args: &[&str]) -> Done {
        let done = self.start(args).wait();
        self.note(&done);
        done
    }

    /// Runs the binary, and does harm at some moment and again and again while it runs, until there were so many faults.
    pub(crate) fn run_amid(&mut self, faults: u64, mut harm: impl FnMut(&mut Self)) {
        let mut invocation = self.start(&[]);
        sleep(self.random.moment());
        while invocation.is_running() && self.tally.faults < faults {
            harm(self);
        }
        self.ends_by_itself(invocation);
    }

    /// Waits for the end of an invocation that nobody has killed or stopped.
    pub(crate) fn ends_by_itself(&mut self, invocation: Invocation) {
        let tag = invocation.tag().to_owned();
        let done = invocation.wait();
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        self.note(&done);
        nothing_is_alive_of(&tag);
    }

    /// Keeps what an invocation said, for who wants to know what happened.
    pub(crate) fn note(&mut self, done: &Done) {
        self.tally.failed_runs += u64::from(done.code == 1);
        let path = self.world.path("invocations.log");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{before}== exit {}\n{}{}", done.code, done.stderr, done.stdout)).expect("a file");
    }

    /// What an `sh` script prints that runs in the world's directory, and sees what is mounted there.
    pub(crate) fn shell(&self, script: &str) -> String {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(self.world.path("")).stdin(Stdio::null());
        if let Some(room) = &self.room {
            sh = room.inside(&self.world.path(""), &sh);
        }
        let output = sh.output().expect("sh");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs SQL and returns its rows, columns joined by `|`, without empty lines.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        if self.room.is_none() || self.kind() == Kind::Postgres {
            return self.world.sql(sql);
        }
        let text = self.shell(&format!("sqlite3 -cmd '.timeout 10000' var/etl-orch.db <<'END'\n{sql};\nEND\n"));
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Keeps the world's directory where the build keeps its own.
    pub(crate) fn keep(&self, test: &str) -> PathBuf {
        let name = format!("chaos-{}-{}", test.replace("::", "-"), self.seed);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // What is there is of an earlier failure; whether this one can be kept is not what the test is about.
        let _ = fs::remove_dir_all(&place);
        let _ = Command::new("cp").arg("-a").arg(self.world.path("")).arg(&place).status();
        place
    }
}

/// What a broken binary leaves alive is not left to the machine.
impl Drop for Scene {
    fn drop(&mut self) {
        for process in etls_of(&self.tag) {
            process.kill();
        }
    }
}

/// The period at this place of the calendar: year and quarter.
fn period(index: usize) -> (usize, usize) {
    (FIRST_YEAR + index / 4, index % 4 + 1)
}
