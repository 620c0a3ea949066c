//! What is remembered of a gap between runs, so that a gap that always fails is not tried for ever.
//!
//! ```text
//!            failed            failed, n times in a row, or permanently         sources or ETL changed, or `retry`
//! nothing ----------> resting ------------------------------------------> quarantined ----------> nothing
//!    ^                   │ its time comes
//!    └── succeeded ──────┘
//! ```
//!
//! The holder of the claim computes the next history and stores it in the transaction that ends the job.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::gap::GapKey;
use crate::plan::model::outcome::Class;
use crate::plan::remember::fingerprint::Fingerprint;

/// Losses in a row after which a gap is quarantined: its ETL takes the orchestrator down with it.
const LOSSES: u32 = 3;

/// No rest for want of input is longer, as input is expected to come.
const LONGEST_WAIT_FOR_INPUT: Duration = Duration::from_secs(3600);

/// A gap's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapState {
    pub key: GapKey,
    /// The fence of its latest claim.
    pub fence: i64,
    /// What its runs have come to.
    pub history: FailureHistory,
    /// An operator wants it left alone.
    pub skip: Option<SkipOrder>,
    /// `--force` asked for it, and no success has answered that yet.
    pub forced: Option<PendingForce>,
}

/// What `--force` asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingForce {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether the report was missing then. If it is there now, somebody else has made it, and nothing is left to be done.
    pub was_missing: bool,
}

impl GapState {
    /// When `--force` asked for what is still to be done, where the report exists or does not.
    #[must_use]
    pub fn forced_at(&self, exists: bool) -> Option<DateTime<Utc>> {
        self.forced.filter(|forced| !(exists && forced.was_missing)).map(|forced| forced.at)
    }
}

impl GapState {
    /// The record of a gap of which nothing is remembered.
    #[must_use]
    pub fn new(key: GapKey) -> Self {
        Self { key, fence: 0, history: FailureHistory::default(), skip: None, forced: None }
    }
}

/// What a gap's runs have come to since its last success.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureHistory {
    /// Runs in a row that used up their attempts.
    pub failed_runs: u32,
    /// How many of them were probes of an open breaker, to be given back when it closes.
    pub probes: u32,
    /// How many failed runs were given back; bounded, so that a breaker never makes poison immortal.
    pub refunded: u32,
    /// Runs in a row that found its input not ready.
    pub not_ready: u32,
    /// Owners in a row that died while it ran.
    pub lost: u32,
    /// It is left alone for a while.
    pub rest: Option<Rest>,
    /// It is left alone until somebody or something changes that.
    pub quarantine: Option<Quarantine>,
    /// Whether it was tried again after a change of its sources or its ETL, and failed again. Data that changes all the time
    /// must not undo every rest.
    pub released: bool,
    /// Its sources and its ETL when it last failed.
    pub fingerprint: Option<Fingerprint>,
    /// Why it last failed.
    pub error: Option<String>,
}

/// A time in which a gap is not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Its begin, by the clock of who recorded it.
    pub since: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
    pub why: RestReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestReason {
    /// A run used up its attempts.
    Failed,
    /// Its input was not ready.
    NotReady,
}

impl RestReason {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotReady => "not_ready",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Failed, Self::NotReady].into_iter().find(|reason| reason.name() == name)
    }
}

/// A gap is not tried until `retry`, or until its sources or its ETL change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub since: DateTime<Utc>,
    pub why: QuarantineReason,
}

/// Why a gap is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuarantineReason {
    /// Too many failed runs in a row.
    Failures,
    /// Its ETL said that trying again cannot help.
    Permanent,
    /// Three owners in a row died while it ran.
    Crashes,
}

impl QuarantineReason {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Permanent => "permanent",
            Self::Crashes => "crashes",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Failures, Self::Permanent, Self::Crashes].into_iter().find(|reason| reason.name() == name)
    }
}

/// An order to leave a gap alone: an operator's, or one of etl-orch, which touches no gap whose record it cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipOrder {
    /// When it was given.
    pub since: DateTime<Utc>,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
    /// Who gave it.
    pub by: String,
    pub reason: String,
}

impl SkipOrder {
    /// The order of etl-orch for a gap whose record cannot be read. `why` says so, and how to mend it.
    #[must_use]
    pub fn of_unreadable(why: String, now: DateTime<Utc>) -> Self {
        Self { since: now, until: None, by: "etl-orch".to_owned(), reason: why }
    }

    /// Whether the order holds at this time.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Whether a gap may be tried, as far as its own past goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligibility {
    /// It may.
    Free,
    /// Not before its rest is over.
    Resting(Rest),
    /// Not before somebody or something changes that.
    Quarantined(Quarantine),
}

/// A final failure, as it is charged.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// What the last attempt meant.
    pub class: Class,
    /// Whether it was the probe of an open breaker.
    pub probe: bool,
    /// Why, in a sentence.
    pub error: &'a str,
    /// The sources and the ETL it failed with, where they are known.
    pub fingerprint: Option<&'a Fingerprint>,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

impl FailureHistory {
    /// Whether the gap may be tried at `now`, its sources and ETL being what `current` says (`None`: as they were).
    ///
    /// The first change since the gap's last success ends rest and quarantine at once. A later change lifts the quarantine only, so
    /// that the gap is tried at most once in the longest rest, however often its sources change. A rest that begins in the future
    /// counts as over: the clock was set back, and a wait that cannot be measured must not last for ever.
    #[must_use]
    pub fn eligibility(&self, now: DateTime<Utc>, current: Option<&Fingerprint>) -> Eligibility {
        let changed = self.has_changed(current);
        if changed && !self.released {
            return Eligibility::Free;
        }
        match (self.quarantine, self.rest) {
            (Some(quarantine), _) if !changed => Eligibility::Quarantined(quarantine),
            (_, Some(rest)) if rest.since <= now && now < rest.until => Eligibility::Resting(rest),
            (_, _) => Eligibility::Free,
        }
    }

    /// What it means for the next run, unless sources or ETL change.
    #[must_use]
    pub fn held(&self) -> Eligibility {
        match (self.quarantine, self.rest) {
            (Some(quarantine), _) => Eligibility::Quarantined(quarantine),
            (None, Some(rest)) => Eligibility::Resting(rest),
            (None, None) => Eligibility::Free,
        }
    }

    /// Whether sources or ETL are known to differ from those it last failed with.
    #[must_use]
    pub fn has_changed(&self, current: Option<&Fingerprint>) -> bool {
        matches!((&self.fingerprint, current), (Some(then), Some(now)) if then != now)
    }

    /// Whether a run failed at it, or found it not ready, at this time or later.
    #[must_use]
    pub fn has_failed_since(&self, at: DateTime<Utc>) -> bool {
        self.rest.is_some_and(|rest| rest.since >= at) || self.quarantine.is_some_and(|quarantine| quarantine.since >= at)
    }

    /// Whether it failed, in whatever way, since its last success.
    #[must_use]
    pub fn is_tried(&self) -> bool {
        self.failed_runs > 0 || self.not_ready > 0 || self.lost > 0
    }

    /// After a final failure. Only failures that are the gap's own are charged: not those of configuration, which are its
    /// ETL's, not those of a host that was short of something, and not what was interrupted or lost.
    #[must_use]
    pub fn failed(&self, failure: Failure<'_>, policy: &Cooldown) -> Self {
        let permanent = match failure.class {
            Class::Permanent => true,
            Class::Transient | Class::Uncertain | Class::Crash => false,
            Class::Success | Class::Configuration | Class::HostShort | Class::HostUnfit | Class::NotReady | Class::Interrupted => {
                return self.clone();
            }
        };
        let failed_runs = self.failed_runs.saturating_add(1);
        let why = if permanent { Some(QuarantineReason::Permanent) } else { None };
        let why = why.or((failed_runs >= policy.quarantine_after).then_some(QuarantineReason::Failures));
        Self {
            failed_runs,
            probes: self.probes.saturating_add(u32::from(failure.probe)),
            refunded: self.refunded,
            not_ready: 0,
            lost: 0,
            rest: Some(rest(failure.at, policy.rest(failed_runs), RestReason::Failed)),
            quarantine: why.map(|why| Quarantine { since: failure.at, why }),
            released: self.released || self.has_changed(failure.fingerprint),
            fingerprint: failure.fingerprint.cloned(),
            error: Some(failure.error.to_owned()),
        }
    }

    /// After a failure that is not charged, but shown.
    #[must_use]
    pub fn told(&self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..self.clone() }
    }

    /// After its input was not ready: a rest of its own, and no failure.
    #[must_use]
    pub fn not_ready(&self, error: &str, fingerprint: Option<&Fingerprint>, at: DateTime<Utc>, policy: &Cooldown) -> Self {
        let not_ready = self.not_ready.saturating_add(1);
        let span = policy.rest(not_ready).min(LONGEST_WAIT_FOR_INPUT);
        Self {
            not_ready,
            lost: 0,
            rest: Some(rest(at, span, RestReason::NotReady)),
            quarantine: self.unless_lifted(fingerprint),
            released: self.released || self.has_changed(fingerprint),
            fingerprint: fingerprint.cloned(),
            error: Some(error.to_owned()),
            ..self.clone()
        }
    }

    /// After its owner died while it ran. A loss is not charged, but three in a row are taken for crashes.
    #[must_use]
    pub fn lost(&self, fingerprint: Option<&Fingerprint>, at: DateTime<Utc>) -> Self {
        let lost = self.lost.saturating_add(1);
        let crashes = Quarantine { since: at, why: QuarantineReason::Crashes };
        let error = "its owner died while it ran".to_owned();
        Self {
            lost,
            quarantine: self.unless_lifted(fingerprint).or((lost >= LOSSES).then_some(crashes)),
            released: self.released || self.has_changed(fingerprint),
            fingerprint: fingerprint.cloned(),
            error: Some(error),
            ..self.clone()
        }
    }

    /// The quarantine, unless a change lifted it: what was tried after the change starts from there, also where that try
    /// neither failed nor succeeded.
    fn unless_lifted(&self, fingerprint: Option<&Fingerprint>) -> Option<Quarantine> {
        self.quarantine.filter(|_| !self.has_changed(fingerprint))
    }

    /// Takes back `runs` failed runs that an outage of the ETL explains, as far as there is something left to take back, and
    /// ends the rest that came of them. Since a gap's last success at most as many runs are taken back as lead to quarantine: a
    /// gap that always fails is quarantined after twice that many runs at the latest, whatever breakers do.
    #[must_use]
    pub fn refunded(&self, runs: u32, policy: &Cooldown) -> Self {
        let probes = self.probes.saturating_sub(runs);
        let runs = runs.min(self.failed_runs).min(policy.quarantine_after.saturating_sub(self.refunded));
        if runs == 0 {
            return Self { probes, ..self.clone() };
        }
        let failed_runs = self.failed_runs - runs;
        let stays = |quarantine: &Quarantine| quarantine.why != QuarantineReason::Failures || failed_runs >= policy.quarantine_after;
        Self {
            failed_runs,
            probes,
            refunded: self.refunded + runs,
            rest: self.rest.filter(|rest| rest.why != RestReason::Failed),
            quarantine: self.quarantine.filter(stays),
            ..self.clone()
        }
    }
}

fn rest(since: DateTime<Utc>, span: Duration, why: RestReason) -> Rest {
    let until = TimeDelta::from_std(span).ok().and_then(|span| since.checked_add_signed(span));
    Rest { since, until: until.unwrap_or(DateTime::<Utc>::MAX_UTC), why }
}

#[cfg(test)]
mod tests;
