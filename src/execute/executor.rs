//! The port through which an attempt is carried out, and its implementation for all kinds of tasks.

use tokio::sync::mpsc;

use super::command::CommandExecutor;
use super::http::HttpExecutor;
use super::stop::StopSignal;
use super::task::{AttemptEvent, Task};
use crate::plan::run::ended::Ended;
use crate::plan::text::secrets::Secrets;

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
    secrets: Secrets,
}

impl Executors {
    /// Executors that take these secrets out of everything that they report.
    pub fn new(secrets: Secrets) -> Self {
        Self { command: CommandExecutor::new(secrets.clone()), http: HttpExecutor::new(secrets.clone()), secrets }
    }
}

#[async_trait::async_trait]
impl Executor for Executors {
    async fn run(&self, task: Task, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended {
        let ended = match task {
            Task::Command(program) => self.command.run(program, stop, events).await,
            Task::Http(call) => self.http.run(*call, stop, events).await,
        };
        ended.without(&self.secrets)
    }
}
