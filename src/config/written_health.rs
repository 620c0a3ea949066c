//! `health:` and `gaps:` as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::WrittenDuration;

/// What `etl-orch health` counts as healthy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// At which distance runs are started: it is an error when none has ended for two of these. Default: 15m.
    pub(super) tick: Option<WrittenDuration>,
    /// How long reports may be missing.
    pub(super) gaps: Option<Gaps>,
}

/// How long reports may be missing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gaps {
    /// A report that is missing for longer is worth a warning. Default: 6h, or what the whole file says.
    pub(super) warn_after: Option<WrittenDuration>,
    /// A report that is missing for longer is an error. Default: 1d, or what the whole file says.
    pub(super) error_after: Option<WrittenDuration>,
}
