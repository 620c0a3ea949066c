//! `retention:` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::WrittenKeep;

/// How long what is over is kept: a duration of at least `1d`, or `forever`. What is open is kept in any case.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    /// Runs, their jobs and decisions, and windows that were collected. Default: 400d.
    pub(super) history: Option<WrittenKeep>,
    /// Runs that succeeded and had nothing to do. Default: 90d, or `history` where that is shorter.
    pub(super) idle_runs: Option<WrittenKeep>,
    /// Files with what attempts printed. Default: 30d, or `history` where that is shorter.
    pub(super) logs: Option<WrittenKeep>,
}
