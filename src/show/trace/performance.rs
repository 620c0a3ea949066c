//! Where the time went.

use std::time::Duration;

use serde::Serialize;

use super::super::words::{Untrusted, brief, seconds};
use crate::plan::remember::trace::parts::{bottleneck, percent};

/// How long it took, and what of it took how long.
#[derive(Debug, Serialize)]
pub(super) struct Performance<'a> {
    total_seconds: Option<f64>,
    parts: Vec<PartEntry<'a>>,
    #[serde(skip)]
    total: Option<Duration>,
}

/// A part of the time.
#[derive(Debug, Serialize)]
struct PartEntry<'a> {
    name: Untrusted<'a>,
    duration_seconds: f64,
    /// Of the total, 0 to 100.
    percent: u64,
    is_bottleneck: bool,
    #[serde(skip)]
    took: Duration,
}

impl<'a> Performance<'a> {
    pub(super) fn new(total: Option<Duration>, parts: Vec<(Untrusted<'a>, Duration)>) -> Self {
        let durations: Vec<Duration> = parts.iter().map(|(_, took)| *took).collect();
        let slowest = total.and_then(|_| bottleneck(&durations));
        let entry = |(n, (name, took)): (usize, (Untrusted<'a>, Duration))| PartEntry {
            name,
            duration_seconds: seconds(took),
            percent: percent(took, total.unwrap_or_default()),
            is_bottleneck: slowest == Some(n),
            took,
        };
        Self { total_seconds: total.map(seconds), parts: parts.into_iter().enumerate().map(entry).collect(), total }
    }

    pub(super) fn lines(&self, so_far: bool, is_lost: bool) -> Vec<String> {
        let total = match self.total {
            Some(total) => format!("{}{}", brief(total), if so_far { " so far" } else { "" }),
            None if is_lost && self.parts.is_empty() => "unknown, as the run died".to_owned(),
            None if is_lost => "unknown, as the run died; its parts took at least".to_owned(),
            None => return vec!["not started".to_owned()],
        };
        let part = |part: &PartEntry<'_>| {
            let mark = if part.is_bottleneck { format!(" (bottleneck) {}%", part.percent) } else { String::new() };
            format!("{}: {}{mark}", part.name.excerpt(), brief(part.took))
        };
        std::iter::once(format!("Total Duration: {total}")).chain(self.parts.iter().map(part)).collect()
    }
}
