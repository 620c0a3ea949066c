//! Why a source is collected or is not.

use super::{Due, Explanation, Fact, Failures, Running, Verdict, What, fact, mark, told};
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::failure_history::SkipOrder;
use crate::plan::remember::past::{PastJob, PastRun};

/// What is known about a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceAsked<'a> {
    pub catalogue: &'a Catalogue,
    pub settings: &'a RunSettings,
    pub plan: &'a SourcePlan,
    /// Windows in its queue that are to be collected.
    pub queued: u64,
    /// Its jobs, the newest first.
    pub jobs: &'a [PastJob],
    pub last_run: Option<&'a PastRun>,
}

/// Explains what is done about a source.
#[must_use]
pub fn source(asked: &SourceAsked<'_>) -> Explanation {
    let plan = asked.plan;
    let source = asked.catalogue.source(plan.source);
    let status = &plan.standing;
    let skip = |order: &SkipOrder| (GapKey::source(&source.id), order.clone());
    let skipped = if let SourceStatus::Skipped(order) = status { Some(skip(order)) } else { None };
    let end = if let SourceStatus::Unrecorded(end) = status { Some(end.clone()) } else { None };
    let listed = vec![
        told(What::Source { name: source.name.clone(), every: source.cadence.every }),
        told(What::Collected { frontier: plan.collected_until(), last: plan.state.last.clone(), lateness: plan.lateness }),
        fact(What::Paused(plan.state.paused.clone()), plan.state.paused.is_none()),
        fact(What::Skip(skipped), !matches!(status, SourceStatus::Skipped(_))),
        due(asked),
        fact(What::Spool(end), !matches!(status, SourceStatus::Unrecorded(_))),
        running(asked),
        failures(asked),
        told(What::HeldBack(plan.held_back.clone())),
        told(What::GivenUp(plan.given_up.clone())),
        told(What::LastJob(asked.jobs.first().cloned())),
        told(What::LastRun(asked.last_run.cloned())),
    ];
    let facts = mark(listed, |what| match status {
        SourceStatus::Paused(_) => matches!(what, What::Paused(_)),
        SourceStatus::Skipped(_) => matches!(what, What::Skip(_)),
        SourceStatus::UpToDate | SourceStatus::Due => matches!(what, What::Due(_)),
        SourceStatus::Unrecorded(_) => matches!(what, What::Spool(_)),
        SourceStatus::Claimed(_) => matches!(what, What::Running(_)),
        SourceStatus::Quarantined(_) | SourceStatus::CoolingDown(_) => matches!(what, What::Failures(_)),
    });
    Explanation { gap: GapKey::source(&source.id), verdict: Verdict::Source(status.clone()), facts }
}

fn due(asked: &SourceAsked<'_>) -> Fact {
    let plan = asked.plan;
    let due = Due {
        behind: plan.behind,
        missing: plan.missing,
        left: plan.left,
        jobs: plan.jobs.len(),
        queued: asked.queued,
        next: plan.next_due,
        order: plan.order.clone(),
    };
    fact(What::Due(due), plan.behind > 0 || !plan.jobs.is_empty())
}

fn running(asked: &SourceAsked<'_>) -> Fact {
    let job = asked.jobs.iter().find(|job| job.state == JobState::Running).cloned();
    let SourceStatus::Claimed(owner) = &asked.plan.standing else { return fact(What::Running(None), true) };
    fact(What::Running(Some(Running { host: owner.host.clone(), pid: owner.pid, job })), false)
}

fn failures(asked: &SourceAsked<'_>) -> Fact {
    let plan = asked.plan;
    let (rest, quarantine) = match &plan.standing {
        SourceStatus::CoolingDown(rest) => (Some(*rest), None),
        SourceStatus::Quarantined(quarantine) => (None, Some(*quarantine)),
        SourceStatus::Paused(_)
        | SourceStatus::Skipped(_)
        | SourceStatus::UpToDate
        | SourceStatus::Unrecorded(_)
        | SourceStatus::Claimed(_)
        | SourceStatus::Due => (None, None),
    };
    let failed = asked.jobs.iter().filter(|job| job.state != JobState::Succeeded).find_map(|job| job.attempts.last());
    let failures = Failures {
        failed_runs: plan.failed_runs,
        quarantine_after: asked.settings.cooldown.quarantine_after,
        rest,
        quarantine,
        error: plan.error.clone(),
        log: failed.filter(|_| plan.error.is_some()).map(|attempt| attempt.log.clone()),
        ..Failures::default()
    };
    let passes = rest.is_none() && quarantine.is_none();
    fact(What::Failures(failures), passes)
}
