//! Gaps that are not among this run's jobs, and why.

use chrono::{DateTime, SecondsFormat, Utc};

use super::super::escape::{escaped, excerpt};
use super::Page;
use crate::plan::decide::plan::BreakerPlan;
use crate::plan::model::listed::Listed;
use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};

impl Page<'_> {
    /// All of them, by reason.
    pub(super) fn not_planned(&mut self) {
        let plan = &self.report.plan;
        let mut lines = Vec::new();
        if plan.capped > 0 {
            lines.push(format!("Deferred: {} left for the next run by max_jobs", plan.capped));
        }
        lines.extend(self.breakers());
        lines.extend(list("Waiting", &plan.waiting, |(gap, need)| format!("{gap}: needs {}", self.catalogue.etls[*need].name)));
        lines.extend(list("Running elsewhere", &plan.claimed, |(gap, owner)| format!("{gap}: {}", escaped(&owner.to_string()))));
        lines.extend(list("Skipped", &plan.skipped, |(gap, order)| format!("{gap}: {}", skipped(order))));
        lines.extend(list("Quarantined", &plan.quarantined, |(gap, quarantine, error)| {
            format!("{gap}: {}{}", quarantined(*quarantine), last_error(error.as_deref()))
        }));
        if plan.quarantined.total > 0 {
            lines.push("  Release with: etl-orch retry BANK YEAR QUARTER ETL --reason TEXT".to_owned());
        }
        lines.extend(list("Cooling down", &plan.cooling_down, |(gap, rest, error)| format!("{gap}: {}", resting(*rest, error.as_deref()))));
        if !lines.is_empty() {
            self.line("");
            for line in lines {
                self.line(line);
            }
        }
    }

    /// ETLs that are taken for broken, and what waits for them.
    fn breakers(&self) -> Vec<String> {
        let breakers = &self.report.plan.breakers;
        let behind: u64 = breakers.iter().map(|breaker| breaker.behind).sum();
        let head = (!breakers.is_empty()).then(|| format!("Deferred: {behind} until an ETL that fails for everyone works again"));
        let line = |breaker: &BreakerPlan| {
            let (etl, since) = (&self.catalogue.etls[breaker.etl].name, time(breaker.since));
            let probe = if breaker.probe.is_some() { "1 probe" } else { "none can be the probe now" };
            let waiting = if breaker.behind == 1 { "1 waits".to_owned() } else { format!("{} wait", breaker.behind) };
            format!("  • {etl} fails for one bank after the other since {since}; {probe}, {waiting} for it")
        };
        head.into_iter().chain(breakers.iter().map(line)).collect()
    }
}

/// `Title: n`, and a line for each that is named; nothing where there are none.
fn list<T>(title: &str, listed: &Listed<T>, line: impl Fn(&T) -> String) -> Vec<String> {
    if listed.total == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}: {}", listed.total)];
    lines.extend(listed.named.iter().map(|entry| format!("  • {}", line(entry))));
    let unnamed = listed.total - listed.named.len() as u64;
    if unnamed > 0 {
        lines.push(format!("  and {unnamed} more"));
    }
    lines
}

/// `by ann since 2026-…: why`.
pub(in crate::show) fn skipped(order: &SkipOrder) -> String {
    let until = order.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
    format!("by {} since {}{until}: {}", excerpt(&order.by), time(order.since), excerpt(&order.reason))
}

/// `since 2026-…, why`.
pub(in crate::show) fn quarantined(quarantine: Quarantine) -> String {
    let why = match quarantine.why {
        QuarantineReason::Failures => "too many failed runs in a row",
        QuarantineReason::Permanent => "trying the same again cannot help",
        QuarantineReason::Crashes => "three runs died over it",
    };
    format!("since {}, {why}", time(quarantine.since))
}

/// `until 2026-…: why`.
pub(in crate::show) fn resting(rest: Rest, error: Option<&str>) -> String {
    let until = time(rest.until);
    match rest.why {
        RestReason::Failed => format!("until {until}{}", last_error(error)),
        RestReason::NotReady => {
            let said = error.map(|error| error.strip_prefix("not ready").unwrap_or(error).trim_start_matches([' ', '-']));
            format!("not ready, until {until}{}", last_error(said.filter(|said| !said.is_empty())))
        }
    }
}

/// `: why`, or nothing.
pub(in crate::show) fn last_error(error: Option<&str>) -> String {
    error.map(|error| format!(": {}", excerpt(error))).unwrap_or_default()
}

/// `2026-12-01T00:00:00Z`.
pub(in crate::show) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
