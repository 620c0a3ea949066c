//! Checks `retention:`.

use std::time::Duration;

use super::check::Check;
use super::scalars::WrittenKeep;
use super::written_retention;
use crate::plan::model::etl::Etl;
use crate::plan::model::retention::{Keep, Retention};
use crate::plan::text::span;

const SHORTEST: Duration = Duration::from_secs(24 * 3600);

/// Checks `retention:`. What it leaves out is as by default, but never contradicts what it has.
pub(super) fn retention(check: &mut Check, written: &written_retention::Retention, etls: &[Etl]) -> Retention {
    let default = Retention::default();
    let history = not_too_short(check, "history", written.history).unwrap_or(default.history);
    let longest_age = etls.iter().map(|etl| etl.gap_age.error_after).max().unwrap_or_default();
    if let (Some(_), Keep::For(kept)) = (written.history, history)
        && kept < longest_age
    {
        let text = format!(
            "retention.history, which is {}, must not be shorter than gaps.error_after, which is {}: health could not see that a report is \
             missing for so long",
            span::exact(kept),
            span::exact(longest_age)
        );
        check.wrong(&["retention", "history"], text);
    }
    let mut part = |key, given: Option<WrittenKeep>, default: Keep| {
        let Some(keep) = not_too_short(check, key, given) else { return default.min(history) };
        if keep > history {
            let text = format!("retention.{key}, which is {keep}, must not be longer than retention.history, which is {history}");
            check.wrong(&["retention", key], text);
        }
        keep
    };
    Retention {
        history,
        idle_runs: part("idle_runs", written.idle_runs, default.idle_runs),
        logs: part("logs", written.logs, default.logs),
    }
}

fn not_too_short(check: &mut Check, key: &str, given: Option<WrittenKeep>) -> Option<Keep> {
    let WrittenKeep(keep) = given?;
    if keep < Keep::For(SHORTEST) {
        let text = format!("retention.{key}, which is {keep}, must be at least 1d: what happened in the night is looked at by day");
        check.wrong(&["retention", key], text);
    }
    Some(keep)
}
