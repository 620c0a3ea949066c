use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::ids::JobId;
use crate::plan::model::listed::Listed;
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason};
use crate::plan::remember::source_state::{LastSuccess, SourceState};
use crate::plan::run::summary::{JobResult, Results};

fn at(hour: u32) -> DateTime<Utc> {
    format!("2026-11-28T{hour:02}:00:00Z").parse().unwrap()
}

fn window(hour: u32) -> Window {
    Window { start: at(hour), end: at(hour + 1) }
}

fn last(window: Window) -> LastSuccess {
    let collected = Collected { source: "any".to_owned(), window, seen: Seen::Reported, records: None, message: None };
    LastSuccess { at: window.end, collected }
}

fn planned(target: Target, why: Why) -> PlannedJob {
    PlannedJob { target, key: GapKey::source("any"), why, gate: Gate::Open, planned_fence: 0, fingerprint: None }
}

fn result(state: JobState, held: Eligibility) -> JobResult {
    JobResult {
        id: JobId::new(Uuid::nil()),
        state,
        attempts: 1,
        exhausted: false,
        duration: Duration::ZERO,
        reason: None,
        held,
        log: None,
        collected: None,
        metrics: Vec::new(),
        for_want_of_record: false,
    }
}

fn summary(plan: Plan, jobs: Vec<JobResult>) -> RunSummary {
    RunSummary {
        run: None,
        started_at: at(0),
        plan,
        outlook: None,
        results: Some(Results { jobs, ..Results::default() }),
        synced: 0,
        lost: Vec::new(),
        respooled: 0,
        left: Vec::new(),
        warnings: Vec::new(),
    }
}

#[test]
fn each_missing_report_is_counted_once_by_what_holds_it_after_the_run() {
    let report = |why| {
        let gap = Gap { bank: 0, period: "2025Q2".parse().unwrap(), etl: 0 };
        planned(Target::Report { gap, data_symbol: String::new() }, why)
    };
    let resting = Eligibility::Resting(Rest { since: at(1), until: at(9), why: RestReason::Failed });
    let quarantined = Eligibility::Quarantined(Quarantine { since: at(1), why: QuarantineReason::Permanent });
    let ends = [
        (Why::Missing, JobState::Succeeded, Eligibility::Free),
        (Why::Missing, JobState::Failed, resting),
        (Why::Missing, JobState::Failed, quarantined),
        (Why::Missing, JobState::Cancelled, Eligibility::Free),
        (Why::Missing, JobState::Queued, Eligibility::Free),
        // They are there, whatever comes of making them again.
        (Why::Forced, JobState::Failed, resting),
        (Why::Forced, JobState::Succeeded, Eligibility::Free),
    ];
    let plan = Plan {
        jobs: ends.iter().map(|(why, ..)| report(*why)).collect(),
        existing: 10,
        capped: 4,
        quarantined: Listed { named: Vec::new(), total: 5 },
        ..Plan::default()
    };
    let standing = Standing::of(&summary(plan, ends.iter().map(|(_, state, held)| result(*state, *held)).collect()));
    let expected = GapCounts { pending: 2, cooling_down: 1, quarantined: 6, capped: 4, ..GapCounts::default() };
    assert_eq!((standing.reports, standing.gaps), (11, expected));
}

#[test]
fn a_source_is_as_far_as_was_collected_without_a_hole() {
    use JobState::{Failed, Succeeded};
    // The frontier, the hours of the windows and what came of them; the end of what was collected, the windows behind, the lateness.
    let cases = [
        (Some(3), &[][..], Some(3), 3, Lateness::Late),
        (Some(3), &[(3, Succeeded), (4, Succeeded), (5, Succeeded)], Some(6), 0, Lateness::OnTime),
        (Some(3), &[(3, Succeeded), (4, Failed), (5, Succeeded)], Some(4), 1, Lateness::Late),
        (Some(3), &[(3, Failed), (4, Succeeded), (5, Succeeded)], Some(3), 1, Lateness::Late),
        (None, &[(5, Succeeded)], Some(6), 2, Lateness::OnTime),
        (None, &[(5, Failed)], None, 3, Lateness::Late),
    ];
    for (frontier, ends, until, behind, lateness) in cases {
        let collection = |hour| Collection { source: 0, window: window(hour), windows: 1, remote_id: None };
        let source = SourcePlan {
            source: 0,
            state: SourceState { frontier: frontier.map(at), last: frontier.map(|hour| last(window(hour - 1))), ..SourceState::default() },
            standing: SourceStatus::Due,
            begin: None,
            new: Vec::new(),
            again: Vec::new(),
            jobs: ends.iter().map(|(hour, _)| collection(*hour)).collect(),
            behind: 3,
            missing: None,
            left: 0,
            next_due: at(18),
            lateness: Lateness::Late,
            given_up: Vec::new(),
            held_back: Vec::new(),
            order: None,
            error: None,
            failed_runs: 0,
        };
        let jobs = ends.iter().map(|(hour, _)| planned(Target::Collection(collection(*hour)), Why::Missing)).collect();
        let plan = Plan { jobs, sources: vec![source], ..Plan::default() };
        let standing = Standing::of(&summary(plan, ends.iter().map(|(_, state)| result(*state, Eligibility::Free)).collect()));
        let expected = SourceStanding { source: 0, collected_until: until.map(at), behind, lateness, is_paused: false };
        assert_eq!(standing.sources, [expected], "{frontier:?} {ends:?}");
    }
}
