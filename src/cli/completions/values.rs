//! Which values an argument takes, by its name in the help.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, ValueCompleter};

use super::super::help;
use super::line::Line;
use super::lookup::{Gaps, Lookup};
use crate::plan::model::gap::GapKey;
use crate::plan::model::period::Period;
use crate::show::completion::Offer;

/// The id of a candidate that stands for the names of files, which the shell knows better.
pub(super) const FILES: &str = "files";

/// The page of the manual that is of no command.
const CONFIGURATION: &str = "etl-orch.yaml";

/// What is completed, and where its values are known.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) line: Arc<Line>,
    /// The arguments before it that are no options.
    pub(super) given: Arc<Vec<String>>,
    pub(super) lookup: Arc<Lookup>,
}

/// The values of an argument.
#[derive(Debug, Clone)]
enum Values {
    Files,
    Fixed(&'static [&'static str]),
    /// The words that name a command of these.
    Commands(Arc<Vec<Vec<String>>>),
    Banks,
    Etls,
    Sources,
    Periods,
    Years,
    Runs,
    Windows,
    /// A word of those that name a gap.
    Gap(Gaps, Ids),
}

/// Which ids stand for a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    /// Once something of one is typed.
    Typed,
    Jobs,
    ActiveJobs,
    JobsAndRuns,
}

/// Gives every argument of these commands its values.
pub(super) fn attach(command: Command, request: &Request) -> Command {
    let commands = Arc::new(help::commands(&command));
    attach_below(command, request, &commands)
}

fn attach_below(command: Command, request: &Request, commands: &Arc<Vec<Vec<String>>>) -> Command {
    let name = command.get_name().to_owned();
    let below: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let command = below.iter().fold(command, |command, one| command.mut_subcommand(one, |one| attach_below(one, request, commands)));
    command.mut_args(|arg| match values(&name, &arg, commands) {
        Some(values) => arg.add(ArgValueCompleter::new(Completer { values, request: request.clone() })),
        None => arg,
    })
}

/// The values of an argument of this command, unless clap knows them, or nobody does.
fn values(command: &str, arg: &Arg, commands: &Arc<Vec<Vec<String>>>) -> Option<Values> {
    let (gaps, ids) = match command {
        "retry" => (Gaps::Retryable, Ids::Typed),
        "unskip" => (Gaps::Skipped, Ids::Typed),
        "cancel" => (Gaps::Active, Ids::ActiveJobs),
        "jobs" | "logs" => (Gaps::Recorded, Ids::Jobs),
        "trace" => (Gaps::Recorded, Ids::JobsAndRuns),
        _ => (Gaps::Held, Ids::Typed),
    };
    let named = arg.get_value_names()?.first()?.as_str();
    Some(match (named, arg.get_id().as_str()) {
        ("FILE" | "DIR", _) => Values::Files,
        ("GAP" | "ETL" | "QUARTER", _) | ("BANK", "bank") | ("YEAR", "year") => Values::Gap(gaps, ids),
        ("BANK" | "SYMBOL", _) => Values::Banks,
        ("NAME", _) => Values::Etls,
        ("ID" | "SOURCE", _) => Values::Sources,
        ("PERIOD", _) => Values::Periods,
        ("YEAR", _) => Values::Years,
        ("RUN", _) => Values::Runs,
        ("WINDOW", _) => Values::Windows,
        ("COMMAND", _) => Values::Commands(commands.clone()),
        ("PAGE", _) => Values::Commands(Arc::new(commands.iter().cloned().chain([vec![CONFIGURATION.to_owned()]]).collect())),
        ("N|auto", _) => Values::Fixed(&["auto"]),
        ("WAIT", _) => Values::Fixed(&["forever", "none"]),
        ("FORMAT", _) => Values::Fixed(&["text", "json", "journald"]),
        ("LEVEL", _) => Values::Fixed(&["off", "error", "warn", "info", "debug", "trace"]),
        _ => return None,
    })
}

/// Answers for an argument.
#[derive(Debug)]
struct Completer {
    values: Values,
    request: Request,
}

impl ValueCompleter for Completer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        if matches!(self.values, Values::Files) {
            return vec![CompletionCandidate::new("").id(Some(FILES.to_owned()))];
        }
        let Some(current) = current.to_str() else { return Vec::new() };
        let mut offers = self.offers(current);
        offers.retain(|offer| offer.begins_with(current));
        offers.into_iter().map(|offer| CompletionCandidate::new(offer.word).help(Some(offer.help.into()))).collect()
    }
}

impl Completer {
    /// What may be meant by a word that begins so.
    fn offers(&self, current: &str) -> Vec<Offer> {
        let Request { line, given, lookup } = &self.request;
        let mut offers = match &self.values {
            Values::Banks => self.banks(current),
            Values::Etls => lookup.etls(),
            Values::Sources => lookup.sources(),
            Values::Periods => plain(compact(&lookup.periods(None))),
            Values::Files => return Vec::new(),
            Values::Fixed(values) => return plain(*values),
            Values::Commands(paths) => {
                let next = |path: &Vec<String>| path.strip_prefix(given.as_slice()).filter(|rest| rest.len() == 1)?.first().cloned();
                return plain(paths.iter().filter_map(next));
            }
            Values::Years => return plain(years(&lookup.periods(None))),
            Values::Runs => return lookup.runs(current),
            Values::Windows => return given.first().map(|source| lookup.windows(source)).unwrap_or_default(),
            Values::Gap(gaps, ids) => return self.of_gap(current, *gaps, *ids),
        };
        // They can be repeated, but that would change nothing.
        offers.retain(|offer| !line.names(&offer.word));
        offers
    }

    /// The banks, by their whole keys where one is being typed.
    fn banks(&self, current: &str) -> Vec<Offer> {
        let lookup = &self.request.lookup;
        let symbols = lookup.banks();
        if symbols.iter().any(|offer| offer.begins_with(current)) { symbols } else { lookup.bank_keys() }
    }

    /// The next word of `BANK YEAR QUARTER ETL`, or of what can stand for it.
    fn of_gap(&self, current: &str, gaps: Gaps, ids: Ids) -> Vec<Offer> {
        let Request { given, lookup, .. } = &self.request;
        let Some((bank, rest)) = given.split_first() else { return self.subjects(current, gaps, ids) };
        if !lookup.is_bank(bank) {
            // A source, a gap or a job is named by one word.
            return Vec::new();
        }
        match rest {
            [] if current.len() < "2025".len() => plain(years(&lookup.periods(Some(bank)))),
            [] => plain(compact(&lookup.periods(Some(bank)))),
            [period] if period.parse::<Period>().is_ok() => lookup.etls(),
            [_year] => plain(["Q1", "Q2", "Q3", "Q4"]),
            [period, ..] if period.parse::<Period>().is_ok() => Vec::new(),
            [_year, _quarter] => lookup.etls(),
            [..] => Vec::new(),
        }
    }

    /// The first word: a bank, an ETL, a source, a gap or an id.
    fn subjects(&self, current: &str, gaps: Gaps, ids: Ids) -> Vec<Offer> {
        let lookup = &self.request.lookup;
        let mut offers = match current.split_once('/') {
            Some((bank, rest)) if lookup.is_bank(bank) => self.below(bank, rest),
            Some(_) => Vec::new(),
            None if current.contains(':') => {
                let source = |offer: Offer| Offer { word: GapKey::source(&offer.word).to_string(), ..offer };
                lookup.sources().into_iter().map(source).collect()
            }
            None => [self.banks(current), lookup.sources(), lookup.etls()].concat(),
        };
        // Where ids are listed, each with its gap, the gaps are not listed once more.
        if ids == Ids::Typed || current.contains(['/', ':']) {
            let listed: Vec<String> = offers.iter().map(|offer| offer.word.clone()).collect();
            offers.extend(lookup.gaps(current, gaps).into_iter().filter(|gap| !listed.contains(&gap.word)));
        }
        match ids {
            Ids::Typed if current.is_empty() => {}
            Ids::Typed | Ids::Jobs => offers.extend(lookup.jobs(current, false)),
            Ids::ActiveJobs => offers.extend(lookup.jobs(current, true)),
            Ids::JobsAndRuns => {
                offers.extend(lookup.jobs(current, false));
                offers.extend(lookup.runs(current));
            }
        }
        offers
    }

    /// The keys of gaps of a bank: `RY-CA/2025Q2`, and once that stands `RY-CA/2025Q2/call_summary`.
    fn below(&self, bank: &str, rest: &str) -> Vec<Offer> {
        let lookup = &self.request.lookup;
        match rest.split_once('/') {
            None => plain(compact(&lookup.periods(Some(bank))).iter().map(|period| format!("{bank}/{period}"))),
            Some((period, _)) => {
                let key = |etl: Offer| Offer { word: format!("{bank}/{period}/{}", etl.word), ..etl };
                lookup.etls().into_iter().map(key).collect()
            }
        }
    }
}

fn plain(words: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Offer> {
    words.into_iter().filter_map(|word| Offer::new(word.as_ref(), "")).collect()
}

fn compact(periods: &[Period]) -> Vec<String> {
    periods.iter().map(|period| period.compact()).collect()
}

/// Their years, in their order.
fn years(periods: &[Period]) -> Vec<String> {
    let mut years: Vec<String> = periods.iter().map(|period| period.year().to_string()).collect();
    years.dedup();
    years
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::super::super::args::Cli;
    use super::*;

    /// What only the user knows, or what a page of the help lists.
    const FREE: [&str; 8] = ["TEXT", "WHEN", "N", "DURATION", "URL", "ROLE", "USER", "SHELL"];

    fn without_values(command: &Command, found: &mut BTreeSet<String>) {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values() && arg.get_possible_values().is_empty()) {
            let named = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
            if values(command.get_name(), arg, &Arc::default()).is_none() && !FREE.contains(&named) {
                found.insert(format!("{} {} {named}", command.get_name(), arg.get_id()));
            }
        }
        command.get_subcommands().for_each(|one| without_values(one, found));
    }

    #[test]
    fn every_argument_is_completed_or_is_free_text() {
        let mut found = BTreeSet::new();
        without_values(&Cli::command(), &mut found);
        assert_eq!(found, BTreeSet::new());
    }
}
