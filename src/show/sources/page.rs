//! The page of `etl-orch sources`.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Serialize;

use super::super::View;
use super::super::escape::excerpt;
use super::super::words::{Time, Untrusted, count};
use super::SourceView;
use super::text::{collected, given_up, heading, held_back, state};
use crate::plan::decide::freshness::{Freshness, Newest};
use crate::plan::decide::source_plan::{Lateness, SourcePlan};
use crate::plan::model::catalogue::Catalogue;

/// What is known of a source.
#[derive(Debug, Clone)]
pub struct ListedSource {
    /// What a run would do about it now.
    pub plan: SourcePlan,
    /// Windows in its queue that are to be collected.
    pub queued: u64,
    /// The age of its data itself, where the configuration has a query for it.
    pub freshness: Option<Freshness>,
}

/// All sources, as a run that started now would find them.
#[derive(Debug, Serialize)]
pub struct SourcesView<'a> {
    timestamp: Time,
    sources: Vec<SourceEntry<'a>>,
}

#[derive(Debug, Serialize)]
pub(in crate::show) struct SourceEntry<'a> {
    #[serde(flatten)]
    source: SourceView<'a>,
    queued: u64,
    freshness: Option<FreshnessView<'a>>,
}

#[derive(Debug, Serialize)]
struct FreshnessView<'a> {
    until: Option<Time>,
    /// The same day, where the data has days and not times.
    day: Option<NaiveDate>,
    age_seconds: Option<i64>,
    error: Option<Untrusted<'a>>,
    #[serde(skip)]
    freshness: &'a Freshness,
}

impl<'a> SourcesView<'a> {
    /// The view at this time.
    pub fn new(sources: &'a [ListedSource], catalogue: &'a Catalogue, now: DateTime<Utc>) -> Self {
        Self { timestamp: Time(now), sources: sources.iter().map(|listed| SourceEntry::new(listed, catalogue, now)).collect() }
    }
}

impl<'a> SourceEntry<'a> {
    pub(in crate::show) fn new(listed: &'a ListedSource, catalogue: &'a Catalogue, now: DateTime<Utc>) -> Self {
        Self {
            source: SourceView::new(&listed.plan, catalogue, |_| None),
            queued: listed.queued,
            freshness: listed.freshness.as_ref().map(|freshness| FreshnessView::new(freshness, now)),
        }
    }

    pub(in crate::show) fn id(&self) -> &str {
        self.source.id
    }

    pub(in crate::show) fn name(&self) -> &str {
        self.source.name
    }

    pub(in crate::show) fn lateness(&self) -> Lateness {
        self.source.lateness
    }

    /// The end of what was collected.
    pub(in crate::show) fn collected_until(&self) -> Option<Time> {
        self.source.collected_until
    }

    pub(in crate::show) fn next_due(&self) -> Time {
        self.source.next_due
    }

    /// What is done about it and why.
    pub(in crate::show) fn state(&self) -> String {
        state(&self.source)
    }

    /// The time of its newest data, where the configuration has a query for it.
    pub(in crate::show) fn newest_data(&self) -> Option<String> {
        self.freshness.as_ref().map(FreshnessView::text)
    }
}

impl View for SourcesView<'_> {
    fn kind(&self) -> &'static str {
        "sources"
    }

    fn text(&self) -> String {
        if self.sources.is_empty() {
            return "no sources are configured\n".to_owned();
        }
        let heading = heading(self.sources.iter().map(|entry| &entry.source)) + "\n";
        std::iter::once(heading).chain(self.sources.iter().map(SourceEntry::text)).collect::<Vec<_>>().join("\n")
    }
}

impl SourceEntry<'_> {
    /// A block of lines.
    fn text(&self) -> String {
        let source = &self.source;
        let mut text = format!("{} ({})\n", source.id, excerpt(source.name));
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<11}{value}");
        };
        line("state", state(source));
        let last = source.last.as_ref();
        line("last", last.map_or("never".to_owned(), |last| format!("{} {}", last.at, collected(last.collected))));
        if let (Some(_), Some(frontier)) = (source.collected_until, source.frontier) {
            let but = if source.given_up.is_empty() { "" } else { ", but for what was given up" };
            line("collected", format!("until {frontier}{but}"));
        }
        if let Some(order) = &source.order {
            line("order", order.text());
        }
        for window in held_back(&source.held_back) {
            line("missing", window);
        }
        for span in given_up(&source.given_up) {
            line("given up", span);
        }
        line("next due", source.next_due.to_string());
        if self.queued > 0 {
            line("queue", count(self.queued, "window"));
        }
        if source.failed_runs > 0 {
            let error = source.error.as_ref().map(|error| format!("; the last: {}", error.excerpt())).unwrap_or_default();
            line("failures", format!("{} in a row{error}", count(source.failed_runs.into(), "run")));
        }
        if let Some(freshness) = &self.freshness {
            line("data", freshness.text());
        }
        text
    }
}

impl<'a> FreshnessView<'a> {
    fn new(freshness: &'a Freshness, now: DateTime<Utc>) -> Self {
        let newest = match freshness {
            Freshness::Until(newest) => Some(*newest),
            Freshness::Nothing | Freshness::NoTime(_) | Freshness::Failed(_) => None,
        };
        Self {
            until: newest.map(|newest| match newest {
                Newest::Day(day) => Time(day.and_time(NaiveTime::MIN).and_utc()),
                Newest::Moment(at) => Time(at),
            }),
            day: newest.and_then(|newest| match newest {
                Newest::Day(day) => Some(day),
                Newest::Moment(_) => None,
            }),
            age_seconds: newest.map(|newest| newest.age(now)),
            error: match freshness {
                Freshness::Until(_) | Freshness::Nothing => None,
                Freshness::NoTime(answer) => Some(no_time(answer).into()),
                Freshness::Failed(error) => Some(error.as_str().into()),
            },
            freshness,
        }
    }

    /// `until 2026-01-16 (9 days old)`.
    fn text(&self) -> String {
        match self.freshness {
            Freshness::Until(newest) => {
                let until = match newest {
                    Newest::Day(day) => day.to_string(),
                    Newest::Moment(at) => Time(*at).to_string(),
                };
                format!("until {until} ({})", age(*newest, self.age_seconds.unwrap_or_default()))
            }
            Freshness::Nothing => "none".to_owned(),
            Freshness::NoTime(answer) => format!("unknown: {}", no_time(answer)),
            Freshness::Failed(error) => format!("unknown: {}", excerpt(error)),
        }
    }
}

fn no_time(answer: &str) -> String {
    format!("freshness answers \"{}\", which is not a date or time", excerpt(answer))
}

fn age(newest: Newest, seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
    let old = |number: i64, noun| format!("{} old", count(number.unsigned_abs(), noun));
    match newest {
        Newest::Day(_) | Newest::Moment(_) if seconds < 0 => "in the future".to_owned(),
        Newest::Day(_) if days == 0 => "today".to_owned(),
        Newest::Day(_) => old(days, "day"),
        Newest::Moment(_) if days >= 2 => old(days, "day"),
        Newest::Moment(_) if hours >= 1 => old(hours, "hour"),
        Newest::Moment(_) => old(minutes, "minute"),
    }
}
