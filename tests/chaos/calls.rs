//! Disturbs one system call of guard and orchestrator: `calls.c` runs them under ptrace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::scene::Scene;

const SOURCE: &str = include_str!("calls.c");

/// The file with the tracer's report, in the world's directory.
const REPORT: &str = "calls";

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The process that makes it is killed.
    Kill,
    /// Guard and orchestrator are killed.
    KillBoth,
    /// It fails.
    Fail,
}

/// The call to disturb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disturbance {
    pub(crate) action: Action,
    /// Calls are counted from 1; 0 disturbs nothing.
    pub(crate) number: u64,
    /// Chooses among the errors that the call can have.
    pub(crate) choice: u64,
}

/// What the tracer says in the end.
#[derive(Debug)]
pub(crate) struct Report {
    /// The number of calls that count.
    pub(crate) calls: u64,
    /// The process and the call that were disturbed, unless the run ended before.
    pub(crate) disturbed: Option<String>,
    /// The time from the call to the end of guard and orchestrator.
    pub(crate) ended: Duration,
}

impl Disturbance {
    /// Changes a command so that it is disturbed.
    pub(crate) fn around(self, command: &Command) -> Command {
        let action = match self.action {
            Action::Kill => "kill",
            Action::KillBoth => "both",
            Action::Fail => "fail",
        };
        let mut tracer = Command::new(tracer());
        tracer.args([action, &self.number.to_string(), &self.choice.to_string(), REPORT]);
        tracer.arg(command.get_program()).args(command.get_args());
        if let Some(directory) = command.get_current_dir() {
            tracer.current_dir(directory);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => tracer.env(name, value),
                None => tracer.env_remove(name),
            };
        }
        tracer.stdin(std::process::Stdio::null());
        tracer
    }
}

impl Report {
    /// Reads the report of the run that ended last.
    pub(crate) fn read(scene: &Scene) -> Self {
        let text = scene.world().read(REPORT);
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let number = |name| value(name).and_then(|text| text.parse().ok());
        Self {
            calls: number("calls ").unwrap_or_else(|| panic!("a report: {text:?}")),
            disturbed: value("disturbed "),
            ended: Duration::from_millis(number("ended ").unwrap_or_default()),
        }
    }
}

/// The tracer, built once for each test process.
fn tracer() -> &'static Path {
    static TRACER: OnceLock<PathBuf> = OnceLock::new();
    TRACER.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (source, path) = (place.join("calls.c"), place.join("calls"));
        // Another test process may be using the file: it is replaced, not written.
        let new = place.join(format!("calls.{}", std::process::id()));
        fs::write(&source, SOURCE).expect("a file");
        let built =
            Command::new("cc").args(["-O1", "-o"]).args([&new, &source]).output().expect("cc is needed: apt-get install gcc libc6-dev");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        fs::rename(&new, &path).expect("a file");
        path
    })
}
