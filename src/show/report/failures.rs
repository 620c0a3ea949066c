//! What has failed and was not made since, with the last lines of each.

use super::super::words::{Time, Untrusted, count};
use super::html::{Attributes, Html, Safe};
use super::{Failure, ReportView};
use crate::plan::model::gap::GapKey;
use crate::plan::remember::past::PastJob;

/// Failures whose last lines are open from the start.
const OPEN: usize = 3;

pub(super) fn section(html: &mut Html, view: &ReportView<'_>) {
    if view.failures.is_empty() {
        html.text_in("p", &[], "Nothing has failed that was not made since.");
        return;
    }
    let number = Safe::of(count(view.failures.len() as u64, "gap"));
    html.text_in("p", &[("class", &"soft")], ("The latest failures of ", number, " that did not succeed since, the newest first."));
    for (n, failure) in view.failures.iter().enumerate() {
        html.line_end();
        one(html, failure, n < OPEN);
    }
}

/// The id of a failure on the page.
pub(super) fn anchor(job: &PastJob) -> String {
    format!("job-{}", job.id)
}

fn one(html: &mut Html, failure: &Failure<'_>, is_open: bool) {
    let job = &failure.failed.job;
    let id = job.id.short();
    html.element(
        "article",
        &[("class", &"failure"), ("id", &Safe::of(anchor(job))), ("aria-labelledby", &Safe::of(format!("h-{id}")))],
        |html| {
            html.element("h3", &[("id", &Safe::of(format!("h-{id}")))], |html| {
                html.text((title(&job.gap), " "));
                html.text_in("span", &[("class", &"badge bad")], job.state.name());
            });
            html.element("p", &[], |html| {
                let last = job.attempts.last();
                let error = job.error.as_deref().or(last.and_then(|attempt| attempt.error.as_deref())).unwrap_or("no reason is on record");
                html.text(Untrusted::from(error));
            });
            html.element("p", &[("class", &"soft")], |html| {
                html.text((Safe::of(count(job.attempts.len() as u64, "attempt")), ", the last "));
                html.time(Time(job.ended_at.unwrap_or(job.queued_at)));
                html.text(". Log: ");
                match job.attempts.last() {
                    Some(attempt) => html.text_in("code", &[], Untrusted::from(attempt.log.as_str())),
                    None => html.text("none"),
                }
                html.text(". All of it: ");
                html.text_in("code", &[], ("etl-orch logs ", Safe::of(&id)));
            });
            let Some(lines) = failure.last_lines.as_ref().filter(|lines| !lines.is_empty()) else { return };
            let open: Attributes<'_> = if is_open { &[("open", &"")] } else { &[] };
            html.element("details", open, |html| {
                html.text_in("summary", &[], ("Last lines of ", title(&job.gap)));
                let label = ("Last lines of ", title(&job.gap));
                html.element("pre", &[("tabindex", &"0"), ("role", &"region"), ("aria-label", &label)], |html| {
                    for line in lines.lines() {
                        html.text(line);
                        html.line_end();
                    }
                });
            });
        },
    );
}

/// `RY-CA 2025 Q2 call_summary`.
fn title(gap: &GapKey) -> Safe {
    match gap {
        GapKey::Report { bank, period, etl } => Safe::of(format!("{bank} {period} {etl}")),
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => Safe::of(gap),
    }
}
