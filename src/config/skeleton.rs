//! A commented configuration to begin with, from what a database holds. It can be read, and its ETLs do nothing yet.

mod banks;

pub use banks::institutions_skeleton;

use std::fmt::Write;
use std::path::Path;

use crate::plan::decide::found_data::{AVAILABILITY, FoundData, REPORTS, choice};
use crate::plan::decide::mismatch::NameCount;
use crate::plan::text::size::grouped;

/// How the configuration names its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenDatabase {
    /// By this address, which holds no password.
    Url(String),
    /// By a variable that has the address.
    Variable(&'static str),
    /// By the variables `POSTGRES_*`.
    PostgresVariables,
}

/// Most ETLs that are written, and most names in a comment.
const MOST_ETLS: usize = 20;
const MOST_NAMES: usize = 10;

/// The name of each ETL, and the types of its reports.
type Etls = Vec<(String, Vec<NameCount>)>;

/// Where the host's configurations are, and the state that belongs to them.
const OF_HOST: (&str, &str) = ("/etc", "/var/lib/etl-orch");

/// The state directory that a new configuration at this absolute path names.
#[must_use]
pub fn new_state_dir(path: &Path) -> &'static str {
    let (configurations, state) = OF_HOST;
    if path.starts_with(configurations) { state } else { "var" }
}

/// The text of a configuration. `origin`: the database, for a comment; `None` where nothing was looked at.
#[must_use]
pub fn skeleton(database: &WrittenDatabase, state_dir: &str, origin: Option<&str>, found: &FoundData) -> String {
    let from = origin.map(|origin| format!(", from what {} holds", plain(origin))).unwrap_or_default();
    let by_etl = !found.tables.reports.is_empty();
    let mut text = format!(
        "# What etl-orch makes, and from what. Begun by `etl-orch config init`{from}.
# `etl-orch config schema` describes every key. Relative paths are relative to this file. ${{NAME}} is filled in from the environment, or
# from a file .env beside this one.

{}
state_dir: {state_dir:<32} # lock, logs, workspaces; on a disk of this host
institutions: monitored_institutions.yaml   # the banks to look at

{}{}
run:
  max_parallel: 4                           # banks at once
  # from_year: 2024                         # leave earlier fiscal years alone

# The ETLs of a bank run one after the other, in this order. No shell reads a command: it is a list of program and arguments.
# THESE COMMANDS ARE STAND-INS, which end with 78 (not configured): put your own in their place.
etls:
",
        database_section(database),
        table_section("availability", &found.tables.availability, AVAILABILITY),
        reports_section(found, by_etl),
    );
    let requires = requires(&found.tags);
    for (name, types) in etls(&found.report_types) {
        text.push_str(&etl(&name, &types, &requires, by_etl));
    }
    text.push_str(SOURCES);
    text
}

const SOURCES: &str = r#"
# Disclosures, collected at an interval:
# sources:
#   us_house:
#     name: US House Disclosures
#     every: 6h
#     command: [python, -m, your.collector, --from, "{window_start}", --until, "{window_end}"]
"#;

fn database_section(database: &WrittenDatabase) -> String {
    match database {
        WrittenDatabase::Url(url) => format!("database:\n  url: {}", quoted(url)),
        WrittenDatabase::Variable(name) => format!("database:\n  url: \"${{{name}}}\""),
        WrittenDatabase::PostgresVariables => {
            "# The database is the one that the variables POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DATABASE, POSTGRES_USER and POSTGRES_PASSWORD\n\
             # name. Under cron they come from .env.\n# database: {url: \"postgres://...\"}"
                .to_owned()
        }
    }
}

fn table_section(key: &str, found: &[String], usual: &str) -> String {
    let chosen = choice(found, usual);
    let others: Vec<&str> = found.iter().map(String::as_str).filter(|name| Some(*name) != chosen).take(MOST_NAMES).collect();
    let remark = match (chosen, others.is_empty()) {
        (None, _) => "  # no table with its columns was found".to_owned(),
        (Some(_), true) => String::new(),
        (Some(_), false) => format!("  # others with its columns: {}", plain(&others.join(", "))),
    };
    format!("{key}:\n  table: {}{remark}\n", chosen.unwrap_or(usual))
}

fn reports_section(found: &FoundData, by_etl: bool) -> String {
    let table = table_section("reports", &found.tables.reports, REPORTS);
    let by = if by_etl {
        "  by: etl                                   # an ETL writes its row; with `orchestrator` it writes a file, and etl-orch the row\n"
    } else {
        "  by: orchestrator                          # an ETL writes the file {output}, and etl-orch the row; with `etl` it writes its row\n"
    };
    table + by
}

/// An ETL for each type of reports; types that differ only in spelling are those of one.
fn etls(types: &[NameCount]) -> Etls {
    let mut etls: Etls = Vec::new();
    for found in types.iter().filter(|found| is_text(&found.name)) {
        let Some(name) = name_of(&found.name) else { continue };
        if let Some((_, types)) = etls.iter_mut().find(|(known, _)| *known == name) {
            types.push(found.clone());
        } else if etls.len() < MOST_ETLS {
            etls.push((name, vec![found.clone()]));
        }
    }
    if etls.is_empty() {
        etls.push(("call_summary".to_owned(), vec![NameCount { name: "Call Summary".to_owned(), rows: 0 }]));
    }
    etls
}

fn etl(name: &str, types: &[NameCount], requires: &str, by_etl: bool) -> String {
    let written = match types {
        [only] => quoted(&only.name),
        several => format!("[{}]", several.iter().map(|one| quoted(&one.name)).collect::<Vec<_>>().join(", ")),
    };
    let rows: u64 = types.iter().map(|one| one.rows).sum();
    let more = if by_etl { "--quarter, \"{quarter}\"]" } else { "--quarter, \"{quarter}\", --output, \"{output}\"]" };
    let mut text = format!(
        "  {name}:
    report_type: {written}   # {} in the reports table
    {requires}
    # command: [python, -m, your.{name}, --bank, \"{{bank_symbol}}\", --year, \"{{fiscal_year}}\", {more}
    command: [sh, -c, \"echo 'no command is configured yet' >&2; exit 78\"]
    timeout: 1h
",
        grouped(rows)
    );
    if !by_etl {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    output: \"reports/{{period}}/{{bank_symbol}}_{{etl}}.md\"");
    }
    text
}

/// The most frequent tag, and in a comment all.
fn requires(tags: &[NameCount]) -> String {
    let usable: Vec<&NameCount> = tags.iter().filter(|tag| is_text(&tag.name)).collect();
    let Some(first) = usable.first() else {
        return "requires: [transcripts]   # tags that data must have; the database has none yet".to_owned();
    };
    let all: Vec<String> = usable.iter().take(MOST_NAMES).map(|tag| format!("{} ({})", plain(&tag.name), grouped(tag.rows))).collect();
    format!("requires: [{}]   # tags of the data, with their rows: {}", quoted(&first.name), all.join(", "))
}

/// The name of an ETL that makes this type: `Call Summary` gives `call_summary`.
fn name_of(report_type: &str) -> Option<String> {
    let words = report_type.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_");
    (!name.is_empty()).then_some(name)
}

/// Whether a value can be in a configuration, where `${` would begin a variable.
fn is_text(value: &str) -> bool {
    !value.trim().is_empty() && !value.chars().any(char::is_control) && !value.contains("${")
}

/// A text in double quotes. YAML reads all of JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text for a comment: on one line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decide::found_data::FoundTables;

    fn counts(names: &[&str]) -> Vec<NameCount> {
        names.iter().map(|name| NameCount { name: (*name).to_owned(), rows: 1200 }).collect()
    }

    #[test]
    fn types_that_differ_in_spelling_are_those_of_one_etl() {
        let found = etls(&counts(&["Call Summary", "Key Themes", "call_summary", "\u{1}x", "---"]));
        let names: Vec<(&str, usize)> = found.iter().map(|(name, types)| (name.as_str(), types.len())).collect();
        assert_eq!(names, [("call_summary", 2), ("key_themes", 1)]);
        assert_eq!(etls(&[])[0].0, "call_summary");
    }

    #[test]
    fn the_state_of_a_configuration_of_the_host_is_not_beside_it() {
        assert_eq!(new_state_dir(Path::new("/etc/etl-orch/etl-orch.yaml")), "/var/lib/etl-orch");
        assert_eq!(new_state_dir(Path::new("/home/ann/etc/etl-orch.yaml")), "var");
    }

    #[test]
    fn a_configuration_is_begun_from_what_is_there() {
        let found = FoundData {
            tables: FoundTables {
                availability: vec!["dwh.available".to_owned(), AVAILABILITY.to_owned()],
                reports: vec!["dwh.reports".to_owned()],
            },
            tags: counts(&["transcripts", "rts"]),
            report_types: counts(&["Call Summary"]),
            banks: Vec::new(),
        };
        insta::assert_snapshot!(skeleton(&WrittenDatabase::Variable("DATABASE_URL"), "var", Some("postgres://db/x"), &found));
    }
}
