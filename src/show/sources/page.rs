//! The page of `etl-orch sources`.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::escape::{escaped, excerpt};
use super::super::summary::{count, time};
use super::{SourceEntry, collected, entry, heading, standing};
use crate::plan::decide::freshness::{Freshness, Newest};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::catalogue::Catalogue;

/// A source and what else is known of it.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// What a run would do about it now.
    pub plan: SourcePlan,
    /// Windows in its queue that are to be collected.
    pub queued: u64,
    /// The age of its data itself, where configuration says how to ask.
    pub freshness: Option<Freshness>,
}

/// A block for each source, ending in a newline.
#[must_use]
pub fn sources_as_text(views: &[SourceView], catalogue: &Catalogue, now: DateTime<Utc>) -> String {
    if views.is_empty() {
        return "no sources are configured\n".to_owned();
    }
    let plans: Vec<SourcePlan> = views.iter().map(|view| view.plan.clone()).collect();
    let blocks = views.iter().map(|view| block(view, catalogue, now));
    std::iter::once(heading(&plans) + "\n").chain(blocks).collect::<Vec<_>>().join("\n")
}

fn block(view: &SourceView, catalogue: &Catalogue, now: DateTime<Utc>) -> String {
    let plan = &view.plan;
    let source = &catalogue.sources[plan.source];
    let mut text = format!("{} ({})\n", source.id, excerpt(&source.name));
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<11}{value}");
    };
    line("state", standing(plan));
    let last = plan.state.last.as_ref();
    line("last", last.map_or("never".to_owned(), |last| format!("{} {}", time(last.at), collected(&last.collected))));
    if let Some(frontier) = plan.state.frontier {
        line("collected", format!("until {}", time(frontier)));
    }
    line("next due", time(plan.next_due));
    if view.queued > 0 {
        line("queue", count(view.queued, "window"));
    }
    if plan.failed_runs > 0 {
        let error = plan.error.as_ref().map(|error| format!("; the last: {}", excerpt(error))).unwrap_or_default();
        line("failures", format!("{} in a row{error}", count(plan.failed_runs.into(), "run")));
    }
    if let Some(freshness) = &view.freshness {
        line("data", fresh(freshness, now));
    }
    text
}

/// `until 2026-01-16 (9 days old)`.
fn fresh(freshness: &Freshness, now: DateTime<Utc>) -> String {
    match freshness {
        Freshness::Until(newest) => {
            let until = match newest {
                Newest::Day(day) => day.to_string(),
                Newest::Moment(at) => time(*at),
            };
            format!("until {until} ({})", age(*newest, now))
        }
        Freshness::Nothing => "none".to_owned(),
        Freshness::NoTime(answer) => format!("unknown: {}", no_time(answer)),
        Freshness::Failed(error) => format!("unknown: {}", excerpt(error)),
    }
}

fn no_time(answer: &str) -> String {
    format!("freshness answers \"{}\", which is no date or time", excerpt(answer))
}

fn age(newest: Newest, now: DateTime<Utc>) -> String {
    let seconds = newest.age(now);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60);
    let old = |number: i64, noun| format!("{} old", count(number.unsigned_abs(), noun));
    match newest {
        _ if seconds < 0 => "in the future".to_owned(),
        Newest::Day(_) if days == 0 => "today".to_owned(),
        Newest::Day(_) => old(days, "day"),
        Newest::Moment(_) if days >= 2 => old(days, "day"),
        Newest::Moment(_) if hours >= 1 => old(hours, "hour"),
        Newest::Moment(_) => old(minutes, "minute"),
    }
}

#[derive(Serialize)]
struct Page<'a> {
    schema_version: u32,
    kind: &'static str,
    timestamp: String,
    sources: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    source: SourceEntry<'a>,
    queued: u64,
    freshness: Option<Fresh>,
}

#[derive(Serialize)]
struct Fresh {
    until: Option<String>,
    age_seconds: Option<i64>,
    error: Option<String>,
}

/// One object, ending in a newline.
///
/// # Errors
/// Never in practice: every value has a JSON form.
pub fn sources_as_json(views: &[SourceView], catalogue: &Catalogue, now: DateTime<Utc>) -> serde_json::Result<String> {
    let one = |view: &SourceView| Entry {
        source: entry(&view.plan, catalogue, |_| None),
        queued: view.queued,
        freshness: view.freshness.as_ref().map(|freshness| Fresh {
            until: match freshness {
                Freshness::Until(Newest::Day(day)) => Some(day.to_string()),
                Freshness::Until(Newest::Moment(at)) => Some(time(*at)),
                Freshness::Nothing | Freshness::NoTime(_) | Freshness::Failed(_) => None,
            },
            age_seconds: match freshness {
                Freshness::Until(newest) => Some(newest.age(now)),
                Freshness::Nothing | Freshness::NoTime(_) | Freshness::Failed(_) => None,
            },
            error: match freshness {
                Freshness::Until(_) | Freshness::Nothing => None,
                Freshness::NoTime(answer) => Some(no_time(answer)),
                Freshness::Failed(error) => Some(escaped(error).into_owned()),
            },
        }),
    };
    let page = Page { schema_version: 1, kind: "sources", timestamp: time(now), sources: views.iter().map(one).collect() };
    serde_json::to_string_pretty(&page).map(|text| text + "\n")
}
