//! What both adapters ask before a job is claimed, and what they make of the answer.

use chrono::{DateTime, Utc};

use super::cell::{AnyText, Malformed};
use super::connection::SqlConnection;
use super::gaps::Known;
use super::jobs::{self, CancelRow};
use super::row::{Selected, row};
use super::runs::OwnerRow;
use super::sources::{self, PauseRow};
use super::statement::Parameters;
use crate::plan::model::etl::Pool;
use crate::plan::model::job::{Claim, ReportKey};
use crate::plan::model::settings::TableName;
use crate::plan::remember::claim::{ClaimRequest, ClaimTarget, Claimed};
use crate::plan::remember::failure_history::SkipOrder;

/// The conditions of a claim, as parts of a query for its job `j` with a left join of its source `s`.
pub(in crate::store) struct Conditions {
    /// There is nothing left to do.
    pub(in crate::store) done: String,
    /// An operator wants it done in spite of its failures.
    pub(in crate::store) insisted: String,
    /// As many attempts use the pool as may.
    pub(in crate::store) is_full: String,
    /// Joins the source, whose pause forbids the claim; a report has none.
    pub(in crate::store) source: String,
}

impl Conditions {
    pub(in crate::store) fn of<C: SqlConnection>(parameters: &mut Parameters, reports: &TableName, request: &ClaimRequest<'_>) -> Self {
        let is_full = is_full::<C>(parameters, request.pool, None);
        match request.wanted {
            ClaimTarget::Report(report) => {
                let has_key = has_key(parameters, report);
                Self {
                    done: format!("(NOT j.forced AND EXISTS (SELECT 1 FROM {} r WHERE {has_key}))", reports.quoted()),
                    insisted: "j.forced".to_owned(),
                    is_full,
                    source: "FALSE".to_owned(),
                }
            }
            ClaimTarget::Windows { source, window } => {
                let queued = format!("SELECT 1 FROM {}disclosure_queue q WHERE {}", C::OWN, is_wanted(parameters, request.wanted));
                Self {
                    // Whoever collected the first of them meanwhile may have left others, but this job would collect all again.
                    done: format!("NOT EXISTS ({queued} AND q.window_start = {})", parameters.add(window.start)),
                    insisted: format!("(j.forced OR EXISTS ({queued} AND q.requested_at IS NOT NULL AND q.job_id IS NULL))"),
                    is_full,
                    source: format!("s.source = {}", parameters.add(source)),
                }
            }
        }
    }
}

/// The condition that a window `q` of the queue is not collected and is what the claim is for.
pub(in crate::store) fn is_wanted(parameters: &mut Parameters, wanted: ClaimTarget<'_>) -> String {
    match wanted {
        ClaimTarget::Report(_) => "FALSE".to_owned(),
        ClaimTarget::Windows { source, window } => format!(
            "q.source = {} AND q.state = 'queued' AND q.window_start >= {} AND q.window_end <= {}",
            parameters.add(source),
            parameters.add(window.start),
            parameters.add(window.end),
        ),
    }
}

/// The condition that finds a report `r`.
pub(in crate::store) fn has_key(parameters: &mut Parameters, report: &ReportKey) -> String {
    has_key_of(parameters, "r.", report)
}

/// The same, with what comes before the names of its columns. The casts make SQLite compare numbers, whatever the type of the columns.
pub(in crate::store) fn has_key_of(parameters: &mut Parameters, of: &str, report: &ReportKey) -> String {
    format!(
        "{of}bank_id = CAST({} AS bigint) AND {of}fiscal_year = CAST({} AS bigint) AND {of}quarter = {} AND {of}report_type IN ({})",
        parameters.add(report.bank_id),
        parameters.add(i32::from(report.period.year())),
        parameters.add(report.period.quarter().as_str()),
        report.types().map(|one| parameters.add(one)).collect::<Vec<_>>().join(", "),
    )
}

/// The condition that as many jobs, not counting the parameter `without`, use the pool as may. Those of a run whose lease has ended do
/// not count: its host may have died. Nor do those of a run whose lease has no end: that was not written by etl-orch.
pub(in crate::store) fn is_full<C: SqlConnection>(parameters: &mut Parameters, pool: Option<&Pool>, without: Option<&str>) -> String {
    let Some(pool) = pool else { return "FALSE".to_owned() };
    format!(
        "((SELECT count(*) FROM {own}etl_jobs p WHERE p.state = 'running' AND p.pool = {pool}{others}
           AND EXISTS (SELECT 1 FROM {own}etl_runs r WHERE r.id = p.run_id AND r.lease_until > {now} AND r.lease_until < {soon})) >= {limit})",
        own = C::OWN,
        now = C::NOW,
        soon = C::after(&LONGEST_LEASE_MILLISECONDS.to_string()),
        pool = parameters.add(pool.name.as_str()),
        others = without.map(|job| format!(" AND p.id <> {job}")).unwrap_or_default(),
        limit = parameters.add(i64::from(pool.limit)),
    )
}

/// No lease is longer than a hundred years.
const LONGEST_LEASE_MILLISECONDS: i64 = 100 * 366 * 24 * 3600 * 1000;

row! {
    /// What [`Conditions`] found, and who runs the gap, if anybody.
    pub(in crate::store) struct Obstacles of "etl_jobs" {
        done: bool,
        insisted: bool,
        is_full: bool,
        running_job: Option<AnyText>;
        pause: Result<PauseRow, Malformed>,
        owner: Result<OwnerRow, Malformed>,
    }
}

impl Obstacles {
    /// Why the job is not claimed: the first that holds of an order, nothing left to do, somebody else at work, a newer failure, and a
    /// full pool. `None` where nothing is in the way.
    pub(in crate::store) fn refusal<C: SqlConnection>(
        self,
        skip: Option<SkipOrder>,
        is_held_back: bool,
        now: DateTime<Utc>,
    ) -> Option<Claimed> {
        let Self { done, insisted, is_full, running_job, owner, pause } = self;
        let pause = pause.map_or_else(|one| Some(SkipOrder::of_unreadable(sources::way_out(&one), now)), PauseRow::order);
        if let Some(order) = pause.or(skip) {
            Some(Claimed::Ordered(order))
        } else if done {
            Some(Claimed::AlreadyDone)
        } else if let Some(id) = running_job {
            Some(match owner {
                Ok(owner) => Claimed::Elsewhere { owner: owner.owner() },
                Err(one) => Claimed::Ordered(SkipOrder::of_unreadable(jobs::way_out::<C>(&id, &one), now)),
            })
        } else if is_held_back && !insisted {
            Some(Claimed::HeldBack)
        } else {
            is_full.then_some(Claimed::PoolFull)
        }
    }
}

/// Whether the gap is to be left alone since another invocation worked on it: its fence is not the one that was planned with, and it is
/// quarantined or rests. With the planned fence nothing has changed since the plan looked at both.
pub(in crate::store) fn is_held_back(gap: &Known, request: &ClaimRequest<'_>) -> bool {
    let rests = gap.history.rest.is_some_and(|rest| rest.since <= request.at && request.at < rest.until);
    gap.fence != request.planned_fence && (gap.history.quarantine.is_some() || rests)
}

/// What is recorded of a job that its claim skipped; `None` where it did not.
pub(in crate::store) fn why_skipped(claimed: &Claimed, wanted: ClaimTarget<'_>) -> Option<String> {
    match claimed {
        Claimed::AlreadyDone => Some(
            match wanted {
                ClaimTarget::Report(_) => "the report exists",
                ClaimTarget::Windows { .. } => "the windows were collected",
            }
            .to_owned(),
        ),
        Claimed::Elsewhere { owner } => Some(format!("already running as {owner}")),
        Claimed::Ordered(order) => Some(format!("{} wants it left alone: {}", order.by, order.reason)),
        Claimed::HeldBack => Some("another invocation failed at it meanwhile".to_owned()),
        Claimed::Yes { .. } | Claimed::PoolFull | Claimed::Gone(_) => None,
    }
}

/// The claim that the same request made before, when its answer did not arrive; [`Claimed::Gone`] where it made none.
pub(in crate::store) async fn made_before<C: SqlConnection>(connection: &mut C, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT g.gap_key, {gap} FROM {own}etl_jobs j JOIN {own}etl_attempts a ON a.job_id = j.id AND a.n = 1
         JOIN {own}gap_states g ON g.gap_key = j.gap_key AND g.fence = j.fence
         WHERE j.id = {job} AND j.state = 'running' AND j.started_at = {at} AND a.log = {log}",
        gap = Known::select_g(),
        own = C::OWN,
        job = parameters.add(request.job),
        at = parameters.add(request.at),
        log = parameters.add(request.log),
    );
    let gap: Option<Known> = connection.fetch_optional(parameters.statement(text)).await?;
    if let Some(gap) = gap {
        return Ok(Claimed::Yes { claim: Claim { job: request.job, fence: gap.fence }, history: gap.history });
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT j.id AS job_id, {cancel} FROM {own}etl_jobs j WHERE j.id = {job} AND j.state = 'cancelled'",
        cancel = CancelRow::select("j"),
        own = C::OWN,
        job = parameters.add(request.job),
    );
    let cancelled: Option<Result<CancelRow, Malformed>> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(Claimed::Gone(cancelled.and_then(Result::ok).and_then(CancelRow::request)))
}
