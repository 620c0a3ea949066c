//! Runs the programs and asks the services that make reports and collect disclosures.
//!
//! The only room that starts processes or opens sockets for ETLs. It knows nothing of databases, gaps or retries: it takes a [`Task`] and
//! returns an [`Ended`].

pub mod command;
pub mod http;
mod lines;
mod log;
mod record;
pub mod stop;
mod tail;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

pub use crate::plan::run::ended::{End, Ended};

use self::command::CommandExecutor;
use self::http::HttpExecutor;
use self::stop::StopSignal;
use crate::plan::model::work::HttpSpec;
use crate::plan::text::placeholder::Values;

/// One attempt, ready to be started. It has no `Debug`, as it may contain secrets.
#[derive(Clone)]
pub enum Task {
    /// A program.
    Command(Program),
    /// A job of a service.
    Http(Box<Call>),
}

/// A program, ready to be started.
#[derive(Clone)]
pub struct Program {
    /// Program and arguments, rendered; never empty.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Added to the inherited environment; a later pair wins over an earlier one.
    pub env: Vec<(String, String)>,
    /// The attempt is terminated when it runs longer.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The file for everything that the child prints, up to `command::MAX_LOG_BYTES` (mode 0600, directories 0700). It must not exist; it
    /// is created with the first byte, so an attempt that prints nothing has none.
    pub log: PathBuf,
}

/// A job of a service, ready to be triggered, or to be followed further.
#[derive(Clone)]
pub struct Call {
    /// The requests.
    pub spec: HttpSpec,
    /// The values of their placeholders, except `{remote_id}`, which comes from the service.
    pub values: Values,
    /// The id of a job that was triggered before. It is followed; another one is triggered only when the service does not know it.
    pub resume: Option<String>,
    /// The file for a line about each state that the service reports (mode 0600, directories 0700). It must not exist.
    pub log: PathBuf,
}

/// An event of a running attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEvent {
    /// The process was started; its pid.
    Spawned(u32),
    /// It printed a line. A line longer than `command::MAX_LINE` bytes comes in pieces. Invalid UTF-8 and NUL are replaced; other control
    /// characters are not.
    Line(String),
    /// So many lines are missing here, because the channel was full.
    LinesOmitted(u64),
    /// A service has begun a job; its id, by which it can be followed.
    Triggered(String),
}

/// Carries out a [`Task`].
#[async_trait::async_trait]
pub trait Executor: Send + Sync {
    /// Runs the task to its end. When it returns, no process of the attempt's group is left, whatever `stop` asked for. It never waits for
    /// `events`: lines that the channel cannot take are counted there ([`AttemptEvent::LinesOmitted`]), and are in the log.
    /// [`AttemptEvent::Spawned`] comes first.
    ///
    /// Dropping the future kills the process group; a service's job goes on.
    async fn run(&self, task: Task, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended;
}

/// Runs each task by the adapter for it.
#[derive(Debug, Default)]
pub struct Executors {
    command: CommandExecutor,
    http: HttpExecutor,
}

#[async_trait::async_trait]
impl Executor for Executors {
    async fn run(&self, task: Task, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended {
        match task {
            Task::Command(program) => self.command.run(program, stop, events).await,
            Task::Http(call) => self.http.run(*call, stop, events).await,
        }
    }
}
