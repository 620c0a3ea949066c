//! What `doctor` found.

mod data;
mod database;
mod finding;
mod host;
mod schedule;
mod telling;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::Serialize;

use self::finding::{Finding, group, id, label, mark, name};
use super::View;
use super::terminal::page_width;
use super::words::{Time, Untrusted, count, wrapped};
use crate::plan::decide::checkup::{Checkup, ConfigurationFacts, NotLooked, Status, Subject};
use crate::plan::model::catalogue::Catalogue;

/// What a mark is written over once its line is broken, so that all text stands in one column.
const NO_MARK: &str = "[....]";

/// All checks of an installation.
#[derive(Debug, Serialize)]
pub struct DoctorView {
    timestamp: Time,
    exit_code: u8,
    ok: usize,
    warnings: usize,
    failed: usize,
    unknown: usize,
    #[serde(serialize_with = "as_checks")]
    checks: Vec<Finding>,
}

/// A check, for programs.
#[derive(Serialize)]
struct Check<'a> {
    id: &'static str,
    group: &'static str,
    status: &'static str,
    found: Vec<Untrusted<'a>>,
    mend: Vec<Untrusted<'a>>,
}

fn as_checks<S: serde::Serializer>(checks: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(checks.iter().map(|check| Check {
        id: id(check.subject),
        group: group(check.subject),
        status: name(check.status),
        found: check.found(),
        mend: check.mend(),
    }))
}

impl DoctorView {
    /// The view of a checkup. `catalogue`: what is configured, where the configuration can be used.
    pub fn new(checkup: &Checkup, catalogue: Option<&Catalogue>) -> Self {
        let mut checks = vec![configuration(&checkup.configuration)];
        checks.push(telling::finding(&checkup.telling));
        match &checkup.host {
            Ok(facts) => checks.extend(host::findings(facts)),
            Err(why) => {
                let subjects = [Subject::Programs, Subject::Outputs, Subject::StateDir, Subject::Spool, Subject::Disk, Subject::Lock];
                checks.extend(not_looked(&subjects, why));
            }
        }
        checks.push(host::processes(&checkup.processes));
        checks.push(host::time_zone(&checkup.time_zone));
        checks.extend(schedule::findings(&checkup.schedule));
        checks.extend(database::findings(&checkup.database, checkup.now, catalogue));
        // Each under its heading.
        checks.sort_by_key(|check| check.subject);
        let of = |status| checks.iter().filter(|check| check.status == status).count();
        Self {
            timestamp: Time(checkup.now),
            exit_code: 0,
            ok: of(Status::Ok),
            warnings: of(Status::Warning),
            failed: of(Status::Failed),
            unknown: of(Status::Unknown),
            checks,
        }
    }

    /// Whether any check failed.
    pub fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// The same with the code that the process ends with.
    #[must_use]
    pub fn exit_code(self, exit_code: u8) -> Self {
        Self { exit_code, ..self }
    }

    fn verdict(&self) -> String {
        let parts = [
            (self.failed, format!("{} failed", count(self.failed as u64, "check"))),
            (self.warnings, count(self.warnings as u64, "warning")),
            (self.unknown, format!("{} not be looked at", count(self.unknown as u64, "check") + " could")),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
        let ok = format!("{} ok", count(self.ok as u64, "check"));
        if parts.is_empty() { format!("All {ok}") } else { format!("{}, {ok}", parts.join(", ")) }
    }
}

impl View for DoctorView {
    fn kind(&self) -> &'static str {
        "doctor"
    }

    fn text(&self) -> String {
        let width = page_width();
        let mut page = String::new();
        let mut heading = "";
        for (subjects, check) in merged(&self.checks) {
            if group(check.subject) != heading {
                heading = group(check.subject);
                // Writing to a String cannot fail.
                let _ = writeln!(page, "{heading}");
            }
            for (n, part) in check.parts.iter().enumerate() {
                let named = if n == 0 { format!("{subjects}: ") } else { String::new() };
                let line = format!("  {NO_MARK} {named}{}", Untrusted::from(part.found.as_str()));
                let mark = if n == 0 { mark(check.status) } else { "" };
                let _ = writeln!(page, "{}", wrapped(&line, width).replacen(NO_MARK, &format!("{mark:<6}"), 1));
                if let Some(mend) = &part.mend {
                    let _ = writeln!(page, "{}", wrapped(&format!("         -> {}", Untrusted::from(mend.as_str())), width));
                }
            }
        }
        let _ = writeln!(page, "\n{}", wrapped(&self.verdict(), width));
        page
    }
}

/// The checks with the names of their subjects. Those in a row that were not looked at for the same reason are one.
fn merged(checks: &[Finding]) -> Vec<(String, &Finding)> {
    let mut merged: Vec<(String, &Finding)> = Vec::new();
    for check in checks {
        match merged.last_mut() {
            Some((subjects, last))
                if check.status == Status::Unknown
                    && last.status == Status::Unknown
                    && last.parts == check.parts
                    && group(last.subject) == group(check.subject) =>
            {
                *subjects = format!("{subjects}, {}", label(check.subject));
            }
            _ => merged.push((label(check.subject), check)),
        }
    }
    merged
}

/// That none of these could be looked at.
fn not_looked<'a>(subjects: &'a [Subject], why: &'a NotLooked) -> impl Iterator<Item = Finding> {
    subjects.iter().map(move |subject| Finding::not_looked(*subject, why))
}

fn configuration(facts: &ConfigurationFacts) -> Finding {
    let path = facts.path.as_deref().unwrap_or("no configuration");
    let size = facts.size.map(|size| {
        let counts = [(size.banks, "bank"), (size.etls, "ETL"), (size.sources, "source")];
        counts.map(|(number, noun)| count(number as u64, noun)).join(", ")
    });
    Finding::of_faults(Subject::Configuration, &facts.faults, format!("{path}: {}", size.unwrap_or_default()))
}
