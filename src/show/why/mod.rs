//! Why a gap is made or is not: one page for each gap, or a line for each of several.

pub(super) mod commands;
mod layout;
mod list;
mod past;
mod sentences;
#[cfg(test)]
mod tests;
mod values;
mod verdict;

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::View;
use super::command_line::{CommandLine, word};
use super::expected::{self, ExpectedView};
use super::history::table::{Row, Table};
use super::terminal::stdout_width;
use super::words::{Time, Untrusted, count};
use crate::plan::decide::explain::{Explanation, Fact, RunsThen, Then, Weight};
use crate::plan::decide::mismatch::NameCount;
use crate::plan::model::gap::GapKey;
use crate::plan::remember::past::PastRun;
use crate::plan::run::outlook::Expectation;
use layout::wrapped;

/// Gaps with what is done about them, and why.
#[derive(Debug, Serialize)]
pub struct WhyView {
    timestamp: Time,
    /// The time that was asked about; null for now.
    at: Option<Time>,
    gaps: Vec<GapView>,
    /// Reports that are there.
    done: u64,
    /// Reports that the configuration leaves out.
    filtered: u64,
    /// Gaps that `max_jobs` leaves for later runs, where everything was asked for.
    capped: u64,
    #[serde(skip)]
    about: String,
    /// The page, where everything was asked for.
    #[serde(skip)]
    list: Option<String>,
    /// Whether a run was there at the time that was asked about; a list says it once.
    #[serde(skip)]
    runs: Option<String>,
    #[serde(skip)]
    next: CommandLine,
}

#[derive(Debug, Serialize)]
struct GapView {
    gap: String,
    decision: &'static str,
    /// In a sentence.
    reason: String,
    /// When it ends by itself.
    until: Option<Time>,
    facts: Vec<FactView>,
    /// When it is expected to be there.
    expected: Option<ExpectedView>,
    /// When the run is expected to start that tries it next.
    next_try: Option<Time>,
    /// Either in words.
    #[serde(skip)]
    prospect: Option<String>,
    /// What would change it.
    commands: Vec<String>,
    #[serde(skip)]
    way_out: String,
    #[serde(skip)]
    title: String,
    /// Nothing keeps it back.
    #[serde(skip)]
    is_fine: bool,
}

#[derive(Debug, Serialize)]
struct FactView {
    name: &'static str,
    value: Value,
    verdict: &'static str,
    /// In sentences; none where there is nothing to tell a person.
    #[serde(skip)]
    lines: Vec<String>,
    #[serde(skip)]
    weight: Weight,
}

impl WhyView {
    /// Says when the single gap is expected to be filled.
    #[must_use]
    pub fn expecting(mut self, expectation: Option<&Expectation>) -> Self {
        if let (Some(expectation), [gap]) = (expectation, self.gaps.as_mut_slice()) {
            let prospect = match expectation {
                Expectation::UnderWay(prospect) | Expectation::Planned { prospect, .. } => Some(prospect),
                Expectation::TriedAt(at) => {
                    gap.next_try = Some(Time(*at));
                    None
                }
            };
            gap.expected = ExpectedView::of(prospect);
            gap.prospect = expected::sentence(expectation, self.timestamp.0);
        }
        self
    }

    /// The view at this time, without the reports that are `done` or `filtered` out. `about` names what was asked for; `next` begins the
    /// commands.
    pub fn new(explanations: &[Explanation], (done, filtered): (u64, u64), about: &str, next: &CommandLine, now: DateTime<Utc>) -> Self {
        let gaps = explanations.iter().map(|one| GapView::new(one, next, now)).collect();
        Self {
            next: next.clone(),
            timestamp: Time(now),
            at: None,
            gaps,
            done,
            filtered,
            capped: 0,
            about: Untrusted::from(about).to_string(),
            list: None,
            runs: None,
        }
    }

    /// The view of what was done at that time.
    pub fn then(found: &[Then], about: &str, at: DateTime<Utc>, next: &CommandLine, now: DateTime<Utc>) -> Self {
        let gaps: Vec<GapView> = found.iter().map(|then| past::view(then, next)).collect();
        Self { at: Some(Time(at)), gaps, ..Self::new(&[], (0, 0), about, next, now) }
    }

    /// Says which runs were there then.
    #[must_use]
    pub fn with_runs(self, runs: &RunsThen) -> Self {
        Self { runs: self.at.map(|at| past::runs_around(runs, at.0)), ..self }
    }

    /// The view of everything that is not made now.
    pub fn of_all(explanations: &[Explanation], capped: u64, last_run: Option<&PastRun>, next: &CommandLine, now: DateTime<Utc>) -> Self {
        let list = Some(list::page(explanations, capped, last_run, next, now));
        Self { capped, list, ..Self::new(explanations, (0, 0), "", next, now) }
    }

    fn table(&self) -> String {
        let mut page = String::new();
        if self.gaps.is_empty() {
            let of = if self.about.is_empty() { String::new() } else { format!(" of {}", self.about) };
            let _ = match self.at {
                Some(at) => writeln!(page, "No decision against a gap{of} was in force at {at}."),
                None => writeln!(page, "Nothing{of} is held up."),
            };
        } else {
            let rows = self.gaps.iter().map(|gap| Row { cells: vec![gap.gap.clone(), gap.reason.clone()], below: Vec::new() });
            let table = Table { head: vec!["GAP", "WHY"], rows: rows.collect() };
            page.push_str(&table.text(stdout_width()));
        }
        for (number, what) in [(self.done, "already there"), (self.filtered, "left out by the configuration")] {
            if number > 0 {
                let _ = writeln!(page, "{} {what}.", count(number, "report"));
            }
        }
        if let Some(gap) = self.gaps.first() {
            let at = self.at.map(|at| format!(" --at \"{at}\"")).unwrap_or_default();
            let _ = writeln!(page, "More: {}", self.next.of(format!("why {}{at}", gap.title)));
        }
        if let Some(runs) = &self.runs {
            let _ = writeln!(page, "{runs}");
        }
        page
    }
}

impl GapView {
    fn new(explanation: &Explanation, next: &CommandLine, now: DateTime<Utc>) -> Self {
        let way_out = commands::way_out(explanation, next);
        Self {
            gap: Untrusted::from(explanation.gap.to_string()).to_string(),
            decision: verdict::name(&explanation.verdict),
            reason: verdict::reason(explanation, now),
            until: verdict::until(&explanation.verdict).map(Time),
            facts: explanation.facts.iter().map(|fact| FactView::new(fact, now)).collect(),
            expected: None,
            next_try: None,
            prospect: None,
            commands: way_out.commands,
            way_out: way_out.text,
            title: words(&explanation.gap),
            is_fine: verdict::is_fine(&explanation.verdict),
        }
    }

    /// One screen.
    fn page(&self, at: Option<Time>) -> String {
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        let mut page = wrapped("", &format!("{}{at}: {}", self.title, self.reason), 2);
        page.push('\n');
        for fact in &self.facts {
            let Some((first, below)) = fact.lines.split_first() else { continue };
            page.push_str(&wrapped(fact.mark(self.is_fine), first, 8));
            for line in below {
                page.push_str(&wrapped("        ", line, 8));
            }
        }
        page.push('\n');
        if let Some(prospect) = &self.prospect {
            page.push_str(&wrapped("", prospect, 0));
        }
        page.push_str(&wrapped("", &self.way_out, 0));
        for command in &self.commands {
            let _ = writeln!(page, "  {command}");
        }
        page
    }
}

impl FactView {
    fn new(fact: &Fact, now: DateTime<Utc>) -> Self {
        let verdict = match fact.weight {
            Weight::Passes => "passes",
            Weight::Decides => "decides",
            Weight::Blocks => "blocks",
            Weight::Told => "told",
        };
        Self {
            name: values::name(&fact.what),
            value: values::value(&fact.what),
            verdict,
            lines: sentences::lines(&fact.what, now),
            weight: fact.weight,
        }
    }

    fn mark(&self, is_fine: bool) -> &'static str {
        match self.weight {
            Weight::Passes => "  [yes] ",
            Weight::Decides if is_fine => "> [yes] ",
            Weight::Decides => "> [no]  ",
            Weight::Blocks => "  [no]  ",
            Weight::Told => "        ",
        }
    }
}

/// A gap as it is written on the command line: `RY-CA 2025 Q2 key_themes`, `us_house`.
pub(super) fn words(gap: &GapKey) -> String {
    let words = match gap {
        GapKey::Report { bank, period, etl } => format!("{} {period} {}", word(bank), word(etl)),
        GapKey::Source(source) | GapKey::Window { source, .. } => word(source).into_owned(),
        GapKey::Group { bank, etl } => {
            let (bank, etl) = (bank.as_deref().map(word), etl.as_deref().map(|etl| format!("--etl-type {}", word(etl)).into()));
            [bank, etl].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    };
    Untrusted::from(words).to_string()
}

impl View for WhyView {
    fn kind(&self) -> &'static str {
        "why"
    }

    fn text(&self) -> String {
        match self.gaps.as_slice() {
            _ if self.list.is_some() => self.list.clone().unwrap_or_default(),
            [gap] if self.done == 0 && self.filtered == 0 => gap.page(self.at),
            _ => self.table(),
        }
    }
}

/// A symbol that nobody monitors, though the data has it.
#[derive(Debug, Serialize)]
pub struct UnmonitoredView {
    timestamp: Time,
    symbol: String,
    decision: &'static str,
    in_data: Vec<SymbolView>,
    /// Monitored banks that look like it.
    similar: Vec<String>,
    file: String,
    /// How to see that it is monitored.
    #[serde(skip)]
    check: String,
}

#[derive(Debug, Serialize)]
struct SymbolView {
    symbol: String,
    rows: u64,
}

impl UnmonitoredView {
    /// `file` has the banks that are monitored; `next` begins the command.
    pub fn new(symbol: &str, in_data: &[NameCount], similar: &[&str], file: &str, next: &CommandLine, now: DateTime<Utc>) -> Self {
        let safe = |text: &str| Untrusted::from(text).excerpt().into_owned();
        Self {
            timestamp: Time(now),
            symbol: safe(symbol),
            decision: "not_monitored",
            in_data: in_data.iter().map(|one| SymbolView { symbol: safe(&one.name), rows: one.rows }).collect(),
            similar: similar.iter().map(|one| safe(one)).collect(),
            file: safe(file),
            check: next.of("config check"),
        }
    }
}

impl View for UnmonitoredView {
    fn kind(&self) -> &'static str {
        "why"
    }

    fn text(&self) -> String {
        let rows: Vec<String> = self.in_data.iter().map(|one| format!("{} ({})", one.symbol, count(one.rows, "row"))).collect();
        let mut page = wrapped("", &format!("{}: nobody monitors it", self.symbol), 2);
        page.push('\n');
        page.push_str(&wrapped("> [no]  ", &format!("monitored: no; {} has no such bank", self.file), 8));
        if !self.similar.is_empty() {
            page.push_str(&wrapped("        ", &format!("monitored, and spelled like it: {}", self.similar.join(", ")), 8));
        }
        page.push_str(&wrapped("        ", &format!("data: {}", rows.join(", ")), 8));
        page.push('\n');
        page.push_str("To have its reports made, add it to that file under its symbol, with its\nbank_id as id, then:\n");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "  {}", self.check);
        page
    }
}
