//! Lists that name only their first entries.

use std::collections::BTreeMap;

use crate::plan::model::gap::GapKey;

/// How many undone gaps are listed by name; the rest is only counted.
const LISTED: usize = 100;

/// A list that names only its first entries and counts them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The first entries.
    pub named: Vec<T>,
    /// How many there are.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { named: Vec::new(), total: 0 }
    }
}

impl<T> Listed<T> {
    /// Counts an entry, and names it while there is room.
    pub fn push(&mut self, entry: T) {
        self.total += 1;
        if self.named.len() < LISTED {
            self.named.push(entry);
        }
    }
}

/// Collects gaps with something said of each, whatever their order of arrival: the first by key are named.
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
    pub(super) fn push(&mut self, key: GapKey, said: V) {
        if self.first.insert(key, said).is_none() {
            self.total += 1;
        }
        if self.first.len() > LISTED {
            self.first.pop_last();
        }
    }

    /// The list, sorted by key.
    pub(super) fn listed<T>(self, entry: impl Fn(GapKey, V) -> T) -> Listed<T> {
        Listed { named: self.first.into_iter().map(|(key, said)| entry(key, said)).collect(), total: self.total }
    }
}
