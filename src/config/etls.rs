//! Checks `etls:`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Check;
use super::health::gaps;
use super::needs::needs;
use super::outputs::{PathTemplate, check_path_templates};
use super::pools;
use super::program::{grace_fits, version};
use super::report_types;
use super::run::retry;
use super::work::WorkKeys;
use super::written::{self, By};
use crate::plan::model::etl::{Etl, Places, Pool, ReportsBy};
use crate::plan::model::health::AgeLimits;
use crate::plan::model::institution::Institutions;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::text::placeholder::Scope;

/// Settings of the whole file that an ETL or a source can override or refer to.
pub(super) struct Defaults {
    pub(super) retry: RetryPolicy,
    pub(super) by: By,
    pub(super) pools: Vec<Pool>,
    pub(super) gap_age: AgeLimits,
}

/// Checks all ETLs. An ETL with a mistake may be missing in the result.
pub(super) fn etls(
    check: &mut Check,
    mut written: BTreeMap<String, written::Etl>,
    defaults: &Defaults,
    institutions: &Institutions,
) -> Vec<Etl> {
    let names: Vec<String> = check.document.keys(&["etls"]).into_iter().map(str::to_owned).collect();
    report_types::check_unique(check, &names, &written);
    let needed: Vec<Vec<String>> =
        names.iter().map(|name| written.get_mut(name).and_then(|etl| etl.needs.take()).unwrap_or_default()).collect();
    let pairs: Vec<_> = names.iter().map(String::as_str).zip(needed.iter().map(Vec::as_slice)).collect();
    let needs = needs(check, &pairs);
    let etls: Vec<Etl> = names
        .iter()
        .zip(needs)
        .filter_map(|(name, needs)| {
            let etl = check_etl(check, name, written.remove(name)?, defaults)?;
            Some(Etl { needs, ..etl })
        })
        .collect();
    let outputs: Vec<PathTemplate> = etls
        .iter()
        .filter_map(|etl| match &etl.reports {
            ReportsBy::Orchestrator { output } => Some(PathTemplate {
                at: vec!["etls", &etl.name, "output"],
                template: output,
                etl: &etl.name,
                report_type: &etl.report_type,
            }),
            ReportsBy::Etl => None,
        })
        .collect();
    check_path_templates(check, &outputs, institutions);
    etls
}

/// Checks the `grace` of all ETLs.
pub(super) fn graces(check: &mut Check, etls: &[Etl], lease: Duration) {
    for etl in etls {
        grace_fits(check, &["etls", &etl.name, "grace"], etl.work.program(), lease);
    }
}

/// Checks one ETL without its `needs`. `None` when a required key is missing or wrong.
fn check_etl(check: &mut Check, name: &str, mut written: written::Etl, defaults: &Defaults) -> Option<Etl> {
    let at = |key| ["etls", name, key];
    check.name(&["etls", name], name, "an ETL");
    let (report_type, other_report_types) = report_types::check(check, name, written.report_type.as_ref());
    if let Some(description) = &written.description {
        check.text(&at("description"), description);
    }
    let requires = written.requires.take().unwrap_or_default();
    if requires.is_empty() {
        check.missing(
            &at("requires"),
            format!("{name} requires nothing; list the tags of database_names that it needs, requires: [transcripts]"),
        );
    }
    for (n, tag) in requires.iter().enumerate() {
        check.text(&["etls", name, "requires", &n.to_string()], tag);
    }
    let by = written.reports.take().and_then(|reports| reports.by).unwrap_or(defaults.by);
    let reports = reports(check, name, by, &mut written);
    let allowed = match by {
        By::Etl => Scope::IN_REPORT_WORK,
        By::Orchestrator => Scope::IN_REPORT_WORK_WITH_OUTPUT,
    };
    if let Some(http) = &mut written.http
        && http.records.take().is_some()
    {
        check.wrong_key(&["etls", name, "http", "records"], "records has an effect only for sources; remove it");
    }
    let work = WorkKeys {
        program: written.take_program(),
        exit_codes: written.exit_codes.take(),
        outcomes: written.outcomes.take(),
        progress: written.progress.take(),
        http: written.http.take(),
    };
    let work = work.check(check, &["etls", name], name, "makes the report", allowed);
    let warn_after = check.not_zero(&at("warn_after"), written.warn_after);
    let gap_age = gaps(check, &at("gaps"), written.gaps.take().unwrap_or_default(), defaults.gap_age);
    let retry = retry(check, &at("retry"), written.retry.take().unwrap_or_default(), &defaults.retry);
    let pool = written.pool.take().and_then(|pool| pools::named(check, &at("pool"), &pool, &defaults.pools));
    let version = written.version.take().and_then(|_| version(check, &at("version")));
    Some(Etl {
        name: name.to_owned(),
        report_type,
        other_report_types,
        description: written.description,
        requires,
        needs: Vec::new(),
        work: work?,
        reports: reports?,
        retry,
        warn_after,
        gap_age,
        pool,
        version,
        places: Places { report_type: check.place(&at("report_type")), requires: check.place(&at("requires")) },
    })
}

/// Who writes the report's row, and where the report belongs.
fn reports(check: &mut Check, name: &str, by: By, written: &mut written::Etl) -> Option<ReportsBy> {
    let path = ["etls", name, "output"];
    if by == By::Orchestrator && written.http.is_some() {
        let message = format!("{name} has http: its service writes the report's row; set reports: {{by: etl}} here, and no output");
        check.wrong_key(&["etls", name, "http"], message);
        return None;
    }
    match (by, written.output.take()) {
        (By::Etl, None) => Some(ReportsBy::Etl),
        (By::Orchestrator, Some(source)) => {
            Some(ReportsBy::Orchestrator { output: check.path_template(&path, &source, Scope::IN_REPORT_PATH)? })
        }
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
