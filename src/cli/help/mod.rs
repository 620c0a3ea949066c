//! The pages of help: what clap makes of the options, and what it does not know: groups of commands, examples, exit codes.

mod examples;
pub(super) mod exit_status;
pub(super) mod headings;
mod layout;

use std::sync::OnceLock;

use clap::{Command, CommandFactory};

use super::args::Cli;
use crate::plan::model::settings::Variables;
use crate::show;
pub(super) use examples::examples;
use exit_status::exit_status;

/// Columns of a page at most, and where there is no terminal.
const WIDEST: usize = 100;
const USUAL: usize = 80;

const MORE: &str = "--help says more, with examples and exit codes.";

/// The commands by what they are for. Those that are not named here set etl-orch up.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Make reports", &["run", "run-one"]),
    ("Look", &["coverage", "why", "health", "sources", "jobs", "runs", "logs", "trace", "report"]),
    ("Give orders", &["retry", "skip", "unskip", "cancel"]),
];
const OTHERS: &str = "Set up";

/// The version that the binary was built as.
static VERSION: OnceLock<&'static str> = OnceLock::new();

/// Keeps what the binary knows of its version. Called once.
pub(super) fn set_version(version: &'static str) {
    // A second call changes nothing.
    let _ = VERSION.set(version);
}

/// How wide a page is.
pub(super) fn columns(environment: &Variables) -> usize {
    let known = environment.get("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    show::stdout_width().or(known).unwrap_or(USUAL)
}

/// All commands with their pages, this many columns wide.
pub(super) fn command(columns: usize) -> Command {
    let width = columns.min(WIDEST);
    let plain = Cli::command().term_width(width);
    let groups = groups(&plain, width);
    let root = with_pages(plain, "", width);
    // The groups list them.
    let names: Vec<String> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let root = names.into_iter().fold(root, |root, name| root.mut_subcommand(name, |command| command.hide(true)));
    root.version(VERSION.get().copied().unwrap_or(env!("CARGO_PKG_VERSION")))
        .override_usage("etl-orch [OPTIONS] [COMMAND]")
        .help_template(format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{{all-args}}{{after-help}}"))
}

/// The words of every command, that of the program first.
pub(super) fn commands(root: &Command) -> Vec<Vec<String>> {
    let below = root.get_subcommands().flat_map(|command| {
        let name = command.get_name().to_owned();
        commands(command).into_iter().map(move |rest| std::iter::once(name.clone()).chain(rest).collect())
    });
    std::iter::once(Vec::new()).chain(below).collect()
}

/// This command and those below it, each with the end of its page.
fn with_pages(command: Command, path: &str, width: usize) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = below.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(name, |command| with_pages(command, &path, width))
    });
    command.after_help(MORE).after_long_help(page_end(path, width))
}

/// Examples and exit codes.
fn page_end(path: &str, width: usize) -> String {
    let title = layout::title;
    let examples: String = examples(path).iter().map(|example| layout::example(example.line, example.says, width)).collect();
    let rows: Vec<_> = exit_status(path).collect();
    format!("{}{examples}\n{}{}", title("Examples"), title("Exit codes"), layout::table(&rows, width))
}

/// The commands under the headings of their groups.
fn groups(root: &Command, width: usize) -> String {
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let all: Vec<(&str, String)> = root.get_subcommands().map(|command| (command.get_name(), about(command))).collect();
    let widest = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let named = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others: Vec<&str> = all.iter().map(|(name, _)| *name).filter(|name| !named(name)).collect();
    let groups = GROUPS.into_iter().chain([(OTHERS, others.as_slice())]).map(|(heading, names)| {
        let of_name = |name: &&str| all.iter().find(|(other, _)| other == name);
        let rows: Vec<(String, &str)> =
            names.iter().filter_map(of_name).map(|(name, about)| (format!("{name:<widest$}"), about.as_str())).collect();
        let rows: Vec<(&str, &str)> = rows.iter().map(|(name, about)| (name.as_str(), *about)).collect();
        format!("{}{}\n", layout::title(heading), layout::table(&rows, width))
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::examples::{EXAMPLES, Example};
    use super::*;

    fn paths(command: &Command, path: &str) -> Vec<String> {
        let below = command.get_subcommands().flat_map(|one| paths(one, format!("{path} {}", one.get_name()).trim_start()));
        std::iter::once(path.to_owned()).chain(below.collect::<Vec<_>>()).collect()
    }

    #[test]
    fn every_command_has_examples_and_every_example_is_read() {
        let paths = paths(&Cli::command(), "");
        let without: Vec<_> = paths.iter().filter(|path| examples(path).is_empty()).collect();
        assert!(without.is_empty(), "no examples: {without:?}");
        for (path, examples) in EXAMPLES {
            assert!(paths.iter().any(|one| one == path), "{path} is no command");
            for Example { line, .. } in *examples {
                let words = line.split(['|', '>']).next().and_then(shell_words).unwrap_or_else(|| panic!("{line}"));
                assert!(format!("{} ", words.join(" ")).starts_with(format!("etl-orch {path}").trim_end()), "{line} is of another command");
                let read = Cli::read(words.into_iter().map(Into::into), 80);
                assert!(read.as_ref().is_err_and(|error| error.kind() == ErrorKind::DisplayHelp) || read.is_ok(), "{line}: {read:?}");
            }
        }
    }

    /// The words of a line without variables and escapes.
    fn shell_words(line: &str) -> Option<Vec<String>> {
        let quoted: Vec<&str> = line.split('"').collect();
        (quoted.len() % 2 == 1).then(|| {
            let parts = quoted.iter().enumerate();
            let words = parts.flat_map(|(index, part)| if index % 2 == 1 { vec![*part] } else { part.split_whitespace().collect() });
            words.map(str::to_owned).collect()
        })
    }

    #[test]
    fn every_page_fits_its_columns() {
        for (columns, widest) in [(80, 80), (40, 48)] {
            let root = command(columns);
            for path in paths(&root, "") {
                for flag in ["-h", "--help"] {
                    let words = std::iter::once("etl-orch").chain(path.split_whitespace()).chain([flag]);
                    let page = Cli::read(words.map(Into::into), columns).unwrap_err().to_string();
                    let is_own =
                        |line: &&str| !["etl-orch", "Usage:", "~/", "postgres:"].iter().any(|begin| line.trim_start().starts_with(begin));
                    let wide = page.lines().filter(is_own).find(|line| line.chars().count() > widest);
                    assert_eq!(wide, None, "{path} {flag} at {columns}");
                }
            }
        }
    }

    #[test]
    fn a_short_page_has_one_line_for_each_option() {
        let root = command(80);
        for path in paths(&root, "") {
            let words = std::iter::once("etl-orch").chain(path.split_whitespace()).chain(["-h"]);
            let page = Cli::read(words.map(Into::into), 80).unwrap_err().to_string();
            let options = page.lines().filter(|line| line.trim_start().starts_with('-') && !line.starts_with(MORE)).count();
            let further = page.lines().filter(|line| line.starts_with("          ")).collect::<Vec<_>>();
            assert!(options >= 7 && further.is_empty(), "{path}: {further:#?}");
        }
    }
}
