//! Runs the programs and asks the services that make reports and collect disclosures.
//!
//! The only room that starts processes or opens sockets for them. It knows nothing of databases, gaps or retries: it
//! takes a [`Task`], and answers with an [`Ended`].

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

use self::command::CommandExecutor;
use self::http::HttpExecutor;
use self::stop::StopSignal;
use crate::plan::model::outcome::Fault;
use crate::plan::model::work::HttpSpec;
use crate::plan::text::placeholder::Values;

/// One attempt, ready to be started. It has no `Debug`: what it holds may be secret.
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

/// A job of a service, ready to be triggered, or to be followed further.
#[derive(Clone)]
pub struct Call {
    /// The requests.
    pub spec: HttpSpec,
    /// What fills their placeholders, `{remote_id}` excepted: that the service says.
    pub values: Values,
    /// The id of a job that was triggered before: it is asked for, and another one is triggered only when the service does not
    /// know it.
    pub resume: Option<String>,
    /// A line for each state that the service reports goes into this file (mode 0600; its directories are made with 0700). It
    /// must not exist.
    pub log: PathBuf,
}

/// What an attempt says while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEvent {
    /// The process exists, under this pid.
    Spawned(u32),
    /// It printed a line: cut after `command::MAX_LINE` bytes of what it printed, invalid UTF-8 and NUL replaced, other
    /// control characters still in it.
    Line(String),
    /// It printed so many lines faster than they were taken from the channel.
    LinesOmitted(u64),
    /// A service has a job under this id. Following it further is possible by it.
    Triggered(String),
}

/// How an attempt ended, as its process tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The process exited by itself.
    Exited(i32),
    /// A signal that we did not send ended it.
    Signalled(i32),
    /// A service reports that its job is done.
    Completed,
    /// A service reports that its job failed, or could not be asked for one.
    Reported {
        /// In a sentence: what was asked, and what came of it.
        why: String,
        /// What can be done about it.
        fault: Fault,
    },
    /// A service does not know its job any more; how that ended nobody saw.
    Vanished,
    /// It ran longer than its timeout, and was ended.
    TimedOut,
    /// It was ended because its [`StopSignal`] was raised.
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
    /// What a service answered last.
    pub answer: Option<serde_json::Value>,
    /// Where it is to be followed further: the id of a service's job whose end was not seen and that was not stopped.
    pub open: Option<String>,
}

/// Something that can carry out a [`Task`].
#[async_trait::async_trait]
pub trait Executor: Send + Sync {
    /// Runs the task to its end. When it returns no process of the attempt's group is left, whatever `stop` said.
    /// `said` is never waited for: lines that it cannot take are counted there ([`AttemptEvent::LinesOmitted`]), and are in the log. [`AttemptEvent::Spawned`] comes first.
    ///
    /// Dropping the future ends a group by SIGKILL; a service's job goes on.
    async fn run(&self, task: Task, stop: StopSignal, said: mpsc::Sender<AttemptEvent>) -> Ended;
}

/// The adapters together.
#[derive(Debug, Default)]
pub struct Executors {
    command: CommandExecutor,
    http: HttpExecutor,
}

#[async_trait::async_trait]
impl Executor for Executors {
    async fn run(&self, task: Task, stop: StopSignal, said: mpsc::Sender<AttemptEvent>) -> Ended {
        match task {
            Task::Command(program) => self.command.run(program, stop, said).await,
            Task::Http(call) => self.http.run(*call, stop, said).await,
        }
    }
}
