//! Lists that name only their first entries.

/// How many undone gaps are listed by name; the rest is only counted.
pub const LISTED: usize = 100;

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
    /// How many are only counted.
    pub fn unnamed(&self) -> u64 {
        self.total.saturating_sub(self.named.len() as u64)
    }

    /// Counts an entry, and names it while there is room.
    pub fn push(&mut self, entry: T) {
        self.total += 1;
        if self.named.len() < LISTED {
            self.named.push(entry);
        }
    }
}

impl<T> FromIterator<T> for Listed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut listed = Self::default();
        for entry in entries {
            listed.push(entry);
        }
        listed
    }
}
