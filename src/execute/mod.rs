//! Runs the programs that make reports.
//!
//! The only room that starts processes or opens sockets for ETLs. It knows nothing of databases, gaps or retries: it
//! takes a [`Task`], and answers with an [`Ended`].

pub mod command;
pub mod survivors;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// One attempt, ready to be started. It has no `Debug`: arguments and environment may hold secrets.
#[derive(Clone)]
pub struct Task {
    /// Program and arguments, rendered; never empty.
    pub argv: Vec<String>,
    /// Directory in which it runs.
    pub cwd: PathBuf,
    /// Added to the inherited environment; a later pair wins over an earlier one.
    pub env: Vec<(String, String)>,
    /// The attempt is ended when it runs longer.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Everything that the child prints goes into this file, up to `command::MAX_LOG_BYTES` (mode 0600; its directories are
    /// made with 0700). It must not exist; it is made with the first byte, so an attempt that prints nothing has none.
    pub log: PathBuf,
}

/// How much an attempt is asked to stop. It only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// SIGTERM to the group, the grace period, then SIGKILL.
    Gracefully,
    /// SIGKILL to the group now.
    AtOnce,
}

/// What an attempt says while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The process exists, under this pid.
    Spawned(u32),
    /// It printed a line: cut after `command::MAX_LINE` bytes of what it printed, invalid UTF-8 and NUL replaced, other
    /// control characters still in it.
    Line(String),
}

/// How an attempt ended, as its process tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The process exited by itself.
    Exited(i32),
    /// A signal that we did not send ended it.
    Signalled(i32),
    /// It ran longer than [`Task::timeout`], and was ended.
    TimedOut,
    /// It was ended because of [`Stop`].
    Stopped,
    /// It could not be started; why, naming the program and what to do.
    SpawnFailed(String),
    /// It is over, but how it ended could not be learnt; why. It may or may not have done its work.
    Unseen(String),
}

/// The end of an attempt and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// Time from the spawn until nothing of it was left, by the monotonic clock.
    pub duration: Duration,
    /// The last lines it printed, at most `command::TAIL_BYTES` and `command::TAIL_LINES`. Where the log is not complete the
    /// last line says so.
    pub tail: String,
    /// Its pid, where there was a process.
    pub pid: Option<u32>,
}

/// Something that can carry out a [`Task`].
#[async_trait::async_trait]
pub trait Executor: Send + Sync {
    /// Runs the task to its end. When it returns no process of the attempt's group is left, whatever `stop` said.
    /// `said` is never waited for: what it cannot take is dropped from it, not from the log. [`Said::Spawned`] comes first.
    ///
    /// Dropping the future ends the group by SIGKILL.
    async fn run(&self, task: Task, stop: watch::Receiver<Stop>, said: mpsc::Sender<Said>) -> Ended;
}
