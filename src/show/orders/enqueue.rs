//! What `etl-orch sources enqueue` did.

use serde::Serialize;

use super::super::View;
use super::super::command_line::CommandLine;
use super::super::escape::{escaped, excerpt};
use super::super::sources::Span;
use super::super::words::{Time, count};
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::orders::SourceOrder;
use crate::plan::model::window::Window;

/// Windows that were put into the queue of a source, and when they are collected.
#[derive(Debug, Serialize)]
pub struct EnqueueView<'a> {
    source: &'a str,
    by: &'a str,
    reason: &'a str,
    at: Time,
    windows: Vec<Span>,
    when: String,
}

impl<'a> EnqueueView<'a> {
    /// The view of an order on these windows; `plan` is what a run would now do about the source. With `now` a run follows; `next` begins
    /// the commands.
    pub fn new(order: &'a SourceOrder, windows: &[Window], plan: Option<&SourcePlan>, now: bool, next: &CommandLine) -> Self {
        Self {
            source: &order.source,
            by: &order.by,
            reason: &order.reason,
            at: Time(order.at),
            windows: windows.iter().copied().map(Span::from).collect(),
            when: when(&order.source, plan, windows, now, next),
        }
    }

    /// `us_house: 1 window, 2026-…/2026-…; collected by the next run`.
    pub fn sentence(&self) -> String {
        let windows = match self.windows.as_slice() {
            [] => "no window".to_owned(),
            [window] => format!("1 window, {window}"),
            [first, .., last] => {
                let all = Span { start: first.start, end: last.end };
                format!("{}, {all}", count(self.windows.len() as u64, "window"))
            }
        };
        format!("{}: {windows}; {}", self.source, self.when)
    }
}

impl View for EnqueueView<'_> {
    fn kind(&self) -> &'static str {
        "enqueue"
    }

    fn text(&self) -> String {
        format!("enqueue: {}\n", self.sentence())
    }
}

/// When the windows are collected.
fn when(id: &str, plan: Option<&SourcePlan>, windows: &[Window], now: bool, next: &CommandLine) -> String {
    let reason = |words: &str| next.of(format!("{words} {id} --reason TEXT"));
    let run = if now { "now" } else { "by the next run" };
    let Some(plan) = plan else { return format!("collected {run}") };
    match &plan.standing {
        SourceStatus::Due | SourceStatus::UpToDate => {
            let is_planned =
                |window: &&Window| plan.jobs.iter().any(|job| job.window.start <= window.start && window.end <= job.window.end);
            match windows.iter().filter(is_planned).count() {
                planned if planned == windows.len() => format!("collected {run}"),
                0 => "collected by a later run, as others come first".to_owned(),
                planned => format!("{planned} of them collected {run}, the others later"),
            }
        }
        SourceStatus::Unrecorded(end) => {
            format!("not collected before the end of job {} is on record: {}", end.job.short(), excerpt(&end.why))
        }
        SourceStatus::Claimed(owner) => {
            format!("collected by the next run after {}, which is collecting {id} now", escaped(&owner.to_string()))
        }
        SourceStatus::CoolingDown(rest) => {
            let until = Time(rest.until);
            format!("not collected before {until}, as it failed; `{}` lets it be tried", reason("retry"))
        }
        SourceStatus::Quarantined(_) => {
            format!("not collected while {id} is quarantined; `{}` releases it", reason("retry"))
        }
        SourceStatus::Skipped(_) => format!("not collected while {id} is skipped; `{}` ends that", reason("unskip")),
        SourceStatus::Paused(_) => format!("not collected while {id} is paused; `{}` ends that", reason("sources resume")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::plan::decide::source_plan::Lateness;
    use crate::plan::model::collection::Collection;
    use crate::plan::model::job::Owner;
    use crate::plan::model::orders::SourceOrderKind;
    use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
    use crate::plan::remember::source_state::{Pause, SourceState};

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-01-16T{hour:02}:00:00Z").parse().unwrap()
    }

    fn window(start: u32) -> Window {
        Window { start: at(start), end: at(start + 6) }
    }

    fn plan(standing: SourceStatus, jobs: &[Window]) -> SourcePlan {
        let job = |window: &Window| Collection { source: 0, window: *window, windows: 1, remote_id: None };
        SourcePlan {
            source: 0,
            state: SourceState::default(),
            standing,
            begin: None,
            new: Vec::new(),
            again: Vec::new(),
            jobs: jobs.iter().map(job).collect(),
            behind: 0,
            missing: None,
            left: 0,
            next_due: at(18),
            lateness: Lateness::OnTime,
            given_up: Vec::new(),
            held_back: Vec::new(),
            order: None,
            error: None,
            failed_runs: 0,
        }
    }

    fn order() -> SourceOrder {
        SourceOrder {
            source: "us_house".to_owned(),
            kind: SourceOrderKind::Collect(Vec::new()),
            by: "ann".to_owned(),
            reason: "why".to_owned(),
            at: at(10),
        }
    }

    #[test]
    fn when_windows_are_collected_is_what_a_run_would_do() {
        let (since, by, reason) = (at(1), "ann".to_owned(), "why".to_owned());
        let owner = Owner { host: "h\u{1b}".to_owned(), machine_id: None, boot_id: String::new(), pid: 7, pid_started: 1 };
        let plans = [
            plan(SourceStatus::Due, &[Window { start: at(0), end: at(18) }]),
            plan(SourceStatus::Due, &[window(6)]),
            plan(SourceStatus::Due, &[window(12)]),
            plan(SourceStatus::Claimed(owner), &[]),
            plan(SourceStatus::CoolingDown(Rest { since: at(1), until: at(2), why: RestReason::Failed }), &[]),
            plan(SourceStatus::Quarantined(Quarantine { since: at(1), why: QuarantineReason::Failures }), &[]),
            plan(SourceStatus::Skipped(SkipOrder { since, until: None, by: by.clone(), reason: reason.clone() }), &[]),
            plan(SourceStatus::Paused(Pause { since, by, reason }), &[]),
        ];
        let when = |plan, now| EnqueueView::new(&order(), &[window(0), window(6)], Some(plan), now, &CommandLine::default()).when;
        let mut lines: Vec<String> = plans.iter().map(|plan| when(plan, false)).collect();
        lines.push(when(&plans[0], true));
        insta::assert_snapshot!(lines.join("\n"), @r"
        collected by the next run
        1 of them collected by the next run, the others later
        collected by a later run, as others come first
        collected by the next run after process 7 on h\u{1b}, which is collecting us_house now
        not collected before 2026-01-16 02:00:00Z, as it failed; `etl-orch retry us_house --reason TEXT` lets it be tried
        not collected while us_house is quarantined; `etl-orch retry us_house --reason TEXT` releases it
        not collected while us_house is skipped; `etl-orch unskip us_house --reason TEXT` ends that
        not collected while us_house is paused; `etl-orch sources resume us_house --reason TEXT` ends that
        collected now
        ");
    }

    #[test]
    fn windows_are_named_from_the_first_to_the_last() {
        let text = |windows: &[Window]| EnqueueView::new(&order(), windows, None, false, &CommandLine::default()).text();
        assert_eq!(text(&[window(0)]), "enqueue: us_house: 1 window, 2026-01-16 00:00–06:00Z; collected by the next run\n");
        let three = "enqueue: us_house: 3 windows, 2026-01-16 00:00–18:00Z; collected by the next run\n";
        assert_eq!(text(&[window(0), window(6), window(12)]), three);
    }

    #[test]
    fn json_has_every_window() {
        let order = order();
        let json = EnqueueView::new(&order, &[window(0), window(6)], None, false, &CommandLine::default()).json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["schema_version"], &json["kind"], &json["by"]), (&1.into(), &"enqueue".into(), &"ann".into()));
        assert_eq!(json["windows"][1], serde_json::json!({ "start": "2026-01-16T06:00:00Z", "end": "2026-01-16T12:00:00Z" }));
        assert_eq!(json["when"], "collected by the next run");
    }
}
