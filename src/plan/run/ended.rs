//! How the work of an attempt ended, as far as its executor can tell.

use std::time::Duration;

use crate::plan::model::outcome::Fault;
use crate::plan::model::said::Said;
use crate::plan::run::message::ChildError;
use crate::plan::text::secrets::Secrets;

/// How an attempt ended, as far as the executor can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The process exited by itself.
    Exited(i32),
    /// A signal that we did not send ended it.
    Signalled(i32),
    /// A service reports that its job is done.
    Completed,
    /// A service reports that its job failed, or a request to it failed.
    Reported {
        /// A sentence: the request, and its result.
        why: String,
        /// What can be done about it.
        fault: Fault,
    },
    /// A service no longer knows its job, whose end was not seen.
    Vanished,
    /// It ran longer than its timeout, and was terminated.
    TimedOut,
    /// It was terminated because a stop was asked for.
    Stopped,
    /// It could not be started. The sentence names the program and says what to do.
    SpawnFailed(String),
    /// It could not be started as this host was short of processes, memory or open files; the sentence says of which.
    HostShort(String),
    /// It has ended, but how is unknown; the sentence says why. It may or may not have done its work.
    Unseen(String),
}

/// The end of an attempt's work, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub end: End,
    /// Time from its start until no process of its group was left, by the monotonic clock.
    pub duration: Duration,
    /// The last lines it printed, at most 8 KiB and 40 lines. The last line says so when the log is not
    /// complete.
    pub tail: String,
    /// The pid, if there was a process.
    pub pid: Option<u32>,
    /// What it said of its work that its events had no room for.
    pub said: Said,
    /// What went wrong, by what it said.
    pub error: Option<ChildError>,
    /// The last answer of a service.
    pub answer: Option<serde_json::Value>,
    /// The id of the service's job, whether it has ended or not.
    pub service_job: Option<String>,
    /// The same, where the job must be followed further: its end was not seen, and it was not cancelled.
    pub remote_id: Option<String>,
}

impl Ended {
    /// The same without these secrets. The id of a service's job stays as it is, as it must be found again.
    #[must_use]
    pub fn without(self, secrets: &Secrets) -> Self {
        let clean = |text: String| secrets.clean(&text).into_owned();
        let end = match self.end {
            End::Reported { why, fault } => End::Reported { why: clean(why), fault },
            End::SpawnFailed(why) => End::SpawnFailed(clean(why)),
            End::HostShort(why) => End::HostShort(clean(why)),
            End::Unseen(why) => End::Unseen(clean(why)),
            other @ (End::Exited(_) | End::Signalled(_) | End::Completed | End::Vanished | End::TimedOut | End::Stopped) => other,
        };
        Self { end, tail: clean(self.tail), answer: self.answer.map(|answer| secrets.clean_json(answer)), ..self }
    }
}
