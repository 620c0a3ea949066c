//! `etls:`, checked.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::check::Check;
use super::needs::needs;
use super::outputs::{GAP, PathTemplate, paths};
use super::pools;
use super::program::{Program, exit_codes, grace_fits, version};
use super::run::retry;
use super::written::{self, By};
use crate::plan::model::etl::{Etl, Pool, ReportsBy};
use crate::plan::model::institution::Institutions;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::work::Work;
use crate::plan::text::template::Placeholder;

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

/// Checks the graces of all ETLs.
pub(super) fn graces(check: &mut Check, etls: &[Etl], lease: Duration) {
    for etl in etls {
        grace_fits(check, &["etls", &etl.name, "grace"], etl.work.program(), lease);
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
    let program = Program {
        command: written.command,
        cwd: written.cwd,
        env: written.env,
        env_file: written.env_file,
        timeout: written.timeout,
        grace: written.grace,
    };
    let command = program.check(check, &["etls", name], name, &allowed);
    let warn_after = check.not_zero(&at("warn_after"), written.warn_after);
    let exit_codes = exit_codes(check, &at("exit_codes"), written.exit_codes.unwrap_or_default());
    let retry = retry(check, &at("retry"), written.retry.unwrap_or_default(), &defaults.retry);
    let pool = written.pool.and_then(|pool| pools::find(check, &at("pool"), &pool, &defaults.pools));
    let version = written.version.and_then(|_| version(check, &at("version")));
    Some(Etl {
        name: name.to_owned(),
        report_type: written.report_type.unwrap_or_default(),
        description: written.description,
        requires,
        needs: Vec::new(),
        work: Work::Command { command: command?, exit_codes },
        reports: reports?,
        retry,
        warn_after,
        pool,
        version,
    })
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
