//! Everything that is held up, one line for what is alike.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::super::command_line::CommandLine;
use super::super::history::table::{Row, Table};
use super::super::terminal::stdout_width;
use super::super::words::{Time, Untrusted, count};
use super::{sentences, verdict, words};
use crate::plan::decide::explain::{Explanation, What};
use crate::plan::model::gap::GapKey;
use crate::plan::remember::past::PastRun;

/// Gaps that are alike: of one ETL, with one decision.
#[derive(Debug)]
struct Group<'a> {
    members: Vec<&'a Explanation>,
    reason: String,
}

/// The page. `capped` gaps more wait for later runs.
pub(super) fn page(
    explanations: &[Explanation],
    capped: u64,
    last_run: Option<&PastRun>,
    next: &CommandLine,
    now: DateTime<Utc>,
) -> String {
    let mut page = if explanations.is_empty() && capped == 0 { "NOTHING IS HELD UP\n".to_owned() } else { table(explanations, now) };
    if capped > 0 {
        let _ = writeln!(page, "{} wait for later runs (max_jobs).", count(capped, "more gap"));
    }
    if let Some(first) = explanations.first() {
        let _ = writeln!(page, "More: {}", next.of(format!("why {}", words(&first.gap))));
    }
    for line in sentences::lines(&What::LastRun(last_run.cloned()), now) {
        let _ = writeln!(page, "{line}");
    }
    page
}

fn table(explanations: &[Explanation], now: DateTime<Utc>) -> String {
    let rows = groups(explanations, now)
        .into_iter()
        .map(|group| Row { cells: vec![group.members.len().to_string(), what(&group.members), group.reason], below: Vec::new() });
    Table { head: vec!["GAPS", "OF", "WHY"], rows: rows.collect() }.text(stdout_width())
}

/// Alike is what has one decision for one reason, until whenever that holds.
fn groups(explanations: &[Explanation], now: DateTime<Utc>) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(String, &'static str, String), Vec<&Explanation>> = BTreeMap::new();
    for one in explanations {
        let reason = if verdict::until(&one.verdict).is_some() { String::new() } else { verdict::brief_reason(one, now) };
        groups.entry((one.gap.filled_by().to_owned(), verdict::name(&one.verdict), reason)).or_default().push(one);
    }
    groups.into_values().map(|members| Group { reason: reason(&members, now), members }).collect()
}

fn reason(members: &[&Explanation], now: DateTime<Utc>) -> String {
    let first = members.iter().min_by_key(|one| verdict::until(&one.verdict));
    let Some(first) = first else { return String::new() };
    let untils: Vec<_> = members.iter().map(|one| verdict::until(&one.verdict)).collect();
    let are_alike = untils.windows(2).all(|pair| pair.first() == pair.last());
    let reason = verdict::brief_reason(first, now);
    match untils.iter().flatten().max() {
        Some(last) if !are_alike => format!("{reason}; the last until {}", Time(*last)),
        Some(_) | None => reason,
    }
}

/// `RY-CA 2025 Q2 call_summary`, or `call_summary: 14 banks, 2024 Q1 to 2025 Q4`.
fn what(members: &[&Explanation]) -> String {
    let [first, rest @ ..] = members else { return String::new() };
    if rest.is_empty() {
        return words(&first.gap);
    }
    let mut banks: Vec<&str> = Vec::new();
    let mut periods = Vec::new();
    for one in members {
        if let GapKey::Report { bank, period, .. } = &one.gap {
            banks.push(bank);
            periods.push(*period);
        }
    }
    banks.sort_unstable();
    banks.dedup();
    let whose = match banks.as_slice() {
        [] => String::new(),
        [bank] => format!(": {}", Untrusted::from(*bank)),
        several => format!(": {}", count(several.len() as u64, "bank")),
    };
    let when = match (periods.iter().min(), periods.iter().max()) {
        (Some(first), Some(last)) if first == last => format!(", {first}"),
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    format!("{}{whose}{when}", Untrusted::from(first.gap.filled_by()))
}
