//! The names that JSON has for values of `plan`.

use serde::Serializer;

use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::Gate;
use crate::plan::decide::source_plan::{Lateness, SourceStatus};
use crate::plan::decide::unmatched::WhyUnmatched;
use crate::plan::model::collection::Seen;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::remember::failure_history::{QuarantineReason, RestReason};

/// A value that programs know by a name. Names are never changed; consumers compare them.
pub(super) trait Named {
    fn name(&self) -> &'static str;
}

/// Serializes a value as its name: `#[serde(serialize_with = "by_name")]`.
pub(super) fn by_name<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

impl<T: Named> Named for &T {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}

impl Named for Why {
    fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Forced => "forced",
        }
    }
}

impl Named for Gate {
    fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probe => "probe",
            Self::BehindProbe => "behind_probe",
        }
    }
}

impl Named for Lateness {
    fn name(&self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
            Self::Overdue => "overdue",
            Self::Ahead => "ahead",
        }
    }
}

impl Named for WhyUnmatched {
    fn name(&self) -> &'static str {
        match self {
            Self::NoRows => "no_rows",
            Self::NoTags => "no_tags",
            Self::InvalidRows => "invalid_rows",
            Self::NoBank => "no_bank",
            Self::NotSelected => "not_selected",
        }
    }
}

impl Named for SourceStatus {
    fn name(&self) -> &'static str {
        match self {
            Self::UpToDate => "up_to_date",
            Self::Paused(_) => "paused",
            Self::Skipped(_) => "skipped",
            Self::Unrecorded(_) => "unrecorded",
            Self::Claimed(_) => "claimed",
            Self::Quarantined(_) => "quarantined",
            Self::CoolingDown(_) => "cooling_down",
            Self::Due => "due",
        }
    }
}

impl Named for JobState {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}

impl Named for RunState {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}

impl Named for Seen {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}

impl Named for QuarantineReason {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}

impl Named for RestReason {
    fn name(&self) -> &'static str {
        (*self).name()
    }
}
