//! One invocation of the binary, and access to its processes for faults.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::processes::{Process, TAG, etls_of};
use crate::support::world::{Done, Running};

/// Once guard or orchestrator is killed, every process of an ETL must have ended within this time.
const SOON: Duration = Duration::from_secs(2);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// An invocation that was started.
pub(crate) struct Invocation {
    running: Running,
    tag: String,
}

impl Invocation {
    /// Starts the command, with a tag in its environment that its descendants inherit. A tag ends in a dot, so that no tag is a prefix of
    /// another.
    pub(crate) fn start(mut command: Command, tag: String) -> Self {
        command.env(TAG, &tag);
        Self { running: Running::start(command), tag }
    }

    /// The orchestrator, if it runs.
    pub(crate) fn orchestrator(&self) -> Option<Process> {
        let guard = self.running.pid();
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap_or_default();
        // It is the guard's first child; adopted processes follow.
        let pid = children.split_whitespace().find_map(|pid| pid.parse().ok().filter(|pid| is_orchestrator(*pid)))?;
        Process::open(pid)
    }

    /// The living processes of its ETLs.
    pub(crate) fn etls(&self) -> Vec<Process> {
        etls_of(&self.tag)
    }

    /// Whether the orchestrator runs and has installed its signal handlers.
    pub(crate) fn has_handlers(&self) -> bool {
        self.orchestrator().is_some_and(|orchestrator| orchestrator.handles_signals())
    }

    /// Sends a signal by name. Returns whether the guard still ran.
    pub(crate) fn signal(&mut self, name: &str) -> bool {
        let is_running = self.is_running();
        if is_running {
            // It is our child and not reaped: no other process can have its pid.
            self.running.signal(name);
        }
        is_running
    }

    /// Whether the guard has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.running.is_running()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Done {
        self.running.wait()
    }

    /// Waits until no process of its ETLs is alive, and returns how long that took. Fails when it takes too long.
    pub(crate) fn etls_end_soon(&self) -> Duration {
        let since = Instant::now();
        loop {
            let etls = self.etls();
            let took = since.elapsed();
            if etls.is_empty() {
                return took;
            }
            assert!(took < SOON, "still alive after {took:?}: {:?}", etls.iter().map(Process::describe).collect::<Vec<_>>());
            sleep(PAUSE);
        }
    }

    /// Its tag.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }
}

fn is_orchestrator(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.starts_with(b"etl-orch(run)\0"))
}
