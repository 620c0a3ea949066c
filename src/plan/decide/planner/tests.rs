use chrono::{DateTime, Utc};

use super::*;
use crate::plan::decide::decision::Why;
use crate::plan::model::candidate::AvailabilityKey;
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ChainBy, PeriodOrder};
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState, PendingForce, QuarantineReason, RestReason};
use crate::plan::test_support::{bank, etl, etl_needing, settings};

mod forced;
mod probes;

struct World {
    institutions: Institutions,
    etls: Vec<Etl>,
    settings: RunSettings,
    selection: Selection,
    stored: StoredState,
}

impl World {
    fn new() -> Self {
        Self {
            institutions: Institutions::new(vec![bank("RY-CA", 1), bank("BMO-CA", 2), bank("TD-CA", 6)]),
            etls: vec![etl("call_summary", "Call Summary"), etl("key_themes", "Key Themes")],
            settings: settings(4),
            selection: Selection::default(),
            stored: StoredState::default(),
        }
    }

    /// Rows as `symbol period etl`, with `needs_met` for an ETL that has a need.
    fn plan(&self, rows: &[(&str, &str, EtlIndex)]) -> Plan {
        let mut planner = Planner::new(&self.institutions, &self.etls, &self.settings, &self.selection, &self.stored);
        for (symbol, period, etl) in rows {
            planner.candidate(self.row(symbol, period, *etl, false));
        }
        planner.finish()
    }

    fn row(&self, symbol: &str, period: &str, etl: EtlIndex, met: bool) -> Candidate {
        let period: Period = period.parse().unwrap();
        let id = self.institutions.by_data_symbol(symbol).map(|bank| self.institutions.get(bank).id.to_string());
        Candidate {
            etl,
            key: AvailabilityKey {
                bank_id: id,
                bank_symbol: Some(symbol.to_owned()),
                fiscal_year: Some(period.year().to_string()),
                quarter: Some(period.quarter().as_str().to_owned()),
                mistyped: None,
            },
            exists: false,
            needs_met: self.etls[etl].needs.iter().map(|_| met).collect(),
        }
    }
}

impl World {
    fn copy(&self) -> Self {
        Self {
            institutions: self.institutions.clone(),
            etls: self.etls.clone(),
            settings: self.settings.clone(),
            selection: self.selection.clone(),
            stored: self.stored.clone(),
        }
    }

    /// The same as [`plan`](Self::plan), for gaps that exist or lack their needs.
    fn plan_of(&self, candidates: Vec<Candidate>) -> Plan {
        let mut planner = self.planner();
        for candidate in candidates {
            planner.candidate(candidate);
        }
        planner.finish()
    }

    fn planner(&self) -> Planner<'_> {
        Planner::new(&self.institutions, &self.etls, &self.settings, &self.selection, &self.stored)
    }

    fn remember(&mut self, gap: &str, history: FailureHistory) -> &mut GapState {
        let key = key(gap);
        let state = GapState { key: key.clone(), fence: 0, history, skip: None, forced: None };
        self.stored.gaps.insert(key.clone(), state);
        self.stored.gaps.get_mut(&key).unwrap()
    }

    fn break_etl(&mut self, etl: EtlIndex, probed: Option<&str>) {
        let breaker = OpenBreaker {
            etl: self.etls[etl].name.clone(),
            since: noon(),
            banks: Vec::new(),
            etl_digest: String::new(),
            probed: probed.map(str::to_owned),
            probed_at: None,
        };
        self.stored.breakers.insert(etl, breaker);
    }
}

/// A key as assertions write it; tests may leak.
fn text(key: &GapKey) -> &'static str {
    key.to_string().leak()
}

fn key(gap: &str) -> GapKey {
    gap.parse().unwrap()
}

fn noon() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn tried() -> FailureHistory {
    FailureHistory { failed_runs: 1, error: Some("exit code 1".to_owned()), ..FailureHistory::default() }
}

fn resting() -> FailureHistory {
    let rest = Rest { since: noon(), until: noon() + chrono::TimeDelta::hours(1), why: RestReason::Failed };
    FailureHistory { rest: Some(rest), ..tried() }
}

fn quarantined() -> FailureHistory {
    FailureHistory { quarantine: Some(Quarantine { since: noon(), why: QuarantineReason::Failures }), ..tried() }
}

fn gates(plan: &Plan) -> Vec<(&str, Gate)> {
    plan.jobs.iter().map(|job| (text(&job.key), job.gate)).collect()
}

fn keys(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(|job| text(&job.key)).collect()
}

#[test]
fn a_chain_is_a_bank_with_its_periods_newest_first_and_etls_in_order() {
    let world = World::new();
    let plan = world.plan(&[("RY", "2025Q1", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 0), ("RY", "2025Q2", 1), ("RY", "2025Q1", 1)]);
    let chains: Vec<Vec<&str>> = plan.chains.iter().map(|chain| chain.iter().map(|job| text(&plan.jobs[*job].key)).collect()).collect();
    assert_eq!(
        chains,
        [
            vec!["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes", "RY-CA/2025Q1/call_summary", "RY-CA/2025Q1/key_themes"],
            vec!["BMO-CA/2025Q2/call_summary"],
        ]
    );
}

#[test]
fn oldest_first_turns_the_periods_round_and_bank_period_cuts_the_chains() {
    let mut world = World::new();
    world.settings.order = PeriodOrder::OldestFirst;
    world.settings.chain_by = ChainBy::BankPeriod;
    let plan = world.plan(&[("RY", "2025Q2", 0), ("RY", "2025Q1", 0), ("RY", "2025Q1", 1)]);
    assert_eq!(keys(&plan), ["RY-CA/2025Q1/call_summary", "RY-CA/2025Q1/key_themes", "RY-CA/2025Q2/call_summary"]);
    assert_eq!(plan.chains, [vec![0, 1], vec![2]]);
}

#[test]
fn chains_of_a_higher_priority_come_first() {
    let mut world = World::new();
    let mut td = bank("TD-CA", 6);
    td.priority = 10;
    world.institutions = Institutions::new(vec![bank("RY-CA", 1), td]);
    let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2024Q1", 0), ("RY", "2025Q1", 0), ("TD", "2023Q1", 0)]);
    let expected = ["TD-CA/2024Q1/call_summary", "TD-CA/2023Q1/call_summary", "RY-CA/2025Q2/call_summary", "RY-CA/2025Q1/call_summary"];
    assert_eq!(keys(&plan), expected);
}

#[test]
fn the_cap_keeps_the_best_ranked_whatever_their_order_of_arrival() {
    let mut world = World::new();
    world.settings.max_jobs = 2;
    let rows = [("RY", "2024Q1", 0), ("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 1), ("BMO", "2025Q1", 1)];
    let plan = world.plan(&rows);
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes"]);
    assert_eq!((plan.capped, plan.gaps()), (3, 5));
}

#[test]
fn a_row_under_both_spellings_is_one_gap() {
    let plan = World::new().plan(&[("RY", "2025Q2", 0), ("RY-CA", "2025Q2", 0)]);
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
}

#[test]
fn a_need_is_met_by_a_report_or_by_an_earlier_job_of_the_chain() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.stored);
    planner.candidate(world.row("RY", "2025Q2", 0, false));
    planner.candidate(world.row("RY", "2025Q2", 1, false)); // its summary is made in this run
    planner.candidate(world.row("BMO", "2025Q2", 1, true)); // its summary exists
    planner.candidate(world.row("TD", "2025Q2", 1, false)); // neither
    let plan = planner.finish();
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes", "BMO-CA/2025Q2/key_themes"]);
    assert_eq!(plan.waiting.named, [(key("TD-CA/2025Q2/key_themes"), 0)]);
}

#[test]
fn what_needs_a_job_that_the_cap_left_is_left_too() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    world.settings.max_jobs = 1;
    let plan = world.plan(&[("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("BMO", "2025Q2", 1)]);
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
    assert_eq!((plan.capped, plan.waiting.total), (2, 0));
}

#[test]
fn a_gap_that_somebody_fills_is_not_planned() {
    let mut world = World::new();
    let owner = Owner { host: "other".to_owned(), machine_id: None, boot_id: String::new(), pid: 7, pid_started: 0 };
    world.stored.running.insert(key("RY-CA/2025Q2/call_summary"), owner);
    let plan = world.plan(&[("RY", "2025Q2", 0), ("RY", "2025Q2", 1)]);
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/key_themes"]);
    assert_eq!(plan.claimed.total, 1);
}

#[test]
fn bad_rows_are_named_once_and_stop_nobody_else() {
    let world = World::new();
    let group = |symbol: &str, id: &str, quarter: &str| CensusGroup {
        etls: vec![0, 1],
        bank_id: Some(id.to_owned()),
        bank_symbol: Some(symbol.to_owned()),
        quarter: Some(quarter.to_owned()),
        min_year: Some("2024".to_owned()),
        max_year: Some("2025".to_owned()),
        rows: 1,
        mistyped: None,
    };
    let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.stored);
    for group in
        [group("RY", "1", "Q2"), group("RY", "1", "Q5"), group("--help", "1", "Q1"), group("XX", "99", "Q1"), group("TD", "1", "Q1")]
    {
        planner.group(&group);
    }
    planner.candidate(world.row("RY", "2025Q2", 0, false));
    let plan = planner.finish();
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
    assert_eq!(plan.census.available_for(0), 1);
    assert_eq!(plan.existing, 1, "of two possible reports one is missing");
    let named: Vec<&str> = plan.data_issues.invalid.named.iter().map(|rows| rows.which.as_str()).collect();
    assert_eq!(named, ["RY 2025 Q5", "--help 2025 Q1", "TD 2025 Q1"]);
    assert_eq!(plan.data_issues.unmonitored.iter().collect::<Vec<_>>(), ["XX"]);
    assert_eq!(plan.data_issues.without_data, ["BMO-CA", "TD-CA"]);
    let newest = plan.census.newest(0, world.institutions.iter().take(2));
    let found = |bank: &str| newest[bank].iter().map(|period| period.compact()).collect::<Vec<_>>();
    assert_eq!((found("RY-CA"), found("BMO-CA")), (vec!["2025Q2".to_owned()], vec![]));
}

#[test]
fn what_is_left_alone_is_listed_by_key_with_its_error() {
    let mut world = World::new();
    world.stored.now = noon();
    let order = SkipOrder { since: noon(), until: None, by: "me".to_owned(), reason: "r".to_owned() };
    world.remember("RY-CA/2025Q2/call_summary", FailureHistory::default()).skip = Some(order.clone());
    world.remember("TD-CA/2025Q2/call_summary", quarantined());
    world.remember("BMO-CA/2025Q2/call_summary", quarantined());
    world.remember("TD-CA/2025Q1/call_summary", resting());
    let rows = [("TD", "2025Q2", 0), ("RY", "2025Q2", 0), ("TD", "2025Q1", 0), ("BMO", "2025Q2", 0)];
    let plan = world.plan(&rows);
    assert_eq!(plan.jobs, []);
    assert_eq!(plan.skipped.named, [(key("RY-CA/2025Q2/call_summary"), order)]);
    let named: Vec<(&str, Option<&str>)> = plan.quarantined.named.iter().map(|(key, _, error)| (text(key), error.as_deref())).collect();
    assert_eq!(named, [("BMO-CA/2025Q2/call_summary", Some("exit code 1")), ("TD-CA/2025Q2/call_summary", Some("exit code 1"))]);
    assert_eq!(plan.cooling_down.named[0].0, key("TD-CA/2025Q1/call_summary"));
    assert_eq!(plan.gaps(), 3, "what an operator skipped is not missed");
    let mut reversed = rows;
    reversed.reverse();
    assert_eq!(world.plan(&reversed), plan);
}

#[test]
fn the_first_hundred_by_key_are_named_whatever_their_order_of_arrival() {
    let mut list = ByKey::default();
    for number in (0..250).rev() {
        list.push(GapKey::source(&format!("{number:03}")), ());
    }
    list.push(GapKey::source("000"), ());
    let listed = list.listed(|key, ()| key);
    assert_eq!((listed.named.len(), listed.total), (100, 250));
    assert_eq!((text(&listed.named[0]), text(&listed.named[99])), ("source:000", "source:099"));
}

#[test]
fn a_job_knows_the_latest_claim_of_its_gap() {
    let mut world = World::new();
    world.remember("RY-CA/2025Q2/call_summary", tried()).fence = 7;
    let plan = world.plan(&[("RY", "2025Q2", 0), ("BMO", "2025Q2", 0)]);
    let mut fences: Vec<(&str, i64)> = plan.jobs.iter().map(|job| (text(&job.key), job.planned_fence)).collect();
    fences.sort_unstable();
    assert_eq!(fences, [("BMO-CA/2025Q2/call_summary", 0), ("RY-CA/2025Q2/call_summary", 7)]);
}

#[test]
fn a_force_that_was_not_answered_makes_only_its_own_reports_again() {
    let mut world = World::new();
    let forced = |was_missing| Some(PendingForce { at: noon(), was_missing });
    world.remember("RY-CA/2025Q2/call_summary", FailureHistory::default()).forced = forced(false);
    world.remember("RY-CA/2025Q1/call_summary", FailureHistory::default()).forced = forced(true);
    world.remember("TD-CA/2025Q2/call_summary", FailureHistory::default()).forced = forced(false);
    world.stored.settled.insert(key("TD-CA/2025Q2/call_summary"));
    let existing = |symbol| Candidate { exists: true, ..world.row(symbol, "2025Q2", 0, true) };
    let mut planner = world.planner();
    let made_elsewhere = Candidate { exists: true, ..world.row("RY", "2025Q1", 0, true) };
    for candidate in [existing("RY"), existing("BMO"), existing("TD"), made_elsewhere, world.row("BMO", "2025Q1", 0, true)] {
        planner.forced_candidate(candidate);
    }
    let plan = planner.finish();
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
    assert_eq!(plan.jobs[0].why, Why::Forced);
}

#[test]
fn what_the_spool_will_record_counts_as_made() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    world.stored.settled.insert(key("RY-CA/2025Q2/call_summary"));
    let plan = world.plan(&[("RY", "2025Q2", 0), ("RY", "2025Q2", 1)]);
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/key_themes"]);
    assert_eq!(plan.waiting.total, 0);
}

fn gap_of(job: &PlannedJob) -> Gap {
    job.report().unwrap()
}

/// A gap of the property's world: bank, period, whether it failed before, whether its summary exists.
fn any_gap() -> impl proptest::strategy::Strategy<Value = (usize, usize, EtlIndex, bool, bool)> {
    (0_usize..3, 0_usize..4, 0_usize..2, proptest::bool::ANY, proptest::bool::ANY)
}

proptest::proptest! {
    /// Whatever is cut: no job is without its need, no tried job takes a fresh one's place, and everything is counted.
    #[test]
    fn the_cap_is_fair(
        gaps in proptest::collection::vec(any_gap(), 0..24),
        max_jobs in 1_usize..8,
        broken in proptest::option::of(0_usize..2),
        probed in 0_usize..4,
    ) {
        let mut world = World::new();
        world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
        world.settings.max_jobs = max_jobs;
        if let Some(etl) = broken {
            world.break_etl(etl, ["RY-CA", "BMO-CA", "TD-CA", "-"].get(probed).copied());
        }
        let (symbols, periods) = (["RY", "BMO", "TD"], ["2024Q3", "2024Q4", "2025Q1", "2025Q2"]);
        let mut rows: BTreeMap<(EtlIndex, usize, usize), bool> = BTreeMap::new();
        for (bank, period, etl, tried_before, met) in gaps {
            rows.insert((etl, bank, period), met);
            if tried_before {
                world.remember(&format!("{}-CA/{}/{}", symbols[bank], periods[period], world.etls[etl].name.clone()), tried());
            }
        }
        // A summary that is missing is not there.
        let missing: BTreeSet<(usize, usize)> = rows.keys().filter(|(etl, ..)| *etl == 0).map(|(_, bank, period)| (*bank, *period)).collect();
        let met = |bank, period, met: bool| met && !missing.contains(&(bank, period));
        let candidates: Vec<Candidate> =
            rows.iter().map(|((etl, bank, period), is_met)| world.row(symbols[*bank], periods[*period], *etl, met(*bank, *period, *is_met))).collect();
        let plan = world.plan_of(candidates.clone());
        let uncut = World { settings: RunSettings { max_jobs: 500, ..world.settings.clone() }, ..world.copy() }.plan_of(candidates.clone());
        proptest::prop_assert!(plan.jobs.len() == max_jobs.min(uncut.jobs.len()));
        proptest::prop_assert_eq!(plan.gaps(), candidates.len() as u64);
        let is_made: BTreeSet<&str> = keys(&plan).into_iter().collect();
        let cut: Vec<&PlannedJob> = uncut.jobs.iter().filter(|job| !is_made.contains(text(&job.key))).collect();
        for job in &plan.jobs {
            let need = Gap { etl: 0, ..gap_of(job) };
            if gap_of(job).etl == 1 && uncut.jobs.iter().any(|other| gap_of(other) == need) {
                proptest::prop_assert!(plan.jobs.iter().any(|other| gap_of(other) == need), "{} without its need", job.key);
            }
            let was_tried = |gap: Gap| world.stored.gaps.contains_key(&GapKey::report(world.institutions.get(gap.bank), gap.period, &world.etls[gap.etl]));
            let is_tried = |job: &PlannedJob| was_tried(gap_of(job)) || gap_of(job).etl == 1 && missing_need(&uncut, gap_of(job)) && was_tried(Gap { etl: 0, ..gap_of(job) });
            let is_deferred = |job: &PlannedJob| broken == Some(gap_of(job).etl) || broken == Some(0) && missing_need(&uncut, gap_of(job));
            if job.gate != Gate::Probe && is_tried(job) && !is_deferred(job) {
                let passed = cut.iter().find(|other| !is_tried(other) && !is_deferred(other));
                proptest::prop_assert!(passed.is_none(), "{} took the place of {:?}", job.key, passed.map(|job| &job.key));
            }
        }
        let probes = plan.jobs.iter().filter(|job| job.gate == Gate::Probe).count();
        let has_gated = plan.jobs.iter().any(|job| job.gate == Gate::BehindProbe);
        proptest::prop_assert!(probes <= 1 && (probes == 1 || !has_gated));
        proptest::prop_assert!(plan.chains.iter().all(|chain| chain.is_sorted()));
        let mut order: Vec<usize> = plan.chains.concat();
        order.sort_unstable();
        proptest::prop_assert_eq!(order, (0..plan.jobs.len()).collect::<Vec<_>>());
    }
}

fn missing_need(uncut: &Plan, gap: Gap) -> bool {
    gap.etl == 1 && uncut.jobs.iter().any(|other| gap_of(other) == Gap { etl: 0, ..gap })
}
