//! A page of the manual: what clap knows of a command, and the parts that every page has.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::super::exit::Failure;
use super::super::help::examples;
use super::super::help::exit_status::exit_status;
use super::configuration;

/// What is said of a name.
pub(super) type Entry = (&'static str, &'static str);

/// The day of this version.
const RELEASED: &str = "2026-11-29";

pub(super) const ENVIRONMENT: &[Entry] = &[
    ("ETL_ORCH_CONFIG", "The configuration file, where --config does not name one."),
    (
        "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DATABASE, POSTGRES_USER, POSTGRES_PASSWORD",
        "The database, where the configuration has no database.url.",
    ),
    ("TZ", "The time zone in which times are shown and read."),
    ("LC_ALL, LC_CTYPE, LANG", "Where the locale has no UTF-8, terminals get ASCII."),
    ("NO_COLOR", "No colors, where it is not empty."),
    ("TERM", "Where it is dumb or not set, neither a live display nor colors."),
    ("COLUMNS", "The width of pages that do not go to a terminal."),
    ("XDG_CONFIG_HOME", "The directory of the user's configuration, otherwise ~/.config."),
    ("Other variables", "The configuration may name any as ${NAME}; they may also stand in .env."),
];

pub(super) const FILES: &[Entry] = &[
    (
        "etl-orch.yaml",
        "The configuration: that of --config, $ETL_ORCH_CONFIG, ./etl-orch.yaml, ./config/etl-orch.yaml, ~/.config/etl-orch/etl-orch.yaml or /etc/etl-orch/etl-orch.yaml, the first that is there.",
    ),
    ("monitored_institutions.yaml", "The banks, beside the configuration unless it names another file."),
    (".env", "Variables of the configuration, beside it."),
    (
        "state_dir",
        "What the configuration calls so: the lock, logs of attempts, workspaces, ends that wait for the database, and a SQLite database.",
    ),
];

/// The page of this command, whose words these are.
pub(super) fn page(command: &Command, words: &[String]) -> Result<String, Failure> {
    let path = words.join(" ");
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    let mut begin = Roff::new();
    title(&mut begin, &name(words), "1");
    begin.to_writer(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut ends = Roff::new();
    section(&mut ends, "EXIT STATUS", exit_status(&path));
    section(&mut ends, "ENVIRONMENT", ENVIRONMENT.iter().copied());
    section(&mut ends, "FILES", FILES.iter().copied());
    section(&mut ends, "EXAMPLES", examples(&path).iter().map(|example| (example.line, example.says)));
    ends.control("SH", ["SEE ALSO"]).text(references(see_also(words)));
    ends.to_writer(&mut page)?;
    Ok(without_empty_breaks(&String::from_utf8_lossy(&page)))
}

/// The name of the page of the command with these words.
pub(super) fn name(words: &[String]) -> String {
    std::iter::once("etl-orch").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
}

/// What clap_mangen leaves behind: blanks at the ends of lines, and breaks around a paragraph.
fn without_empty_breaks(page: &str) -> String {
    let lines: String = page.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    lines.replace(".br\n\n.br\n", "\n")
}

/// The line that every page begins with.
pub(super) fn title(page: &mut Roff, name: &str, section: &str) {
    let source = concat!("etl-orch ", env!("CARGO_PKG_VERSION"));
    page.control("TH", [&name.to_uppercase(), section, RELEASED, source, "Manual of etl-orch"]);
}

pub(super) fn section(page: &mut Roff, title: &str, entries: impl Iterator<Item = Entry>) {
    page.control("SH", [title]);
    for (name, says) in entries {
        page.control("TP", []).text([bold(name)]).text([roman(says)]);
    }
}

/// The page above, what helps on every page, and the configuration.
fn see_also(words: &[String]) -> impl Iterator<Item = String> {
    let above = words.split_last().map(|(_, above)| name(above));
    let own = name(words);
    above
        .into_iter()
        .chain(["etl-orch-doctor", "etl-orch-health", "etl-orch-why", configuration::NAME].map(str::to_owned))
        .filter(move |page| *page != own)
}

/// References to these pages.
pub(super) fn references(pages: impl Iterator<Item = String>) -> Vec<Inline> {
    let mut line = Vec::new();
    for page in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        let section = if page == configuration::NAME { "(5)" } else { "(1)" };
        line.extend([bold(page), roman(section)]);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_this_version_is_that_of_the_changelog() {
        let heading = format!("## [{}] - {RELEASED}\n", env!("CARGO_PKG_VERSION"));
        assert!(include_str!("../../../CHANGELOG.md").contains(&heading), "{heading}");
    }
}
