//! Banks whose data is late, in a sentence and for JSON.

use serde::Serialize;

use super::command_line::word;
use super::escape::escaped;
use super::words::Untrusted;
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
    escaped(&late.to_string()).into_owned()
}

/// The words of the command that says which data of a bank there is.
pub(super) fn why_late(bank: &str, period: Period) -> String {
    format!("why {} {period}", word(bank))
}
