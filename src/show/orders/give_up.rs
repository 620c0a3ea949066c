//! What `etl-orch sources give-up` did.

use serde::Serialize;

use super::super::View;
use super::super::blocked::by_whom;
use super::super::command_line::CommandLine;
use super::super::sources::Span;
use super::super::words::{Time, count};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::ids::JobId;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::window::Window;
use crate::plan::remember::source_state::GivenUp;

/// Windows that are not to be collected any more.
#[derive(Debug, Serialize)]
pub struct GiveUpView<'a> {
    source: &'a str,
    by: &'a str,
    reason: &'a str,
    at: Time,
    windows: Vec<Span>,
    frontier: Option<Time>,
    behind: u64,
    #[serde(skip)]
    running: Option<JobId>,
    #[serde(skip)]
    next: &'a CommandLine,
}

/// `by ann since 2026-…: why`.
pub fn given_up(order: &GivenUp) -> String {
    by_whom(&order.by, order.since, &order.reason)
}

impl<'a> GiveUpView<'a> {
    /// The view of an order; `plan` is what a run would now do about the source, `running` its job that runs at the moment, and
    /// `next` begins the commands.
    pub fn new(order: &'a SourceOrder, plan: Option<&SourcePlan>, running: Option<JobId>, next: &'a CommandLine) -> Self {
        let windows: &[Window] = match &order.kind {
            SourceOrderKind::GiveUp { windows, .. } => windows,
            SourceOrderKind::Pause | SourceOrderKind::Resume | SourceOrderKind::Collect(_) => &[],
        };
        Self {
            source: &order.source,
            by: &order.by,
            reason: &order.reason,
            at: Time(order.at),
            windows: windows.iter().copied().map(Span::from).collect(),
            frontier: plan.and_then(|plan| plan.state.frontier).map(Time),
            behind: plan.map_or(0, |plan| plan.behind),
            running,
            next,
        }
    }
}

impl View for GiveUpView<'_> {
    fn kind(&self) -> &'static str {
        "give_up"
    }

    fn text(&self) -> String {
        let id = self.source;
        let mut lines: Vec<String> = self.windows.iter().map(|window| format!("give-up: {id}: {window}")).collect();
        let given_up = count(self.windows.len() as u64, "window");
        let enqueue = self.next.of(format!("sources enqueue {id} --window WINDOW"));
        lines.push(format!("{given_up} given up; `{enqueue}` takes that back"));
        if let Some(job) = self.running.map(|job| job.short()) {
            let cancel = self.next.of(format!("cancel {job}"));
            lines.push(format!("its job {job} is running and goes on; `{cancel}` stops it"));
        }
        let behind = if self.behind == 0 { "up to date".to_owned() } else { format!("{} behind", count(self.behind, "window")) };
        let passed = self.frontier.as_ref().map(|frontier| format!(", collected or given up until {frontier}")).unwrap_or_default();
        lines.push(format!("{id} is {behind}{passed}\n"));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-01-16T{hour:02}:00:00Z").parse().unwrap()
    }

    #[test]
    fn each_window_is_named_and_how_to_take_it_back() {
        let windows = vec![Window { start: at(0), end: at(6) }, Window { start: at(6), end: at(12) }];
        let (source, by, reason) = ("us_house".to_owned(), "ann".to_owned(), "the clerk lost it".to_owned());
        let order = SourceOrder { source, kind: SourceOrderKind::GiveUp { windows, begin: None }, by, reason, at: at(13) };
        let next = CommandLine::default();
        let view = GiveUpView::new(&order, None, Some(JobId::parse("1a2b3c4d-0000-4000-8000-000000000000").unwrap()), &next);
        insta::assert_snapshot!(view.text(), @r"
        give-up: us_house: 2026-01-16 00:00–06:00Z
        give-up: us_house: 2026-01-16 06:00–12:00Z
        2 windows given up; `etl-orch sources enqueue us_house --window WINDOW` takes that back
        its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it
        us_house is up to date
        ");
        let json: serde_json::Value = serde_json::from_str(&view.json().unwrap()).unwrap();
        assert_eq!(
            (&json["kind"], &json["by"], &json["windows"][1]["start"]),
            (&"give_up".into(), &"ann".into(), &"2026-01-16T06:00:00Z".into())
        );
    }
}
