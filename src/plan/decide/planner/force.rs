//! What `--force` orders. An order is for all that it selects, and is remembered until that is made. As long as something of it is left,
//! `--force` goes on with it, and does not ask again for what was made since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::plan::decide::decision::Decision;
use crate::plan::decide::plan::ForcedPlan;
use crate::plan::model::candidate::Candidate;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::orders::{Forced, ForcedWhat};
use crate::plan::remember::stored_state::StoredState;

/// A report that exists, and that an earlier `--force` asked for. Whether it is made again is known at the end.
#[derive(Debug)]
pub(super) struct SetAside {
    pub(super) gap: Gap,
    pub(super) key: GapKey,
    pub(super) candidate: Candidate,
}

/// Takes notes of all that a run with `--force` selects.
#[derive(Debug, Default)]
pub(super) struct Forcing {
    selected: BTreeMap<GapKey, ForcedWhat>,
    set_aside: Vec<SetAside>,
    /// When the orders were given of which something can go on.
    live: BTreeSet<DateTime<Utc>>,
    /// Whether something is asked for that no earlier order says.
    is_new: bool,
}

impl Forcing {
    /// Sets a candidate aside if it may have been made since an earlier order. Gives it back otherwise.
    pub(super) fn set_aside(&mut self, gap: Gap, key: GapKey, candidate: Candidate, stored: &StoredState) -> Option<(GapKey, Candidate)> {
        let is_pending = stored.gaps.get(&key).is_some_and(|state| state.forced_at(true).is_some());
        if !candidate.exists || is_pending || !stored.force_orders.contains_key(&key) {
            return Some((key, candidate));
        }
        self.set_aside.push(SetAside { gap, key, candidate });
        None
    }

    /// Notes what was decided on a gap.
    pub(super) fn decided(&mut self, key: &GapKey, exists: bool, decision: &Decision, stored: &StoredState) {
        let is_made = match decision {
            Decision::Run(_) | Decision::Claimed(_) => true,
            Decision::Waiting(_) => false,
            Decision::Invalid(_)
            | Decision::Filtered(_)
            | Decision::Done
            | Decision::Skipped(_)
            | Decision::Unrecorded(_)
            | Decision::Quarantined(_)
            | Decision::CoolingDown(_)
            | Decision::Deferred => return,
        };
        let state = stored.gaps.get(key);
        let pending = state.and_then(|state| state.forced_at(exists).filter(|at| !state.history.has_failed_since(*at)));
        match pending {
            Some(at) if is_made => drop(self.live.insert(at)),
            Some(_) => {}
            None => self.is_new = true,
        }
        self.selected.insert(key.clone(), if exists { ForcedWhat::Existing } else { ForcedWhat::Missing });
    }

    /// Those that were set aside and are to be made again, as nothing is left of the orders that asked for them. To be called once all
    /// others were decided on.
    pub(super) fn release(&mut self, stored: &StoredState) -> Vec<SetAside> {
        let is_live = |key: &GapKey| stored.force_orders.get(key).into_iter().flatten().any(|at| self.live.contains(at));
        let (made, again): (Vec<_>, Vec<_>) = std::mem::take(&mut self.set_aside).into_iter().partition(|aside| is_live(&aside.key));
        self.selected.extend(made.into_iter().map(|aside| (aside.key, ForcedWhat::Made)));
        again
    }

    pub(super) fn finish(self) -> ForcedPlan {
        let made = self.selected.values().filter(|what| **what == ForcedWhat::Made).count() as u64;
        let order = self.selected.into_iter().filter(|_| self.is_new).map(|(gap, what)| Forced { gap, what }).collect();
        ForcedPlan { order, since: self.live.first().copied(), made }
    }
}
