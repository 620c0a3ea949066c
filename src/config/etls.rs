//! `etls:`, checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::check::Check;
use super::needs::needs;
use super::outputs::{GAP, PathTemplate, paths};
use super::pools;
use super::run::retry;
use super::written::{self, By};
use crate::plan::etl::{CommandSpec, Etl, Pool, ReportsBy};
use crate::plan::institution::Institutions;
use crate::plan::outcome::ExitCodes;
use crate::plan::retry::RetryPolicy;
use crate::plan::template::{Placeholder, Template};

/// A program may run this long, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Time between SIGTERM and SIGKILL, unless the file says otherwise.
const GRACE: Duration = Duration::from_secs(10);
/// Variables of this prefix are etl-orch's own in a program's environment.
const OWN_PREFIX: &str = "ETL_ORCH_";

/// What the whole file says for every ETL.
pub(super) struct Defaults {
    pub(super) retry: RetryPolicy,
    pub(super) by: By,
    pub(super) pools: Vec<Pool>,
}

/// Checks all ETLs. The result is complete when nothing was found wrong.
pub(super) fn etls(
    check: &mut Check,
    mut written: BTreeMap<String, written::Etl>,
    defaults: &Defaults,
    institutions: &Institutions,
) -> Vec<Etl> {
    let names: Vec<String> = check.document.keys(&["etls"]).into_iter().map(str::to_owned).collect();
    if names.is_empty() && !check.document.is_broken(&["etls"]) {
        check.wrong_key(&["etls"], "no ETL is configured; add one under etls");
    }
    unique_report_types(check, &names, &written);
    let needed: Vec<Vec<String>> =
        names.iter().map(|name| written.get_mut(name).and_then(|etl| etl.needs.take()).unwrap_or_default()).collect();
    let pairs: Vec<_> = names.iter().map(String::as_str).zip(needed.iter().map(Vec::as_slice)).collect();
    let needs = needs(check, &pairs);
    let etls: Vec<Etl> = names
        .iter()
        .zip(needs)
        .filter_map(|(name, needs)| {
            let etl = one(check, name, written.remove(name)?, defaults)?;
            Some(Etl { needs, ..etl })
        })
        .collect();
    let outputs: Vec<PathTemplate> = etls
        .iter()
        .filter_map(|etl| match &etl.reports {
            ReportsBy::Orchestrator { output } => {
                Some(PathTemplate { at: vec!["etls", &etl.name, "output"], template: output, etl: (&etl.name, &etl.report_type) })
            }
            ReportsBy::Etl => None,
        })
        .collect();
    paths(check, &outputs, institutions);
    etls
}

/// An ETL is stopped when two thirds of the lease have passed without its being renewed; its grace must fit into the rest.
pub(super) fn graces(check: &mut Check, etls: &[Etl], lease: Duration) {
    for etl in etls.iter().filter(|etl| etl.command.grace >= lease / 3) {
        let (grace, lease) = (humantime::format_duration(etl.command.grace), humantime::format_duration(lease));
        let message =
            format!("grace {grace} must be shorter than a third of the lease, which is {lease}; shorten it, or lengthen the lease");
        check.wrong(&["etls", &etl.name, "grace"], message);
    }
}

fn unique_report_types(check: &mut Check, names: &[String], written: &BTreeMap<String, written::Etl>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for name in names {
        let Some(report_type) = written.get(name).and_then(|etl| etl.report_type.as_deref()) else { continue };
        let path = ["etls", name, "report_type"];
        if let Some(other) = first.get(report_type) {
            let at = check.document.at(&["etls", other, "report_type"]);
            let shown = check.document.shown(&path, report_type);
            check.wrong(&path, format!("report type {shown} is that of {other} at {at} already; two ETLs never make one type"));
        } else {
            first.insert(report_type, name);
        }
    }
}

/// Checks one ETL, but for its needs. `None` when it lacks what it cannot be without.
fn one(check: &mut Check, name: &str, written: written::Etl, defaults: &Defaults) -> Option<Etl> {
    let at = |key| ["etls", name, key];
    check.name(&["etls", name], name, "an ETL");
    match &written.report_type {
        Some(report_type) => check.text(&at("report_type"), report_type),
        None => check.missing(&at("report_type"), format!("{name} has no report_type; name the type of its reports in the reports table")),
    }
    if let Some(description) = &written.description {
        check.text(&at("description"), description);
    }
    let requires = written.requires.unwrap_or_default();
    if requires.is_empty() {
        check.missing(
            &at("requires"),
            format!("{name} requires nothing; list the tags of database_names that it needs, requires: [transcripts]"),
        );
    }
    for (n, tag) in requires.iter().enumerate() {
        check.text(&["etls", name, "requires", &n.to_string()], tag);
    }
    let by = written.reports.and_then(|reports| reports.by).unwrap_or(defaults.by);
    let allowed: Vec<Placeholder> = Placeholder::OF_REPORT
        .iter()
        .copied()
        .filter(|placeholder| by == By::Orchestrator || *placeholder != Placeholder::Output)
        .collect();
    let reports = reports(check, name, by, written.output);
    let argv = argv(check, name, written.command.unwrap_or_default(), &allowed);
    let env = env(check, name, written.env.unwrap_or_default(), &allowed);
    let cwd = check.path(&at("cwd"), written.cwd).unwrap_or_else(|| check.base.to_owned());
    let env_file = check.path(&at("env_file"), written.env_file);
    let timeout = check.not_zero(&at("timeout"), written.timeout).unwrap_or(TIMEOUT);
    let warn_after = check.not_zero(&at("warn_after"), written.warn_after);
    let grace = written.grace.map_or(GRACE, |span| span.0);
    let exit_codes = exit_codes(check, name, written.exit_codes.unwrap_or_default());
    let retry = retry(check, &at("retry"), written.retry.unwrap_or_default(), &defaults.retry);
    let pool = written.pool.and_then(|pool| pools::find(check, &at("pool"), &pool, &defaults.pools));
    let version = written.version.and_then(|_| version(check, &at("version")));
    Some(Etl {
        name: name.to_owned(),
        report_type: written.report_type.unwrap_or_default(),
        description: written.description,
        requires,
        needs: Vec::new(),
        command: CommandSpec { argv: argv?, cwd, env: env?, env_file, timeout, grace },
        reports: reports?,
        exit_codes,
        retry,
        warn_after,
        pool,
        version,
    })
}

/// The version as it is written, also where it looks like a number.
fn version(check: &mut Check, path: &[&str]) -> Option<String> {
    let version = check.document.scalar(path)?.text.clone();
    check.text(path, &version);
    Some(version)
}

fn reports(check: &mut Check, name: &str, by: By, output: Option<String>) -> Option<ReportsBy> {
    let path = ["etls", name, "output"];
    match (by, output) {
        (By::Etl, None) => Some(ReportsBy::Etl),
        (By::Orchestrator, Some(source)) => Some(ReportsBy::Orchestrator { output: check.path_template(&path, &source, GAP)? }),
        (By::Etl, Some(_)) => {
            check.wrong_key(&path, "output has an effect only where reports.by is orchestrator; set that, or remove it");
            None
        }
        (By::Orchestrator, None) => {
            check.missing(
                &path,
                format!("{name} has no output, which reports.by: orchestrator needs; write one like reports/{{period}}/{{bank_symbol}}_{{etl}}.md"),
            );
            None
        }
    }
}

fn argv(check: &mut Check, name: &str, command: Vec<String>, allowed: &[Placeholder]) -> Option<Vec<Template>> {
    let path = ["etls", name, "command"];
    if command.is_empty() {
        check.missing(&path, format!("{name} has no command; write it as a list, [program, argument, ...]"));
        return None;
    }
    if command[0].trim().is_empty() {
        check.wrong(&["etls", name, "command", "0"], format!("the program of {name} is empty"));
    }
    let parsed: Vec<_> =
        command.iter().enumerate().map(|(n, source)| check.template(&["etls", name, "command", &n.to_string()], source, allowed)).collect();
    parsed.into_iter().collect()
}

fn env(check: &mut Check, name: &str, written: BTreeMap<String, String>, allowed: &[Placeholder]) -> Option<Vec<(String, Template)>> {
    let order: Vec<String> = check.document.keys(&["etls", name, "env"]).into_iter().map(str::to_owned).collect();
    let mut parsed = Vec::new();
    for variable in order {
        let path = ["etls", name, "env", &variable];
        if variable.is_empty() || variable.contains('=') || variable.chars().any(|c| c.is_control() || c.is_whitespace()) {
            check.wrong_key(&path, format!("{variable:?} cannot name a variable"));
        } else if variable.starts_with(OWN_PREFIX) {
            check.wrong_key(&path, format!("{variable} is set by etl-orch itself; choose a name without {OWN_PREFIX}"));
        }
        let Some(source) = written.get(&variable) else { continue };
        parsed.push(check.template(&path, source, allowed).map(|template| (variable.clone(), template)));
    }
    parsed.into_iter().collect()
}

/// The classes of exit codes: a list replaces its class, and its codes leave the defaults of the others.
fn exit_codes(check: &mut Check, name: &str, written: written::ExitCodes) -> ExitCodes {
    let mut codes = ExitCodes::default();
    let given =
        [("permanent", written.permanent), ("config", written.config), ("not_ready", written.not_ready), ("transient", written.transient)];
    let mut class_of: HashMap<i32, &str> = HashMap::new();
    for (class, list) in &given {
        for (n, code) in list.iter().flatten().enumerate() {
            let path = ["etls", name, "exit_codes", class, &n.to_string()];
            let Some(code) = i32::try_from(*code).ok().filter(|code| (1..=255).contains(code)) else {
                check.wrong(&path, "an exit code in a class must be from 1 to 255; 0 is success");
                continue;
            };
            match class_of.insert(code, class) {
                Some(other) if other != *class => {
                    let shown = check.document.shown(&path, &code.to_string()).replace('"', "");
                    check.wrong(&path, format!("exit code {shown} is in {other} and in {class}; keep one"));
                }
                Some(_) | None => {}
            }
        }
    }
    let sets = [&mut codes.permanent, &mut codes.config, &mut codes.not_ready, &mut codes.transient];
    for ((class, list), set) in given.iter().zip(sets) {
        if list.is_some() {
            *set = class_of.iter().filter(|(_, of)| *of == class).map(|(code, _)| *code).collect::<BTreeSet<i32>>();
        } else {
            set.retain(|code| !class_of.contains_key(code));
        }
    }
    codes
}
