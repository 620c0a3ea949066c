//! Why a gap or a source is not worked on now, or is in spite of that, in words that are safe to show.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::escape::excerpt;
use super::words::{Time, Untrusted};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{PendingOrder, PendingOrderKind};
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::unfinished::UnrecordedEnd;

/// `by ann since 2026-…: why`.
pub(super) fn by_whom(by: &str, since: DateTime<Utc>, reason: &str) -> String {
    format!("by {} since {}: {}", excerpt(by), Time(since), excerpt(reason))
}

/// `by ann since 2026-…: why`.
pub(super) fn skipped(order: &SkipOrder) -> String {
    let until = order.until.map(|until| format!(" until {}", Time(until))).unwrap_or_default();
    format!("by {} since {}{until}: {}", excerpt(&order.by), Time(order.since), excerpt(&order.reason))
}

/// `its end waits in the spool (job 1a2b3c4d): why`.
pub(super) fn unrecorded(end: &UnrecordedEnd) -> String {
    format!("its end waits in the spool (job {}): {}", end.job.short(), excerpt(&end.why))
}

/// `since 2026-…, why`.
pub(super) fn quarantined(quarantine: Quarantine) -> String {
    let why = match quarantine.why {
        QuarantineReason::Failures => "too many failed runs in a row",
        QuarantineReason::Permanent => "another attempt cannot help",
        QuarantineReason::Crashes => "three runs in a row died over it",
    };
    format!("since {}, {why}", Time(quarantine.since))
}

/// `until 2026-…: why`.
pub(super) fn resting(rest: Rest, error: Option<&Untrusted<'_>>) -> String {
    let until = Time(rest.until);
    match rest.why {
        RestReason::Failed => format!("until {until}{}", last_error(error)),
        RestReason::NotReady => {
            // An error of this kind begins with "not ready" itself.
            let error =
                error.map(|error| error.trimmed(|text| text.strip_prefix("not ready").unwrap_or(text).trim_start_matches([' ', '-'])));
            format!("not ready, until {until}{}", last_error(error.as_ref().filter(|error| !error.is_empty())))
        }
    }
}

/// `: why`, or nothing.
pub(super) fn last_error(error: Option<&Untrusted<'_>>) -> String {
    error.map(|error| format!(": {}", error.excerpt())).unwrap_or_default()
}

/// An order that a job answers: who gave it, when and why.
#[derive(Debug, Serialize)]
pub(super) struct OrderView<'a> {
    kind: &'static str,
    by: Untrusted<'a>,
    since: Time,
    reason: Untrusted<'a>,
    #[serde(skip)]
    order: &'a PendingOrder,
}

impl<'a> OrderView<'a> {
    /// The order on this gap, if there is one.
    pub(super) fn of(gap: &GapKey, orders: &'a [PendingOrder]) -> Option<Self> {
        orders.iter().find(|order| order.gap == *gap).map(Self::from)
    }

    /// `retry by ann since 2026-…: why`.
    pub(super) fn text(&self) -> String {
        let PendingOrder { by, reason, at, .. } = self.order;
        let what = match self.order.kind {
            PendingOrderKind::Retry => "retry",
            PendingOrderKind::Force => "forced",
            PendingOrderKind::Collect => "requested",
        };
        format!("{what} {}", by_whom(by, *at, reason))
    }
}

impl<'a> From<&'a PendingOrder> for OrderView<'a> {
    fn from(order: &'a PendingOrder) -> Self {
        let (by, reason) = (order.by.as_str().into(), order.reason.as_str().into());
        Self { kind: order.kind.name(), by, since: Time(order.at), reason, order }
    }
}
