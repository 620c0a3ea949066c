//! Checks `health:`, and the `gaps:` of ETLs.

use super::check::Check;
use super::written_health::{Gaps, Health};
use crate::plan::model::health::{AgeLimits, HealthSettings};
use crate::plan::text::span;

/// Checks `health:`. Returns the limits of ETLs that have none of their own, too.
pub(super) fn health(check: &mut Check, written: Health) -> (HealthSettings, AgeLimits) {
    let default = HealthSettings::default();
    let tick = check.not_zero(&["health", "tick"], written.tick).unwrap_or(default.tick);
    let limits = gaps(check, &["health", "gaps"], written.gaps.unwrap_or_default(), AgeLimits::default());
    (HealthSettings { tick }, limits)
}

/// Checks a `gaps:` at `path`; what it leaves out is as in `default`, but never contradicts what it has.
pub(super) fn gaps(check: &mut Check, path: &[&str], written: Gaps, default: AgeLimits) -> AgeLimits {
    let at = |key| [path, &[key]].concat();
    let warn = check.not_zero(&at("warn_after"), written.warn_after);
    let error = check.not_zero(&at("error_after"), written.error_after);
    if let (Some(warn), Some(error)) = (warn, error)
        && warn > error
    {
        let [warn, error] = [warn, error].map(span::exact);
        let text = format!("warn_after, which is {warn}, must not be longer than error_after, which is {error}");
        check.wrong(&at("warn_after"), text);
    }
    let warn_after = warn.unwrap_or_else(|| error.map_or(default.warn_after, |error| error.min(default.warn_after)));
    AgeLimits { warn_after, error_after: error.unwrap_or_else(|| default.error_after.max(warn_after)) }
}
