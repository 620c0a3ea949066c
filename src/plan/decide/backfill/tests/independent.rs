//! Sources whose windows do not depend on each other.

use super::*;

fn independent() -> Source {
    Source { catch_up: CatchUp::Independent, ..house() }
}

fn key(start: &str) -> GapKey {
    GapKey::Window { source: "house".to_owned(), start: at(start) }
}

fn resting(now: DateTime<Utc>) -> FailureHistory {
    let rest = Some(Rest { since: now, until: now + TimeDelta::hours(1), why: RestReason::Failed });
    FailureHistory { failed_runs: 2, rest, error: Some("boom".to_owned()), ..FailureHistory::default() }
}

/// Four windows are missing, and the first has this past.
fn first_has(history: FailureHistory, skip: Option<SkipOrder>) -> Facts {
    let mut facts = Facts::new("2026-01-17", Some("2026-01-16")).with([queued("2026-01-16", "2026-01-16T06:00")]);
    let key = key("2026-01-16");
    facts.gaps.insert(key.clone(), GapState { key, fence: 7, history, skip, forced: None });
    facts
}

#[test]
fn a_window_that_rests_holds_up_no_other() {
    let facts = first_has(resting(at("2026-01-17")), None);
    let plan = facts.plan(&independent());
    let jobs: Vec<Window> = plan.jobs.iter().map(|job| job.window).collect();
    let begins = ["2026-01-16T06:00", "2026-01-16T12:00", "2026-01-16T18:00"];
    assert_eq!(jobs, begins.map(|begin| Window { start: at(begin), end: at(begin) + TimeDelta::hours(6) }));
    assert_eq!((plan.standing, plan.behind, plan.left), (SourceStatus::Due, 4, 0));
    assert_eq!((plan.failed_runs, plan.error.as_deref()), (2, Some("boom")));
    assert_eq!(plan.held_back.len(), 1);
    assert_eq!((plan.held_back[0].window, plan.held_back[0].failed_runs), (window("2026-01-16", "2026-01-16T06:00"), 2));
    assert!(matches!(plan.held_back[0].status, SourceStatus::CoolingDown(_)));
    assert_eq!(facts.forced(&independent()).jobs.len(), 4, "--force does not wait");
}

#[test]
fn a_source_all_of_whose_windows_are_held_back_stands_as_the_first_that_ends() {
    let mut facts = first_has(resting(at("2026-01-16T06:00")), None);
    facts.now = at("2026-01-16T06:30");
    let plan = facts.plan(&independent());
    assert!(matches!(plan.standing, SourceStatus::CoolingDown(_)), "{:?}", plan.standing);
    assert_eq!((plan.jobs.len(), plan.behind), (0, 1));
    let owner = Owner { host: "h".to_owned(), machine_id: None, boot_id: "b".to_owned(), pid: 1, pid_started: 2 };
    facts.running.insert(key("2026-01-16"), owner.clone());
    assert_eq!(facts.plan(&independent()).standing, SourceStatus::Claimed(owner));
}

#[test]
fn what_was_asked_for_or_is_skipped_goes_by_its_own_window() {
    let mut facts = first_has(resting(at("2026-01-17")), None);
    facts.queue = vec![requested("2026-01-16", "2026-01-16T06:00")];
    assert_eq!(facts.plan(&independent()).jobs.len(), 4, "it goes before its rest");
    let skip = SkipOrder { since: at("2026-01-01"), until: None, by: "me".to_owned(), reason: "r".to_owned() };
    let facts = first_has(FailureHistory::default(), Some(skip.clone()));
    let plan = facts.plan(&independent());
    assert_eq!((plan.jobs.len(), &plan.held_back[0].status), (3, &SourceStatus::Skipped(skip)));
}

#[test]
fn each_job_fills_a_gap_of_its_own() {
    let facts = first_has(FailureHistory::default(), None);
    let sources = [independent()];
    let digests = ["ab".to_owned()];
    let mut all = plan_of(Vec::new(), Vec::new());
    add(&mut all, plan(&sources, &Selection::default(), &digests, facts.facts(), 500), &sources, &digests, facts.facts());
    assert_eq!(all.chains, [vec![0, 1, 2, 3]], "one after the other");
    assert_eq!((&all.jobs[0].key, all.jobs[0].planned_fence), (&key("2026-01-16"), 7));
    assert_eq!((&all.jobs[1].key, all.jobs[1].planned_fence), (&key("2026-01-16T06:00"), 0));
}

#[test]
fn the_frontier_stays_before_the_first_window_that_is_missing() {
    let mut facts = first_has(FailureHistory::default(), None);
    facts.queue.push(queued("2026-01-16T06:00", "2026-01-16T12:00"));
    let second = success("2026-01-16T06:00", "2026-01-16T12:00", None);
    record(facts.states.get_mut("house").unwrap(), &mut facts.queue, &second);
    let plan = facts.plan(&independent());
    assert_eq!((plan.state.frontier, plan.behind), (Some(at("2026-01-16")), 3));
    assert!(plan.jobs.iter().all(|job| job.window.start != at("2026-01-16T06:00")), "it is not collected again");
    let first = success("2026-01-16", "2026-01-16T06:00", None);
    record(facts.states.get_mut("house").unwrap(), &mut facts.queue, &first);
    assert_eq!(facts.states["house"].frontier, Some(at("2026-01-16T12:00")));
}
