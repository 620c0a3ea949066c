//! The disclosure sources and how fresh they are.

use super::super::sources::SourceEntry;
use super::ReportView;
use super::html::{Html, Safe};
use super::lines::table;
use crate::plan::decide::source_plan::Lateness;

pub(super) fn section(html: &mut Html, view: &ReportView<'_>) {
    if view.sources.is_empty() {
        html.text_in("p", &[], "No sources are configured.");
        return;
    }
    let head = ["Source", "On time", "Collected until", "Newest data", "Next due", "State"];
    table(html, "h-sources", "Each source, and what was collected of it", &head, |html| {
        view.sources.iter().for_each(|source| row(html, source));
    });
}

fn row(html: &mut Html, source: &SourceEntry<'_>) {
    html.element("tr", &[], |html| {
        html.element("th", &[("scope", &"row")], |html| {
            html.text(Safe::of(source.id()));
            if source.name() != source.id() {
                html.empty("br", &[]);
                html.text_in("span", &[("class", &"name")], Safe::of(source.name()));
            }
        });
        let (tone, lateness) = match source.lateness() {
            Lateness::OnTime => ("badge good", "on time"),
            Lateness::Late => ("badge pending", "late"),
            Lateness::Overdue => ("badge bad", "overdue"),
            Lateness::Ahead => ("badge pending", "ahead of the clock"),
        };
        html.element("td", &[], |html| html.text_in("span", &[("class", &tone)], lateness));
        html.element("td", &[], |html| match source.collected_until() {
            Some(until) => html.time(until),
            None => html.text("never"),
        });
        html.text_in("td", &[], Safe::of(source.newest_data().unwrap_or_else(|| "not configured".to_owned())));
        html.element("td", &[], |html| html.time(source.next_due()));
        html.text_in("td", &[("class", &"wide")], Safe::of(source.state()));
    });
}
