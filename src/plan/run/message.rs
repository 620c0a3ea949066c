//! A line that a child printed for programs: a message in the shape of the Airbyte protocol, of which this is a part.
//!
//! Strict: the type is known and the object valid, or the line is a log line like any other.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::plan::model::outcome::Fault;
use crate::plan::model::said::{LogLevel, StageState};

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A stage begins, gets on or ends.
    Status {
        stage: String,
        state: StageState,
        at: Option<DateTime<Utc>>,
    },
    /// How many records a stage may have. `None`: it says nothing of a single stage.
    Estimate {
        stage: Option<(String, u64)>,
        at: Option<DateTime<Utc>>,
    },
    /// Something went wrong.
    Error(ChildError),
    /// A metric grows by this.
    Metric {
        name: String,
        value: f64,
    },
    /// Counts of a stage grow by these. `None`: it says nothing of a single stage.
    Counts(Option<StageCounts>),
    Log {
        level: LogLevel,
        message: String,
    },
}

/// By how much the counts of a stage grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageCounts {
    pub stage: String,
    pub read: Option<u64>,
    pub written: Option<u64>,
    pub rejected: Option<u64>,
    /// In the order in which they are named.
    pub named: Vec<(String, u64)>,
}

/// An error that a child reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildError {
    pub message: String,
    /// What can be done about it, where the child says so.
    pub fault: Option<Fault>,
}

/// The message that a line is; `None` where it is a log line.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Message> {
    // A look at two bytes spares lines that cannot be messages the rest.
    if line.first() != Some(&b'{') || line.last() != Some(&b'}') {
        return None;
    }
    let written: Written = serde_json::from_slice(line).ok()?;
    match written {
        Written { kind: Kind::Log, log: Some(Log { level, message }), .. } => Some(Message::Log { level: level.level(), message }),
        Written { kind: Kind::Trace, trace: Some(trace), .. } => trace.message(),
        Written { kind: Kind::State, state: Some(state), .. } => Some(state.message()),
        Written { kind: Kind::Log | Kind::Trace | Kind::State, .. } => None,
    }
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Kind,
    log: Option<Log>,
    trace: Option<Trace>,
    state: Option<State>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Log,
    Trace,
    State,
}

#[derive(Deserialize)]
struct Log {
    level: Level,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Level {
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    fn level(&self) -> LogLevel {
        match self {
            Self::Fatal => LogLevel::Fatal,
            Self::Error => LogLevel::Error,
            Self::Warn => LogLevel::Warn,
            Self::Info => LogLevel::Info,
            Self::Debug => LogLevel::Debug,
            Self::Trace => LogLevel::Trace,
        }
    }
}

#[derive(Deserialize)]
struct Trace {
    #[serde(rename = "type")]
    kind: TraceKind,
    emitted_at: Option<Number>,
    stream_status: Option<StreamStatus>,
    estimate: Option<Estimate>,
    error: Option<WrittenError>,
    analytics: Option<Analytics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum TraceKind {
    StreamStatus,
    Estimate,
    Error,
    Analytics,
}

impl Trace {
    fn message(self) -> Option<Message> {
        let at = self.emitted_at.as_ref().and_then(time);
        Some(match self.kind {
            TraceKind::StreamStatus => {
                let StreamStatus { stream_descriptor, status } = self.stream_status?;
                Message::Status { stage: stream_descriptor.stage(), state: status.state(), at }
            }
            TraceKind::Estimate => {
                let Estimate { kind, name, namespace, rows } = self.estimate?;
                let rows = rows.map(|Count(rows)| rows);
                let stage = match kind {
                    EstimateKind::Stream => Some(Descriptor { name, namespace }.stage()).zip(rows),
                    EstimateKind::Sync => None,
                };
                Message::Estimate { stage, at }
            }
            TraceKind::Error => {
                let WrittenError { message, failure_type } = self.error?;
                let fault = failure_type.and_then(|kind| kind.fault());
                Message::Error(ChildError { message, fault })
            }
            TraceKind::Analytics => {
                let Analytics { kind, value } = self.analytics?;
                Message::Metric { name: kind, value: value?.0 }
            }
        })
    }
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
    namespace: Option<String>,
}

impl Descriptor {
    fn stage(self) -> String {
        match self.namespace {
            Some(namespace) if !namespace.is_empty() => format!("{namespace}.{}", self.name),
            Some(_) | None => self.name,
        }
    }
}

#[derive(Deserialize)]
struct StreamStatus {
    stream_descriptor: Descriptor,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Started,
    Running,
    Complete,
    Incomplete,
}

impl Status {
    fn state(&self) -> StageState {
        match self {
            Self::Started => StageState::Started,
            Self::Running => StageState::Running,
            Self::Complete => StageState::Complete,
            Self::Incomplete => StageState::Incomplete,
        }
    }
}

#[derive(Deserialize)]
struct Estimate {
    #[serde(rename = "type")]
    kind: EstimateKind,
    name: String,
    namespace: Option<String>,
    #[serde(rename = "row_estimate")]
    rows: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum EstimateKind {
    Stream,
    Sync,
}

#[derive(Deserialize)]
struct WrittenError {
    message: String,
    failure_type: Option<FailureType>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the words of the protocol")]
enum FailureType {
    SystemError,
    ConfigError,
    TransientError,
}

impl FailureType {
    fn fault(&self) -> Option<Fault> {
        match self {
            Self::SystemError => None,
            Self::ConfigError => Some(Fault::Configuration),
            Self::TransientError => Some(Fault::Transient),
        }
    }
}

#[derive(Deserialize)]
struct Analytics {
    #[serde(rename = "type")]
    kind: String,
    value: Option<Amount>,
}

#[derive(Deserialize)]
struct State {
    stream: Option<StateOfStream>,
    #[serde(rename = "sourceStats")]
    source: Option<Stats>,
    #[serde(rename = "destinationStats")]
    destination: Option<Stats>,
}

#[derive(Deserialize)]
struct StateOfStream {
    stream_descriptor: Descriptor,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    record_count: Option<Count>,
    rejected_record_count: Option<Count>,
    #[serde(rename = "additionalStats")]
    named: Option<NamedCounts>,
}

impl State {
    fn message(self) -> Message {
        let Some(StateOfStream { stream_descriptor }) = self.stream else { return Message::Counts(None) };
        let (source, destination) = (self.source.unwrap_or_default(), self.destination.unwrap_or_default());
        let number = |count: Option<Count>| count.map(|Count(number)| number);
        let rejected = [source.rejected_record_count, destination.rejected_record_count];
        let named = [source.named, destination.named];
        Message::Counts(Some(StageCounts {
            stage: stream_descriptor.stage(),
            read: number(source.record_count),
            written: number(destination.record_count),
            rejected: rejected.into_iter().filter_map(number).reduce(u64::saturating_add),
            named: named.into_iter().flatten().flat_map(|NamedCounts(counts)| counts).collect(),
        }))
    }
}

/// The largest whole number that every reader of JSON takes exactly.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// A whole number that is not negative. It may be written as `5.0`.
#[derive(Clone, Copy)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let whole = number.as_f64().filter(|value| (0.0..=LARGEST).contains(value) && value.fract() == 0.0);
        // The text of such a number has no decimal places.
        whole.and_then(|value| format!("{value:.0}").parse().ok()).map(Self).ok_or_else(|| D::Error::custom("a whole number"))
    }
}

/// A number, which may be written as text.
struct Amount(f64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        let value = match Either::deserialize(deserializer)? {
            Either::Number(value) => Some(value),
            Either::Text(text) => text.trim().parse().ok(),
        };
        value.filter(|value| value.abs() <= LARGEST).map(Self).ok_or_else(|| D::Error::custom("a number"))
    }
}

/// An object of counts, in its order.
struct NamedCounts(Vec<(String, u64)>);

impl<'de> Deserialize<'de> for NamedCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counts;

        impl<'de> Visitor<'de> for Counts {
            type Value = NamedCounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of counts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NamedCounts, A::Error> {
                let mut counts = Vec::new();
                while let Some((name, Count(count))) = entries.next_entry()? {
                    counts.push((name, count));
                }
                Ok(NamedCounts(counts))
            }
        }

        deserializer.deserialize_map(Counts)
    }
}

/// Milliseconds since 1970.
fn time(milliseconds: &Number) -> Option<DateTime<Utc>> {
    let since = std::time::Duration::try_from_secs_f64(milliseconds.as_f64()? / 1000.0).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(chrono::TimeDelta::from_std(since).ok()?)
}

#[cfg(test)]
mod tests;
