//! What an executor is given, and what it reports while it works.

use std::path::PathBuf;
use std::time::Duration;

use crate::plan::model::patterns::StagePattern;
use crate::plan::model::said::Said;
use crate::plan::model::work::HttpSpec;
use crate::plan::run::event::ServiceWait;
use crate::plan::text::placeholder::Values;

/// One attempt, ready to be started. It has no `Debug`, as it may contain secrets.
#[derive(Clone)]
pub enum Task {
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
    /// Added to the inherited environment, without what that says of another attempt; a later pair wins over an earlier one.
    pub env: Vec<(String, String)>,
    /// The attempt is terminated when it runs longer.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The file for everything that the child prints, up to `command::MAX_LOG_BYTES` (mode 0600, directories 0700). It must not exist; it
    /// is created with the first byte, so an attempt that prints nothing has none.
    pub log: PathBuf,
    /// Which stages its lines name.
    pub progress: Vec<StagePattern>,
}

/// A job of a service, ready to be triggered, or to be followed further.
#[derive(Clone)]
pub struct Call {
    /// The requests.
    pub spec: HttpSpec,
    /// The values of their placeholders, except `{remote_id}`, which comes from the service.
    pub values: Values,
    /// The id of a job that was triggered before. It is followed; another one is triggered only when the service does not know it.
    pub remote_id: Option<String>,
    /// How long before that job was triggered; zero where that is not known.
    pub triggered_before: Duration,
    /// The header `traceparent` of its requests, where they have none of their own.
    pub traceparent: Option<String>,
    /// The file for a line about each state that the service reports (mode 0600, directories 0700). It must not exist.
    pub log: PathBuf,
}

/// An event of a running attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptEvent {
    /// The process was started; its pid.
    Spawned(u32),
    /// It printed a line. A line longer than `command::MAX_LINE` bytes comes in pieces. Invalid UTF-8 and NUL are replaced; other control
    /// characters are not.
    Line(String),
    /// It wrote over a line that has not ended: a progress bar. Told now and then.
    Progress(String),
    /// It said this of its work, since the last event of this kind. What the channel has no room for comes with a later one, or with the end.
    Said(Said),
    /// So many lines are missing here, because the channel was full.
    LinesOmitted(u64),
    /// Its next request to a service waits for this; `None` where it waits no more.
    Waits(Option<ServiceWait>),
    /// A service has begun a job; its id, by which it can be followed.
    Triggered(String),
}
