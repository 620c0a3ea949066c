//! Words that complete what is typed in a shell. `etl-orch completions SHELL` prints a script for the shell, by which it asks at each TAB.
//!
//! The script starts `ETL_ORCH_COMPLETE=SHELL etl-orch -- WORD...`. No other command line begins with `--`, so a run that inherits the
//! variable does what it is asked for. An answer changes nothing, is given within about a second, and is silent about what is wrong.

mod line;
mod lookup;
mod values;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_complete::engine::complete;
use clap_complete::env::{EnvCompleter, Powershell};

use super::args::Cli;
use crate::plan::model::settings::Variables;
use crate::show::completion::{Offer, for_bash, for_zsh, plain, with_tabs};
use crate::show::{self, Zone};
use line::{Line, OfBash};
use lookup::Lookup;
use values::{FILES, Request};

const VARIABLE: &str = "ETL_ORCH_COMPLETE";

/// The exit code that has the shell complete the names of files.
const NAMES_A_FILE: u8 = 3;

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    let script = match shell {
        Shell::Bash => include_str!("etl-orch.bash"),
        Shell::Zsh => include_str!("etl-orch.zsh"),
        Shell::Fish => include_str!("etl-orch.fish"),
        Shell::Elvish => include_str!("etl-orch.elv"),
        _ => {
            let mut script = Vec::new();
            // Writing to memory cannot fail.
            let _ = Powershell.write_registration(VARIABLE, "etl-orch", "etl-orch", "etl-orch", &mut script);
            return String::from_utf8_lossy(&script).into_owned();
        }
    };
    script.to_owned()
}

/// The answer to a shell, where one asks.
pub(super) fn answer(args: &[OsString], environment: &Variables) -> Option<ExitCode> {
    let shell = Shell::from_str(environment.get(VARIABLE)?, false).ok()?;
    let [_, dashes, asked @ ..] = args else { return None };
    if dashes != "--" {
        return None;
    }
    panic::set_hook(Box::new(|_| ()));
    let asked: Vec<String> = asked.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let code = panic::catch_unwind(AssertUnwindSafe(|| reply(shell, &asked, environment))).ok().flatten();
    Some(code.unwrap_or(ExitCode::SUCCESS))
}

/// Prints the words that may follow; `None` where the question is not understood.
fn reply(shell: Shell, asked: &[String], environment: &Variables) -> Option<ExitCode> {
    let (line, columns) = read(shell, asked)?;
    let zone = if line.has("--utc") { Zone::Utc } else { Zone::Local };
    show::use_zones(zone, zone);
    let Offered::Words(offers) = offered(&line, environment)? else { return Some(ExitCode::from(NAMES_A_FILE)) };
    let text = match shell {
        Shell::Bash => for_bash(&offers, &line.kept, columns),
        Shell::Zsh => for_zsh(&offers),
        Shell::Elvish => plain(&offers),
        _ => with_tabs(&offers),
    };
    show::out(&text).ok()?;
    Some(ExitCode::SUCCESS)
}

/// The line, and how wide bash may list words with their help.
fn read(shell: Shell, asked: &[String]) -> Option<(Line, Option<usize>)> {
    match (shell, asked) {
        (Shell::Bash, [index, kind, columns, current, line, words @ ..]) => {
            // In the other kinds of completion bash inserts a word of the list.
            const LISTS: [&str; 4] = ["9", "33", "63", "64"];
            let columns = columns.parse().ok().filter(|columns| *columns > 0 && LISTS.contains(&kind.as_str()));
            Some((Line::of_bash(&OfBash { index: index.parse().ok()?, current, line, words })?, columns))
        }
        (Shell::Zsh | Shell::Fish | Shell::Elvish, [index, words @ ..]) => Some((Line::of_words(index.parse().ok()?, words)?, None)),
        (Shell::PowerShell, words) => Some((Line::of_words(words.len().checked_sub(1)?, words)?, None)),
        _ => None,
    }
}

enum Offered {
    Words(Vec<Offer>),
    Files,
}

fn offered(line: &Line, environment: &Variables) -> Option<Offered> {
    let lookup = Lookup::new(line.config(environment.get("HOME").map(String::as_str)), environment.clone());
    let given = Arc::new(line.positionals(Cli::command()));
    let request = Request { line: Arc::new(line.clone()), given, lookup: Arc::new(lookup) };
    let mut command = values::attach(Cli::command(), &request);
    let words = line.words.iter().map(OsString::from).collect();
    let mut found = complete(&mut command, words, line.index, None).ok()?;
    if found.iter().any(|candidate| candidate.get_id().is_some_and(|id| id == FILES)) {
        return Some(Offered::Files);
    }
    // Options are many. They are listed where a hyphen asks for them, or nothing else can follow.
    if line.current().is_empty() && found.iter().any(|candidate| !candidate.get_value().to_string_lossy().starts_with('-')) {
        found.retain(|candidate| !candidate.get_value().to_string_lossy().starts_with('-'));
    }
    let offer = |candidate: &clap_complete::CompletionCandidate| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        Offer::new(candidate.get_value().to_str()?, help.lines().next().unwrap_or_default())
    };
    Some(Offered::Words(found.iter().filter_map(offer).collect()))
}
