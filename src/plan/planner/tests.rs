use super::*;
use crate::plan::facts::AvailabilityKey;
use crate::plan::test_support::{bank, etl, etl_needing, settings};

struct World {
    institutions: Institutions,
    etls: Vec<Etl>,
    settings: RunSettings,
    selection: Selection,
    known: Known,
}

impl World {
    fn new() -> Self {
        Self {
            institutions: Institutions::new(vec![bank("RY-CA", 1), bank("BMO-CA", 2), bank("TD-CA", 6)]),
            etls: vec![etl("call_summary", "Call Summary"), etl("key_themes", "Key Themes")],
            settings: settings(4),
            selection: Selection::default(),
            known: Known::default(),
        }
    }

    /// Rows as `symbol period etl`, with `needs_met` for an ETL that has a need.
    fn plan(&self, rows: &[(&str, &str, EtlIndex)]) -> Plan {
        let mut planner = Planner::new(&self.institutions, &self.etls, &self.settings, &self.selection, &self.known);
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
            },
            exists: false,
            needs_met: self.etls[etl].needs.iter().map(|_| met).collect(),
        }
    }
}

fn keys(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(|job| job.key.as_str()).collect()
}

#[test]
fn a_chain_is_a_bank_with_its_periods_newest_first_and_etls_in_order() {
    let world = World::new();
    let plan = world.plan(&[("RY", "2025Q1", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 0), ("RY", "2025Q2", 1), ("RY", "2025Q1", 1)]);
    let chains: Vec<Vec<&str>> = plan.chains.iter().map(|chain| chain.iter().map(|job| plan.jobs[*job].key.as_str()).collect()).collect();
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
    world.settings.order = Order::OldestFirst;
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
    let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2024Q1", 0)]);
    assert_eq!(keys(&plan), ["TD-CA/2024Q1/call_summary", "RY-CA/2025Q2/call_summary"]);
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
    let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.known);
    planner.candidate(world.row("RY", "2025Q2", 0, false));
    planner.candidate(world.row("RY", "2025Q2", 1, false)); // its summary is made in this run
    planner.candidate(world.row("BMO", "2025Q2", 1, true)); // its summary exists
    planner.candidate(world.row("TD", "2025Q2", 1, false)); // neither
    let plan = planner.finish();
    assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes", "BMO-CA/2025Q2/key_themes"]);
    assert_eq!(plan.waiting.named, [(GapKey::stored("TD-CA/2025Q2/key_themes".to_owned()), 0)]);
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
    let owner = Owner { host: "other".to_owned(), boot_id: String::new(), pid: 7, pid_started: 0 };
    world.known.running.insert(GapKey::stored("RY-CA/2025Q2/call_summary".to_owned()), owner);
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
        min_year: Some("2025".to_owned()),
        max_year: Some("2025".to_owned()),
        rows: 1,
    };
    let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.known);
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
    let named: Vec<&str> = plan.oddities.invalid.named.iter().map(|rows| rows.which.as_str()).collect();
    assert_eq!(named, ["RY 2025 Q5", "--help 2025 Q1", "TD 2025 Q1"]);
    assert_eq!(plan.oddities.unmonitored.iter().collect::<Vec<_>>(), ["XX"]);
    assert_eq!(plan.oddities.without_data, ["BMO-CA", "TD-CA"]);
}
