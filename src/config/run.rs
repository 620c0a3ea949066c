//! `run:`, `retry:`, `cooldown:`, `breaker:` and `lease:`.

use std::time::Duration;

use super::check::Check;
use super::parallel::automatic_parallelism;
use super::scalars::{MaxParallel, WrittenDuration};
use super::written;
use super::written_work::Retry;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::period::Period;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::settings::{ChainBy, PeriodOrder, RunSettings};
use crate::plan::text::span;

const SHORTEST_LEASE: Duration = Duration::from_secs(60);

const SHORTEST_REST: Duration = Duration::from_millis(1);

/// Settings outside `run:` that become part of the [`RunSettings`].
pub(super) struct RelatedSettings {
    pub(super) lease: Option<WrittenDuration>,
    pub(super) cooldown: written::Cooldown,
    pub(super) breaker: written::Breaker,
}

/// Checks `run:` and the related settings.
pub(super) fn run(check: &mut Check, written: written::Run, beside: RelatedSettings) -> RunSettings {
    let default = RunSettings::default();
    let max_parallel = match written.max_parallel {
        Some(MaxParallel::Auto) => automatic_parallelism(),
        Some(MaxParallel::Count(count)) => size(check.within(&["run", "max_parallel"], Some(count), 1..=10_000, 1)),
        None => default.max_parallel,
    };
    let years = i64::from(Period::FIRST_YEAR)..=i64::from(Period::LAST_YEAR);
    RunSettings {
        max_parallel,
        chain_by: match written.chain_by {
            Some(written::ChainBy::Bank) => ChainBy::Bank,
            Some(written::ChainBy::BankPeriod) => ChainBy::BankPeriod,
            None => default.chain_by,
        },
        order: match written.order {
            Some(written::PeriodOrder::NewestFirst) => PeriodOrder::NewestFirst,
            Some(written::PeriodOrder::OldestFirst) => PeriodOrder::OldestFirst,
            None => default.order,
        },
        max_jobs: size(check.within(&["run", "max_jobs"], written.max_jobs, 1..=1_000_000_000, signed(default.max_jobs))),
        from_year: written
            .from_year
            .and_then(|year| u16::try_from(check.within(&["run", "from_year"], Some(year), years, i64::from(Period::FIRST_YEAR))).ok()),
        deadline: check.not_zero(&["run", "deadline"], written.deadline),
        lease: lease(check, beside.lease, default.lease),
        cooldown: cooldown(check, beside.cooldown, default.cooldown),
        breaker_banks: small(check.within(&["breaker", "banks"], beside.breaker.banks, 2..=1000, i64::from(default.breaker_banks))),
    }
}

/// Checks `cooldown:`.
fn cooldown(check: &mut Check, written: written::Cooldown, default: Cooldown) -> Cooldown {
    let initial = written.initial.map_or(default.initial, |written| written.0);
    let max = written.max.map_or(default.max, |written| written.0);
    if initial < SHORTEST_REST {
        let least = span::exact(SHORTEST_REST);
        check.wrong(&["cooldown", "initial"], format!("cooldown.initial must be at least {least}"));
    } else if max < initial {
        let key = if written.max.is_some() { "max" } else { "initial" };
        check.wrong(&["cooldown", key], "cooldown: max is shorter than initial; make max longer");
    }
    let runs = check.within(&["cooldown", "quarantine_after"], written.quarantine_after, 1..=1000, i64::from(default.quarantine_after));
    Cooldown { initial, max, quarantine_after: small(runs) }
}

/// Checks `lease:`.
fn lease(check: &mut Check, written: Option<WrittenDuration>, default: Duration) -> Duration {
    match written {
        None => default,
        Some(WrittenDuration(lease)) if lease >= SHORTEST_LEASE => lease,
        Some(_) => {
            let least = span::exact(SHORTEST_LEASE);
            check.wrong(&["lease"], format!("lease must be at least {least}: programs are stopped, with their grace, before it ends"));
            default
        }
    }
}

/// A default as the type that numbers of the file have.
fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was checked to be small and not negative.
pub(super) fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The same for what is counted in 32 bits.
pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Checks a `retry:` at `path`; what it leaves out is as in `default`.
pub(super) fn retry(check: &mut Check, path: &[&str], written: Retry, default: &RetryPolicy) -> RetryPolicy {
    let at = |key| [path, &[key]].concat();
    let attempts = check.within(&at("max_attempts"), written.max_attempts, 1..=1000, i64::from(default.max_attempts));
    let policy = RetryPolicy {
        max_attempts: u32::try_from(attempts).unwrap_or(default.max_attempts),
        initial_delay: written.initial_delay.map_or(default.initial_delay, |written| written.0),
        multiplier: check.within(&at("multiplier"), written.multiplier, 1.0..=1000.0, default.multiplier),
        max_delay: written.max_delay.map_or(default.max_delay, |written| written.0),
        jitter: check.within(&at("jitter"), written.jitter, 0.0..=1.0, default.jitter),
    };
    if policy.max_delay < policy.initial_delay && (written.max_delay.is_some() || written.initial_delay.is_some()) {
        let key = if written.max_delay.is_some() { "max_delay" } else { "initial_delay" };
        let message = format!("{}: max_delay is shorter than initial_delay; make max_delay longer", check.document.named(path));
        check.wrong(&at(key), message);
    }
    policy
}
