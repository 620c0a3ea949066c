//! Banks whose data is late, in a sentence and for JSON.

use serde::Serialize;

use super::escape::excerpt;
use super::words::{Untrusted, count};
use crate::plan::decide::late_banks::LateBank;
use crate::plan::model::period::Period;

#[derive(Debug, Serialize)]
pub(super) struct LateBankView<'a> {
    bank: &'a str,
    period: Period,
    tags: Vec<Untrusted<'a>>,
    expected_by: String,
    known_arrivals: usize,
    peers: usize,
    peers_arrived: usize,
}

impl<'a> LateBankView<'a> {
    pub(super) fn new(late: &'a LateBank) -> Self {
        Self {
            bank: &late.behind.bank,
            period: late.behind.period,
            tags: late.tags.iter().map(|tag| tag.as_str().into()).collect(),
            expected_by: late.expected_by.to_string(),
            known_arrivals: late.known,
            peers: late.behind.peers,
            peers_arrived: late.behind.arrived,
        }
    }
}

/// A line that is safe to show.
pub(super) fn line(late: &LateBank) -> String {
    let behind = &late.behind;
    let tags: Vec<_> = late.tags.iter().map(|tag| excerpt(tag)).collect();
    format!(
        "{}: its data of {} ({}) is late: as its last {} came, it was expected by {}, and {} of {} have theirs",
        behind.bank,
        behind.period,
        tags.join(", "),
        count(late.known as u64, "period"),
        late.expected_by,
        behind.arrived,
        count(behind.peers as u64, "other bank"),
    )
}
