//! What was found of who is told of runs, without sending anything.

use chrono::{DateTime, Utc};

use super::{Looked, Status};

/// A channel that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Its key below `tell:`.
    pub name: &'static str,
    /// In words, without what is secret.
    pub shown: String,
    pub sight: Sight,
    /// When a quiet run said last that it could not tell this channel everything; `None` where none did, or no run was quiet.
    pub untold: Option<DateTime<Utc>>,
}

/// What can be seen of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Only sending something shows whether it is received.
    Nothing,
    /// Whether its file can be written, or why not.
    File(Result<(), String>),
    /// What its receiver has not taken yet.
    Outbox(Looked<Option<Waiting>>),
}

/// Messages that a receiver has not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub messages: usize,
    /// When the oldest was made.
    pub since: DateTime<Utc>,
}

impl ChannelFacts {
    /// What was not tried is unknown.
    #[must_use]
    pub fn status(&self) -> Status {
        let seen = match &self.sight {
            Sight::File(Ok(())) => Status::Ok,
            Sight::File(Err(_)) => Status::Failed,
            Sight::Outbox(Ok(Some(_))) => Status::Warning,
            Sight::Nothing | Sight::Outbox(Ok(None) | Err(_)) => Status::Unknown,
        };
        if self.untold.is_some() { seen.max(Status::Warning) } else { seen }
    }
}
