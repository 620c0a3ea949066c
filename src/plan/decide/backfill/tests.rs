use std::time::Duration;

use super::*;
use crate::plan::decide::plan::{BreakerPlan, PlannedJob};
use crate::plan::decide::source_plan::Lateness;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::ids::JobId;
use crate::plan::model::source::CatchUp;
use crate::plan::model::target::Target;
use crate::plan::model::work::Work;
use crate::plan::remember::failure_history::{FailureHistory, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::source_state::{LastSuccess, Pause};
use crate::plan::test_support::{plan_of, source};
use crate::plan::text::placeholder::Scope;
use crate::plan::text::template::Template;

mod independent;
mod status;

fn pause() -> Pause {
    Pause { since: at("2026-01-01"), by: "me".to_owned(), reason: "r".to_owned() }
}

fn at(text: &str) -> DateTime<Utc> {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00") };
    format!("{text}:00Z").parse().unwrap()
}

fn window(start: &str, end: &str) -> Window {
    Window::new(at(start), at(end)).unwrap()
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn queued(start: &str, end: &str) -> QueuedWindow {
    QueuedWindow {
        source: "house".to_owned(),
        window: window(start, end),
        is_collected: false,
        is_requested: false,
        is_urgent: false,
        remote_id: None,
        given_up: None,
    }
}

fn requested(start: &str, end: &str) -> QueuedWindow {
    QueuedWindow { is_requested: true, is_urgent: true, ..queued(start, end) }
}

/// What is known of one source.
#[derive(Default, Clone)]
struct Facts {
    now: DateTime<Utc>,
    states: HashMap<String, SourceState>,
    queue: Vec<QueuedWindow>,
    gaps: HashMap<GapKey, GapState>,
    unrecorded: HashMap<GapKey, UnrecordedEnd>,
    running: HashMap<GapKey, Owner>,
}

impl Facts {
    fn new(now: &str, frontier: Option<&str>) -> Self {
        let mut facts = Self { now: at(now), ..Self::default() };
        facts.state(SourceState { frontier: frontier.map(at), ..SourceState::default() });
        facts
    }

    fn with(self, queue: impl IntoIterator<Item = QueuedWindow>) -> Self {
        Self { queue: queue.into_iter().collect(), ..self }
    }

    fn state(&mut self, state: SourceState) {
        self.states.insert("house".to_owned(), SourceState { source: "house".to_owned(), ..state });
    }

    fn remember(&mut self, history: FailureHistory, skip: Option<SkipOrder>) {
        let key = GapKey::source("house");
        self.gaps.insert(key.clone(), GapState { key, fence: 3, history, skip, forced: None });
    }

    fn facts(&self) -> SourceFacts<'_> {
        SourceFacts {
            now: self.now,
            states: &self.states,
            queue: &self.queue,
            gaps: &self.gaps,
            unrecorded: &self.unrecorded,
            running: &self.running,
        }
    }

    fn plan(&self, source: &Source) -> SourcePlan {
        self.plan_with(source, &Selection::default(), 500)
    }

    fn forced(&self, source: &Source) -> SourcePlan {
        self.plan_with(source, &Selection { force: true, sources: [0].into(), ..Selection::default() }, 500)
    }

    fn plan_with(&self, source: &Source, selection: &Selection, most: usize) -> SourcePlan {
        let mut plans = plan(std::slice::from_ref(source), selection, &["ab".to_owned()], self.facts(), most);
        assert_eq!(plans.len(), 1);
        plans.remove(0)
    }
}

fn house() -> Source {
    source("house")
}

fn each() -> Source {
    Source { catch_up: CatchUp::Each, ..house() }
}

fn by_year(source: Source) -> Source {
    let mut source = source;
    let Work::Command { command, .. } = &mut source.work else { unreachable!() };
    command.argv.push(Template::parse("{window_year}", Scope::ALL).unwrap());
    source
}

fn windows(plan: &SourcePlan) -> Vec<Window> {
    plan.jobs.iter().map(|job| job.window).collect()
}

#[test]
fn a_first_run_collects_the_last_window_that_is_due_or_all_since_the_start() {
    for (start, lag, new) in [
        (None, 0, vec![window("2026-01-16T06:00", "2026-01-16T12:00")]),
        (None, 3, vec![window("2026-01-16", "2026-01-16T06:00")]),
        (Some("2026-01-16T00:30"), 0, vec![window("2026-01-16", "2026-01-16T06:00"), window("2026-01-16T06:00", "2026-01-16T12:00")]),
        (Some("2026-01-17"), 0, vec![]),
    ] {
        let source = Source { start: start.map(at), lag: hours(lag), ..house() };
        let plan = Facts::new("2026-01-16T14:00", None).plan(&source);
        assert_eq!(plan.new, new, "{start:?} {lag}");
        assert_eq!((plan.behind, plan.jobs.len()), (new.len() as u64, usize::from(!new.is_empty())));
        assert_eq!(plan.lateness, Lateness::OnTime);
    }
}

#[test]
fn a_window_is_due_when_its_lag_is_over() {
    let source = Source { lag: Duration::from_secs(90 * 60), ..house() };
    let plan = Facts::new("2026-01-16T13:29", Some("2026-01-16T06:00")).plan(&source);
    assert_eq!((plan.standing, plan.behind, plan.next_due), (SourceStatus::UpToDate, 0, at("2026-01-16T13:30")));
    let plan = Facts::new("2026-01-16T13:30", Some("2026-01-16T06:00")).plan(&source);
    assert_eq!((plan.standing, plan.behind, plan.next_due), (SourceStatus::Due, 1, at("2026-01-16T19:30")));
    assert_eq!(plan.jobs.len(), 1);
}

#[test]
fn nine_days_that_were_missed_are_one_job_or_one_for_each_window() {
    let facts = Facts::new("2026-01-25T05:00", Some("2026-01-16"));
    let plan = facts.plan(&house());
    assert_eq!((plan.new.len(), plan.behind, plan.left), (36, 36, 0));
    assert_eq!(plan.jobs, [Collection { source: 0, window: window("2026-01-16", "2026-01-25"), windows: 36, remote_id: None }]);
    assert_eq!(plan.missing, Some(window("2026-01-16", "2026-01-25")));
    assert_eq!(plan.lateness, Lateness::Overdue);

    let plan = facts.plan(&each());
    assert_eq!((plan.new.len(), plan.behind, plan.jobs.len(), plan.left), (36, 36, 28, 8));
    assert_eq!(windows(&plan), plan.new[..28], "the oldest first");
    let plan = facts.plan_with(&each(), &Selection::default(), 5);
    assert_eq!((plan.new.len(), plan.jobs.len(), plan.left), (36, 5, 31));
}

#[test]
fn a_job_is_cut_at_a_new_year_where_its_year_is_said() {
    let facts = Facts::new("2026-01-03", Some("2025-12-30"));
    let cut = [window("2025-12-30", "2026-01-01"), window("2026-01-01", "2026-01-03")];
    assert_eq!(windows(&facts.plan(&by_year(house()))), cut);
    assert_eq!(windows(&facts.plan(&house())), [window("2025-12-30", "2026-01-03")]);
    // A week that spans it becomes two windows.
    let weekly = |source: Source| Source { cadence: crate::plan::model::window::Cadence { every: hours(7 * 24), zone: None }, ..source };
    let facts = Facts::new("2026-01-09", Some("2025-12-25"));
    let cut = [window("2025-12-25", "2026-01-01"), window("2026-01-01", "2026-01-08")];
    assert_eq!(facts.plan(&weekly(house())).new, cut, "1970-01-01 was a Thursday as well");
    let facts = Facts::new("2027-01-09", Some("2026-12-24"));
    let cut = [window("2026-12-24", "2026-12-31"), window("2026-12-31", "2027-01-01"), window("2027-01-01", "2027-01-07")];
    let plan = facts.plan(&by_year(weekly(house())));
    assert_eq!((plan.new.as_slice(), plan.behind), (cut.as_slice(), 3));
    assert_eq!(plan.jobs.len(), 2);
}

#[test]
fn another_length_of_windows_leaves_no_hole_and_no_overlap() {
    for (every, expected) in [
        (12, vec![("2026-01-16T06:00", "2026-01-16T12:00"), ("2026-01-16T12:00", "2026-01-17")]),
        (
            4,
            vec![
                ("2026-01-16T06:00", "2026-01-16T08:00"),
                ("2026-01-16T08:00", "2026-01-16T12:00"),
                ("2026-01-16T12:00", "2026-01-16T16:00"),
                ("2026-01-16T16:00", "2026-01-16T20:00"),
                ("2026-01-16T20:00", "2026-01-17"),
            ],
        ),
    ] {
        let mut source = house();
        source.cadence.every = hours(every);
        let plan = Facts::new("2026-01-17T01:00", Some("2026-01-16T06:00")).plan(&source);
        assert_eq!(plan.new, expected.iter().map(|(start, end)| window(start, end)).collect::<Vec<_>>());
        // What is in the queue already stays as it is.
        let facts = Facts::new("2026-01-17T01:00", Some("2026-01-16T06:00")).with([queued("2026-01-16T12:00", "2026-01-16T18:00")]);
        let plan = facts.plan(&source);
        assert_eq!(windows(&plan), [window("2026-01-16T06:00", "2026-01-17")], "{every}");
        assert_eq!(plan.new.iter().map(|window| (window.end - window.start).num_hours()).sum::<i64>(), 12);
    }
}

#[test]
fn what_is_in_the_queue_is_not_put_there_again_and_not_forgotten() {
    let collected = QueuedWindow { is_collected: true, ..queued("2026-01-16T12:00", "2026-01-16T18:00") };
    let facts = Facts::new("2026-01-17", Some("2026-01-16T06:00")).with([queued("2026-01-16T06:00", "2026-01-16T12:00"), collected]);
    let plan = facts.plan(&house());
    assert_eq!(plan.new, [window("2026-01-16T18:00", "2026-01-17")]);
    assert_eq!(windows(&plan), [window("2026-01-16T06:00", "2026-01-16T12:00"), plan.new[0]], "not across what was collected");
    assert_eq!(plan.behind, 2);
    // Nothing was ever collected: the first window is still wanted days later, and what came after it.
    let facts = Facts::new("2026-01-17", None).with([queued("2026-01-14", "2026-01-14T06:00")]);
    let plan = facts.plan(&house());
    assert_eq!((plan.behind, plan.new.len()), (12, 11));
    assert_eq!(windows(&plan), [window("2026-01-14", "2026-01-17")]);
    assert_eq!(plan.lateness, Lateness::Overdue, "a source that never succeeds does not look fine");
}

#[test]
fn a_window_that_somebody_else_collected_is_left_alone_unless_it_is_asked_for() {
    let facts = Facts::new("2026-01-17", Some("2026-01-17"));
    let stale = facts.clone().with([queued("2026-01-16", "2026-01-16T06:00")]).plan(&house());
    assert_eq!((stale.standing, stale.behind, stale.jobs), (SourceStatus::UpToDate, 0, vec![]));
    let begun = QueuedWindow { remote_id: Some("r1".to_owned()), ..queued("2026-01-16", "2026-01-16T06:00") };
    assert_eq!(facts.clone().with([begun]).plan(&house()).jobs.len(), 1, "a service's job is followed to its end");
    let asked = facts.clone().with([requested("2026-01-16", "2026-01-16T06:00")]).plan(&house());
    assert_eq!((asked.behind, windows(&asked)), (0, vec![window("2026-01-16", "2026-01-16T06:00")]));
    let behind = Facts::new("2026-01-17", Some("2026-01-16T18:00")).with([requested("2026-01-14", "2026-01-14T06:00")]).plan(&house());
    let (missing, again) = (window("2026-01-16T18:00", "2026-01-17"), window("2026-01-14", "2026-01-14T06:00"));
    assert_eq!((behind.behind, windows(&behind)), (1, vec![missing, again]), "what is asked for again holds up nothing");
    let unended = facts.with([requested("2026-01-17", "2026-01-17T06:00")]).plan(&house());
    assert_eq!(unended.standing, SourceStatus::UpToDate, "half a window is never collected");
    let source = Source { lag: hours(3), ..house() };
    let early = Facts::new("2026-01-17T00:30", Some("2026-01-16T18:00")).with([requested("2026-01-16T18:00", "2026-01-17")]).plan(&source);
    assert_eq!(early.jobs.len(), 0, "who asks waits for the lag: before, the data is not complete");
}

#[test]
fn a_clock_that_went_backwards_puts_nothing_in_the_queue() {
    let plan = Facts::new("2026-01-10", Some("2026-01-16T06:00")).plan(&house());
    assert_eq!((plan.standing, plan.new.len(), plan.behind, plan.missing), (SourceStatus::UpToDate, 0, 0, None));
    assert_eq!((plan.lateness, plan.next_due), (Lateness::Ahead, at("2026-01-16T12:00")));
}

#[test]
fn a_job_that_a_service_has_begun_is_followed_for_exactly_its_windows() {
    let begun = |start, end| QueuedWindow { remote_id: Some("r1".to_owned()), ..queued(start, end) };
    for source in [house(), each()] {
        let rows = [begun("2026-01-16", "2026-01-16T06:00"), begun("2026-01-16T06:00", "2026-01-16T12:00")];
        let plan = Facts::new("2026-01-17", Some("2026-01-16")).with(rows).plan(&source);
        let first =
            Collection { source: 0, window: window("2026-01-16", "2026-01-16T12:00"), windows: 2, remote_id: Some("r1".to_owned()) };
        assert_eq!(plan.jobs[0], first);
        assert_eq!((plan.jobs[1].window.start, plan.jobs[1].remote_id.as_deref()), (first.window.end, None));
    }
    let other = QueuedWindow { remote_id: Some("r2".to_owned()), ..queued("2026-01-16T06:00", "2026-01-16T12:00") };
    let facts = Facts::new("2026-01-16T12:00", Some("2026-01-16")).with([begun("2026-01-16", "2026-01-16T06:00"), other]);
    assert_eq!(facts.plan(&house()).jobs.len(), 2, "two jobs stay two");
}

#[test]
fn poison_at_the_head_is_what_is_tried_first_in_every_run() {
    for now in ["2026-01-16T12:00", "2026-01-18T12:00", "2026-01-20T12:00"] {
        let facts = Facts::new(now, Some("2026-01-16")).with([queued("2026-01-16", "2026-01-16T06:00")]);
        let plan = facts.plan(&each());
        assert_eq!(plan.jobs[0].window, window("2026-01-16", "2026-01-16T06:00"));
        assert!(plan.jobs.is_sorted_by_key(|job| job.window));
    }
}

#[test]
fn a_long_past_is_counted_by_arithmetic_and_worked_off_run_by_run() {
    let source = Source {
        start: Some(at("1970-01-01")),
        cadence: crate::plan::model::window::Cadence { every: Duration::from_secs(60), zone: None },
        ..house()
    };
    let plan = Facts::new("2020-01-01", None).plan(&source);
    assert_eq!((plan.new.len(), plan.behind), (10_000, 18_262 * 24 * 60));
    assert_eq!(plan.left, plan.behind - 10_000);
    assert_eq!(plan.jobs[0].windows, 10_000);
}

#[test]
fn jobs_are_dealt_out_round_by_round() {
    for (wanted, most, dealt) in [
        (vec![3, 1, 5], 100, vec![3, 1, 5]),
        (vec![3, 1, 5], 6, vec![3, 1, 2]),
        (vec![3, 1, 5], 2, vec![1, 1, 0]),
        (vec![0, 4], 3, vec![0, 3]),
        (vec![2, 2], 0, vec![0, 0]),
        (vec![], 3, vec![]),
    ] {
        assert_eq!(deal(&wanted, most), dealt, "{wanted:?} {most}");
    }
}

#[test]
fn sources_are_chosen_by_name() {
    let sources = [source("house"), source("senate")];
    let facts = Facts::new("2026-01-17", Some("2026-01-16"));
    let chosen = |selection: &Selection| -> Vec<SourceIndex> {
        plan(&sources, selection, &[], facts.facts(), 500).iter().map(|plan| plan.source).collect()
    };
    assert_eq!(chosen(&Selection::default()), [0, 1]);
    assert_eq!(chosen(&Selection { sources: [1].into(), ..Selection::default() }), [1]);
    assert_eq!(chosen(&Selection { banks: [1].into(), ..Selection::default() }), [0; 0]);
}

fn success(start: &str, end: &str, records: Option<i64>) -> LastSuccess {
    let collected = Collected { source: "house".to_owned(), window: window(start, end), seen: Seen::Reported, records, message: None };
    LastSuccess { at: at("2026-01-20"), collected }
}

#[test]
fn a_success_moves_the_frontier_over_what_is_collected_in_a_row_and_no_further() {
    let beyond = |start, end| QueuedWindow { is_collected: true, ..queued(start, end) };
    let queue = || {
        vec![
            queued("2026-01-16", "2026-01-16T06:00"),
            queued("2026-01-16T06:00", "2026-01-16T12:00"),
            beyond("2026-01-16T12:00", "2026-01-16T18:00"),
            queued("2026-01-16T18:00", "2026-01-17"),
        ]
    };
    for (frontier, collected, then, left) in [
        (Some("2026-01-16"), ("2026-01-16", "2026-01-16T06:00"), "2026-01-16T06:00", 3),
        (Some("2026-01-16"), ("2026-01-16", "2026-01-16T12:00"), "2026-01-16T18:00", 1),
        (Some("2026-01-16"), ("2026-01-16T06:00", "2026-01-16T12:00"), "2026-01-16", 4),
        (None, ("2026-01-16T06:00", "2026-01-16T12:00"), "2026-01-16T18:00", 2),
        (Some("2026-01-16T18:00"), ("2026-01-10", "2026-01-10T06:00"), "2026-01-16T18:00", 3),
    ] {
        let mut facts = Facts::new("2026-01-20", frontier).with(queue());
        record(facts.states.get_mut("house").unwrap(), &mut facts.queue, &success(collected.0, collected.1, Some(0)));
        assert_eq!(facts.states["house"].frontier, Some(at(then)), "{frontier:?} {collected:?}");
        assert_eq!(facts.queue.len(), left, "{frontier:?} {collected:?}");
    }
}

#[test]
fn successes_without_records_are_counted_until_one_has_some() {
    let (mut state, mut queue) = (SourceState::default(), Vec::new());
    for (records, empty) in [(Some(0), 1), (Some(0), 2), (Some(7), 0), (None, 0)] {
        let success = success("2026-01-16", "2026-01-16T06:00", records);
        record(&mut state, &mut queue, &success);
        assert_eq!((state.empty, state.last.as_ref()), (empty, Some(&success)));
    }
}

#[test]
fn jobs_of_sources_and_of_reports_take_turns() {
    let sources = [Source { id: "senate".to_owned(), ..each() }, each()];
    let facts = Facts::new("2026-01-16T12:00", Some("2026-01-16"));
    let report = |bank| PlannedJob {
        target: Target::Report {
            gap: crate::plan::model::gap::Gap { bank, period: "2025Q2".parse().unwrap(), etl: 0 },
            data_symbol: String::new(),
        },
        key: format!("{bank}/2025Q2/call_summary").parse().unwrap(),
        why: crate::plan::decide::decision::Why::Missing,
        gate: crate::plan::decide::plan::Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    };
    let mut all = plan_of((0..4).map(report).collect(), vec![vec![0, 2], vec![1], vec![3]]);
    let breaker = BreakerPlan { etl: 0, since: facts.now, probe: Some(2), behind: 0, error: None };
    all.breakers.push(breaker);
    let digests = ["ab".to_owned(), "cd".to_owned()];
    let found = plan(&sources, &Selection::default(), &digests, facts.facts(), 500);
    add(&mut all, found, &sources, &digests, facts.facts());
    assert_eq!(all.chains, [vec![0], vec![1, 5], vec![2, 4], vec![3], vec![6]]);
    let keys: Vec<String> = all.jobs.iter().map(|job| job.key.to_string()).collect();
    let report = |bank| format!("{bank}/2025Q2/call_summary");
    assert_eq!(keys[..4], ["source:senate".to_owned(), report(0), "source:house".to_owned(), report(1)]);
    assert_eq!(keys[4..], ["source:house".to_owned(), report(2), report(3)]);
    assert_eq!(all.breakers[0].probe, Some(5), "it moved with its job");
    assert_eq!(all.jobs[2].fingerprint, Some(fingerprint(&sources[1], "cd", facts.now)));
    assert_eq!((all.gaps(), all.windows_behind(), all.has_gaps()), (4, 3, true));
    all.jobs.truncate(0);
    all.sources.retain(|source| source.source == 1);
    assert!(all.has_gaps(), "a window is behind");
    all.sources[0].standing = SourceStatus::Paused(pause());
    assert!(!all.has_gaps(), "what an operator wants left alone is not missed");
}
