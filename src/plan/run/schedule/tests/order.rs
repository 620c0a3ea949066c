//! In which order jobs start, and how long a run takes: plans of the planner, carried out in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::plan::decide::planner::Planner;
use crate::plan::model::candidate::{AvailabilityKey, Candidate};
use crate::plan::model::institution::Institutions;
use crate::plan::model::period::Period;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{ChainBy, PeriodOrder};

use crate::plan::remember::stored_state::StoredState;
use crate::plan::test_support::bank;

const AT_ONCE: usize = 4;

/// Nine quarters, the newest first.
const PERIODS: [&str; 9] = ["2025Q2", "2025Q1", "2024Q4", "2024Q3", "2024Q2", "2024Q1", "2023Q4", "2023Q3", "2023Q2"];

fn periods() -> Vec<Period> {
    PERIODS.iter().map(|period| period.parse().unwrap()).collect()
}

/// What is missing, by bank: one report of each of these periods.
struct Missing {
    etls: Vec<Etl>,
    settings: RunSettings,
    of_banks: Vec<Vec<Period>>,
}

/// When a job began and ended.
#[derive(Debug, Clone, Copy)]
struct Ran {
    gap: Gap,
    began: u64,
    ended: u64,
}

impl Missing {
    fn new(of_banks: Vec<Vec<Period>>) -> Self {
        Self { etls: vec![etl("call_summary", "Call Summary")], settings: settings(AT_ONCE), of_banks }
    }

    fn plan(&self) -> Plan {
        let banks = (0..self.of_banks.len()).map(|number| bank(&format!("B{number}-US"), i64::try_from(number).unwrap()));
        let institutions = Institutions::new(banks.collect());
        let (selection, stored) = (Selection::default(), StoredState::default());
        let mut planner = Planner::new(&institutions, &self.etls, &self.settings, &selection, &stored);
        for etl in 0..self.etls.len() {
            for (number, periods) in self.of_banks.iter().enumerate() {
                for period in periods {
                    let key = AvailabilityKey {
                        bank_id: Some(number.to_string()),
                        bank_symbol: Some(format!("B{number}")),
                        fiscal_year: Some(period.year().to_string()),
                        quarter: Some(period.quarter().as_str().to_owned()),
                        mistyped: None,
                    };
                    planner.candidate(Candidate { etl, key, exists: false, needs_met: vec![false; self.etls[etl].needs.len()] });
                }
            }
        }
        planner.finish()
    }

    /// Carries out the plan, each job in its time. Each succeeds.
    fn run(&self, time: impl Fn(Gap) -> u64) -> Vec<Ran> {
        let plan = self.plan();
        let catalogue = of_etls(self.etls.clone());
        let mut schedule = Schedule::new(&plan, &catalogue, &self.settings, false);
        let (mut now, mut running, mut ran) = (0, BinaryHeap::new(), Vec::new());
        loop {
            match schedule.step(&plan, Duration::from_secs(now)) {
                Step::Start { job, .. } => {
                    let gap = plan.jobs[job].report().unwrap();
                    ran.push(Ran { gap, began: now, ended: now + time(gap) });
                    running.push(Reverse((now + time(gap), job)));
                }
                Step::Wait { .. } => {
                    let Reverse((ended, job)) = running.pop().unwrap();
                    now = ended;
                    schedule.ended(&plan, job, Some(Class::Success), NextStep::Succeed, Duration::from_secs(now));
                }
                Step::Finished => return ran,
                step @ (Step::Drop { .. } | Step::GiveUp { .. }) => panic!("{step:?}"),
            }
        }
    }

    /// How long a run would take in which a bank that was begun is finished before another one begins.
    fn time_bank_by_bank(&self, time: impl Fn(Gap) -> u64) -> u64 {
        let mut slots = [0; AT_ONCE];
        for (bank, periods) in self.of_banks.iter().enumerate() {
            let free = slots.iter_mut().min().unwrap();
            *free +=
                periods.iter().flat_map(|period| (0..self.etls.len()).map(|etl| time(Gap { bank, period: *period, etl }))).sum::<u64>();
        }
        slots.into_iter().max().unwrap()
    }
}

fn end(ran: &[Ran]) -> u64 {
    ran.iter().map(|job| job.ended).max().unwrap()
}

/// When all reports of a period are there.
fn complete(ran: &[Ran], period: &str) -> u64 {
    ran.iter().filter(|job| job.gap.period == period.parse().unwrap()).map(|job| job.ended).max().unwrap()
}

/// From 1 to 20, as if at random.
fn varied(seed: u64) -> impl Fn(Gap) -> u64 {
    move |gap| {
        let mut state = seed;
        for part in [gap.bank as u64, u64::from(gap.period.year()), gap.period.quarter() as u64, gap.etl as u64] {
            state = (state ^ part).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^= state >> 29;
        }
        1 + state % 20
    }
}

fn assert_one_job_of_a_bank_at_a_time(ran: &[Ran]) {
    for (number, one) in ran.iter().enumerate() {
        let beside = ran[..number].iter().filter(|other| other.gap.bank == one.gap.bank && other.ended > one.began);
        assert_eq!(beside.count(), 0, "{one:?}");
    }
}

/// No run takes less time: all slots are busy, or one bank after another is not.
fn least_time(missing: &Missing, time: impl Fn(Gap) -> u64) -> u64 {
    let of_bank =
        |(bank, periods): (usize, &Vec<Period>)| -> u64 { periods.iter().map(|period| time(Gap { bank, period: *period, etl: 0 })).sum() };
    let banks: Vec<u64> = missing.of_banks.iter().enumerate().map(of_bank).collect();
    banks.iter().sum::<u64>().div_ceil(AT_ONCE as u64).max(banks.into_iter().max().unwrap())
}

#[test]
fn the_newest_period_of_all_banks_comes_first_and_the_run_takes_no_longer() {
    let missing = Missing::new(vec![periods(); 14]);
    let ran = missing.run(|_| 60);
    assert_one_job_of_a_bank_at_a_time(&ran);
    assert_eq!(complete(&ran, "2025Q2"), 4 * 60, "14 jobs at 4 at once");
    assert_eq!((end(&ran), missing.time_bank_by_bank(|_| 60)), (32 * 60, 36 * 60));
    for seed in 0..50 {
        let ran = missing.run(varied(seed));
        assert_one_job_of_a_bank_at_a_time(&ran);
        let (newest, all) = (complete(&ran, "2025Q2"), end(&ran));
        assert!(newest * 100 <= all * 17, "seed {seed}: one of nine periods is complete after {newest} of {all}");
        let (before, least) = (missing.time_bank_by_bank(varied(seed)), least_time(&missing, varied(seed)));
        assert!(all * 100 <= before * 105 && all * 100 <= least * 110, "seed {seed}: {all}, bank by bank {before}, at least {least}");
    }
}

#[test]
fn the_longest_chain_does_not_run_alone_in_the_end() {
    let (mut all, mut before) = (0, 0);
    for seed in 0..50 {
        let lengths = (0..14).map(|bank: usize| 1 + (seed * 7 + bank * bank * 5) % 9);
        let mut of_banks: Vec<Vec<Period>> = lengths.map(|length| periods()[..length].to_vec()).collect();
        if seed % 2 == 0 {
            let more = (2010..2023).flat_map(|year| ["Q1", "Q2"].map(|quarter| format!("{year}{quarter}").parse().unwrap()));
            of_banks[seed % 14] = periods().into_iter().chain(more).collect();
        }
        let (missing, time) = (Missing::new(of_banks), varied(seed as u64));
        let ran = missing.run(&time);
        assert_one_job_of_a_bank_at_a_time(&ran);
        all += end(&ran);
        before += missing.time_bank_by_bank(&time);
        assert!(end(&ran) * 100 <= least_time(&missing, &time) * 120, "seed {seed}: {} of {}", end(&ran), least_time(&missing, &time));
    }
    assert!(all < before, "{all} and {before}");
}

/// The jobs in the order in which they start, as `bank period ETL`.
fn starts(missing: &Missing) -> Vec<String> {
    let mut ran = missing.run(|_| 60);
    ran.sort_by_key(|job| job.began);
    ran.iter().map(|Ran { gap, .. }| format!("{} {} {}", gap.bank, gap.period, gap.etl)).collect()
}

#[test]
fn the_oldest_period_of_all_banks_comes_first_where_that_is_wanted() {
    let mut missing = Missing::new(vec![periods(); 14]);
    missing.settings.order = PeriodOrder::OldestFirst;
    let ran = missing.run(|_| 60);
    assert_one_job_of_a_bank_at_a_time(&ran);
    assert_eq!((complete(&ran, "2023Q2"), complete(&ran, "2025Q2")), (4 * 60, 32 * 60));
}

#[test]
fn a_bank_goes_on_with_what_else_is_missing_of_its_period() {
    let mut missing = Missing::new(vec![periods()[..2].to_vec(); 2]);
    missing.settings.max_parallel = 1;
    missing.etls = vec![etl("call_summary", "Call Summary"), etl_needing("key_themes", "Key Themes", 0)];
    let expected = ["0 2025 Q2 0", "0 2025 Q2 1", "1 2025 Q2 0", "1 2025 Q2 1", "0 2025 Q1 0", "0 2025 Q1 1", "1 2025 Q1 0", "1 2025 Q1 1"];
    assert_eq!(starts(&missing), expected);
}

#[test]
fn the_periods_of_a_bank_run_at_once_where_that_is_wanted() {
    let mut missing = Missing::new(vec![periods()[..3].to_vec(), periods()[..1].to_vec()]);
    missing.settings.chain_by = ChainBy::BankPeriod;
    let ran = missing.run(|_| 60);
    assert_eq!(starts(&missing), ["0 2025 Q2 0", "1 2025 Q2 0", "0 2025 Q1 0", "0 2024 Q4 0"]);
    assert_eq!(end(&ran), 60);
}
