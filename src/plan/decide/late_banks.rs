//! Banks whose data is late, which is not the same as not published yet: later than their own past, and than their peers.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::plan::model::institution::{Institution, Institutions};
use crate::plan::model::period::Period;
use crate::plan::remember::arrivals::{Arrival, Newest};
use crate::plan::text::size::count;

/// So many arrivals of a bank must be known before it is said to be late.
const FEWEST_KNOWN: usize = 3;
/// So many of them, the last ones, say how punctual it is.
const MOST_KNOWN: usize = 8;
/// Later than its past by more than this: a weekend, and a day.
const GRACE: TimeDelta = TimeDelta::days(3);

/// A bank that lacks a period that most of its peers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its key.
    pub bank: String,
    /// The one after its latest.
    pub period: Period,
    /// How many of its peers have that period.
    pub arrived: usize,
    /// Other banks with data: those of its type where there are any, otherwise all.
    pub peers: usize,
}

/// A bank whose data should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateBank {
    pub behind: Behind,
    /// The tags that are required.
    pub tags: Vec<String>,
    /// The day by which its data was there in the past, at the latest, so long after the end of the calendar quarter.
    pub expected_by: NaiveDate,
    /// How many arrivals say so.
    pub known: usize,
}

impl fmt::Display for LateBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { behind, tags, expected_by, known } = self;
        let (bank, period, tags, known) = (&behind.bank, behind.period, tags.join(", "), count(*known as u64, "period"));
        let (arrived, peers) = (behind.arrived, count(behind.peers as u64, "other bank"));
        write!(
            f,
            "{bank}: its data of {period} ({tags}) is late: as its last {known} came, it was expected by {expected_by}, and {arrived} of {peers} have theirs"
        )
    }
}

/// The banks that lack what most of their peers have, by what the data has of each. A bank without any data is neither.
#[must_use]
pub fn behind(newest: &Newest, institutions: &Institutions) -> Vec<Behind> {
    let latest = |bank: &Institution| newest.get(&bank.key).and_then(|periods| periods.last().copied());
    let banks: Vec<(&Institution, Period)> = institutions.iter().filter_map(|(_, bank)| Some((bank, latest(bank)?))).collect();
    let of_bank = |(bank, latest): &(&Institution, Period)| {
        let period = latest.next()?;
        let others = || banks.iter().filter(|(other, _)| other.key != bank.key);
        let is_alike = |other: &Institution| bank.kind.is_some() && other.kind == bank.kind;
        let has_alike = others().any(|(other, _)| is_alike(other));
        let peers: Vec<Period> = others().filter(|(other, _)| !has_alike || is_alike(other)).map(|(_, latest)| *latest).collect();
        let arrived = peers.iter().filter(|latest| **latest >= period).count();
        (arrived * 2 > peers.len()).then(|| Behind { bank: bank.key.clone(), period, arrived, peers: peers.len() })
    };
    banks.iter().filter_map(of_bank).collect()
}

/// Whether a bank that is behind is also later than it ever was, by the arrivals that are on record; `None` where that is not so, or not
/// known.
#[must_use]
pub fn late(behind: Behind, tags: &[String], arrivals: &[Arrival], now: DateTime<Utc>) -> Option<LateBank> {
    let mut own: Vec<&Arrival> = arrivals.iter().filter(|arrival| arrival.bank == behind.bank && arrival.is_latest).collect();
    own.sort_by_key(|arrival| std::cmp::Reverse(arrival.period));
    own.truncate(MOST_KNOWN);
    let days = own.iter().map(|arrival| arrival.first_seen_at.date_naive().signed_duration_since(arrival.period.calendar_end()));
    let expected_by = behind.period.calendar_end().checked_add_signed(days.max()?)?;
    let is_late = own.len() >= FEWEST_KNOWN && now.date_naive().signed_duration_since(expected_by) > GRACE;
    is_late.then(|| LateBank { behind, tags: tags.to_vec(), expected_by, known: own.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_support::bank;

    fn newest(of: &[(&str, &str)]) -> Newest {
        of.iter().map(|(bank, period)| ((*bank).to_owned(), [period.parse().unwrap()].into())).collect()
    }

    #[test]
    fn a_bank_is_behind_when_most_of_its_peers_have_its_next_period() {
        let canadian = |key, id| Institution { kind: Some("Canadian_Banks".to_owned()), ..bank(key, id) };
        let american = |key, id| Institution { kind: Some("US_Banks".to_owned()), ..bank(key, id) };
        let banks = [canadian("RY", 1), canadian("TD", 2), canadian("BMO", 3), american("C", 4), american("JPM", 5), bank("UBS", 6)];
        let institutions = Institutions::new(banks.to_vec());
        let of = |found: &[(&str, &str)]| {
            let shown = |one: Behind| format!("{} {} {}/{}", one.bank, one.period.compact(), one.arrived, one.peers);
            behind(&newest(found), &institutions).into_iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("RY", "2025Q2"), ("TD", "2025Q2"), ("BMO", "2025Q1")]), ["BMO 2025Q2 2/2"]);
        assert_eq!(of(&[("RY", "2025Q2"), ("TD", "2025Q1"), ("BMO", "2025Q1")]), [""; 0], "half of them are not most");
        assert_eq!(of(&[("RY", "2025Q2"), ("TD", "2025Q2"), ("BMO", "2025Q2"), ("C", "2025Q1"), ("JPM", "2025Q1")]), [""; 0]);
        assert_eq!(of(&[("RY", "2024Q4"), ("TD", "2025Q2")]), ["RY 2025Q1 1/1"], "the first that it lacks");
        assert_eq!(of(&[("UBS", "2024Q4"), ("C", "2025Q1"), ("RY", "2025Q1")]), ["UBS 2025Q1 2/2"], "it is alone of its type");
        assert_eq!(of(&[("RY", "2025Q2")]), [""; 0]);
        assert_eq!(of(&[("RY", "2999Q4"), ("TD", "2999Q4")]), [""; 0]);
    }

    #[test]
    fn a_bank_that_is_behind_is_late_once_it_never_was_so_late() {
        let arrival = |bank: &str, period: &str, day: &str, is_latest| Arrival {
            tags: String::new(),
            bank: bank.to_owned(),
            period: period.parse().unwrap(),
            first_seen_at: format!("{day}T23:00:00Z").parse().unwrap(),
            is_latest,
        };
        let of = |arrivals: &[Arrival], today: &str| {
            let behind = Behind { bank: "RY".to_owned(), period: "2025Q2".parse().unwrap(), arrived: 2, peers: 2 };
            let now = format!("{today}T12:00:00Z").parse().unwrap();
            late(behind, &[], arrivals, now).map(|late| (late.expected_by.to_string(), late.known))
        };
        // 25, 28, 20 and 24 days after the end of the quarter.
        let usual = [
            arrival("RY", "2024Q2", "2024-07-25", true),
            arrival("RY", "2024Q3", "2024-10-28", true),
            arrival("RY", "2024Q4", "2025-01-20", true),
            arrival("RY", "2025Q1", "2025-04-24", true),
        ];
        let expected = Some(("2025-07-28".to_owned(), 4));
        assert_eq!(of(&usual, "2025-07-31"), None, "not due yet");
        assert_eq!(of(&usual, "2025-08-01"), expected);
        assert_eq!(of(&usual[2..], "2025-12-01"), None, "two arrivals say too little");
        let others = [arrival("TD", "2025Q1", "2025-06-25", true), arrival("RY", "2023Q1", "2025-02-01", false)];
        assert_eq!(of(&[&usual[..], &others].concat(), "2025-08-01"), expected, "neither others nor what was filled in later count");
        // A fiscal quarter that ends before the calendar's.
        let early = [("2024Q3", "2024-08-28"), ("2024Q4", "2024-12-03"), ("2025Q1", "2025-02-27")].map(|(p, d)| arrival("RY", p, d, true));
        assert_eq!(of(&early, "2025-06-06"), Some(("2025-06-02".to_owned(), 3)));
        assert_eq!(of(&early, "2025-06-05"), None);
        let one = |n: i32| arrival("RY", &format!("{}Q1", 2010 + n), &format!("{}-04-2{}", 2010 + n, n % 8), true);
        let long = [vec![arrival("RY", "2009Q1", "2009-12-01", true)], (0..8).map(one).collect()].concat();
        assert_eq!(of(&long, "2026-01-01"), Some(("2025-07-27".to_owned(), 8)), "what is long ago does not count");
    }
}
