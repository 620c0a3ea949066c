//! What the end of an attempt means: whether its report or its collection is there, and what follows.

use chrono::{DateTime, TimeDelta, Utc};

use super::attempt::{ActiveJob, CLAIM_LOST, NOT_LOOKED_AT, SHORT};
use super::collections::{NOT_VERIFIED, Verification};
use super::context::{Paths, RunContext};
use super::output::{self, Published};
use crate::execute::stop::StopSignal;
use crate::execute::{End, Ended};
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::collection::Collected;
use crate::plan::model::gap::Gap;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{AttemptEnd, Claim, ReportKey};
use crate::plan::model::outcome::{Class, ExitCodes, Outcome};
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::target::Target;
use crate::plan::run::schedule::{NextStep, next_step};

/// What the end of an attempt's process was found to be.
pub(super) enum Verdict {
    /// This, and nothing is left to be done.
    Outcome(Outcome),
    /// Exit 0, and the report is in its place; its row is to be written.
    Published(Gap, Published),
    /// Exit 0, but the database does not say whether the report is there.
    Unverified(ReportKey),
    /// Windows were collected.
    Collected(Box<Collected>),
    /// A collector reports success, but the database does not say whether the data is there.
    Unlooked,
}

/// What the end of an attempt means, and what follows.
pub(super) struct Judgement {
    pub(super) class: Class,
    pub(super) after: NextStep,
    pub(super) reason: Option<String>,
    pub(super) end: AttemptEnd,
    /// The id of a service's job that is to be followed further.
    pub(super) open: Option<String>,
}

impl Judgement {
    pub(super) fn new(rules: (&ExitCodes, &RetryPolicy), verdict: &Verdict, attempt: u32, random: f64, ended: &Ended) -> Self {
        let (exit_codes, retry) = rules;
        let outcome = match verdict {
            Verdict::Outcome(outcome) => outcome.clone(),
            Verdict::Published(..) | Verdict::Unverified(_) | Verdict::Collected(_) => Outcome::Succeeded,
            Verdict::Unlooked => Outcome::Lost,
        };
        let class = exit_codes.classify(&outcome);
        let (after, reason) = match verdict {
            Verdict::Unverified(_) => (NextStep::Cancel, Some(NOT_LOOKED_AT.to_owned())),
            Verdict::Unlooked => (NextStep::Cancel, Some(NOT_VERIFIED.to_owned())),
            Verdict::Outcome(_) | Verdict::Published(..) | Verdict::Collected(_) => {
                let reason = (outcome != Outcome::Succeeded).then(|| explain(&outcome, &ended.tail));
                (next_step(class, attempt, retry, random), reason)
            }
        };
        Self {
            class,
            after,
            reason,
            end: AttemptEnd {
                attempt,
                outcome,
                ended_at: Utc::now(),
                duration_ms: i64::try_from(ended.duration.as_millis()).unwrap_or(i64::MAX),
                tail: ended.tail.clone(),
                pid: ended.pid,
            },
            open: ended.open.clone(),
        }
    }
}

impl RunContext {
    /// What the end of an attempt means: exit 0 is a success only when the report is there.
    #[expect(clippy::too_many_arguments, reason = "an attempt has that many sides")]
    pub(super) async fn verdict(
        &self,
        job: &PlannedJob,
        (id, attempt): (JobId, u32),
        held: &ActiveJob,
        ended: &Ended,
        paths: &Paths,
        began: DateTime<Utc>,
        stop: StopSignal,
    ) -> Verdict {
        Verdict::Outcome(match &ended.end {
            End::Exited(0) | End::Completed => match &job.target {
                Target::Report { gap, .. } => return self.verify(*gap, held, ended, paths, began).await,
                Target::Collection(collection) => {
                    return match self.look(job, collection, (id, held.claim, attempt), ended, paths, stop).await {
                        Verification::Collected(collected) => Verdict::Collected(collected),
                        Verification::Not(outcome) => {
                            if self.catalogue.work(job).has_remote_id() && matches!(outcome, Outcome::NoOutput(_)) {
                                // There is nothing to be followed any further, and the next attempt begins anew.
                                self.follow(held.claim, attempt, None).await;
                            }
                            Verdict::Outcome(outcome)
                        }
                        Verification::Unknown => Verdict::Unlooked,
                    };
                }
            },
            End::Exited(code) => self.catalogue.work(job).exit_codes().outcome(*code),
            End::Signalled(signal) => Outcome::Signal(*signal),
            End::Reported { why, fault } => Outcome::ReportedError { why: why.clone(), fault: *fault },
            End::TimedOut => Outcome::TimedOut(self.catalogue.work(job).timeout()),
            End::Stopped => Outcome::Interrupted,
            End::SpawnFailed(why) => Outcome::SpawnFailed { why: why.clone(), may_pass: false },
            End::Vanished | End::Unseen(_) => Outcome::Lost,
        })
    }

    /// Whether somebody else has the claim by now. Who was frozen beyond his lease must not replace the report of who took over;
    /// in a moment nobody takes over.
    async fn is_taken(&self, claim: Claim, ended: &Ended, began: DateTime<Utc>) -> bool {
        let short = TimeDelta::from_std(SHORT).unwrap_or_default();
        // A suspended host is seen by the wall clock alone.
        if ended.duration < SHORT && (Utc::now() - began).abs() < short {
            return false;
        }
        let watched = self.store.watch(self.run).await;
        // A database that is away says nothing; the fence guards the record in any case.
        watched.is_ok_and(|watched| !watched.iter().any(|watched| watched.claim == claim))
    }

    async fn verify(&self, gap: Gap, held: &ActiveJob, ended: &Ended, paths: &Paths, began: DateTime<Utc>) -> Verdict {
        if let (Some(place), Some(written)) = (self.place(gap), paths.output.clone()) {
            if self.is_taken(held.claim, ended, began).await {
                return Verdict::Outcome(Outcome::NoOutput(CLAIM_LOST.to_owned()));
            }
            let published = tokio::task::spawn_blocking(move || output::publish(&written, &place)).await;
            return match published {
                Ok(Ok(published)) => Verdict::Published(gap, published),
                Ok(Err(unusable)) => Verdict::Outcome(Outcome::NoOutput(unusable.to_string())),
                Err(panic) => Verdict::Outcome(Outcome::NoOutput(panic.to_string())),
            };
        }
        let key = self.report_key(gap);
        let outcome = match self.ledger.insist(|| self.store.report_fingerprint(&key)).await {
            Err(_) => return Verdict::Unverified(key),
            Ok(None) => Outcome::NoOutput(format!(
                "exit 0, but the reports table has no {} for bank_id {}, {}",
                key.report_type, key.bank_id, key.period
            )),
            Ok(now) if now == held.before => {
                Outcome::NoOutput(format!("exit 0, but the {} is the one that was there before", key.report_type))
            }
            Ok(Some(_)) => Outcome::Succeeded,
        };
        Verdict::Outcome(outcome)
    }
}

/// The outcome, and the last line that the process printed: usually what went wrong.
fn explain(outcome: &Outcome, tail: &str) -> String {
    let speaks = matches!(outcome, Outcome::Lost | Outcome::ExitCode(_) | Outcome::Signal(_) | Outcome::NotReady(_) | Outcome::TimedOut(_));
    match tail.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(last) if speaks => format!("{outcome} - {}", last.trim()),
        _ => outcome.to_string(),
    }
}
