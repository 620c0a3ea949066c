//! What counts as healthy, as it is configured.

use std::time::Duration;

/// What counts as healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// At which distance runs are started.
    pub tick: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { tick: Duration::from_secs(15 * 60) }
    }
}

/// How long a report may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgeLimits {
    /// Longer is worth a warning.
    pub warn_after: Duration,
    /// Longer is an error.
    pub error_after: Duration,
}

impl Default for AgeLimits {
    fn default() -> Self {
        Self { warn_after: Duration::from_secs(6 * 3600), error_after: Duration::from_secs(24 * 3600) }
    }
}
