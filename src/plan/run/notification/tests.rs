mod data;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::plan::decide::decision::{Decided, Decision, Why};
use crate::plan::decide::plan::{BreakerPlan, Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::{HeldBack, Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::Collection;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::ids::JobId;
use crate::plan::model::institution::Institutions;
use crate::plan::model::job::JobState;
use crate::plan::model::selection::Selection;
use crate::plan::model::source::{CatchUp, Source};
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Eligibility, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::source_state::{Pause, SourceState};
use crate::plan::run::summary::{JobResult, Results};
use crate::plan::test_support::{bank, etl, source};

const GAP: &str = "RY-CA/2025Q1/a";
const OTHER: &str = "TD-CA/2025Q1/a";

fn at(hour: i64) -> DateTime<Utc> {
    "2026-11-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
}

fn rest(why: RestReason) -> Rest {
    Rest { since: at(90), until: at(200), why }
}

fn quarantine() -> Quarantine {
    Quarantine { since: at(90), why: QuarantineReason::Failures }
}

/// What a run found and did.
#[derive(Clone)]
struct Scene {
    plan: Plan,
    results: Results,
    selection: Selection,
}

/// A run that had nothing to do.
impl Default for Scene {
    fn default() -> Self {
        let plan = Plan { etls: vec![0], ..Plan::default() };
        Self { plan, results: Results::default(), selection: Selection::default() }
    }
}

impl Scene {
    fn job(mut self, gap: &str, state: JobState, held: Eligibility) -> Self {
        let key: GapKey = gap.parse().unwrap();
        let target = match &key {
            GapKey::Report { bank, period, .. } => {
                let gap = Gap { bank: usize::from(bank != "RY-CA"), period: *period, etl: 0 };
                Target::Report { gap, data_symbol: String::new() }
            }
            _ => Target::Collection(collection()),
        };
        self.plan.jobs.push(PlannedJob { target, key, why: Why::Missing, gate: Gate::Open, planned_fence: 0, fingerprint: None });
        self.results.jobs.push(JobResult {
            id: JobId::new(Uuid::nil()),
            state,
            attempts: 1,
            exhausted: true,
            duration: Duration::ZERO,
            reason: Some("exit code 1".to_owned()),
            held,
            log: Some("/1.log".into()),
            collected: None,
            metrics: Vec::new(),
            for_want_of_record: false,
        });
        self
    }

    fn decided(mut self, decision: Decision) -> Self {
        self.plan.decided.insert(GAP.parse().unwrap(), Decided { decision, exists: false, unmet: Vec::new() });
        self
    }

    fn capped(mut self) -> Self {
        self.plan.capped = 1;
        self
    }

    fn of_one_bank(mut self) -> Self {
        self.selection.banks = BTreeSet::from([1]);
        self
    }

    fn broken(mut self) -> Self {
        self.plan.breakers.push(BreakerPlan { etl: 0, since: at(80), probe: None, behind: 0, error: None });
        self.results.open_breakers.insert(0);
        self
    }

    fn source(mut self, standing: SourceStatus, lateness: Lateness, jobs: usize) -> Self {
        self.plan.sources.push(SourcePlan {
            source: 0,
            state: SourceState { frontier: Some(at(60)), ..SourceState::default() },
            standing,
            new: Vec::new(),
            begin: None,
            again: Vec::new(),
            jobs: vec![collection(); jobs],
            behind: 1,
            missing: None,
            left: 0,
            next_due: at(101),
            lateness,
            given_up: Vec::new(),
            held_back: Vec::new(),
            order: None,
            error: Some("HTTP 500".to_owned()),
            failed_runs: 1,
        });
        self
    }

    fn with_source(mut self, change: impl FnOnce(&mut SourcePlan)) -> Self {
        change(self.plan.sources.last_mut().unwrap());
        self
    }

    fn tell(&self, told: &[Notified], catch_up: CatchUp) -> Notification {
        let catalogue = Catalogue {
            institutions: Institutions::new(vec![bank("RY-CA", 1), bank("TD-CA", 6)]),
            etls: vec![etl("a", "A")],
            sources: vec![Source { catch_up, ..source("house") }],
        };
        let seen = Sightings::new(&self.plan, &self.results, &catalogue, (&self.selection, !self.selection.is_narrowed()), at(100));
        Notification::new(&told.iter().collect::<Vec<_>>(), &seen, at(100), Duration::from_secs(900))
    }

    /// The changes, each on a line, for who knows of these subjects what stands beside them.
    fn changes(&self, told: &[(&str, AlertState)]) -> Vec<String> {
        let told: Vec<Notified> = told.iter().map(|(subject, state)| told_at(subject, *state, 99)).collect();
        self.tell(&told, CatchUp::Coalesce).changes.iter().map(shown).collect()
    }
}

fn window() -> Window {
    Window::new(at(60), at(66)).unwrap()
}

fn collection() -> Collection {
    Collection { source: 0, window: window(), windows: 1, remote_id: None }
}

fn told_at(subject: &str, state: AlertState, hour: i64) -> Notified {
    let alert = Alert { state, since: at(1), reason: Some("before".to_owned()), log: Some("/0.log".into()) };
    Notified { channel: "mail".to_owned(), subject: subject.parse().unwrap(), alert, at: at(hour) }
}

fn shown(change: &Change) -> String {
    let before = change.before.as_ref().map_or("fine", |alert| alert.state.name());
    let now = match &change.now {
        Now::Wrong(alert) => {
            let log = alert.log.as_ref().map(|log| format!(", {}", log.display())).unwrap_or_default();
            let reason = alert.reason.as_deref().unwrap_or("no reason");
            format!("{} since {} ({reason}{log})", alert.state.name(), (alert.since - at(0)).num_hours())
        }
        Now::Over(Over::Recovered) => "recovered".to_owned(),
        Now::Over(Over::Gone) => "gone".to_owned(),
        Now::Over(Over::LeftAlone { by, reason }) => format!("left alone by {by}: {reason}"),
    };
    format!("{}: {before} -> {now}", change.subject)
}

fn skipped() -> Decision {
    Decision::Skipped(SkipOrder { since: at(90), until: None, by: "ann".to_owned(), reason: "known".to_owned() })
}

#[test]
fn a_report_is_told_when_its_state_changes() {
    use AlertState::{Failing, Quarantined};
    let scene = Scene::default;
    let job = |state| scene().job(GAP, state, Eligibility::Free);
    let failed = || job(JobState::Failed);
    let given_up = || scene().job(GAP, JobState::Failed, Eligibility::Quarantined(quarantine()));
    let resting = |why| scene().decided(Decision::CoolingDown(rest(why)));
    for (told, scene, expected) in vec![
        (None, failed(), "fine -> failing since 100 (exit code 1, /1.log)"),
        (None, given_up(), "fine -> quarantined since 100 (exit code 1, /1.log)"),
        (None, resting(RestReason::Failed), "fine -> failing since 90 (no reason)"),
        (None, scene().decided(Decision::Quarantined(quarantine())), "fine -> quarantined since 90 (no reason)"),
        (None, resting(RestReason::NotReady), ""),
        (None, job(JobState::Succeeded), ""),
        (None, job(JobState::Skipped), ""),
        (None, scene().decided(skipped()), ""),
        (None, scene(), ""),
        (Some(Failing), failed(), ""),
        (Some(Failing), resting(RestReason::Failed), ""),
        (Some(Failing), given_up(), "failing -> quarantined since 100 (exit code 1, /1.log)"),
        (Some(Failing), job(JobState::Succeeded), "failing -> recovered"),
        (Some(Failing), job(JobState::Cancelled), ""),
        (Some(Failing), job(JobState::Lost), ""),
        (Some(Failing), scene().decided(Decision::Waiting(0)), ""),
        (Some(Failing), scene().decided(skipped()), "failing -> left alone by ann: known"),
        (Some(Failing), scene(), "failing -> gone"),
        (Some(Failing), scene().capped(), ""),
        (Some(Failing), scene().of_one_bank(), ""),
        (Some(Quarantined), failed(), "quarantined -> failing since 100 (exit code 1, /1.log)"),
        (Some(Quarantined), scene().decided(Decision::Quarantined(quarantine())), ""),
    ] {
        let told: Vec<_> = told.into_iter().map(|state| (GAP, state)).collect();
        let expected = if expected.is_empty() { Vec::new() } else { vec![format!("{GAP}: {expected}")] };
        assert_eq!(scene.changes(&told), expected, "{told:?} {:?} {:?}", scene.plan, scene.results);
    }
}

#[test]
fn a_broken_etl_is_told_once_and_not_each_of_its_failures() {
    let failed = Scene::default().job(GAP, JobState::Failed, Eligibility::Free).job(OTHER, JobState::Failed, Eligibility::Free);
    let broken = failed.clone().broken();
    assert_eq!(broken.changes(&[]), ["etl:a: fine -> breaker_open since 80 (exit code 1)"]);
    assert_eq!(broken.changes(&[("etl:a", AlertState::BreakerOpen), (GAP, AlertState::Failing)]), [""; 0]);
    let quarantined = Scene::default().job(GAP, JobState::Failed, Eligibility::Quarantined(quarantine())).broken();
    assert_eq!(quarantined.changes(&[("etl:a", AlertState::BreakerOpen)]).len(), 1, "it is not tried when the ETL works again");
    assert_eq!(Scene::default().changes(&[("etl:a", AlertState::BreakerOpen)]), ["etl:a: breaker_open -> recovered"]);
    assert_eq!(Scene::default().changes(&[("etl:gone", AlertState::BreakerOpen)]), ["etl:gone: breaker_open -> gone"]);
    assert_eq!(failed.changes(&[]).len(), 2);
}

#[test]
fn a_source_is_told_when_it_fails_and_when_it_is_late() {
    use AlertState::{Ahead, Failing, Late, Overdue};
    const SOURCE: &str = "source:house";
    const LATENESS: &str = "lateness:house";
    let due = |lateness, state| Scene::default().source(SourceStatus::Due, lateness, 1).job(SOURCE, state, Eligibility::Free);
    let idle = |standing, lateness| Scene::default().source(standing, lateness, 0);
    let paused = SourceStatus::Paused(Pause { since: at(90), by: "ann".to_owned(), reason: "known".to_owned() });
    let late = |state: &str| format!("lateness:house: fine -> {state} since 60 (HTTP 500)");
    let failing = "source:house: fine -> failing since 100 (exit code 1, /1.log)".to_owned();
    let cases = vec![
        (vec![], due(Lateness::OnTime, JobState::Succeeded), vec![]),
        (vec![], due(Lateness::Overdue, JobState::Succeeded), vec![]),
        (vec![], due(Lateness::OnTime, JobState::Failed), vec![failing.clone()]),
        (vec![], due(Lateness::Overdue, JobState::Failed), vec![late("overdue"), failing]),
        (vec![], idle(SourceStatus::CoolingDown(rest(RestReason::NotReady)), Lateness::Late), vec![late("late")]),
        (vec![], idle(SourceStatus::UpToDate, Lateness::Ahead), vec![late("ahead")]),
        (vec![(LATENESS, Late)], due(Lateness::Late, JobState::Cancelled), vec![]),
        (vec![(LATENESS, Overdue)], due(Lateness::Late, JobState::Cancelled), vec![]),
        (
            vec![(LATENESS, Late), (SOURCE, Failing)],
            due(Lateness::Late, JobState::Succeeded),
            vec!["source:house: failing -> recovered".to_owned(), "lateness:house: late -> recovered".to_owned()],
        ),
        (vec![(LATENESS, Late)], due(Lateness::Late, JobState::Succeeded).with_source(|source| source.left = 1), vec![]),
        (vec![(LATENESS, Ahead)], idle(SourceStatus::UpToDate, Lateness::OnTime), vec!["lateness:house: ahead -> recovered".to_owned()]),
        (vec![(SOURCE, Failing)], idle(SourceStatus::UpToDate, Lateness::OnTime), vec!["source:house: failing -> gone".to_owned()]),
        (
            vec![(LATENESS, Late), (SOURCE, Failing)],
            idle(paused, Lateness::Overdue),
            vec![
                "source:house: failing -> left alone by ann: known".to_owned(),
                "lateness:house: late -> left alone by ann: known".to_owned(),
            ],
        ),
        (vec![(LATENESS, Late)], Scene::default().of_one_bank(), vec![]),
        (vec![("lateness:gone", Late)], Scene::default(), vec!["lateness:gone: late -> gone".to_owned()]),
    ];
    for (told, scene, expected) in cases {
        assert_eq!(scene.changes(&told), expected, "{told:?} {:?}", scene.plan.sources);
    }
}

#[test]
fn independent_windows_are_told_one_by_one() {
    let held = HeldBack { window: window(), status: SourceStatus::Quarantined(quarantine()), failed_runs: 8, error: None };
    let scene = Scene::default().source(SourceStatus::Quarantined(quarantine()), Lateness::OnTime, 0);
    let scene = scene.with_source(|source| source.held_back.push(held));
    let told = [told_at("source:house@2026-11-02T00:00:00Z", AlertState::Failing, 99)];
    let changes: Vec<String> = scene.tell(&told, CatchUp::Independent).changes.iter().map(shown).collect();
    let window = "source:house@2026-11-03T12:00:00Z: fine -> quarantined since 90 (no reason)";
    assert_eq!(changes, [window, "source:house@2026-11-02T00:00:00Z: failing -> gone"]);
}

#[test]
fn what_lasts_is_told_once_a_day() {
    use AlertState::{Failing, Late, Quarantined};
    let scene = Scene::default().job(GAP, JobState::Failed, Eligibility::Free).capped();
    let told = |hour| [told_at(GAP, Failing, hour), told_at(OTHER, Quarantined, 90), told_at("lateness:house", Late, 99)];
    let lasting = |hour| scene.tell(&told(hour), CatchUp::Coalesce).lasting;
    assert_eq!(lasting(77), []);
    let digest = lasting(76);
    let subjects: Vec<String> = digest.iter().map(|(subject, alert)| format!("{subject} {}", alert.state.name())).collect();
    assert_eq!(subjects, [format!("{OTHER} quarantined"), format!("{GAP} failing"), "lateness:house late".to_owned()]);
    let of_gap = Alert { state: Failing, since: at(1), reason: Some("exit code 1".to_owned()), log: Some("/1.log".into()) };
    assert_eq!(digest[1].1, of_gap, "its last failure, and since when it fails");
    assert_eq!(lasting(125).len(), 3, "the clock was wrong");
    assert!(scene.tell(&told(77), CatchUp::Coalesce).is_empty());
}
