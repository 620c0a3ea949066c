//! Gaps that are not among the jobs of this run, and why.

use super::super::blocked::{last_error, quarantined, resting, skipped, unrecorded};
use super::super::escape::escaped;
use super::super::words::grouped;
use super::condensed::{self, HeldUp, MOST_LINES};
use super::{Breaker, Claimed, CoolingDown, Quarantined, RunView, Skipped, Unrecorded, Waiting};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;

/// All of them, by reason.
pub(super) fn lines(run: &RunView<'_>) -> Vec<String> {
    let gaps = &run.gaps;
    let mut lines = Vec::new();
    if gaps.deferred > 0 {
        lines.push(format!("Deferred: {} left for the next run by max_jobs", grouped(gaps.deferred)));
    }
    if let Some(since) = gaps.forced_since.filter(|_| gaps.made_again > 0) {
        lines.push(format!(
            "Made again already: {}, since --force asked at {since}; what is left of that order is made first",
            gaps.made_again
        ));
    }
    lines.extend(breakers(run));
    lines.extend(list(run.is_full, "Waiting", gaps.waiting, &run.waiting, |gap| format!("{}: needs {}", gap.gap, gap.needs)));
    lines.extend(list(run.is_full, "Ended, but not on record", gaps.unrecorded, &run.unrecorded, |gap| {
        format!("{}: {}", gap.gap, unrecorded(gap.end))
    }));
    lines.extend(list(run.is_full, "Running elsewhere", gaps.claimed, &run.claimed, |gap| {
        let expected = run.forecast.as_ref().map(|forecast| forecast.elsewhere(gap.gap)).unwrap_or_default();
        format!("{}: {}{expected}", gap.gap, escaped(&gap.owner.to_string()))
    }));
    lines.extend(list(run.is_full, "Skipped", gaps.skipped, &run.skipped, |gap| format!("{}: {}", gap.gap, skipped(gap.order))));
    lines.extend(list(run.is_full, "Quarantined", gaps.quarantined, &run.quarantined, |gap| {
        format!("{}: {}{}", gap.gap, quarantined(gap.quarantine), last_error(gap.error.as_ref()))
    }));
    if gaps.quarantined > 0 {
        lines.push("  Release with: etl-orch retry BANK YEAR QUARTER ETL --reason TEXT".to_owned());
    }
    lines.extend(list(run.is_full, "Cooling down", gaps.cooling_down, &run.cooling_down, |gap| {
        let next = run.forecast.as_ref().map(|forecast| forecast.next_try(gap.rest)).unwrap_or_default();
        format!("{}: {next}{}", gap.gap, resting(gap.rest, gap.error.as_ref()))
    }));
    lines
}

/// ETLs that are taken for broken, and what waits for them.
fn breakers(run: &RunView<'_>) -> Vec<String> {
    let broken: Vec<(&Breaker<'_>, u64)> = run.breakers.iter().filter_map(|breaker| Some((breaker, waiting(run, breaker)?))).collect();
    let head = match broken.iter().map(|(_, waiting)| waiting).sum() {
        _ if broken.is_empty() => return Vec::new(),
        0 => "Fails for everyone:".to_owned(),
        waiting => format!("Deferred: {} until an ETL that fails for everyone works again", grouped(waiting)),
    };
    let line = |(breaker, waiting): &(&Breaker<'_>, u64)| {
        let probe = if breaker.probe.is_some() { "1 probe" } else { "no probe is possible now" };
        let waiting = match waiting {
            0 => String::new(),
            1 => ", 1 waits for it".to_owned(),
            waiting => format!(", {} wait for it", grouped(*waiting)),
        };
        let error = breaker.error.as_ref().filter(|_| !has_failed(run, breaker));
        let error = error.map(|error| format!("; its last error: {}", error.excerpt())).unwrap_or_default();
        format!("  • {}, since {}; {probe}{waiting}{error}", breaker.etl, breaker.since)
    };
    [head].into_iter().chain(broken.iter().map(line)).collect()
}

/// How many jobs wait for the probe of an ETL, after the run if there was one; `None` where there is nothing to say of it any more.
fn waiting(run: &RunView<'_>, breaker: &Breaker<'_>) -> Option<u64> {
    let Some(results) = &run.results else {
        return (breaker.waiting > 0 || breaker.probe.is_some()).then_some(breaker.waiting);
    };
    let jobs = || results.jobs.iter().filter(|job| job.of == breaker.etl);
    let waiting = jobs().filter(|job| job.is_deferred).count() as u64;
    let is_probed = breaker.probe.is_some() && jobs().all(|job| job.outcome.state != JobState::Succeeded);
    (waiting > 0 || is_probed).then_some(waiting)
}

/// Whether it failed again in this run, which has told how.
fn has_failed(run: &RunView<'_>, breaker: &Breaker<'_>) -> bool {
    let jobs = run.results.iter().flat_map(|results| &results.jobs);
    jobs.filter(|job| job.of == breaker.etl).any(|job| job.outcome.state == JobState::Failed)
}

/// `Title: n`, and a line for each that is named or, where they are many, for those that are alike; nothing where there are none.
fn list<T: HeldUp>(is_full: bool, title: &str, total: u64, named: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    if total == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}: {}", grouped(total))];
    let (entries, shown) = if is_full || named.len() <= MOST_LINES {
        (named.iter().map(line).collect(), named.len())
    } else {
        condensed::held_up(named, line)
    };
    lines.extend(entries.into_iter().map(|entry| format!("  • {entry}")));
    let unnamed = total - shown as u64;
    if unnamed > 0 {
        lines.push(format!("  and {} more", grouped(unnamed)));
    }
    lines
}

impl HeldUp for Waiting<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        format!("needs {}", self.needs)
    }
}

impl HeldUp for Unrecorded<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        self.why.excerpt().into_owned()
    }
}

impl HeldUp for Claimed<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        self.owner.to_string()
    }
}

impl HeldUp for Skipped<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        format!("by {}: {}", self.by.excerpt(), self.reason.excerpt())
    }
}

impl HeldUp for Quarantined<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        self.error.as_ref().map_or("no error is on record".to_owned(), |error| error.excerpt().into_owned())
    }
}

impl HeldUp for CoolingDown<'_> {
    fn gap(&self) -> &GapKey {
        self.gap
    }

    fn why(&self) -> String {
        self.error.as_ref().map_or("no error is on record".to_owned(), |error| error.excerpt().into_owned())
    }
}
