//! The matrix for a terminal: a row for each bank, a cell for each period, and in it a sign for each report.

use std::fmt::Write;

use super::super::terminal::page_width;
use super::super::words::{count, grouped};
use super::state::{Tone, sign, worst};
use super::{BankView, CoverageView};
use crate::plan::decide::coverage::ReportState;
use crate::plan::model::period::Period;

/// What a text is written on.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Characters in a line.
    pub width: usize,
    pub has_color: bool,
}

impl Paper {
    /// What stdout is, with colors or without.
    pub fn stdout(has_color: bool) -> Self {
        Self { width: page_width(), has_color }
    }
}

/// Between two columns.
const GAP: usize = 1;

/// Characters of a bank's name.
const LONGEST_NAME: usize = 12;

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// A sign for each ETL.
    Each,
    /// One for all of them, as more do not fit.
    Worst,
}

/// How the matrix is laid out.
struct Layout<'v> {
    paper: Paper,
    cells: Cells,
    /// Columns of a bank's name, and of its counts.
    name: usize,
    counts: usize,
    /// Columns of a cell.
    cell: usize,
    /// The periods that fit, newest first.
    periods: &'v [Period],
}

/// The whole page, ending in a newline.
pub(super) fn page(view: &CoverageView<'_>) -> String {
    let paper = view.paper;
    let mut page = Vec::new();
    let total = &view.counts.tally;
    let banks = count(view.banks.len() as u64, "bank");
    let periods = count(view.periods.len() as u64, "period");
    let reports = format!("{} of {} made", grouped(total.made()), count(total.expected(), "report"));
    page.extend(wrapped(&format!("COVERAGE: {banks}, {periods}, {reports}"), paper.width));
    if view.etls.is_empty() || view.periods.is_empty() {
        page.push("There is no data for any report".to_owned());
        return lines(page);
    }
    let layout = Layout::new(view);
    page.push(String::new());
    page.extend(layout.heading());
    page.extend(view.banks.iter().map(|bank| layout.row(bank)));
    page.push(String::new());
    page.extend(layout.left_out(view));
    page.extend(layout.legend(view));
    lines(page)
}

fn lines(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

impl<'v> Layout<'v> {
    fn new(view: &'v CoverageView<'_>) -> Self {
        let name = view.banks.iter().map(|bank| shown_name(bank).chars().count()).max().unwrap_or_default();
        let counts = view.banks.iter().map(|bank| made_of(bank).len()).max().unwrap_or_default();
        let room = view.paper.width.saturating_sub(name + GAP + counts + GAP);
        let (each, one) = (view.etls.len().max(2), 2);
        let fits = |cell: usize| room / (cell + GAP);
        let (cells, cell) = if fits(each) >= view.periods.len().min(2) { (Cells::Each, each) } else { (Cells::Worst, one) };
        let periods = view.periods.get(..fits(cell).max(1)).unwrap_or(&view.periods);
        Self { paper: view.paper, cells, name, counts, cell, periods }
    }

    /// The years, and below them the quarters.
    fn heading(&self) -> [String; 2] {
        let (mut years, mut quarters) = (self.margin(), self.margin());
        for of_year in self.periods.chunk_by(|one, other| one.year() == other.year()) {
            let width = of_year.len() * (self.cell + GAP);
            let year = of_year.first().map(|period| period.year().to_string()).unwrap_or_default();
            // `26` where `2026` does not fit.
            let year = if year.len() + GAP <= width { year.as_str() } else { year.get(2..).unwrap_or_default() };
            // Writing to a String cannot fail.
            let _ = write!(years, "{year:width$}");
            for period in of_year {
                let _ = write!(quarters, "{:width$}", period.quarter().as_str(), width = self.cell + GAP);
            }
        }
        [years, quarters]
    }

    fn margin(&self) -> String {
        " ".repeat(self.name + GAP + self.counts + GAP)
    }

    fn row(&self, bank: &BankView<'_>) -> String {
        let mut row = format!("{:name$} {:>counts$} ", shown_name(bank), made_of(bank), name = self.name, counts = self.counts);
        for period in self.periods {
            let states = self.states(bank, *period);
            row.extend(states.iter().map(|state| self.sign(*state)));
            row.push_str(&" ".repeat((self.cell + GAP).saturating_sub(states.len())));
        }
        row
    }

    fn states(&self, bank: &BankView<'_>, period: Period) -> Vec<ReportState> {
        let states = bank.states(period);
        match self.cells {
            Cells::Each => states,
            Cells::Worst => vec![worst(&states)],
        }
    }

    fn sign(&self, state: ReportState) -> String {
        let sign = sign(state);
        let color = match sign.tone {
            Tone::Good => "32",
            Tone::Pending => "33",
            Tone::Bad => "31;1",
            Tone::Quiet => "2",
        };
        if self.paper.has_color { format!("\u{1b}[{color}m{}\u{1b}[0m", sign.mark) } else { sign.mark.to_string() }
    }

    /// What the signs mean of which there are any, and which reports a cell is about.
    fn legend(&self, view: &CoverageView<'_>) -> Vec<String> {
        let in_use = ReportState::ALL.into_iter().filter(|state| view.counts.tally.of(*state) > 0);
        let meaning = |state| format!("{} {} {}", self.sign(state), grouped(view.counts.tally.of(state)), sign(state).words);
        let mut legend = filled(&in_use.map(meaning).collect::<Vec<_>>(), "   ", "", self.paper.width);
        let title = match (self.cells, view.etls.as_slice()) {
            (_, [_]) => "Each sign is",
            (Cells::Each, _) => "In each cell:",
            (Cells::Worst, _) => "Each sign is the worst of",
        };
        let etls: Vec<String> = view.etls.iter().map(|etl| (*etl).to_owned()).collect();
        legend.extend(filled(&etls, ", ", &format!("{title} "), self.paper.width));
        legend
    }

    /// The periods that do not fit, and what of them is missing.
    fn left_out(&self, view: &CoverageView<'_>) -> Vec<String> {
        let hidden = view.periods.get(self.periods.len()..).unwrap_or_default();
        let number = hidden.len() as u64 + view.older_periods;
        if number == 0 {
            return Vec::new();
        }
        let of_bank = |bank: &BankView<'_>| {
            let shown = self.periods.iter().flat_map(|period| bank.states(*period));
            let shown = shown.filter(|state| state.is_expected() && *state != ReportState::Made).count() as u64;
            (bank.counts.expected - bank.counts.made).saturating_sub(shown)
        };
        let missing = match view.banks.iter().map(of_bank).sum() {
            0_u64 => "all of their reports are made".to_owned(),
            1 => "1 of their reports is missing".to_owned(),
            missing => format!("{} of their reports are missing", grouped(missing)),
        };
        let span = match (hidden.last(), hidden.first()) {
            (Some(first), Some(last)) if view.older_periods == 0 => format!(" ({first} to {last})"),
            (_, Some(last)) => format!(" ({last} and before)"),
            (_, None) => String::new(),
        };
        let text = format!("{} not shown{span}: {missing}; --until-year and --format json show them", count(number, "older period"));
        wrapped(&text, self.paper.width)
    }
}

/// A bank's symbol, safe to show and not too long.
fn shown_name(bank: &BankView<'_>) -> String {
    bank.bank_symbol.excerpt().chars().take(LONGEST_NAME).collect()
}

/// `31/32`.
fn made_of(bank: &BankView<'_>) -> String {
    format!("{}/{}", bank.counts.made, bank.counts.expected)
}

/// A text in lines of at most this width.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    filled(&text.split(' ').map(str::to_owned).collect::<Vec<_>>(), " ", "", width)
}

/// Puts parts into lines of at most this width, which follow each other after `first`.
fn filled(parts: &[String], between: &str, first: &str, width: usize) -> Vec<String> {
    let mut lines = vec![first.to_owned()];
    let mut is_begun = false;
    for part in parts {
        let Some(line) = lines.last_mut() else { break };
        let needed = visible(line) + visible(part) + if is_begun { between.len() } else { 0 };
        if is_begun && needed > width {
            line.push_str(between.trim_end());
            lines.push(part.clone());
        } else {
            if is_begun {
                line.push_str(between);
            }
            line.push_str(part);
        }
        is_begun = true;
    }
    lines
}

/// Columns that a text takes, without escape sequences of colors.
fn visible(text: &str) -> usize {
    let mut is_escape = false;
    let mut columns = 0;
    for character in text.chars() {
        match character {
            '\u{1b}' => is_escape = true,
            'm' if is_escape => is_escape = false,
            _ if is_escape => {}
            _ => columns += 1,
        }
    }
    columns
}
