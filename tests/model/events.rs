//! What may happen between two runs.

use chrono::TimeDelta;
use etl_orch::plan::model::period::Period;
use proptest::prelude::*;

use crate::faults::{Fault, any_fault};
use crate::world::{BANKS, Elsewhere, End, World};

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
    /// Another invocation claims the gaps of an ETL and a bank, before the next run is planned or only then.
    ClaimedElsewhere {
        etl: usize,
        bank: usize,
        how: Elsewhere,
    },
    /// The other invocations end, with or without what they were to make.
    ElsewhereEnds {
        made: bool,
    },
    Stopped(usize),
    Killed(usize),
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
    let how = prop_oneof![Just(Elsewhere::Running), Just(Elsewhere::RunningSoon), Just(Elsewhere::MadeSoon)];
    prop_oneof![
        4 => Just(Event::NewData),
        4 => (0_usize..2, 0..BANKS, fault.clone()).prop_map(|(etl, bank, fault)| Event::BankBreaks(etl, bank, fault)),
        2 => (0_usize..2, 0..BANKS).prop_map(|(etl, bank)| Event::BankRecovers(etl, bank)),
        2 => (0_usize..2, fault).prop_map(|(etl, fault)| Event::EtlBreaks(etl, fault)),
        3 => (0_usize..2).prop_map(Event::EtlRecovers),
        2 => (-4000_i64..4000).prop_map(Event::ClockSteps),
        2 => (0..BANKS).prop_map(Event::SourceChanges),
        1 => Just(Event::Retry),
        2 => (0_usize..2, 0..BANKS, how).prop_map(|(etl, bank, how)| Event::ClaimedElsewhere { etl, bank, how }),
        2 => any::<bool>().prop_map(|made| Event::ElsewhereEnds { made }),
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
            Self::ClaimedElsewhere { etl, bank, how } => world.claimed_elsewhere(etl, bank, how),
            Self::ElsewhereEnds { made } => world.elsewhere_ends(made),
            Self::Stopped(after) => return End::Stopped(after),
            Self::Killed(after) => return End::Killed(after),
        }
        End::Natural
    }
}
