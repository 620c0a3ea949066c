//! What `etl-orch sources pause` and `resume` did.

use serde::Serialize;

use super::super::View;
use super::super::command_line::CommandLine;
use super::super::sources::PauseView;
use super::super::words::Time;
use crate::plan::model::ids::JobId;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::remember::source_state::Pause;

/// An order to pause or resume a source, and what it changed.
#[derive(Debug, Serialize)]
pub struct PauseOrderView<'a> {
    source: &'a str,
    by: &'a str,
    reason: &'a str,
    at: Time,
    changed: bool,
    paused: Option<PauseView<'a>>,
    #[serde(skip)]
    order: &'a SourceOrder,
    #[serde(skip)]
    running: Option<JobId>,
    #[serde(skip)]
    next: &'a CommandLine,
}

impl<'a> PauseOrderView<'a> {
    /// The view of an order, with the pause that stands now and the job of the source that runs at the moment. `next` begins the commands.
    pub fn new(order: &'a SourceOrder, changed: bool, pause: Option<&'a Pause>, running: Option<JobId>, next: &'a CommandLine) -> Self {
        Self {
            source: &order.source,
            by: &order.by,
            reason: &order.reason,
            at: Time(order.at),
            changed,
            paused: pause.map(PauseView::from),
            order,
            running,
            next,
        }
    }
}

/// `by ann since 2026-…: why`.
pub fn paused(pause: &Pause) -> String {
    PauseView::from(pause).text()
}

impl View for PauseOrderView<'_> {
    fn kind(&self) -> &'static str {
        self.order.kind.name()
    }

    fn text(&self) -> String {
        let id = self.source;
        match (self.order.kind == SourceOrderKind::Pause, self.changed) {
            (true, true) => {
                let going_on = |job: JobId| {
                    let cancel = self.next.of(format!("cancel {}", job.short()));
                    format!(" (its job {} is running and goes on; `{cancel}` stops it)", job.short())
                };
                let job = self.running.map(going_on).unwrap_or_default();
                format!("pause: {id} is left alone until `{}`{job}\n", self.next.of(format!("sources resume {id}")))
            }
            (true, false) => {
                let pause = self.paused.as_ref().map(|pause| format!(", {}", pause.text())).unwrap_or_default();
                format!("pause: {id} is paused already{pause}\n")
            }
            (false, true) => format!("resume: {id} is no longer paused; the next run collects what it missed\n"),
            (false, false) => format!("resume: {id} is not paused; there was nothing to change\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_pause_is_named_with_who_and_why() {
        let at = "2026-01-16T10:00:00Z".parse().unwrap();
        let order = |kind| SourceOrder { source: "us_house".to_owned(), kind, by: "ann".to_owned(), reason: "why".to_owned(), at };
        let (pausing, resuming) = (order(SourceOrderKind::Pause), order(SourceOrderKind::Resume));
        let pause = Pause { since: at, by: "bob".to_owned(), reason: "moved \u{1b}[2Jhouse".to_owned() };
        let job = JobId::parse("1a2b3c4d-0000-4000-8000-000000000000").unwrap();
        let next = CommandLine::default();
        let pages = [
            PauseOrderView::new(&pausing, true, Some(&pause), None, &next),
            PauseOrderView::new(&pausing, true, Some(&pause), Some(job), &next),
            PauseOrderView::new(&pausing, false, Some(&pause), None, &next),
            PauseOrderView::new(&resuming, true, None, None, &next),
            PauseOrderView::new(&resuming, false, None, None, &next),
        ];
        insta::assert_snapshot!(pages.iter().map(View::text).collect::<String>(), @r"
        pause: us_house is left alone until `etl-orch sources resume us_house`
        pause: us_house is left alone until `etl-orch sources resume us_house` (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        pause: us_house is paused already, by bob since 2026-01-16 10:00:00Z: moved \u{1b}[2Jhouse
        resume: us_house is no longer paused; the next run collects what it missed
        resume: us_house is not paused; there was nothing to change
        ");
    }

    #[test]
    fn json_is_one_object_with_the_pause_that_stands() {
        let at = "2026-01-16T10:00:00Z".parse().unwrap();
        let order =
            SourceOrder { source: "us_house".to_owned(), kind: SourceOrderKind::Pause, by: "ann".to_owned(), reason: "why".to_owned(), at };
        let pause = Pause { since: at, by: "bob".to_owned(), reason: "moved".to_owned() };
        insta::assert_snapshot!(PauseOrderView::new(&order, false, Some(&pause), None, &CommandLine::default()).json().unwrap(), @r#"
        {
          "schema_version": 1,
          "kind": "pause",
          "source": "us_house",
          "by": "ann",
          "reason": "why",
          "at": "2026-01-16T10:00:00Z",
          "changed": false,
          "paused": {
            "by": "bob",
            "since": "2026-01-16T10:00:00Z",
            "reason": "moved"
          }
        }
        "#);
    }
}
