//! The verdict on one candidate, with its reason.
//!
//! The dry run, the run and every later explanation call [`decide`]; nothing else decides (specification §2).

use super::etl::EtlIndex;
use super::gap::Gap;
use super::job::Owner;
use super::memory::{Quarantine, Rest, SkipOrder};
use super::selection::{Filter, Selection};

/// What is known of a gap when it is decided on. The row it came from was checked before ([`super::row::check`]).
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What it is about.
    pub gap: Gap,
    /// Whether the report exists.
    pub exists: bool,
    /// Who is filling the gap right now, if anybody.
    pub claimed_by: Option<&'a Owner>,
    /// The first need whose report neither exists nor is made earlier in this run.
    pub unmet_need: Option<EtlIndex>,
}

/// The verdict. The first that applies, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// An option keeps it out of this invocation.
    Filtered(Filter),
    /// The report exists.
    Done,
    /// An operator wants it left alone.
    Skipped(SkipOrder),
    /// Somebody else is making it now.
    Claimed(Owner),
    /// A report that it needs is missing, and is not made in this run.
    Waiting(EtlIndex),
    /// It failed so that trying again helps only once something has changed.
    Quarantined(Quarantine),
    /// It failed, or was not ready, and is not tried for a while.
    CoolingDown(Rest),
    /// Its ETL is taken for broken: it waits for the probe.
    Deferred,
    /// It is to be made.
    Run(Why),
}

/// Why a report is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is missing.
    Missing,
    /// It exists, and `--force` asks for it again.
    Forced,
}

/// Decides on one candidate.
pub fn decide(facts: Facts<'_>, selection: &Selection) -> Decision {
    if let Some(filter) = selection.excludes(facts.gap) {
        return Decision::Filtered(filter);
    }
    if facts.exists && !selection.force {
        return Decision::Done;
    }
    if let Some(owner) = facts.claimed_by {
        return Decision::Claimed(owner.clone());
    }
    if let Some(need) = facts.unmet_need {
        return Decision::Waiting(need);
    }
    Decision::Run(if facts.exists { Why::Forced } else { Why::Missing })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn owner() -> Owner {
        Owner { host: "h".to_owned(), boot_id: "b".to_owned(), pid: 1, pid_started: 2 }
    }

    fn gap() -> Gap {
        Gap { bank: 0, period: "2025Q2".parse().unwrap(), etl: 1 }
    }

    #[test]
    fn the_first_reason_in_order_is_the_verdict() {
        let owner = owner();
        let all = Facts { gap: gap(), exists: true, claimed_by: Some(&owner), unmet_need: Some(0) };
        let elsewhere = Selection { banks: BTreeSet::from([7]), ..Selection::default() };
        assert_eq!(decide(all, &elsewhere), Decision::Filtered(Filter::Bank));
        assert_eq!(decide(all, &Selection::default()), Decision::Done);
        let missing = Facts { exists: false, ..all };
        assert_eq!(decide(missing, &Selection::default()), Decision::Claimed(owner.clone()));
        let free = Facts { claimed_by: None, ..missing };
        assert_eq!(decide(free, &Selection::default()), Decision::Waiting(0));
        let ready = Facts { unmet_need: None, ..free };
        assert_eq!(decide(ready, &Selection::default()), Decision::Run(Why::Missing));
    }

    #[test]
    fn force_makes_what_exists_again() {
        let facts = Facts { gap: gap(), exists: true, claimed_by: None, unmet_need: None };
        let force = Selection { force: true, ..Selection::default() };
        assert_eq!(decide(facts, &force), Decision::Run(Why::Forced));
    }

    #[test]
    fn each_option_filters() {
        let facts = Facts { gap: gap(), exists: false, claimed_by: None, unmet_need: None };
        for (selection, filter) in [
            (Selection { etls: BTreeSet::from([0]), ..Selection::default() }, Filter::Etl),
            (Selection { periods: BTreeSet::from(["2025Q1".parse().unwrap()]), ..Selection::default() }, Filter::Period),
            (Selection { from_year: Some(2026), ..Selection::default() }, Filter::FromYear),
        ] {
            assert_eq!(decide(facts, &selection), Decision::Filtered(filter));
        }
    }
}
