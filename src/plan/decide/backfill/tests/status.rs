//! What is done about a source, and whether it is late.

use super::*;

#[test]
fn the_first_reason_in_order_is_the_standing_and_all_but_due_have_no_jobs() {
    let owner = Owner { host: "h".to_owned(), machine_id: None, boot_id: "b".to_owned(), pid: 1, pid_started: 2 };
    let skip = SkipOrder { since: at("2026-01-01"), until: None, by: "me".to_owned(), reason: "r".to_owned() };
    let now = at("2026-01-17");
    let rest = Rest { since: now, until: now + TimeDelta::hours(1), why: RestReason::Failed };
    let quarantine = Quarantine { since: now, why: QuarantineReason::Failures };
    let resting = FailureHistory { rest: Some(rest), failed_runs: 2, error: Some("boom".to_owned()), ..FailureHistory::default() };
    let poison = FailureHistory { quarantine: Some(quarantine), fingerprint: Some(fingerprint(&house(), "ab", now)), ..resting.clone() };

    let mut facts = Facts::new("2026-01-17", Some("2026-01-16"));
    facts.state(SourceState { frontier: Some(at("2026-01-16")), paused: Some(pause()), ..SourceState::default() });
    facts.running.insert(GapKey::source("house"), owner.clone());
    let end = UnrecordedEnd { job: JobId::new(uuid::Uuid::nil()), why: "refused".to_owned() };
    facts.unrecorded.insert(GapKey::source("house"), end.clone());
    facts.remember(poison.clone(), Some(skip.clone()));
    let undone = |facts: &Facts, standing| {
        let plan = facts.plan(&house());
        assert_eq!((plan.standing, plan.jobs.len(), plan.new.len(), plan.left), (standing, 0, 0, 0));
        assert_eq!((plan.behind, plan.missing), (4, Some(window("2026-01-16", "2026-01-17"))));
        assert_eq!((plan.error.as_deref(), plan.failed_runs), (Some("boom"), 2));
    };
    undone(&facts, SourceStatus::Paused(pause()));
    facts.state(SourceState { frontier: Some(at("2026-01-16")), ..SourceState::default() });
    undone(&facts, SourceStatus::Skipped(skip.clone()));
    facts.remember(poison.clone(), None);
    undone(&facts, SourceStatus::Unrecorded(end));
    facts.unrecorded.clear();
    undone(&facts, SourceStatus::Claimed(owner));
    facts.running.clear();
    undone(&facts, SourceStatus::Quarantined(quarantine));
    facts.remember(resting, None);
    undone(&facts, SourceStatus::CoolingDown(rest));
    facts.gaps.clear();
    assert_eq!(facts.plan(&house()).standing, SourceStatus::Due);

    let mut current = Facts::new("2026-01-17", Some("2026-01-17"));
    current.remember(poison, None);
    assert_eq!(current.plan(&house()).standing, SourceStatus::UpToDate);
    current.remember(FailureHistory::default(), Some(skip.clone()));
    assert_eq!(current.plan(&house()).standing, SourceStatus::Skipped(skip));
    current.state(SourceState { frontier: Some(at("2026-01-17")), paused: Some(pause()), ..SourceState::default() });
    assert_eq!(current.forced(&house()).standing, SourceStatus::Paused(pause()), "also when nothing is due, and with --force");
}

#[test]
fn who_asks_for_a_window_or_forces_overrides_rest_and_quarantine() {
    let now = at("2026-01-17");
    let quarantine = Some(Quarantine { since: now, why: QuarantineReason::Failures });
    let history = FailureHistory { quarantine, fingerprint: Some(fingerprint(&house(), "ab", now)), ..FailureHistory::default() };
    let mut facts = Facts::new("2026-01-17", Some("2026-01-16"));
    facts.remember(history, None);
    assert!(matches!(facts.plan(&house()).standing, SourceStatus::Quarantined(_)));
    let force = Selection { force: true, ..Selection::default() };
    assert_eq!(facts.plan_with(&house(), &force, 500).standing, SourceStatus::Due);
    let facts = facts.with([requested("2026-01-16", "2026-01-16T06:00")]);
    assert_eq!(facts.plan(&house()).standing, SourceStatus::Due);
}

#[test]
fn a_window_that_became_due_and_a_change_of_the_collector_end_quarantine() {
    let print = |source: &Source, digest, now| fingerprint(source, digest, at(now));
    let then = print(&house(), "ab", "2026-01-16T12:00");
    assert_eq!(then, print(&house(), "ab", "2026-01-16T17:59"));
    assert_ne!(then, print(&house(), "ab", "2026-01-16T18:00"));
    assert_ne!(then, print(&house(), "cd", "2026-01-16T12:00"));
    assert_eq!(Fingerprint::parse(&then.to_text()), Some(then));
}

#[test]
fn a_named_source_is_collected_again_by_force() {
    let last = window("2026-01-16T18:00", "2026-01-17");
    let facts = Facts::new("2026-01-17T02:00", Some("2026-01-17"));
    let plan = facts.forced(&house());
    assert_eq!((plan.again.as_slice(), windows(&plan), plan.new.len(), plan.behind, plan.left), ([last].as_slice(), vec![last], 0, 0, 0));
    let unnamed = facts.plan_with(&house(), &Selection { force: true, ..Selection::default() }, 500);
    assert_eq!((unnamed.standing, unnamed.again.len()), (SourceStatus::UpToDate, 0));
    let behind = Facts::new("2026-01-17T02:00", Some("2026-01-16T18:00")).forced(&house());
    assert_eq!((behind.again.len(), windows(&behind)), (0, vec![last]), "it is collected anyway");
    // What has ended but is not due is not complete yet.
    let early = Facts::new("2026-01-17T02:00", Some("2026-01-16T12:00")).forced(&Source { lag: hours(4), ..house() });
    assert_eq!((early.new.len(), early.again.as_slice(), early.behind, early.left), (1, [].as_slice(), 1, 0));
    assert_eq!(windows(&early), [window("2026-01-16T12:00", "2026-01-16T18:00")]);
}

#[test]
fn it_is_late_by_what_was_collected_last_and_its_lag() {
    let source = Source { lag: hours(2), ..house() };
    for (frontier, lateness) in [
        ("2026-01-17T01:00", Lateness::Ahead),
        ("2026-01-17", Lateness::OnTime),
        ("2026-01-16T09:00", Lateness::OnTime),
        ("2026-01-16T08:59", Lateness::Late),
        ("2026-01-15T21:00", Lateness::Late),
        ("2026-01-15T20:59", Lateness::Overdue),
    ] {
        assert_eq!(Facts::new("2026-01-17", Some(frontier)).plan(&source).lateness, lateness, "{frontier}");
    }
    let mut failed = Facts::new("2026-01-17", None);
    let source = Source { start: Some(at("2026-01-16T06:00")), ..house() };
    assert_eq!(failed.plan(&source).lateness, Lateness::OnTime, "it was never tried");
    failed.remember(FailureHistory { failed_runs: 1, ..FailureHistory::default() }, None);
    assert_eq!(failed.plan(&source).lateness, Lateness::Late);
}

#[test]
fn force_goes_on_with_what_it_asked_for_before_it_asks_again() {
    let sources = [house(), Source { id: "senate".to_owned(), ..house() }];
    let force = Selection { force: true, sources: [0, 1].into(), ..Selection::default() };
    let mut facts = Facts::new("2026-01-16T20:00", Some("2026-01-16T18:00"));
    let senate = SourceState { source: "senate".to_owned(), ..facts.states["house"].clone() };
    facts.states.insert("senate".to_owned(), senate);
    let again = |facts: &Facts| -> Vec<(usize, usize)> {
        let found = plan(&sources, &force, &[String::new(), String::new()], facts.facts(), 1);
        found.iter().map(|source| (source.again.len(), source.jobs.len())).collect()
    };
    assert_eq!(again(&facts), [(1, 1), (1, 0)], "both are asked for, and one has the only place");
    // The first was collected.
    let left = QueuedWindow { source: "senate".to_owned(), ..requested("2026-01-16T12:00", "2026-01-16T18:00") };
    facts.queue.push(left);
    assert_eq!(again(&facts), [(0, 0), (0, 1)]);
    facts.states.get_mut("senate").unwrap().paused = Some(pause());
    assert_eq!(again(&facts), [(1, 1), (0, 0)], "what is paused keeps nothing waiting");
}

fn given_up(start: &str, end: &str) -> QueuedWindow {
    let order = crate::plan::remember::source_state::GivenUp { since: at("2026-01-17"), by: "ann".to_owned(), reason: "lost".to_owned() };
    QueuedWindow { given_up: Some(order), ..queued(start, end) }
}

#[test]
fn what_was_given_up_is_neither_missing_nor_collected() {
    let rows = [given_up("2026-01-16T06:00", "2026-01-16T12:00"), given_up("2026-01-16T12:00", "2026-01-16T18:00")];
    let facts = Facts::new("2026-01-17", Some("2026-01-16")).with(rows.clone());
    let plan = facts.plan(&each());
    assert_eq!(plan.new, [window("2026-01-16", "2026-01-16T06:00"), window("2026-01-16T18:00", "2026-01-17")]);
    assert_eq!((plan.behind, plan.given_up.len()), (2, 1));
    assert_eq!((plan.given_up[0].window, plan.given_up[0].windows), (window("2026-01-16T06:00", "2026-01-16T18:00"), 2));
    assert_eq!(facts.plan(&house()).jobs.len(), 2, "no job reaches over it");

    let mut facts = Facts::new("2026-01-17", Some("2026-01-16")).with(rows);
    let first = success("2026-01-16", "2026-01-16T06:00", None);
    record(facts.states.get_mut("house").unwrap(), &mut facts.queue, &first);
    assert_eq!((facts.states["house"].frontier, facts.queue.len()), (Some(at("2026-01-16T18:00")), 2));
    let plan = facts.plan(&each());
    assert_eq!(plan.collected_until(), Some(at("2026-01-16T06:00")), "the frontier passes it, the collection does not");
}

#[test]
fn a_source_that_gave_up_its_last_windows_is_as_late_as_before() {
    for (frontier, rows, lateness) in [
        ("2026-01-18", vec![], Lateness::OnTime),
        ("2026-01-18", vec![given_up("2026-01-16", "2026-01-17"), given_up("2026-01-17", "2026-01-18")], Lateness::Overdue),
        ("2026-01-18", vec![given_up("2026-01-16", "2026-01-17")], Lateness::OnTime),
    ] {
        let facts = Facts::new("2026-01-18T01:00", Some(frontier)).with(rows);
        assert_eq!(facts.plan(&each()).lateness, lateness);
    }
}

#[test]
fn what_is_missing_of_a_span_is_given_up_and_nothing_else() {
    let rows =
        [queued("2026-01-16", "2026-01-16T06:00"), QueuedWindow { is_collected: true, ..queued("2026-01-16T06:00", "2026-01-16T12:00") }];
    let facts = Facts::new("2026-01-18", Some("2026-01-16")).with(rows);
    let give_up = |frontier: Option<&str>, start, end| {
        let state = SourceState { source: "house".to_owned(), frontier: frontier.map(at), ..SourceState::default() };
        match give_up(&each(), &state, &facts.queue, window(start, end), facts.now) {
            crate::plan::model::orders::SourceOrderKind::GiveUp { windows, begin } => (windows, begin),
            other => panic!("{other:?}"),
        }
    };
    let (windows, begin) = give_up(Some("2026-01-16"), "2026-01-15", "2026-01-16T18:00");
    assert_eq!(windows, [window("2026-01-16", "2026-01-16T06:00"), window("2026-01-16T12:00", "2026-01-16T18:00")]);
    assert_eq!(begin, None, "it has begun");
    assert_eq!(give_up(Some("2026-01-16"), "2026-01-15", "2026-01-16"), (vec![], None));
    assert_eq!(give_up(None, "2026-01-16", "2026-01-16T06:00").1, Some(at("2026-01-16")));
    assert_eq!(give_up(None, "2026-01-16T12:00", "2026-01-17").1, None, "what comes before is missing");
}

#[test]
fn a_job_that_a_service_has_begun_is_followed_once_around_what_was_given_up() {
    let begun = |start, end| QueuedWindow { remote_id: Some("r1".to_owned()), ..queued(start, end) };
    let rows = [
        begun("2026-01-16", "2026-01-16T06:00"),
        given_up("2026-01-16T06:00", "2026-01-16T12:00"),
        begun("2026-01-16T12:00", "2026-01-16T18:00"),
    ];
    let plan = Facts::new("2026-01-16T18:00", Some("2026-01-16")).with(rows).plan(&house());
    let jobs: Vec<_> = plan.jobs.iter().map(|job| (job.window, job.windows, job.remote_id.as_deref())).collect();
    assert_eq!(jobs, [(window("2026-01-16", "2026-01-16T18:00"), 2, Some("r1"))]);
}
