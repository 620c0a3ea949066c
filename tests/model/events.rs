//! What may happen between two runs.

use chrono::TimeDelta;
use etl_orch::plan::model::period::Period;
use proptest::prelude::*;

use crate::world::{BANKS, End, Fault, World};

/// Something that happens to the world, or to the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    NewData,
    BankBreaks(usize, usize, Fault),
    BankRecovers(usize, usize),
    EtlBreaks(usize, Fault),
    EtlRecovers(usize),
    ClockSteps(i64),
    SourceChanges(usize),
    Retry,
    Stopped(usize),
    Killed(usize),
}

pub(crate) fn any_fault() -> impl Strategy<Value = Fault> + Clone {
    prop_oneof![
        4 => Just(Fault::Fails),
        1 => Just(Fault::Permanent),
        2 => Just(Fault::NotReady),
        1 => Just(Fault::Misconfigured),
        2 => Just(Fault::Flaky),
    ]
}

pub(crate) fn any_end() -> impl Strategy<Value = End> {
    prop_oneof![
        3 => Just(End::Natural),
        1 => (0_usize..40).prop_map(End::Stopped),
        1 => (0_usize..40).prop_map(End::Killed),
    ]
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let fault = any_fault();
    prop_oneof![
        4 => Just(Event::NewData),
        4 => (0_usize..2, 0..BANKS, fault.clone()).prop_map(|(etl, bank, fault)| Event::BankBreaks(etl, bank, fault)),
        2 => (0_usize..2, 0..BANKS).prop_map(|(etl, bank)| Event::BankRecovers(etl, bank)),
        2 => (0_usize..2, fault).prop_map(|(etl, fault)| Event::EtlBreaks(etl, fault)),
        3 => (0_usize..2).prop_map(Event::EtlRecovers),
        2 => (-4000_i64..4000).prop_map(Event::ClockSteps),
        2 => (0..BANKS).prop_map(Event::SourceChanges),
        1 => Just(Event::Retry),
        2 => (0_usize..40).prop_map(Event::Stopped),
        2 => (0_usize..40).prop_map(Event::Killed),
    ]
}

impl Event {
    /// Lets it happen; how the next run is ended.
    pub(crate) fn happen(self, world: &mut World, quarters: &mut impl Iterator<Item = Period>) -> End {
        match self {
            Self::NewData => {
                if let Some(quarter) = quarters.next() {
                    world.new_period(quarter);
                }
            }
            Self::BankBreaks(etl, bank, fault) => drop(world.bank_faults.insert((etl, bank), fault)),
            Self::BankRecovers(etl, bank) => drop(world.bank_faults.remove(&(etl, bank))),
            Self::EtlBreaks(etl, fault) => drop(world.etl_faults.insert(etl, fault)),
            Self::EtlRecovers(etl) => drop(world.etl_faults.remove(&etl)),
            Self::ClockSteps(minutes) => world.clock_off += TimeDelta::minutes(minutes),
            Self::SourceChanges(bank) => {
                let periods: Vec<Period> = world.available.iter().map(|(_, period)| *period).collect();
                for period in periods {
                    *world.versions.entry((bank, period)).or_default() += 1;
                }
            }
            Self::Retry => world.retry_all(),
            Self::Stopped(after) => return End::Stopped(after),
            Self::Killed(after) => return End::Killed(after),
        }
        End::Natural
    }
}
