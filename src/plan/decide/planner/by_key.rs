//! Gaps of one decision, named up to a bound and counted.

use std::collections::BTreeMap;

use crate::plan::model::gap::GapKey;
use crate::plan::model::listed::{LISTED, Listed};

/// Collects gaps, each with a value, in any order of arrival: the first by key are named.
#[derive(Debug)]
pub(super) struct ByKey<V> {
    first: BTreeMap<GapKey, V>,
    total: u64,
}

impl<V> Default for ByKey<V> {
    fn default() -> Self {
        Self { first: BTreeMap::new(), total: 0 }
    }
}

impl<V> ByKey<V> {
    /// Counts a gap, and names it if it is among the first. One that is named already is the same row in another spelling.
    pub(super) fn push(&mut self, key: GapKey, value: V) {
        if self.first.insert(key, value).is_none() {
            self.total += 1;
        }
        if self.first.len() > LISTED {
            self.first.pop_last();
        }
    }

    /// The list, sorted by key.
    pub(super) fn listed<T>(self, entry: impl Fn(GapKey, V) -> T) -> Listed<T> {
        Listed { named: self.first.into_iter().map(|(key, value)| entry(key, value)).collect(), total: self.total }
    }
}
