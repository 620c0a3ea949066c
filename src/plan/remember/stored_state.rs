//! What is known before a scan: who is at work, and what earlier runs came to.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::Owner;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{GapState, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::unfinished::UnrecordedEnd;

/// Facts of the database that are about gaps and ETLs, and not about data.
#[derive(Debug, Clone, Default)]
pub struct StoredState {
    /// Wall clock.
    pub now: DateTime<Utc>,
    /// Gaps that living owners are filling.
    pub running: HashMap<GapKey, Owner>,
    /// Gaps whose job has ended, which the database does not have on record yet.
    pub unrecorded: HashMap<GapKey, UnrecordedEnd>,
    /// Gaps that have a past; all others are new or done.
    pub gaps: HashMap<GapKey, GapState>,
    /// For gaps that failed: what their sources and ETL are now.
    pub fingerprints: HashMap<GapKey, Fingerprint>,
    /// ETLs that are taken for broken.
    pub breakers: HashMap<EtlIndex, OpenBreaker>,
    /// Gaps whose report will be recorded from the spool before anything else (a dry run records nothing).
    pub settled: HashSet<GapKey>,
    /// When `--force` asked for a gap, of the orders of which something is left. Only looked up for `--force`.
    pub force_orders: HashMap<GapKey, Vec<DateTime<Utc>>>,
}

impl StoredState {
    /// Orders to leave whole banks or ETLs alone that hold now, by key.
    #[must_use]
    pub fn group_skips(&self) -> Vec<(&GapKey, &SkipOrder)> {
        let groups = self.gaps.values().filter(|state| matches!(state.key, GapKey::Group { .. }));
        let orders = groups.filter_map(|state| Some((&state.key, state.skip.as_ref()?)));
        let mut orders: Vec<_> = orders.filter(|(_, order)| order.holds(self.now)).collect();
        orders.sort_by_key(|(key, _)| *key);
        orders
    }
}
