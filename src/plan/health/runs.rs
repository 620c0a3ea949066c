//! Whether anything runs at all.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{OpenRun, RecentRuns};
use super::issue::{Issue, Trouble};
use crate::plan::model::clock::is_long_past;
use crate::plan::model::job::RunState;

/// So many ticks may pass without the end of a run.
const TICKS: u32 = 2;

/// So far the clocks of hosts may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

pub(super) fn issues(runs: &RecentRuns, tick: Duration, now: DateTime<Utc>) -> Vec<Issue> {
    let mut issues = Vec::new();
    let limit = tick.saturating_mul(TICKS);
    match &runs.last {
        _ if !runs.active.is_empty() => {}
        Some(last) if last.ended_at > now + SKEW => issues.push(Issue { trouble: Trouble::RunAhead, since: Some(last.ended_at) }),
        Some(last) if (now - last.ended_at).to_std().unwrap_or_default() > limit => {
            issues.push(Issue { trouble: Trouble::Silent { limit }, since: Some(last.ended_at) });
        }
        None if runs.dead.is_empty() => issues.push(Issue { trouble: Trouble::NoRun, since: None }),
        Some(_) | None => {}
    }
    let died = |run: &OpenRun| Issue {
        trouble: Trouble::RunDied { run: run.id, host: run.host.clone(), pid: run.pid },
        since: Some(run.started_at),
    };
    issues.extend(runs.dead.iter().map(died));
    let failed = runs.last.iter().filter(|last| last.state == RunState::Failed && !last.has_counts);
    issues.extend(failed.map(|last| Issue { trouble: Trouble::RunFailed { run: last.id }, since: Some(last.ended_at) }));
    let stopped = runs.last.iter().filter(|last| last.state == RunState::Cancelled && runs.active.is_empty());
    issues.extend(stopped.map(|last| Issue { trouble: Trouble::RunStopped { run: last.id }, since: Some(last.ended_at) }));
    if is_long_past(now) {
        issues.push(Issue { trouble: Trouble::ClockUnset, since: None });
    }
    issues
}
