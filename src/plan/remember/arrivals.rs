//! When the data of banks arrived: what runs have seen of it so far, and what is new.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::plan::model::period::Period;

/// Of each bank, by its key, the newest period of each quarter that has data.
pub type Newest = BTreeMap<String, BTreeSet<Period>>;

/// What runs have seen so far of the data with a set of tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenData {
    /// See [`tags_on_record`].
    pub tags: String,
    /// A bank that was looked at and had no data is in it too.
    pub newest: Newest,
}

/// Data that a run saw first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// See [`tags_on_record`].
    pub tags: String,
    pub bank: String,
    pub period: Period,
    pub first_seen_at: DateTime<Utc>,
    /// Whether no later period of the bank was there.
    pub is_latest: bool,
}

/// Which arrivals are asked for.
#[derive(Debug, Clone, Copy)]
pub enum ArrivalQuery<'a> {
    /// Those of data with just these tags; see [`tags_on_record`].
    Tags(&'a str),
    /// Those of a bank, by its key, and a period.
    Data(&'a str, Period),
}

/// What a run changes of what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewlySeen {
    pub seen: SeenData,
    /// What has arrived since a run looked last. What is there when a run looks at a bank for the first time may have come at any time.
    pub arrivals: Vec<Arrival>,
}

/// A set of required tags, as it is on record.
#[must_use]
pub fn tags_on_record(requires: &[String]) -> String {
    let tags: BTreeSet<&String> = requires.iter().collect();
    serde_json::json!(tags).to_string()
}

impl SeenData {
    /// What changes when a run sees this now; `None` where nothing does. What is not there any more was seen nevertheless.
    #[must_use]
    pub fn after(&self, found: &Newest, now: DateTime<Utc>) -> Option<NewlySeen> {
        let mut newest = self.newest.clone();
        let mut arrivals = Vec::new();
        for (bank, found) in found {
            let Some(known) = newest.get_mut(bank) else {
                newest.insert(bank.clone(), found.clone());
                continue;
            };
            let is_new = |period: &&Period| !known.iter().any(|old| old.quarter() == period.quarter() && old.year() >= period.year());
            let new: BTreeSet<Period> = found.iter().filter(is_new).copied().collect();
            known.retain(|old| !new.iter().any(|new| new.quarter() == old.quarter()));
            known.extend(&new);
            let latest = known.last().copied();
            arrivals.extend(new.into_iter().map(|period| Arrival {
                tags: self.tags.clone(),
                bank: bank.clone(),
                period,
                first_seen_at: now,
                is_latest: Some(period) == latest,
            }));
        }
        (newest != self.newest).then(|| NewlySeen { seen: Self { tags: self.tags.clone(), newest }, arrivals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(of: &[(&str, &[&str])]) -> Newest {
        let periods = |periods: &[&str]| periods.iter().map(|period| period.parse().unwrap()).collect();
        of.iter().map(|(bank, found)| ((*bank).to_owned(), periods(found))).collect()
    }

    #[test]
    fn only_what_comes_after_a_bank_was_looked_at_has_arrived() {
        let now = "2026-06-01T10:00:00Z".parse().unwrap();
        let mut seen = SeenData { tags: tags_on_record(&["rts".to_owned(), "a".to_owned(), "rts".to_owned()]), newest: Newest::new() };
        assert_eq!(seen.tags, r#"["a","rts"]"#);
        for (found, arrived) in [
            (newest(&[("RY", &["2025Q1", "2024Q4"]), ("TD", &[])]), &[][..]),
            (newest(&[("RY", &["2025Q1", "2024Q4"]), ("TD", &[])]), &[]),
            (newest(&[("RY", &["2025Q1", "2025Q2", "2024Q4"])]), &["RY 2025Q2 latest"]),
            (newest(&[("TD", &["2025Q1", "2024Q4"])]), &["TD 2024Q4", "TD 2025Q1 latest"]),
            // An older period that was missing.
            (newest(&[("RY", &["2025Q1", "2025Q2", "2024Q3", "2024Q4"])]), &["RY 2024Q3"]),
            // A bank that is new, rows that are gone and come back.
            (newest(&[("BMO", &["2025Q1"]), ("RY", &["2025Q1"])]), &[]),
            (newest(&[("RY", &["2025Q1", "2025Q2", "2024Q3", "2024Q4"])]), &[]),
        ] {
            let change = seen.after(&found, now);
            let shown = |one: &Arrival| format!("{} {}{}", one.bank, one.period.compact(), if one.is_latest { " latest" } else { "" });
            let arrivals: Vec<String> = change.iter().flat_map(|change| change.arrivals.iter().map(shown)).collect();
            assert_eq!(arrivals, arrived, "{found:?}");
            seen = change.map_or(seen, |change| change.seen);
        }
        assert_eq!(seen.after(&newest(&[("RY", &[])]), now), None);
    }
}
