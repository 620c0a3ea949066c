//! What a child says of its work, as it is recorded: stages, log messages and metrics.

use chrono::{DateTime, Utc};

/// What a stage has come to, in the words of the Airbyte protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// It began.
    Started,
    /// It has said something since.
    Running,
    /// It ended well.
    Complete,
    /// It ended, and not well.
    Incomplete,
}

impl StageState {
    pub const ALL: [Self; 4] = [Self::Started, Self::Running, Self::Complete, Self::Incomplete];

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether the stage is over.
    #[must_use]
    pub fn has_ended(self) -> bool {
        match self {
            Self::Started | Self::Running => false,
            Self::Complete | Self::Incomplete => true,
        }
    }
}

/// A stage of an attempt's work. What was not said is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its place among the stages of the attempt, from 1.
    pub n: u32,
    /// As the child calls it. Several stages of an attempt may have one name, one after the other.
    pub name: String,
    pub state: StageState,
    pub started_at: DateTime<Utc>,
    /// `None` as long as nobody said that it ended, also when its attempt has ended.
    pub ended_at: Option<DateTime<Utc>>,
    pub records: Records,
    /// Named counts, such as `phones checked`, in the order in which they were named first.
    pub counts: Vec<(String, u64)>,
}

/// Numbers of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Records {
    pub read: Option<u64>,
    pub written: Option<u64>,
    pub rejected: Option<u64>,
    /// How many there may be in all.
    pub estimate: Option<u64>,
}

/// How much a log message matters, in the words of the Airbyte protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
    /// The message is not the child's: it says what of its words is not stored.
    Omitted,
}

impl LogLevel {
    pub const ALL: [Self; 7] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal, Self::Omitted];

    /// The level of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Omitted => "omitted",
        }
    }
}

/// A log message of a child. Plain lines are in the log of the attempt alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildLog {
    /// Its place among the messages of the attempt, from 1.
    pub n: u32,
    pub at: DateTime<Utc>,
    pub level: LogLevel,
    pub message: String,
}

/// A metric, such as `llm_cost_usd`, summed.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: String,
    pub value: f64,
}

/// News of what an attempt has said: stages as they are now, log messages that are new, and sums of metrics over the attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub stages: Vec<Stage>,
    pub logs: Vec<ChildLog>,
    pub metrics: Vec<Metric>,
}

impl Said {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.logs.is_empty() && self.metrics.is_empty()
    }

    /// Adds later news.
    pub fn merge(&mut self, later: Self) {
        for stage in later.stages {
            match self.stages.iter_mut().find(|earlier| earlier.n == stage.n) {
                Some(earlier) => *earlier = stage,
                None => self.stages.push(stage),
            }
        }
        self.logs.extend(later.logs);
        for metric in later.metrics {
            match self.metrics.iter_mut().find(|earlier| earlier.name == metric.name) {
                Some(earlier) => *earlier = metric,
                None => self.metrics.push(metric),
            }
        }
    }
}

/// Sums of metrics, by their names.
pub fn sum<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> Vec<Metric> {
    let mut sums = std::collections::BTreeMap::<&str, f64>::new();
    for metric in metrics {
        *sums.entry(&metric.name).or_default() += metric.value;
    }
    sums.into_iter().map(|(name, value)| Metric { name: name.to_owned(), value }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, value: f64) -> Metric {
        Metric { name: name.to_owned(), value }
    }

    #[test]
    fn what_is_known_later_takes_the_place_of_what_was_known() {
        let mut said = Said { metrics: vec![metric("tokens", 3.0)], ..Said::default() };
        said.merge(Said { metrics: vec![metric("tokens", 5.0), metric("llm_cost_usd", 0.5)], ..Said::default() });
        assert_eq!(said.metrics, [metric("tokens", 5.0), metric("llm_cost_usd", 0.5)]);
        assert!(!said.is_empty());
    }

    #[test]
    fn sums_are_by_name() {
        let all = [metric("tokens", 3.0), metric("llm_cost_usd", 0.5), metric("tokens", 4.0)];
        assert_eq!(sum(&all), [metric("llm_cost_usd", 0.5), metric("tokens", 7.0)]);
    }
}
