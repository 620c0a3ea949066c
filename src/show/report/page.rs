//! The page as a whole: one file that needs nothing else.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::super::words::Time;
use super::html::{Attributes, Content, Html, Safe};
use super::{ReportView, coverage, failures, run, sources, trends};
use crate::plan::decide::coverage::ReportState;
use crate::plan::decide::source_plan::Lateness;

const STYLE: &str = include_str!("page.css");

/// A square for the tab of a browser, so that it asks for none.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Crect width='8' height='8' rx='2' \
                    fill='%232e8b57'/%3E%3C/svg%3E";

/// The sections of the page: what a link names, and what people read.
const SECTIONS: [(&str, &str); 5] = [
    ("coverage", "Coverage"),
    ("sources", "Disclosure sources"),
    ("run", "Last run"),
    ("failures", "Failures"),
    ("trends", "Durations and costs"),
];

/// The whole page.
pub(super) fn page(view: &ReportView<'_>) -> String {
    let mut html = Html::default();
    html.markup("<!DOCTYPE html>\n");
    html.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], head);
        html.line_end();
        html.element("body", &[], |html| body(html, view));
    });
    html.line_end();
    html.finish()
}

/// Nothing is loaded, nothing is run, and no style but the page's own counts.
fn head(html: &mut Html) {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = Safe::of(format!("default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"));
    html.empty("meta", &[("charset", &"utf-8")]);
    html.empty("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &policy)]);
    for (name, content) in [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
    ] {
        html.empty("meta", &[("name", &name), ("content", &content)]);
    }
    html.text_in("title", &[], "Report coverage – etl-orch");
    html.empty("link", &[("rel", &"icon"), ("href", &ICON)]);
    html.element("style", &[], |html| html.markup(STYLE));
}

fn body(html: &mut Html, view: &ReportView<'_>) {
    html.text_in("a", &[("class", &"skip"), ("href", &"#main")], "Skip to the content");
    html.element("header", &[], |html| {
        html.text_in("h1", &[], "Report coverage");
        html.element("p", &[("class", &"soft")], |html| {
            html.text(("etl-orch on ", &view.host, ", as of "));
            html.time(view.timestamp);
        });
        html.element("nav", &[("aria-label", &"Sections")], |html| {
            html.element("ul", &[], |html| {
                for (id, title) in SECTIONS {
                    html.element("li", &[], |html| html.text_in("a", &[("href", &("#", id))], title));
                }
            });
        });
    });
    html.line_end();
    html.element("main", &[("id", &"main")], |html| {
        tiles(html, view);
        for (id, title) in SECTIONS {
            section(html, id, title, |html| match id {
                "coverage" => coverage::section(html, view),
                "sources" => sources::section(html, view),
                "run" => run::section(html, view),
                "failures" => failures::section(html, view),
                _ => trends::section(html, view),
            });
        }
    });
    html.line_end();
    html.element("footer", &[], |html| {
        html.text_in("p", &[], ("Written by etl-orch ", view.version, ". This page does not reload itself; days are days of UTC."));
    });
}

fn section(html: &mut Html, id: &'static str, title: &'static str, inside: impl FnOnce(&mut Html)) {
    html.line_end();
    html.element("section", &[("id", &id), ("aria-labelledby", &("h-", id))], |html| {
        html.text_in("h2", &[("id", &("h-", id))], title);
        html.line_end();
        inside(html);
    });
}

/// The numbers that are read from across the room.
fn tiles(html: &mut Html, view: &ReportView<'_>) {
    let tally = &view.counts.tally;
    let failing = tally.failing();
    let late = view.sources.iter().filter(|source| matches!(source.lateness(), Lateness::Late | Lateness::Overdue)).count();
    html.element("div", &[("class", &"tiles"), ("role", &"group"), ("aria-label", &"In short")], |html| {
        tile(html, "Reports made", &[], (Safe::number(tally.made()), " of ", Safe::number(tally.expected())), |html| {
            let (made, expected) = (tally.made(), tally.expected().max(1));
            html.element("progress", &[("max", &expected), ("value", &made), ("aria-label", &"Reports made")], |_| {});
        });
        let tone: Attributes<'_> = if failing > 0 { &[("class", &"bad")] } else { &[] };
        tile(html, "Failing reports", tone, Safe::number(failing), |html| {
            html.text((Safe::number(tally.of(ReportState::Quarantined)), " of them quarantined"));
        });
        let missing = tally.expected().saturating_sub(tally.made() + failing);
        tile(html, "Other missing reports", &[], Safe::number(missing), |html| {
            html.text((Safe::number(tally.of(ReportState::Running)), " of them running"));
        });
        if !view.sources.is_empty() {
            let tone: Attributes<'_> = if late > 0 { &[("class", &"bad")] } else { &[] };
            tile(html, "Late sources", tone, (late, " of ", view.sources.len()), |_| {});
        }
        if let Some(last) = &view.last_run {
            let counts = last.run.counts.unwrap_or_default();
            tile(html, "Last run with work", &[], (Safe::number(counts.succeeded), " of ", Safe::number(counts.planned)), |html| {
                html.time(Time(last.run.started_at));
            });
        }
    });
}

fn tile(html: &mut Html, name: &'static str, attributes: Attributes<'_>, value: impl Content, below: impl FnOnce(&mut Html)) {
    html.element("div", &[], |html| {
        html.element("dl", &[], |html| {
            html.text_in("dt", &[], name);
            html.text_in("dd", attributes, value);
            html.element("dd", &[("class", &"soft")], below);
        });
    });
}
