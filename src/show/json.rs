//! The summary of a run or dry run as one JSON object.

use serde::Serialize;

use super::escape::escaped;
use super::sources::{SourceEntry, entry, result_of};
use super::summary::{time, warnings};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{BreakerPlan, Gate, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::Etl;
use crate::plan::model::gap::GapKey;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::run::summary::{JobResult, RunSummary};

/// Version of the object's shape. It rises when a field changes its meaning or goes; new fields may appear without.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Summary<'a> {
    schema_version: u32,
    kind: &'static str,
    run_id: Option<String>,
    timestamp: String,
    exit_code: u8,
    institutions: usize,
    availability: Vec<Availability>,
    learnt_from_files: u64,
    respooled: u64,
    existing_reports: u64,
    gaps: Gaps,
    jobs: Vec<Job<'a>>,
    waiting: Vec<Waiting<'a>>,
    claimed: Vec<Claimed<'a>>,
    skipped: Vec<Skipped<'a>>,
    quarantined: Vec<Quarantined<'a>>,
    cooling_down: Vec<CoolingDown<'a>>,
    breakers: Vec<Breaker<'a>>,
    sources: Vec<SourceEntry<'a>>,
    results: Option<Totals<'a>>,
    invalid_rows: u64,
    invalid: Vec<Invalid<'a>>,
    unmonitored_symbols: Vec<&'a str>,
    institutions_without_data: &'a [String],
    lost: Vec<&'a GapKey>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Availability {
    tags: Vec<String>,
    combinations: u64,
}

#[derive(Serialize)]
struct Gaps {
    total: u64,
    planned: usize,
    waiting: u64,
    claimed: u64,
    skipped: u64,
    quarantined: u64,
    cooling_down: u64,
    behind_probe: u64,
    deferred: u64,
}

#[derive(Serialize)]
struct Job<'a> {
    gap: &'a GapKey,
    bank: &'a str,
    bank_id: i64,
    bank_name: &'a str,
    period: String,
    etl: &'a str,
    report_type: &'a str,
    why: &'static str,
    gate: &'static str,
    #[serde(flatten)]
    result: Option<Outcome>,
}

#[derive(Serialize)]
pub(super) struct Outcome {
    id: String,
    state: &'static str,
    attempts: u32,
    duration_seconds: f64,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Waiting<'a> {
    gap: &'a GapKey,
    needs: &'a str,
}

#[derive(Serialize)]
struct Claimed<'a> {
    gap: &'a GapKey,
    host: &'a str,
    pid: u32,
}

#[derive(Serialize)]
struct Skipped<'a> {
    gap: &'a GapKey,
    by: String,
    reason: String,
    since: String,
    until: Option<String>,
}

#[derive(Serialize)]
struct Quarantined<'a> {
    gap: &'a GapKey,
    why: &'static str,
    since: String,
    error: Option<String>,
}

#[derive(Serialize)]
struct CoolingDown<'a> {
    gap: &'a GapKey,
    why: &'static str,
    since: String,
    until: String,
    error: Option<String>,
}

#[derive(Serialize)]
struct Breaker<'a> {
    etl: &'a str,
    since: String,
    probe: Option<&'a GapKey>,
    waiting: u64,
}

#[derive(Serialize)]
struct Totals<'a> {
    total: u64,
    succeeded: u64,
    failed: u64,
    skipped: u64,
    not_run: u64,
    duration_seconds: f64,
    stopped: bool,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Invalid<'a> {
    which: &'a str,
    problem: &'a str,
    rows: u64,
}

impl Outcome {
    /// What a job came to.
    pub(super) fn of(result: &JobResult) -> Self {
        Self {
            id: result.id.to_string(),
            state: result.state.name(),
            attempts: result.attempts,
            duration_seconds: result.duration.as_secs_f64(),
            reason: safe(result.reason.as_deref()),
        }
    }
}

/// One object with the facts of the text summary, ending in a newline.
///
/// # Errors
/// Never in practice: every value has a JSON form.
pub fn run_as_json(report: &RunSummary, catalogue: &Catalogue, exit_code: u8) -> serde_json::Result<String> {
    let plan = &report.plan;
    let (institutions, etls) = (&catalogue.institutions, &catalogue.etls);
    let results = report.results.as_ref();
    let summary = Summary {
        schema_version: SCHEMA_VERSION,
        kind: if results.is_some() { "run" } else { "dry_run" },
        run_id: report.run.map(|run| run.to_string()),
        timestamp: report.started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        exit_code,
        institutions: institutions.len(),
        availability: availability(report, etls),
        learnt_from_files: report.synced,
        respooled: report.respooled,
        existing_reports: plan.existing,
        gaps: Gaps {
            total: plan.gaps(),
            planned: plan.reports(),
            waiting: plan.waiting.total,
            claimed: plan.claimed.total,
            skipped: plan.skipped.total,
            quarantined: plan.quarantined.total,
            cooling_down: plan.cooling_down.total,
            behind_probe: plan.breakers.iter().map(|breaker| breaker.behind).sum(),
            deferred: plan.capped,
        },
        jobs: jobs(report, catalogue),
        waiting: plan.waiting.named.iter().map(|(gap, need)| Waiting { gap, needs: &etls[*need].name }).collect(),
        claimed: plan.claimed.named.iter().map(|(gap, owner)| Claimed { gap, host: &owner.host, pid: owner.pid }).collect(),
        skipped: plan.skipped.named.iter().map(|(gap, order)| skipped(gap, order)).collect(),
        quarantined: plan
            .quarantined
            .named
            .iter()
            .map(|(gap, quarantine, error)| quarantined(gap, *quarantine, error.as_deref()))
            .collect(),
        cooling_down: plan.cooling_down.named.iter().map(|(gap, rest, error)| cooling_down(gap, *rest, error.as_deref())).collect(),
        breakers: breakers(report, etls),
        sources: plan.sources.iter().map(|source| entry(source, catalogue, |job| result_of(report, job))).collect(),
        results: results.map(|results| {
            let counts = results.counts();
            Totals {
                total: counts.planned,
                succeeded: counts.succeeded,
                failed: counts.failed,
                skipped: counts.skipped,
                not_run: counts.cancelled,
                duration_seconds: results.duration.as_secs_f64(),
                stopped: results.stopped,
                error: results.broken.as_deref(),
            }
        }),
        invalid_rows: plan.data_issues.invalid_rows,
        invalid: plan
            .data_issues
            .invalid
            .named
            .iter()
            .map(|rows| Invalid { which: &rows.which, problem: &rows.problem, rows: rows.rows })
            .collect(),
        unmonitored_symbols: plan.data_issues.unmonitored.iter().map(String::as_str).collect(),
        institutions_without_data: &plan.data_issues.without_data,
        lost: report.lost.iter().collect(),
        warnings: warnings(report, catalogue),
    };
    serde_json::to_string_pretty(&summary).map(|text| text + "\n")
}

fn skipped<'a>(gap: &'a GapKey, order: &SkipOrder) -> Skipped<'a> {
    Skipped {
        gap,
        by: escaped(&order.by).into_owned(),
        reason: escaped(&order.reason).into_owned(),
        since: time(order.since),
        until: order.until.map(time),
    }
}

fn quarantined<'a>(gap: &'a GapKey, quarantine: Quarantine, error: Option<&str>) -> Quarantined<'a> {
    Quarantined { gap, why: quarantine.why.name(), since: time(quarantine.since), error: safe(error) }
}

fn cooling_down<'a>(gap: &'a GapKey, rest: Rest, error: Option<&str>) -> CoolingDown<'a> {
    CoolingDown { gap, why: rest.why.name(), since: time(rest.since), until: time(rest.until), error: safe(error) }
}

fn breakers<'a>(report: &'a RunSummary, etls: &'a [Etl]) -> Vec<Breaker<'a>> {
    let plan = &report.plan;
    let breaker = |breaker: &BreakerPlan| Breaker {
        etl: &etls[breaker.etl].name,
        since: time(breaker.since),
        probe: breaker.probe.and_then(|job| plan.jobs.get(job)).map(|job| &job.key),
        waiting: breaker.behind,
    };
    plan.breakers.iter().map(breaker).collect()
}

fn safe(text: Option<&str>) -> Option<String> {
    text.map(|text| escaped(text).into_owned())
}

fn availability(report: &RunSummary, etls: &[Etl]) -> Vec<Availability> {
    let mut seen: Vec<Availability> = Vec::new();
    for (index, etl) in report.plan.etls.iter().map(|index| (*index, &etls[*index])) {
        let mut tags = etl.requires.clone();
        tags.sort();
        if !seen.iter().any(|known| known.tags == tags) {
            seen.push(Availability { tags, combinations: report.plan.census.available_for(index) });
        }
    }
    seen
}

fn jobs<'a>(report: &'a RunSummary, catalogue: &'a Catalogue) -> Vec<Job<'a>> {
    let job = |(position, job): (usize, &'a PlannedJob)| {
        let gap = job.report()?;
        let bank = catalogue.institutions.get(gap.bank);
        let etl = &catalogue.etls[gap.etl];
        let result = report.results.as_ref().and_then(|results| results.jobs.get(position));
        Some(Job {
            gap: &job.key,
            bank: &bank.key,
            bank_id: bank.id,
            bank_name: &bank.name,
            period: gap.period.compact(),
            etl: &etl.name,
            report_type: &etl.report_type,
            why: match job.why {
                Why::Missing => "missing",
                Why::Forced => "forced",
            },
            gate: match job.gate {
                Gate::Open => "open",
                Gate::Probe => "probe",
                Gate::BehindProbe => "behind_probe",
            },
            result: result.map(Outcome::of),
        })
    };
    report.plan.jobs.iter().enumerate().filter_map(job).collect()
}
