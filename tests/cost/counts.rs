//! Counts of things by their names.

use std::collections::BTreeMap;

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// Adds to a count.
    pub(crate) fn add(&mut self, what: &str, many: f64) {
        *self.0.entry(what.to_owned()).or_default() += many;
    }

    /// A count; what did not happen is 0.
    pub(crate) fn of(&self, what: &str) -> f64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Both together.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (what, many) in &other.0 {
            self.add(what, *many);
        }
        self
    }

    /// What these have more than others, so that what does not grow cancels out.
    pub(crate) fn less(mut self, other: &Self) -> Self {
        for (what, many) in &other.0 {
            self.add(what, -many);
        }
        self
    }

    /// A share of each.
    pub(crate) fn per(mut self, shares: u32) -> Self {
        for many in self.0.values_mut() {
            *many /= f64::from(shares);
        }
        self
    }

    /// What was counted, the most first.
    pub(crate) fn most_first(&self) -> Vec<(&str, f64)> {
        let mut all: Vec<(&str, f64)> = self.0.iter().map(|(what, many)| (what.as_str(), *many)).collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        all
    }
}
