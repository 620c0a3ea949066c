//! A directory for attempts, and handles on running ones.

use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use etl_orch::execute::command::CommandExecutor;
use etl_orch::execute::stop::StopSender;
use etl_orch::execute::{AttemptEvent, Ended, Program};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Far longer than anything here takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// Longer than the deadline, so that a wait for this fails the test.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn task(&self, argv: &[&str]) -> Program {
        Program {
            argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
            cwd: self.dir.path().to_owned(),
            env: Vec::new(),
            timeout: LONG,
            grace: LONG,
            progress: Vec::new(),
            log: self.path("logs/2025-01-01/job/1.log"),
        }
    }

    pub(crate) fn sh(&self, script: &str) -> Program {
        self.task(&["sh", "-c", script])
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        fs::read(self.path("logs/2025-01-01/job/1.log")).unwrap()
    }

    pub(crate) fn script(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }
}

/// A running attempt.
pub(crate) struct Running {
    pub(crate) ended: JoinHandle<Ended>,
    pub(crate) stop: StopSender,
    pub(crate) events: mpsc::Receiver<AttemptEvent>,
}

impl Running {
    pub(crate) fn start(task: Program) -> Self {
        let stop = StopSender::default();
        let signal = stop.signal();
        let (sender, events) = mpsc::channel(1024);
        let ended = tokio::spawn(async move { CommandExecutor::default().run(task, signal, sender).await });
        Self { ended, stop, events }
    }

    pub(crate) async fn line(&mut self) -> String {
        loop {
            match within(self.events.recv()).await.expect("the child ended before it printed the line") {
                AttemptEvent::Spawned(_)
                | AttemptEvent::Triggered(_)
                | AttemptEvent::Waits(_)
                | AttemptEvent::Said(_)
                | AttemptEvent::Progress(_)
                | AttemptEvent::LinesOmitted(_) => {}
                AttemptEvent::Line(line) => return line,
            }
        }
    }

    /// Waits for this line; a shell may print `Terminated` before it.
    pub(crate) async fn wait_for_line(&mut self, awaited: &str) {
        while self.line().await != awaited {}
    }

    pub(crate) async fn pid(&mut self) -> i32 {
        self.line().await.trim().parse().unwrap()
    }

    pub(crate) async fn end(self) -> Ended {
        within(self.ended).await.unwrap()
    }
}

pub(crate) async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, wait).await.expect("this must not take so long")
}

pub(crate) async fn run(task: Program) -> Ended {
    Running::start(task).end().await
}

/// A zombie, which waits to be reaped by its parent, is not alive.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}

pub(crate) async fn until(what: impl Fn() -> bool) {
    within(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
