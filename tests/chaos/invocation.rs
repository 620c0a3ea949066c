//! One invocation of the binary, with what a fault needs to know of it.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::processes::{Process, TAG, etls_of};
use crate::support::world::{Done, Running};

/// How soon nothing of an ETL may be left once one process of etl-orch was killed (specification §7).
const SOON: Duration = Duration::from_secs(2);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(5);

/// An invocation that was started.
pub(crate) struct Invocation {
    running: Running,
    tag: String,
}

impl Invocation {
    /// Starts the command, and marks with the tag what comes from it. A tag ends in a dot: none is the beginning of another.
    pub(crate) fn start(mut command: Command, tag: String) -> Self {
        command.env(TAG, &tag);
        Self { running: Running::start(command), tag }
    }

    /// The orchestrator, where it is there already and still.
    pub(crate) fn orchestrator(&self) -> Option<Process> {
        let guard = self.running.pid();
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap_or_default();
        // It is the guard's first child; what it adopts comes later.
        let pid = children.split_whitespace().find_map(|pid| pid.parse().ok().filter(|pid| is_orchestrator(*pid)))?;
        Process::open(pid)
    }

    /// Every process of its ETLs that is alive.
    pub(crate) fn etls(&self) -> Vec<Process> {
        etls_of(&self.tag)
    }

    /// Whether the orchestrator is there, and no longer ended by a signal without a word.
    pub(crate) fn has_handlers(&self) -> bool {
        self.orchestrator().is_some_and(|orchestrator| orchestrator.handles_signals())
    }

    /// Sends a signal by name; whether it was there to get it.
    pub(crate) fn signal(&mut self, name: &str) -> bool {
        let is_running = self.is_running();
        if is_running {
            // It is our child and not reaped: nobody else can have its number.
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

    /// Waits until nothing of its ETLs is alive, which must be soon; how long it took.
    pub(crate) fn etls_are_gone_soon(&self) -> Duration {
        let since = Instant::now();
        loop {
            let etls = self.etls();
            let took = since.elapsed();
            if etls.is_empty() {
                return took;
            }
            assert!(took < SOON, "still alive after {took:?}: {:?}", etls.iter().map(Process::describe).collect::<Vec<_>>());
            sleep(LOOK);
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
