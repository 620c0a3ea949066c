//! What the ends of a run's jobs say of their ETLs, banks and sources: who is let go on.

use std::collections::{BTreeSet, HashMap};

use crate::plan::decide::planner::{Gate, Plan, PlannedJob, Target};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Class;
use crate::plan::model::period::Period;
use crate::plan::model::settings::RunSettings;
use crate::plan::model::source::SourceIndex;
use crate::plan::remember::breaker::Streak;

use super::{After, JobIndex, NotStarted, Notice};

/// A bank's rest is left for the next run after it failed in so many different periods in a row.
const PERIODS_IN_A_ROW: usize = 3;

/// What the end of a job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The report was made.
    Made,
    /// The job failed finally, though another attempt might have helped.
    Exhausted,
    /// The job failed finally, for what it is made from.
    Permanent,
    /// The ETL is set up wrongly.
    Misconfigured,
    /// Somebody else has done it.
    Found,
    /// Nothing.
    Nothing,
}

impl Verdict {
    /// What the end of an attempt says of its job. An attempt whose claim was lost, or that never began, says nothing.
    pub(super) fn new(class: Option<Class>, after: After) -> Self {
        match (after, class) {
            (_, Some(Class::Configuration)) => Self::Misconfigured,
            (After::Succeed, Some(Class::Success)) => Self::Made,
            (After::Succeed, None) => Self::Found,
            (After::Fail, Some(Class::Transient | Class::Uncertain | Class::Crash)) => Self::Exhausted,
            (After::Fail, Some(Class::Permanent)) => Self::Permanent,
            (After::Fail, None | Some(Class::Success))
            | (After::Fail | After::Succeed, Some(Class::NotReady | Class::Interrupted))
            | (After::Succeed, Some(Class::Transient | Class::Uncertain | Class::Crash | Class::Permanent))
            | (After::Skip | After::Cancel | After::Retry(_) | After::Later(_) | After::PoolFull(_), _) => Self::Nothing,
        }
    }
}

/// The breakers of all ETLs, the banks' failures, and how far sources got.
#[derive(Debug)]
pub(super) struct Containment {
    etls: Vec<Guard>,
    banks: HashMap<BankIndex, BankRecord>,
    /// Sources of which a window was not collected: the later ones wait for it, so that there is never a hole.
    stuck: BTreeSet<SourceIndex>,
}

#[derive(Debug)]
struct Guard {
    breaker: Breaker,
    misconfigured: bool,
    empty: Streak,
    streak: Streak,
    /// The jobs whose failures are in the streak.
    failed: Vec<JobIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    Closed,
    /// It was open when the run was planned.
    Before {
        /// Whether the probe may still succeed.
        probing: bool,
    },
    /// It opened in this run.
    Here,
}

#[derive(Debug, Default)]
struct BankRecord {
    failed: BTreeSet<Period>,
    stopped: bool,
}

/// Whether a job may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Granted,
    /// Not before the probe of its ETL succeeded.
    Gated,
    Refused(NotStarted),
}

impl Containment {
    pub(super) fn new(plan: &Plan, etls: usize, settings: &RunSettings) -> Self {
        let mut planned = vec![BTreeSet::new(); etls];
        for gap in plan.jobs.iter().filter_map(PlannedJob::report) {
            planned[gap.etl].insert(gap.bank);
        }
        let guard = |(etl, banks): (EtlIndex, BTreeSet<BankIndex>)| {
            let open = plan.breakers.iter().find(|breaker| breaker.etl == etl);
            let streak = Streak::new(settings.breaker_banks, banks.len());
            Guard {
                breaker: open.map_or(Breaker::Closed, |open| Breaker::Before { probing: open.probe.is_some() }),
                misconfigured: false,
                empty: streak.clone(),
                streak,
                failed: Vec::new(),
            }
        };
        Self { etls: planned.into_iter().enumerate().map(guard).collect(), banks: HashMap::new(), stuck: BTreeSet::new() }
    }

    /// Whether a job may be started, or tried again if it has `begun`.
    pub(super) fn leave(&self, plan: &Plan, job: JobIndex, begun: bool) -> Leave {
        let planned = &plan.jobs[job];
        let gap = match &planned.target {
            Target::Report { gap, .. } => *gap,
            Target::Collection(collection) if self.stuck.contains(&collection.source) => return Leave::Refused(NotStarted::EarlierWindow),
            Target::Collection(_) => return Leave::Granted,
        };
        let etl = gap.etl;
        let guard = &self.etls[etl];
        if guard.misconfigured {
            return Leave::Refused(NotStarted::EtlStopped(etl));
        }
        if !begun && self.banks.get(&gap.bank).is_some_and(|bank| bank.stopped) {
            return Leave::Refused(NotStarted::BankStopped);
        }
        match (guard.breaker, planned.gate) {
            (Breaker::Here, Gate::Open | Gate::Probe | Gate::BehindProbe) | (Breaker::Before { probing: false }, Gate::BehindProbe) => {
                Leave::Refused(NotStarted::Breaker(etl))
            }
            (Breaker::Before { probing: true }, Gate::BehindProbe) => Leave::Gated,
            (Breaker::Closed | Breaker::Before { .. }, Gate::Open | Gate::Probe) | (Breaker::Closed, Gate::BehindProbe) => Leave::Granted,
        }
    }

    /// The job will not be tried (again) in this run: a probe that ends so says nothing, and nobody waits for it any longer.
    /// Whether that concerns other jobs.
    pub(super) fn over(&mut self, plan: &Plan, job: JobIndex) -> bool {
        let planned = &plan.jobs[job];
        match &planned.target {
            Target::Report { gap, .. } => planned.gate == Gate::Probe && self.give_up_probe(gap.etl),
            Target::Collection(collection) => self.stuck.insert(collection.source),
        }
    }

    /// Nobody waits for the probe of an ETL any longer. Whether that concerns other jobs.
    pub(super) fn give_up_probe(&mut self, etl: EtlIndex) -> bool {
        let breaker = &mut self.etls[etl].breaker;
        let was_probing = *breaker == Breaker::Before { probing: true };
        if was_probing {
            *breaker = Breaker::Before { probing: false };
        }
        was_probing
    }

    /// A job ended. What follows for the record, and whether it concerns other jobs.
    pub(super) fn ended(&mut self, plan: &Plan, job: JobIndex, verdict: Verdict) -> (Vec<Notice>, bool) {
        let planned = &plan.jobs[job];
        let gap = match &planned.target {
            Target::Report { gap, .. } => *gap,
            Target::Collection(_) => {
                let is_done = matches!(verdict, Verdict::Made | Verdict::Found);
                return (Vec::new(), !is_done && self.over(plan, job));
            }
        };
        let mut notices = Vec::new();
        let mut concerns = self.judge_bank(gap.bank, gap.period, verdict);
        let guard = &mut self.etls[gap.etl];
        match verdict {
            Verdict::Made => {
                if guard.breaker != Breaker::Closed {
                    guard.breaker = Breaker::Closed;
                    notices.push(Notice::Closed(gap.etl));
                    concerns = true;
                }
                guard.streak = guard.empty.clone();
                guard.failed.clear();
            }
            Verdict::Exhausted => match (guard.breaker, planned.gate) {
                // A probe's failure is given back when the breaker closes.
                (Breaker::Before { .. }, Gate::Probe) => {}
                (Breaker::Here, Gate::Open | Gate::Probe | Gate::BehindProbe)
                | (Breaker::Before { .. }, Gate::Open | Gate::BehindProbe) => notices.push(Notice::Refund { etl: gap.etl, job }),
                (Breaker::Closed, Gate::Open | Gate::Probe | Gate::BehindProbe) => {
                    guard.failed.push(job);
                    if guard.streak.ended(gap.bank, JobState::Failed, true) {
                        guard.breaker = Breaker::Here;
                        concerns = true;
                        let refund = std::mem::take(&mut guard.failed);
                        notices.push(Notice::Opened { etl: gap.etl, banks: guard.streak.banks().to_vec(), refund });
                    }
                }
            },
            Verdict::Misconfigured => concerns |= !std::mem::replace(&mut guard.misconfigured, true),
            Verdict::Permanent | Verdict::Found | Verdict::Nothing => {}
        }
        concerns |= self.over(plan, job);
        (notices, concerns)
    }

    /// Counts the periods in which a bank failed in a row. Whether the bank is stopped by that.
    fn judge_bank(&mut self, bank: BankIndex, period: Period, verdict: Verdict) -> bool {
        let record = self.banks.entry(bank).or_default();
        match verdict {
            Verdict::Made => record.failed.clear(),
            Verdict::Exhausted | Verdict::Permanent => drop(record.failed.insert(period)),
            Verdict::Misconfigured | Verdict::Found | Verdict::Nothing => {}
        }
        !record.stopped && {
            record.stopped = record.failed.len() >= PERIODS_IN_A_ROW;
            record.stopped
        }
    }
}
