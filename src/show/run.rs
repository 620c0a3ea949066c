//! The summary of a run or dry run.

mod availability;
mod condensed;
mod forecast;
mod gaps;
mod job_outcome;
mod not_planned;
pub mod one;
mod page;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod warnings;

use std::time::Duration;

use serde::Serialize;

use self::forecast::ForecastView;
use self::gaps::Gaps;
pub(super) use self::job_outcome::JobOutcome;
use super::View;
use super::blocked::OrderView;
use super::expected::{self, ExpectedView};
use super::late_banks::LateBankView;
use super::metrics::Metrics;
use super::misnamed::MisnamedView;
use super::names::by_name;
use super::sources::SourceView;
use super::terminal;
use super::unmatched::UnmatchedView;
use super::words::{Time, Untrusted, seconds};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{BreakerPlan, Gate, Plan, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::Collected;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::Owner;
use crate::plan::model::period::Period;
use crate::plan::model::said;
use crate::plan::model::settings::TableName;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::unfinished::UnrecordedEnd;
use crate::plan::run::not_started::NotStarted;
use crate::plan::run::summary::{JobResult, Results, RunSummary};

/// What a run found, planned and did.
#[derive(Debug, Serialize)]
pub struct RunView<'a> {
    run_id: Option<RunId>,
    timestamp: Time,
    exit_code: u8,
    institutions: usize,
    availability: Vec<availability::Availability>,
    learnt_from_files: u64,
    respooled: u64,
    existing_reports: u64,
    /// Where the reports of these ETLs are: the directories of their files, and the table of those that write a row themselves.
    reports_in: Vec<String>,
    gaps: Gaps,
    jobs: Vec<ReportJob<'a>>,
    waiting: Vec<Waiting<'a>>,
    unrecorded: Vec<Unrecorded<'a>>,
    claimed: Vec<Claimed<'a>>,
    skipped: Vec<Skipped<'a>>,
    quarantined: Vec<Quarantined<'a>>,
    cooling_down: Vec<CoolingDown<'a>>,
    breakers: Vec<Breaker<'a>>,
    sources: Vec<SourceView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastView<'a>>,
    results: Option<ResultsView<'a>>,
    invalid_rows: u64,
    invalid: Vec<warnings::Invalid<'a>>,
    unmonitored_symbols: Vec<Untrusted<'a>>,
    institutions_without_data: &'a [String],
    late_banks: Vec<LateBankView<'a>>,
    #[serde(flatten)]
    misnamed: MisnamedView<'a>,
    /// What the data has, where no row of it matches.
    unmatched: Option<UnmatchedView<'a>>,
    lost: Vec<&'a GapKey>,
    warnings: Vec<String>,
    /// Whether reports were asked for, or sources alone.
    #[serde(skip)]
    has_reports: bool,
    /// Whether the text lists everything, however long that gets.
    #[serde(skip)]
    is_full: bool,
}

/// A planned report.
#[derive(Debug, Serialize)]
struct ReportJob<'a> {
    gap: &'a GapKey,
    bank: &'a str,
    bank_id: i64,
    bank_name: &'a str,
    /// The bank as the data names it.
    #[serde(skip)]
    symbol: &'a str,
    period: Period,
    etl: &'a str,
    report_type: &'a str,
    #[serde(serialize_with = "by_name")]
    why: Why,
    #[serde(serialize_with = "by_name")]
    gate: Gate,
    order: Option<OrderView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<ExpectedView>,
    /// The same in words.
    #[serde(skip)]
    prospect: Option<String>,
    #[serde(flatten)]
    result: Option<JobOutcome<'a>>,
}

#[derive(Debug, Serialize)]
struct Waiting<'a> {
    gap: &'a GapKey,
    needs: &'a str,
}

/// A gap whose job has ended, which the database does not have on record.
#[derive(Debug, Serialize)]
struct Unrecorded<'a> {
    gap: &'a GapKey,
    job: JobId,
    why: Untrusted<'a>,
    #[serde(skip)]
    end: &'a UnrecordedEnd,
}

#[derive(Debug, Serialize)]
struct Claimed<'a> {
    gap: &'a GapKey,
    host: Untrusted<'a>,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<ExpectedView>,
    #[serde(skip)]
    owner: &'a Owner,
}

#[derive(Debug, Serialize)]
struct Skipped<'a> {
    gap: &'a GapKey,
    by: Untrusted<'a>,
    reason: Untrusted<'a>,
    since: Time,
    until: Option<Time>,
    #[serde(skip)]
    order: &'a SkipOrder,
}

#[derive(Debug, Serialize)]
struct Quarantined<'a> {
    gap: &'a GapKey,
    why: &'static str,
    since: Time,
    error: Option<Untrusted<'a>>,
    #[serde(skip)]
    quarantine: Quarantine,
}

#[derive(Debug, Serialize)]
struct CoolingDown<'a> {
    gap: &'a GapKey,
    why: &'static str,
    since: Time,
    until: Time,
    error: Option<Untrusted<'a>>,
    #[serde(skip)]
    rest: Rest,
}

/// An ETL that is taken for broken.
#[derive(Debug, Serialize)]
struct Breaker<'a> {
    etl: &'a str,
    since: Time,
    probe: Option<&'a GapKey>,
    waiting: u64,
    error: Option<Untrusted<'a>>,
}

#[derive(Debug, Serialize)]
struct ResultsView<'a> {
    total: u64,
    succeeded: u64,
    failed: u64,
    skipped: u64,
    not_run: u64,
    duration_seconds: f64,
    #[serde(skip)]
    duration: Duration,
    stopped: bool,
    metrics: Metrics,
    error: Option<Untrusted<'a>>,
    /// Every job of the run, of reports and of sources.
    #[serde(skip)]
    jobs: Vec<FinishedJob<'a>>,
}

/// A job as people call it, and how it ended.
#[derive(Debug)]
struct FinishedJob<'a> {
    label: String,
    /// Its ETL or source.
    of: &'a str,
    outcome: JobOutcome<'a>,
    /// Whether it still waits for the probe of its ETL.
    is_deferred: bool,
    collected: Option<&'a Collected>,
}

impl<'a> RunView<'a> {
    /// The view of a run that ends with this exit code.
    pub fn new(summary: &'a RunSummary, catalogue: &'a Catalogue, reports_table: &TableName, exit_code: u8) -> Self {
        let (plan, issues) = (&summary.plan, &summary.plan.data_issues);
        Self {
            run_id: summary.run,
            timestamp: Time(summary.started_at),
            exit_code,
            institutions: catalogue.institutions.len(),
            availability: availability::of(plan, catalogue),
            learnt_from_files: summary.synced,
            respooled: summary.respooled,
            existing_reports: plan.existing,
            reports_in: availability::reports_in(plan, catalogue, reports_table),
            gaps: Gaps::of(plan, &catalogue.etls),
            jobs: report_jobs(summary, catalogue),
            waiting: plan.waiting.named.iter().map(|(gap, need)| Waiting { gap, needs: &catalogue.etl(*need).name }).collect(),
            unrecorded: plan.unrecorded.named.iter().map(|(gap, end)| Unrecorded::new(gap, end)).collect(),
            claimed: plan.claimed.named.iter().map(|(gap, owner)| Claimed::new(gap, owner, summary)).collect(),
            skipped: plan.skipped.named.iter().map(|(gap, order)| Skipped::new(gap, order)).collect(),
            quarantined: (plan.quarantined.named.iter())
                .map(|(gap, quarantine, error)| Quarantined::new(gap, *quarantine, error.as_deref()))
                .collect(),
            cooling_down: (plan.cooling_down.named.iter())
                .map(|(gap, rest, error)| CoolingDown::new(gap, *rest, error.as_deref()))
                .collect(),
            breakers: plan.breakers.iter().map(|breaker| Breaker::new(breaker, plan, catalogue)).collect(),
            sources: plan.sources.iter().map(|source| SourceView::of_run(source, catalogue, summary)).collect(),
            forecast: ForecastView::of(summary),
            results: summary.results.as_ref().map(|results| ResultsView::new(results, plan, catalogue)),
            invalid_rows: issues.invalid_rows,
            invalid: issues.invalid.named.iter().map(warnings::Invalid::new).collect(),
            unmonitored_symbols: issues.unmonitored.iter().map(|symbol| symbol.as_str().into()).collect(),
            institutions_without_data: &issues.without_data,
            late_banks: issues.late_banks.iter().map(LateBankView::new).collect(),
            misnamed: MisnamedView::new(&issues.names, catalogue),
            unmatched: issues.unmatched.as_ref().map(UnmatchedView::new),
            lost: summary.lost.iter().collect(),
            warnings: warnings::warnings(summary, catalogue),
            has_reports: !plan.is_of_sources_alone(),
            is_full: false,
        }
    }

    /// Whether the text lists everything; otherwise it fits on a screen.
    #[must_use]
    pub fn in_full(self, is_full: bool) -> Self {
        Self { is_full, ..self }
    }
}

impl View for RunView<'_> {
    fn kind(&self) -> &'static str {
        if self.results.is_some() { "run" } else { "dry_run" }
    }

    fn text(&self) -> String {
        text::page(self, terminal::page_width())
    }
}

impl<'a> Unrecorded<'a> {
    fn new(gap: &'a GapKey, end: &'a UnrecordedEnd) -> Self {
        Self { gap, job: end.job, why: end.why.as_str().into(), end }
    }
}

impl<'a> Claimed<'a> {
    fn new(gap: &'a GapKey, owner: &'a Owner, summary: &RunSummary) -> Self {
        let expected = ExpectedView::of(summary.outlook.as_ref().and_then(|outlook| outlook.active.get(gap)));
        Self { gap, host: owner.host.as_str().into(), pid: owner.pid, expected, owner }
    }
}

impl<'a> Skipped<'a> {
    fn new(gap: &'a GapKey, order: &'a SkipOrder) -> Self {
        let (by, reason) = (order.by.as_str().into(), order.reason.as_str().into());
        Self { gap, by, reason, since: Time(order.since), until: order.until.map(Time), order }
    }
}

impl<'a> Quarantined<'a> {
    fn new(gap: &'a GapKey, quarantine: Quarantine, error: Option<&'a str>) -> Self {
        let (why, since) = (quarantine.why.name(), Time(quarantine.since));
        Self { gap, why, since, error: error.map(Untrusted::from), quarantine }
    }
}

impl<'a> CoolingDown<'a> {
    fn new(gap: &'a GapKey, rest: Rest, error: Option<&'a str>) -> Self {
        let (since, until) = (Time(rest.since), Time(rest.until));
        Self { gap, why: rest.why.name(), since, until, error: error.map(Untrusted::from), rest }
    }
}

impl<'a> Breaker<'a> {
    fn new(breaker: &'a BreakerPlan, plan: &'a Plan, catalogue: &'a Catalogue) -> Self {
        Self {
            etl: &catalogue.etl(breaker.etl).name,
            since: Time(breaker.since),
            probe: breaker.probe.and_then(|job| plan.jobs.get(job)).map(|job| &job.key),
            waiting: breaker.behind,
            error: breaker.error.as_deref().map(Untrusted::from),
        }
    }
}

impl<'a> ResultsView<'a> {
    fn new(results: &'a Results, plan: &'a Plan, catalogue: &Catalogue) -> Self {
        let counts = results.counts();
        let finished = |(job, result): (&'a PlannedJob, &'a JobResult)| FinishedJob {
            label: catalogue.label(job),
            of: job.key.filled_by(),
            outcome: JobOutcome::new(result),
            is_deferred: job.gate == Gate::BehindProbe
                && job.report().is_some_and(|gap| result.reason == Some(NotStarted::Breaker(gap.etl).explain(catalogue))),
            collected: result.collected(),
        };
        Self {
            total: counts.planned,
            succeeded: counts.succeeded,
            failed: counts.failed,
            skipped: counts.skipped,
            not_run: counts.cancelled,
            duration_seconds: seconds(results.duration),
            duration: results.duration,
            stopped: results.stopped,
            metrics: Metrics::new(&said::sum(results.jobs.iter().flat_map(|job| &job.metrics))),
            error: results.broken.as_deref().map(Untrusted::from),
            jobs: plan.jobs.iter().zip(&results.jobs).map(finished).collect(),
        }
    }
}

fn report_jobs<'a>(summary: &'a RunSummary, catalogue: &'a Catalogue) -> Vec<ReportJob<'a>> {
    let job = |(position, job): (usize, &'a PlannedJob)| {
        let gap = job.report()?;
        let (bank, etl) = (catalogue.institutions.get(gap.bank), catalogue.etl(gap.etl));
        let result = summary.results.as_ref().and_then(|results| results.jobs.get(position));
        let outlook = summary.outlook.as_ref();
        let prospect = outlook.and_then(|outlook| outlook.planned.of_job(position));
        Some(ReportJob {
            order: OrderView::of(&job.key, &summary.plan.orders),
            gap: &job.key,
            bank: &bank.key,
            bank_id: bank.id,
            bank_name: &bank.name,
            symbol: catalogue.institutions.data_symbol(bank),
            period: gap.period,
            etl: &etl.name,
            report_type: &etl.report_type,
            why: job.why,
            gate: job.gate,
            expected: ExpectedView::of(prospect),
            prospect: outlook.and_then(|outlook| expected::words(prospect, outlook.now)),
            result: result.map(JobOutcome::new),
        })
    };
    summary.plan.jobs.iter().enumerate().filter_map(job).collect()
}
