//! Why a gap was not made, as it is kept on record. What is to be made has a job, and what is there has neither.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason};
use crate::plan::text::span::brief;

/// Why a run did not make a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum StoredDecision {
    /// Its row of data was wrong.
    Invalid {
        problem: String,
    },
    /// Its source was paused.
    Paused {
        since: DateTime<Utc>,
        by: String,
        reason: String,
    },
    /// An operator wanted it left alone.
    Skipped {
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        by: String,
        reason: String,
    },
    /// The end of its job was not in the database yet.
    Unrecorded {
        job: JobId,
        why: String,
    },
    /// Somebody else was making it.
    Claimed {
        host: String,
        pid: u32,
    },
    /// A report that it needs was missing: that of this ETL.
    Waiting {
        need: String,
    },
    Quarantined(Quarantine),
    CoolingDown(Rest),
    /// Its ETL was taken for broken, since then.
    Deferred {
        since: DateTime<Utc>,
    },
}

impl StoredDecision {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Paused { .. } => "paused",
            Self::Skipped { .. } => "skipped",
            Self::Unrecorded { .. } => "unrecorded",
            Self::Claimed { .. } => "claimed",
            Self::Waiting { .. } => "waiting",
            Self::Quarantined(_) => "quarantined",
            Self::CoolingDown(_) => "cooling_down",
            Self::Deferred { .. } => "deferred",
        }
    }

    /// Why the gap is not made now, in words.
    #[must_use]
    pub fn reason(&self, now: DateTime<Utc>) -> String {
        let left = |until: DateTime<Utc>| format!("for another {}", brief((until - now).to_std().unwrap_or_default()));
        match self {
            Self::Invalid { problem } => format!("its row of data is wrong: {problem}"),
            Self::Paused { by, reason, .. } => format!("paused by {by}: {reason}"),
            Self::Skipped { until: Some(until), by, reason, .. } => format!("skipped by {by} {}: {reason}", left(*until)),
            Self::Skipped { until: None, by, reason, .. } => format!("skipped by {by}: {reason}"),
            Self::Unrecorded { job, why } => format!("the end of its job {} is not on record yet: {why}", job.short()),
            Self::Claimed { host, pid } => format!("process {pid} on {host} makes it"),
            Self::Waiting { need } => format!("it needs the report of {need}"),
            Self::Quarantined(quarantine) => match quarantine.why {
                QuarantineReason::Failures => "quarantined after too many failed runs in a row".to_owned(),
                QuarantineReason::Permanent => "quarantined, as another attempt cannot help".to_owned(),
                QuarantineReason::Crashes => "quarantined, as three runs in a row died over it".to_owned(),
            },
            Self::CoolingDown(Rest { until, why: RestReason::Failed, .. }) => format!("cooling down after a failure, {}", left(*until)),
            Self::CoolingDown(Rest { until, why: RestReason::NotReady, .. }) => format!("it was not ready, and rests {}", left(*until)),
            Self::Deferred { .. } => "its ETL fails for everyone, and a probe is tried first".to_owned(),
        }
    }

    /// Whether the other says nothing new. A record that cannot be read is skipped anew by each run, and the spool may give another
    /// reason each time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Skipped { until, by, reason, .. }, Self::Skipped { until: other_until, by: other_by, reason: other_reason, .. }) => {
                (until, by, reason) == (other_until, other_by, other_reason)
            }
            (Self::Unrecorded { job, .. }, Self::Unrecorded { job: other, .. }) => job == other,
            (one, other) => one == other,
        }
    }
}

/// What a run changes on record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionChanges {
    /// Decisions that are new, or differ from the one in force.
    pub new: Vec<(GapKey, StoredDecision)>,
    /// Gaps whose decision holds no more, and that have no other: they are to be made, or are there.
    pub ended: Vec<GapKey>,
    /// How many gaps `max_jobs` leaves for later runs.
    pub capped: u64,
}

impl DecisionChanges {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.ended.is_empty() && self.capped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::remember::failure_history::RestReason;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-01T{hour:02}:00:00Z").parse().unwrap()
    }

    #[test]
    fn each_is_read_back_from_its_json() {
        let all = [
            StoredDecision::Invalid { problem: "x".to_owned() },
            StoredDecision::Paused { since: at(1), by: "ann".to_owned(), reason: "r".to_owned() },
            StoredDecision::Skipped { since: at(1), until: Some(at(2)), by: "ann".to_owned(), reason: "r".to_owned() },
            StoredDecision::Unrecorded { job: JobId::new(uuid::Uuid::nil()), why: "w".to_owned() },
            StoredDecision::Claimed { host: "h".to_owned(), pid: 7 },
            StoredDecision::Waiting { need: "call_summary".to_owned() },
            StoredDecision::CoolingDown(Rest { since: at(1), until: at(2), why: RestReason::Failed }),
            StoredDecision::Deferred { since: at(1) },
        ];
        for one in all {
            let json = serde_json::to_value(&one).unwrap();
            assert_eq!(json["decision"], one.name());
            assert_eq!(serde_json::from_value::<StoredDecision>(json).unwrap(), one);
        }
    }

    #[test]
    fn the_same_order_given_anew_is_no_change() {
        let skipped = |since, reason: &str| StoredDecision::Skipped { since, until: None, by: "ann".to_owned(), reason: reason.to_owned() };
        assert!(skipped(at(1), "r").is_same(&skipped(at(2), "r")));
        assert!(!skipped(at(1), "r").is_same(&skipped(at(1), "s")));
        let deferred = |since| StoredDecision::Deferred { since };
        assert!(deferred(at(1)).is_same(&deferred(at(1))) && !deferred(at(1)).is_same(&deferred(at(2))));
    }
}
