//! What is over and not kept any longer. Which records of a gap that is open, and the like, stay all the same is for `store` to know.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::plan::model::ids::JobId;
use crate::plan::model::retention::{Keep, Retention};

/// Since when what is over is kept; `None`: always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSince {
    pub history: Option<DateTime<Utc>>,
    pub idle_runs: Option<DateTime<Utc>>,
    /// The first day of which logs are kept.
    pub logs: Option<NaiveDate>,
}

/// Kinds of records that are removed, in this order: what others are a part of comes after those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Decisions that are not in force any more.
    Decisions,
    /// Jobs, with their attempts and what these said.
    Jobs,
    /// Runs that have no job and no decision.
    Runs,
    /// Windows that were collected, behind the frontier of their source.
    Windows,
    /// What people were told is over.
    Notices,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Decisions, Self::Jobs, Self::Runs, Self::Windows, Self::Notices];
}

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    pub decisions: u64,
    pub jobs: u64,
    pub runs: u64,
    pub windows: u64,
    pub notices: u64,
    pub log_files: u64,
    pub log_bytes: u64,
}

/// How many bytes the file of a database had, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    pub before: u64,
    pub after: u64,
}

impl Removed {
    /// Adds records.
    pub fn add(&mut self, kind: RecordKind, records: u64) {
        *match kind {
            RecordKind::Decisions => &mut self.decisions,
            RecordKind::Jobs => &mut self.jobs,
            RecordKind::Runs => &mut self.runs,
            RecordKind::Windows => &mut self.windows,
            RecordKind::Notices => &mut self.notices,
        } += records;
    }
}

impl KeptSince {
    /// At this time.
    #[must_use]
    pub fn of(retention: &Retention, now: DateTime<Utc>) -> Self {
        let before = |keep: Keep| match keep {
            Keep::For(span) => TimeDelta::from_std(span).ok().and_then(|span| now.checked_sub_signed(span)),
            Keep::Forever => None,
        };
        Self {
            history: before(retention.history),
            idle_runs: before(retention.idle_runs),
            logs: before(retention.logs).map(|at| at.date_naive()),
        }
    }

    /// Whether logs of this time are not kept any longer.
    #[must_use]
    pub fn is_without_logs(&self, at: DateTime<Utc>) -> bool {
        self.logs.is_some_and(|first| at.date_naive() < first)
    }

    /// Whether everything is kept.
    #[must_use]
    pub fn keep_all(&self) -> bool {
        self.history.is_none() && self.idle_runs.is_none() && self.logs.is_none()
    }
}

/// What a run does about what is not kept any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It looked, or began to wait, less than a day ago.
    NotYet,
    /// It removes.
    Now,
    /// It waits from now on: the clock has made a leap since the last time, or this is the first time. A clock that is wrong for less than a
    /// day removes nothing.
    Anew,
}

impl Turn {
    /// A day after the last time, if that is not longer ago than another day: otherwise no run was there, or the clock was wrong, or is.
    #[must_use]
    pub fn of(last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let Some(since) = last.map(|last| now - last) else { return Self::Anew };
        if since < TimeDelta::zero() || since > TimeDelta::days(2) {
            Self::Anew
        } else if since < TimeDelta::days(1) {
            Self::NotYet
        } else {
            Self::Now
        }
    }
}

/// The day of a directory of logs, by its name.
#[must_use]
pub fn log_day(name: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(name, LOG_DAY).ok()?;
    (day.format(LOG_DAY).to_string() == name).then_some(day)
}

/// How a directory of logs is named.
pub const LOG_DAY: &str = "%Y-%m-%d";

/// The job of a directory in that of a day, by its name.
#[must_use]
pub fn log_job(name: &str) -> Option<JobId> {
    JobId::parse(name).ok().filter(|id| id.to_string() == name)
}

/// Whether a file in the directory of a job is the log of an attempt, by its name.
#[must_use]
pub fn is_log(name: &str) -> bool {
    name.strip_suffix(".log").is_some_and(|n| n.parse::<u32>().is_ok_and(|number| number.to_string() == n))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_log_is_kept_for_at_least_as_long_as_is_said() {
        let days = |days: u64| Keep::For(Duration::from_secs(days * 24 * 3600));
        let retention = Retention { history: Keep::Forever, idle_runs: days(2), logs: days(2) };
        let kept_since = KeptSince::of(&retention, at("2026-01-10T12:00:00Z"));
        assert_eq!((kept_since.history, kept_since.idle_runs), (None, Some(at("2026-01-08T12:00:00Z"))));
        assert!(kept_since.is_without_logs(at("2026-01-07T23:59:59Z")) && !kept_since.is_without_logs(at("2026-01-08T00:00:00Z")));
    }

    #[test]
    fn a_run_looks_once_a_day_and_a_clock_that_leaps_is_not_believed_at_once() {
        let last = Some(at("2026-01-10T12:00:00Z"));
        for (now, turn) in [
            ("2026-01-10T11:59:59Z", Turn::Anew),
            ("2026-01-10T12:15:00Z", Turn::NotYet),
            ("2026-01-11T12:00:00Z", Turn::Now),
            ("2026-01-12T12:00:00Z", Turn::Now),
            ("2026-01-12T12:00:01Z", Turn::Anew),
            ("2036-01-10T12:00:00Z", Turn::Anew),
        ] {
            assert_eq!(Turn::of(last, at(now)), turn, "{now}");
        }
        assert_eq!(Turn::of(None, at("2026-01-10T12:00:00Z")), Turn::Anew);
    }

    #[test]
    fn only_names_that_runs_give_are_those_of_logs() {
        assert_eq!(log_day("2026-01-09"), NaiveDate::from_ymd_opt(2026, 1, 9));
        for name in ["2026-1-9", "2026-01-09 ", "2026-02-30", "backup", ""] {
            assert_eq!(log_day(name), None, "{name}");
        }
        assert!(log_job("1a2b3c4d-0000-4000-8000-000000000000").is_some());
        assert!(log_job("1A2B3C4D-0000-4000-8000-000000000000").is_none() && log_job("notes").is_none());
        assert!(is_log("1.log") && is_log("12.log"));
        for name in ["01.log", "+1.log", "1.log.gz", "notes.log", ".log"] {
            assert!(!is_log(name), "{name}");
        }
    }
}
