//! A disclosure source, as it is configured.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::window::{Cadence, Window};
use crate::plan::model::work::{CommandSpec, Work};
use crate::plan::text::placeholder::{Placeholder, Values};
use crate::plan::text::records::RecordsRule;
use crate::plan::text::template::Template;

/// Position of a source in the order of declaration.
pub type SourceIndex = usize;

/// Something that collects disclosures, window by window.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its key under `sources:`, such as `us_house`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its windows.
    pub cadence: Cadence,
    /// What becomes of windows that were missed.
    pub catch_up: CatchUp,
    /// A window is due this long after its end.
    pub lag: Duration,
    /// Unless it is [`CatchUp::Coalesce`], the most windows that one run collects; at least 1.
    pub max_windows: usize,
    /// Where the first run ever begins; without it that collects the last ended window alone.
    pub start: Option<DateTime<Utc>>,
    /// `{lookback_days}` is at least this, and reaches back to the begin of the window.
    pub lookback_days: u32,
    /// What collects it.
    pub work: Work,
    /// How often it is tried in one run.
    pub retry: RetryPolicy,
    /// The external resource that each of its attempts uses.
    pub pool: Option<Pool>,
    /// A version in any form. A change of it ends rest and quarantine.
    pub version: Option<String>,
    /// How to find the number of collected records in the output or the answer.
    pub records: Option<RecordsRule>,
    /// How to check that the data is there. Without it the success that the collector reports is enough.
    pub verify: Option<Verify>,
    /// A query that answers with the time of the newest data.
    pub freshness: Option<String>,
    /// It is late when what was collected last ends longer ago than this and its lag.
    pub warn_after: Duration,
    /// It is overdue when what was collected last ends longer ago than this and its lag.
    pub error_after: Duration,
}

/// What becomes of windows that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// One job for all of them.
    Coalesce,
    /// A job for each, oldest first, up to the first that fails.
    Each,
    /// A job for each, oldest first; one that fails holds up no other, and rests by itself.
    Independent,
}

/// How to check that the data is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// A query whose first value is true, or a number other than 0, or a text that is neither empty nor one of those.
    Sql(Template),
    /// A program that exits with 0.
    Command(CommandSpec),
}

impl Verify {
    /// The program, if there is one.
    #[must_use]
    pub fn program(&self) -> Option<&CommandSpec> {
        match self {
            Self::Command(command) => Some(command),
            Self::Sql(_) => None,
        }
    }

    /// Whether the first value of the query means that the data is there.
    #[must_use]
    pub fn is_true(found: Option<&str>) -> bool {
        found.is_some_and(|found| !matches!(found.trim(), "" | "false" | "f") && found.trim().parse::<f64>() != Ok(0.0))
    }
}

impl Source {
    /// Whether this placeholder is anywhere in how the source is collected, cancelled or verified.
    #[must_use]
    pub fn uses(&self, wanted: Placeholder) -> bool {
        self.work.uses(wanted)
            || match &self.verify {
                None => false,
                Some(Verify::Sql(query)) => query.placeholders().any(|found| found == wanted),
                Some(Verify::Command(command)) => command.uses(wanted),
            }
    }

    /// The gap that a job for windows which begin with this one is to fill.
    #[must_use]
    pub fn gap_key(&self, window: Window) -> GapKey {
        match self.catch_up {
            CatchUp::Coalesce | CatchUp::Each => GapKey::source(&self.id),
            CatchUp::Independent => GapKey::Window { source: self.id.clone(), start: window.start },
        }
    }

    /// The values of the placeholders of the source and this window, at the time `now`.
    #[must_use]
    pub fn window_values(&self, window: Window, now: DateTime<Utc>) -> Values {
        let instant = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        Values::from([
            (Placeholder::Source, self.id.clone()),
            (Placeholder::WindowStart, instant(window.start)),
            (Placeholder::WindowEnd, instant(window.end)),
            (Placeholder::WindowYear, self.cadence.year_of(window.start).to_string()),
            (Placeholder::LookbackDays, self.lookback(window, now).to_string()),
        ])
    }

    /// `{lookback_days}` at this time: whole days, so many that they reach back to the begin of the window.
    fn lookback(&self, window: Window, now: DateTime<Utc>) -> u32 {
        let days = (now - window.start).num_seconds().max(0).unsigned_abs().div_ceil(24 * 3600);
        u32::try_from(days).unwrap_or(u32::MAX).max(self.lookback_days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_support::source;
    use crate::plan::text::placeholder::Scope;

    #[test]
    fn everything_that_a_window_can_name_has_a_value() {
        let window = Window::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(6)).unwrap();
        let values = source("house").window_values(window, DateTime::UNIX_EPOCH);
        assert!(values.into_keys().eq(Placeholder::within(&[Scope::Window])));
    }
}
