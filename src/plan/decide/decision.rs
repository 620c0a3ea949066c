//! The verdict on one candidate, with its reason.
//!
//! Run, dry run and every explanation call [`decide`]; nothing else decides.

use chrono::{DateTime, Utc};

use crate::plan::decide::data_row::RowProblem;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::Gap;
use crate::plan::model::job::Owner;
use crate::plan::model::selection::{Filter, Selection};
use crate::plan::remember::failure_history::{Eligibility, GapState, Quarantine, Rest, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::unfinished::UnrecordedEnd;

/// What is known about a gap. The row it came from was checked before ([`crate::plan::decide::data_row::check`]).
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What it is about.
    pub gap: Gap,
    /// Whether the report exists.
    pub exists: bool,
    /// When `--force` asked for it, where no success has answered that yet.
    pub forced_at: Option<DateTime<Utc>>,
    /// Its record, if it has a past.
    pub state: Option<&'a GapState>,
    /// An order to leave its bank or its ETL alone.
    pub group_skip: Option<&'a SkipOrder>,
    /// What its sources and ETL are now, where that was looked up.
    pub fingerprint: Option<&'a Fingerprint>,
    /// Whether its ETL is taken for broken.
    pub breaker_open: bool,
    /// Wall clock.
    pub now: DateTime<Utc>,
    /// How its job ended, while the database does not have that on record.
    pub unrecorded: Option<&'a UnrecordedEnd>,
    /// Who is filling the gap right now, if anybody.
    pub claimed_by: Option<&'a Owner>,
    /// The first need whose report neither exists nor is made earlier in this run.
    pub unmet_need: Option<EtlIndex>,
}

impl Facts<'_> {
    /// Why the report would be made.
    #[must_use]
    pub fn why(&self) -> Why {
        if self.exists { Why::Forced } else { Why::Missing }
    }
}

/// The verdict. The first that applies, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Its row of data is wrong. Found where the row is read, before anything else is asked.
    Invalid(RowProblem),
    /// An option keeps it out of this invocation.
    Filtered(Filter),
    /// The report exists.
    Done,
    /// An operator wants it left alone.
    Skipped(SkipOrder),
    /// Its job has ended; it waits until the database has that on record.
    Unrecorded(UnrecordedEnd),
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

/// A decision on one gap, with what else the scan said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub decision: Decision,
    /// Whether the report exists.
    pub exists: bool,
    /// The ETLs whose reports it needs and that do not exist.
    pub unmet: Vec<EtlIndex>,
}

/// Why a report is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Missing,
    /// It exists, and `--force` asks for it again, now or in a run that could not finish it.
    Forced,
}

/// Decides on one candidate. `--force` and `--anyway` override rest, quarantine and breaker; a `--force` that is still pending from an earlier run overrides
/// only the rest or the quarantine that it was given in.
pub fn decide(facts: Facts<'_>, selection: &Selection) -> Decision {
    if let Some(filter) = selection.excludes(facts.gap) {
        return Decision::Filtered(filter);
    }
    if facts.exists && !selection.force && facts.forced_at.is_none() {
        return Decision::Done;
    }
    let own_skip = facts.state.and_then(|state| state.skip.as_ref());
    if let Some(order) = own_skip.into_iter().chain(facts.group_skip).find(|order| order.holds(facts.now)) {
        return Decision::Skipped(order.clone());
    }
    if let Some(end) = facts.unrecorded {
        return Decision::Unrecorded(end.clone());
    }
    if let Some(owner) = facts.claimed_by {
        return Decision::Claimed(owner.clone());
    }
    if let Some(need) = facts.unmet_need.filter(|_| !selection.anyway) {
        return Decision::Waiting(need);
    }
    if selection.overrides_failures() {
        return Decision::Run(facts.why());
    }
    // What was forced is tried once, whatever it came to before.
    let history = facts.state.map(|state| &state.history);
    let history = history.filter(|history| facts.forced_at.is_none_or(|at| history.has_failed_since(at)));
    match history.map_or(Eligibility::Free, |history| history.eligibility(facts.now, facts.fingerprint)) {
        Eligibility::Quarantined(quarantine) => Decision::Quarantined(quarantine),
        Eligibility::Resting(rest) => Decision::CoolingDown(rest),
        Eligibility::Free if facts.breaker_open => Decision::Deferred,
        Eligibility::Free => Decision::Run(facts.why()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::model::gap::GapKey;
    use crate::plan::model::ids::JobId;
    use crate::plan::remember::failure_history::{FailureHistory, QuarantineReason, RestReason};

    fn owner() -> Owner {
        Owner { host: "h".to_owned(), machine_id: None, boot_id: "b".to_owned(), pid: 1, pid_started: 2 }
    }

    fn gap() -> Gap {
        Gap { bank: 0, period: "2025Q2".parse().unwrap(), etl: 1 }
    }

    fn noon() -> DateTime<Utc> {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn facts() -> Facts<'static> {
        Facts {
            gap: gap(),
            exists: false,
            forced_at: None,
            state: None,
            group_skip: None,
            fingerprint: None,
            breaker_open: false,
            now: noon(),
            unrecorded: None,
            claimed_by: None,
            unmet_need: None,
        }
    }

    fn state() -> GapState {
        GapState { key: GapKey::source("any"), fence: 0, history: FailureHistory::default(), skip: None, forced: None }
    }

    fn force() -> Selection {
        Selection { force: true, ..Selection::default() }
    }

    #[test]
    fn the_first_reason_in_order_is_the_verdict() {
        let owner = owner();
        let skip = SkipOrder { since: noon(), until: None, by: "me".to_owned(), reason: "r".to_owned() };
        let quarantine = Quarantine { since: noon(), why: QuarantineReason::Permanent };
        let rest = Rest { since: noon(), until: noon() + chrono::TimeDelta::hours(1), why: RestReason::Failed };
        let worst = GapState {
            history: FailureHistory { quarantine: Some(quarantine), rest: Some(rest), ..FailureHistory::default() },
            skip: Some(skip.clone()),
            ..state()
        };
        let end = UnrecordedEnd { job: JobId::new(uuid::Uuid::nil()), why: "refused".to_owned() };
        let blocked = Facts { unrecorded: Some(&end), claimed_by: Some(&owner), unmet_need: Some(0), ..facts() };
        let all = Facts { exists: true, state: Some(&worst), breaker_open: true, ..blocked };
        let every = Selection::default();
        let elsewhere = Selection { banks: BTreeSet::from([7]), ..Selection::default() };
        assert_eq!(decide(all, &elsewhere), Decision::Filtered(Filter::Bank));
        assert_eq!(decide(all, &every), Decision::Done);
        let all = Facts { exists: false, ..all };
        assert_eq!(decide(all, &every), Decision::Skipped(skip));
        let unskipped = GapState { skip: None, ..worst.clone() };
        let all = Facts { state: Some(&unskipped), ..all };
        assert_eq!(decide(all, &every), Decision::Unrecorded(end.clone()));
        let all = Facts { unrecorded: None, ..all };
        assert_eq!(decide(all, &every), Decision::Claimed(owner.clone()));
        let all = Facts { claimed_by: None, ..all };
        assert_eq!(decide(all, &every), Decision::Waiting(0));
        let all = Facts { unmet_need: None, ..all };
        assert_eq!(decide(all, &every), Decision::Quarantined(quarantine));
        let resting = GapState { history: FailureHistory { quarantine: None, ..unskipped.history.clone() }, ..state() };
        let all = Facts { state: Some(&resting), ..all };
        assert_eq!(decide(all, &every), Decision::CoolingDown(rest));
        let all = Facts { state: None, ..all };
        assert_eq!(decide(all, &every), Decision::Deferred);
        let all = Facts { breaker_open: false, ..all };
        assert_eq!(decide(all, &every), Decision::Run(Why::Missing));
    }

    #[test]
    fn force_makes_what_exists_again_and_overrides_all_but_skip() {
        assert_eq!(decide(Facts { exists: true, ..facts() }, &force()), Decision::Run(Why::Forced));
        let quarantine = Quarantine { since: noon(), why: QuarantineReason::Failures };
        let rest = Rest { since: noon(), until: noon() + chrono::TimeDelta::hours(1), why: RestReason::Failed };
        for history in [
            FailureHistory { quarantine: Some(quarantine), ..FailureHistory::default() },
            FailureHistory { rest: Some(rest), ..FailureHistory::default() },
        ] {
            let state = GapState { history, ..state() };
            assert_eq!(decide(Facts { state: Some(&state), breaker_open: true, ..facts() }, &force()), Decision::Run(Why::Missing));
        }
        let skip = SkipOrder { since: noon(), until: None, by: "me".to_owned(), reason: "r".to_owned() };
        let state = GapState { skip: Some(skip.clone()), ..state() };
        assert_eq!(decide(Facts { state: Some(&state), ..facts() }, &force()), Decision::Skipped(skip));
    }

    #[test]
    fn anyway_overrides_what_force_does_and_a_missing_need_but_makes_nothing_again() {
        let anyway = Selection { anyway: true, ..Selection::default() };
        let quarantine = Quarantine { since: noon(), why: QuarantineReason::Failures };
        let failed = GapState { history: FailureHistory { quarantine: Some(quarantine), ..FailureHistory::default() }, ..state() };
        let held_back = Facts { state: Some(&failed), breaker_open: true, unmet_need: Some(0), ..facts() };
        assert_eq!(decide(held_back, &anyway), Decision::Run(Why::Missing));
        assert_eq!(decide(Facts { exists: true, ..held_back }, &anyway), Decision::Done);
        assert_eq!(decide(Facts { exists: true, ..held_back }, &force()), Decision::Waiting(0));
        let owner = owner();
        assert_eq!(decide(Facts { claimed_by: Some(&owner), ..held_back }, &anyway), Decision::Claimed(owner.clone()));
    }

    #[test]
    fn a_pending_force_is_tried_once_whatever_it_came_to_before() {
        let every = Selection::default();
        let pending = Facts { exists: true, forced_at: Some(noon()), ..facts() };
        assert_eq!(decide(pending, &every), Decision::Run(Why::Forced));
        assert_eq!(decide(Facts { breaker_open: true, ..pending }, &every), Decision::Deferred);
        let rest = Rest { since: noon(), until: noon() + chrono::TimeDelta::hours(1), why: RestReason::Failed };
        let state = GapState { history: FailureHistory { rest: Some(rest), ..FailureHistory::default() }, ..state() };
        let of = |forced_at| Facts { state: Some(&state), forced_at, ..pending };
        assert_eq!(decide(of(Some(noon())), &every), Decision::CoolingDown(rest), "it has failed since");
        let later = Some(noon() + chrono::TimeDelta::minutes(1));
        assert_eq!(decide(of(later), &every), Decision::Run(Why::Forced));
        assert_eq!(decide(Facts { exists: false, ..of(later) }, &every), Decision::Run(Why::Missing));
    }

    #[test]
    fn an_order_on_its_bank_or_etl_skips_a_gap_too() {
        let order = |until| SkipOrder { since: noon(), until, by: "ann".to_owned(), reason: "r".to_owned() };
        let (holds, is_over) = (order(None), order(Some(noon())));
        let skipped = |own: Option<&SkipOrder>, group| {
            let state = GapState { skip: own.cloned(), ..state() };
            decide(Facts { state: Some(&state), group_skip: Some(group), ..facts() }, &force())
        };
        assert_eq!(skipped(None, &holds), Decision::Skipped(holds.clone()));
        assert_eq!(skipped(Some(&is_over), &holds), Decision::Skipped(holds.clone()), "its own has ended, the other has not");
        assert_eq!(skipped(None, &is_over), Decision::Run(Why::Missing));
    }

    #[test]
    fn a_skip_order_ends_by_itself() {
        let until = Some(noon());
        let state = GapState { skip: Some(SkipOrder { since: noon(), until, by: String::new(), reason: String::new() }), ..state() };
        assert_eq!(decide(Facts { state: Some(&state), ..facts() }, &Selection::default()), Decision::Run(Why::Missing));
    }

    #[test]
    fn each_option_filters() {
        for (selection, filter) in [
            (Selection { etls: BTreeSet::from([0]), ..Selection::default() }, Filter::Etl),
            (Selection { periods: BTreeSet::from(["2025Q1".parse().unwrap()]), ..Selection::default() }, Filter::Period),
            (Selection { from_year: Some(2026), ..Selection::default() }, Filter::FromYear),
            (Selection { until_year: Some(2024), ..Selection::default() }, Filter::UntilYear),
            (Selection { excluded_banks: BTreeSet::from([0]), ..Selection::default() }, Filter::Bank),
        ] {
            assert_eq!(decide(facts(), &selection), Decision::Filtered(filter));
        }
    }
}
