//! The heat map: a row for each bank and ETL, a column for each period.

use std::collections::BTreeMap;

use super::super::coverage::BankView;
use super::super::coverage::state::{Tone, sign};
use super::super::words::count;
use super::ReportView;
use super::html::{Html, Safe};
use crate::plan::decide::coverage::ReportState;
use crate::plan::model::gap::GapKey;
use crate::plan::model::period::Period;

/// Most cells: a page with more would be too large. Banks that lack reports come first then.
const MOST_CELLS: usize = 4_000;
/// Banks without data that are named.
const MOST_NAMES: usize = 40;
/// Most periods, the newest.
const MOST_PERIODS: usize = 60;

pub(super) fn section(html: &mut Html, view: &ReportView<'_>) {
    if view.etls.is_empty() || view.periods.is_empty() {
        html.text_in("p", &[], "There is no data for any report.");
        return;
    }
    legend(html, view);
    let periods = view.periods.get(..MOST_PERIODS).unwrap_or(&view.periods);
    let (with_data, without): (Vec<&BankView<'_>>, Vec<&BankView<'_>>) = view.banks.iter().partition(|bank| has_data(bank));
    let banks = shown(&with_data, periods.len() * view.etls.len());
    let anchors = view.anchors();
    html.element("div", &[("class", &"scroll"), ("role", &"region"), ("aria-labelledby", &"h-coverage"), ("tabindex", &"0")], |html| {
        html.element("table", &[("class", &"heat")], |html| {
            html.text_in("caption", &[], "Reports by bank and fiscal period, the newest first");
            html.element("thead", &[], |html| heading(html, periods, view.etls.len() > 1));
            for bank in &banks {
                html.line_end();
                html.element("tbody", &[], |html| rows(html, view, bank, periods, &anchors));
            }
        });
    });
    let left_out = Safe::of([rest_of_banks(&with_data, &banks), rest_of_periods(view, periods.len())].concat());
    html.text_in("p", &[("class", &"soft")], left_out);
    if !without.is_empty() {
        let names: Vec<_> = without.iter().take(MOST_NAMES).map(|bank| bank.bank_symbol.excerpt()).collect();
        let more = if without.len() > MOST_NAMES { format!(" and {} more", without.len() - MOST_NAMES) } else { String::new() };
        html.text_in("p", &[], ("Without data for any report: ", Safe::of(names.join(", ") + &more)));
    }
}

fn has_data(bank: &BankView<'_>) -> bool {
    ReportState::ALL.into_iter().any(|state| state != ReportState::NoData && bank.counts.tally.of(state) > 0)
}

/// The banks that fit: all of them, or those that lack most reports.
fn shown<'v, 'a>(banks: &[&'v BankView<'a>], cells: usize) -> Vec<&'v BankView<'a>> {
    let most = (MOST_CELLS / cells.max(1)).max(1);
    let mut banks = banks.to_vec();
    if banks.len() > most {
        banks.sort_by_key(|bank| std::cmp::Reverse(bank.counts.expected - bank.counts.made));
        banks.truncate(most);
    }
    banks
}

fn rest_of_banks(all: &[&BankView<'_>], shown: &[&BankView<'_>]) -> String {
    let rest = all.len() - shown.len();
    if rest == 0 {
        return String::new();
    }
    let lacking = |banks: &mut dyn Iterator<Item = &BankView<'_>>| banks.map(|bank| bank.counts.expected - bank.counts.made).sum::<u64>();
    let missing = lacking(&mut all.iter().copied()) - lacking(&mut shown.iter().copied());
    let banks = count(rest as u64, "more bank");
    format!("{banks} not shown, which lack {}; those that lack most come first. “etl-orch coverage” shows all. ", count(missing, "report"))
}

fn rest_of_periods(view: &ReportView<'_>, shown: usize) -> String {
    match view.periods.len().saturating_sub(shown) as u64 + view.facts.coverage.older_periods {
        0 => String::new(),
        rest => format!("{} not shown; the numbers count them.", count(rest, "older period")),
    }
}

fn legend(html: &mut Html, view: &ReportView<'_>) {
    html.element("ul", &[("class", &"legend"), ("aria-label", &"Signs")], |html| {
        for state in ReportState::ALL.into_iter().filter(|state| view.counts.tally.of(*state) > 0) {
            html.element("li", &[], |html| {
                html.text_in("b", &[("class", &tone(state))], mark(state));
                html.text((" ", Safe::number(view.counts.tally.of(state)), " ", sign(state).words));
            });
        }
    });
    html.line_end();
}

fn heading(html: &mut Html, periods: &[Period], has_etls: bool) {
    let corner = if has_etls { 2_u64 } else { 1 };
    html.element("tr", &[], |html| {
        html.text_in("th", &[("class", &"corner"), ("scope", &"col"), ("rowspan", &"2")], "Bank");
        if corner > 1 {
            html.text_in("th", &[("class", &"corner"), ("scope", &"col"), ("rowspan", &"2")], "Report");
        }
        for of_year in periods.chunk_by(|one, other| one.year() == other.year()) {
            let year = of_year.first().map_or(0, |period| period.year());
            html.text_in("th", &[("class", &"year"), ("scope", &"colgroup"), ("colspan", &of_year.len())], year);
        }
    });
    html.element("tr", &[], |html| {
        for period in periods {
            html.text_in("th", &[("scope", &"col")], period.quarter().as_str());
        }
    });
}

/// A row for each ETL.
fn rows(html: &mut Html, view: &ReportView<'_>, bank: &BankView<'_>, periods: &[Period], anchors: &BTreeMap<&GapKey, String>) {
    let symbol = Safe::from(&bank.bank_symbol);
    let states: Vec<(Period, Vec<ReportState>)> = periods.iter().map(|period| (*period, bank.states(*period))).collect();
    for (column, etl) in view.etls.iter().enumerate() {
        let name = Safe::of(etl);
        html.element("tr", if column == 0 { &[("class", &"gap")] } else { &[] }, |html| {
            if column == 0 {
                let span = view.etls.len();
                html.element("th", &[("class", &"bank"), ("scope", &"rowgroup"), ("rowspan", &span), ("title", &bank.bank_name)], |html| {
                    html.text(&symbol);
                    html.text_in("span", &[("class", &"name")], (" ", bank.counts.made, "/", bank.counts.expected));
                });
            }
            if view.etls.len() > 1 {
                html.text_in("th", &[("class", &"name"), ("scope", &"row")], &name);
            }
            for (period, states) in &states {
                let state = states.get(column).copied().unwrap_or(ReportState::NoData);
                let key = GapKey::Report { bank: bank.bank_key.to_owned(), period: *period, etl: (*etl).to_owned() };
                let (year, quarter) = (period.year(), period.quarter().as_str());
                let what = (&symbol, " ", year, " ", (quarter, " ", &name), ": ", sign(state).words);
                html.element("td", &[("class", &tone(state)), ("title", &what)], |html| {
                    if let Some(anchor) = anchors.get(&key) {
                        html.text_in("a", &[("href", &("#", Safe::of(anchor))), ("aria-label", &what)], mark(state));
                    } else {
                        html.text_in("span", &[("aria-hidden", &"true")], mark(state));
                        html.text_in("span", &[("class", &"hidden")], sign(state).words);
                    }
                });
            }
        });
    }
}

/// The sign on the page, where a square that is filled is hard to tell from one that is colored.
pub(super) fn mark(state: ReportState) -> char {
    match state {
        ReportState::Made => '✓',
        ReportState::Running
        | ReportState::Unrecorded
        | ReportState::Missing
        | ReportState::Waiting
        | ReportState::NotReady
        | ReportState::CoolingDown
        | ReportState::Deferred
        | ReportState::Quarantined
        | ReportState::Skipped
        | ReportState::DataIncomplete
        | ReportState::NoData => sign(state).mark,
    }
}

pub(super) fn tone(state: ReportState) -> &'static str {
    match sign(state).tone {
        Tone::Good => "good",
        Tone::Pending => "pending",
        Tone::Bad => "bad",
        Tone::Quiet => "quiet",
    }
}
