//! What the ends of a run's jobs mean for the other jobs of their ETLs, banks and sources: which of them may start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Class;
use crate::plan::model::period::Period;
use crate::plan::model::settings::RunSettings;
use crate::plan::model::source::SourceIndex;
use crate::plan::model::target::Target;
use crate::plan::remember::breaker::Streak;

use super::{JobIndex, NextStep, Notice};
use crate::plan::run::not_started::NotStarted;

/// A bank's rest is left for the next run after it failed in so many different periods in a row.
const PERIODS_IN_A_ROW: usize = 3;

/// The rest of a source with independent windows is left for the next run after so many of them failed in a row.
const WINDOWS_IN_A_ROW: usize = 3;

/// What the end of a job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobEvidence {
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
    Nothing,
}

impl JobEvidence {
    /// What the end of an attempt says of its job. An attempt whose claim was lost, or that never began, says nothing.
    pub(super) fn new(class: Option<Class>, after: NextStep) -> Self {
        match (after, class) {
            (_, Some(Class::Configuration)) => Self::Misconfigured,
            (NextStep::Succeed, Some(Class::Success)) => Self::Made,
            (NextStep::Succeed, None) => Self::Found,
            (NextStep::Fail, Some(Class::Transient | Class::Uncertain | Class::Crash)) => Self::Exhausted,
            (NextStep::Fail, Some(Class::Permanent)) => Self::Permanent,
            (NextStep::Fail, None | Some(Class::Success | Class::HostShort | Class::HostUnfit))
            | (NextStep::Fail | NextStep::Succeed, Some(Class::NotReady | Class::Interrupted))
            | (
                NextStep::Succeed,
                Some(Class::Transient | Class::Uncertain | Class::Crash | Class::Permanent | Class::HostShort | Class::HostUnfit),
            )
            | (
                NextStep::Skip | NextStep::Cancel | NextStep::Unrecorded | NextStep::Retry(_) | NextStep::Later(_) | NextStep::PoolFull(_),
                _,
            ) => Self::Nothing,
        }
    }
}

/// The breakers of all ETLs, the banks' failures, and how far sources got.
#[derive(Debug)]
pub(super) struct Containment {
    etls: Vec<Guard>,
    banks: HashMap<BankIndex, BankRecord>,
    /// Sources of which a window was not collected, or not on record: the later ones wait for it, so that there is never a hole. With
    /// why they do.
    stuck: BTreeMap<SourceIndex, NotStarted>,
    /// Of sources with independent windows: how many of them failed in a row.
    failed_windows: BTreeMap<SourceIndex, usize>,
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
    /// It was open before the run, so the planner chose one job as its probe. The other jobs of the ETL wait for the probe; once it
    /// cannot succeed any more they are refused.
    OpenBefore {
        probe: Probe,
    },
    /// It opened in this run, which has no probe for it: what is left of the ETL is refused.
    OpenedHere,
}

/// Whether the probe of a broken ETL may still succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Maybe,
    No,
    /// It may have, but that is not on record.
    Unrecorded,
}

#[derive(Debug, Default)]
struct BankRecord {
    failed: BTreeSet<Period>,
    stopped: bool,
}

/// Whether a job may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
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
                breaker: open.map_or(Breaker::Closed, |open| Breaker::OpenBefore {
                    probe: if open.probe.is_some() { Probe::Maybe } else { Probe::No },
                }),
                misconfigured: false,
                empty: streak.clone(),
                streak,
                failed: Vec::new(),
            }
        };
        Self {
            etls: planned.into_iter().enumerate().map(guard).collect(),
            banks: HashMap::new(),
            stuck: BTreeMap::new(),
            failed_windows: BTreeMap::new(),
        }
    }

    /// Whether a job may be started, or tried again if it has `begun`.
    pub(super) fn admit(&self, plan: &Plan, job: JobIndex, begun: bool) -> Admission {
        let planned = &plan.jobs[job];
        let gap = match &planned.target {
            Target::Report { gap, .. } => *gap,
            Target::Collection(collection) => {
                return self.stuck.get(&collection.source).map_or(Admission::Granted, |why| Admission::Refused(*why));
            }
        };
        let etl = gap.etl;
        let guard = &self.etls[etl];
        if guard.misconfigured {
            return Admission::Refused(NotStarted::EtlStopped(etl));
        }
        if !begun && self.banks.get(&gap.bank).is_some_and(|bank| bank.stopped) {
            return Admission::Refused(NotStarted::BankStopped);
        }
        match (guard.breaker, planned.gate) {
            (Breaker::OpenedHere, Gate::Open | Gate::Probe | Gate::BehindProbe)
            | (Breaker::OpenBefore { probe: Probe::No }, Gate::BehindProbe) => Admission::Refused(NotStarted::Breaker(etl)),
            (Breaker::OpenBefore { probe: Probe::Unrecorded }, Gate::BehindProbe) => Admission::Refused(NotStarted::ProbeUnrecorded(etl)),
            (Breaker::OpenBefore { probe: Probe::Maybe }, Gate::BehindProbe) => Admission::Gated,
            (Breaker::Closed | Breaker::OpenBefore { .. }, Gate::Open | Gate::Probe) | (Breaker::Closed, Gate::BehindProbe) => {
                Admission::Granted
            }
        }
    }

    /// The job will not be tried (again) in this run: a probe that ends so says nothing, and nobody waits for it any longer.
    /// `for_want_of_record`: it might count if the database had it on record. Whether that concerns other jobs.
    pub(super) fn over(&mut self, plan: &Plan, job: JobIndex, for_want_of_record: bool) -> bool {
        let planned = &plan.jobs[job];
        match &planned.target {
            Target::Report { gap, .. } => planned.gate == Gate::Probe && self.give_up_probe(gap.etl, for_want_of_record),
            // A window that no other depends on is just not collected.
            Target::Collection(_) if is_independent(planned) => false,
            Target::Collection(collection) => {
                let why = if for_want_of_record { NotStarted::EarlierWindowUnrecorded } else { NotStarted::EarlierWindow };
                let is_new = !self.stuck.contains_key(&collection.source);
                self.stuck.entry(collection.source).or_insert(why);
                is_new
            }
        }
    }

    /// Nobody waits for the probe of an ETL any longer. Whether that concerns other jobs.
    pub(super) fn give_up_probe(&mut self, etl: EtlIndex, for_want_of_record: bool) -> bool {
        let breaker = &mut self.etls[etl].breaker;
        let was_probing = *breaker == Breaker::OpenBefore { probe: Probe::Maybe };
        if was_probing {
            *breaker = Breaker::OpenBefore { probe: if for_want_of_record { Probe::Unrecorded } else { Probe::No } };
        }
        was_probing
    }

    /// An ETL is set up wrongly. Whether that concerns other jobs.
    pub(super) fn stop_etl(&mut self, etl: EtlIndex) -> bool {
        !std::mem::replace(&mut self.etls[etl].misconfigured, true)
    }

    /// A job ended. What follows for the record, and whether it concerns other jobs.
    pub(super) fn ended(&mut self, plan: &Plan, job: JobIndex, class: Option<Class>, after: NextStep) -> (Vec<Notice>, bool) {
        let (evidence, for_want_of_record) = (JobEvidence::new(class, after), after == NextStep::Unrecorded);
        let planned = &plan.jobs[job];
        let gap = match &planned.target {
            Target::Report { gap, .. } => *gap,
            Target::Collection(collection) if is_independent(planned) => {
                return (Vec::new(), self.judge_source(collection.source, evidence));
            }
            Target::Collection(_) => {
                let is_done = matches!(evidence, JobEvidence::Made | JobEvidence::Found);
                return (Vec::new(), !is_done && self.over(plan, job, for_want_of_record));
            }
        };
        let mut notices = Vec::new();
        let mut concerns = self.judge_bank(gap.bank, gap.period, evidence);
        let guard = &mut self.etls[gap.etl];
        match evidence {
            JobEvidence::Made => {
                if guard.breaker != Breaker::Closed {
                    guard.breaker = Breaker::Closed;
                    notices.push(Notice::Closed(gap.etl));
                    concerns = true;
                }
                guard.streak = guard.empty.clone();
                guard.failed.clear();
            }
            JobEvidence::Exhausted => match (guard.breaker, planned.gate) {
                // A probe's failure is given back when the breaker closes.
                (Breaker::OpenBefore { .. }, Gate::Probe) => {}
                (Breaker::OpenedHere, Gate::Open | Gate::Probe | Gate::BehindProbe)
                | (Breaker::OpenBefore { .. }, Gate::Open | Gate::BehindProbe) => notices.push(Notice::Refund { etl: gap.etl, job }),
                (Breaker::Closed, Gate::Open | Gate::Probe | Gate::BehindProbe) => {
                    guard.failed.push(job);
                    if guard.streak.ended(gap.bank, JobState::Failed, true) {
                        guard.breaker = Breaker::OpenedHere;
                        concerns = true;
                        let refund = std::mem::take(&mut guard.failed);
                        notices.push(Notice::Opened { etl: gap.etl, banks: guard.streak.banks().to_vec(), refund });
                    }
                }
            },
            JobEvidence::Misconfigured => concerns |= self.stop_etl(gap.etl),
            JobEvidence::Permanent | JobEvidence::Found | JobEvidence::Nothing => {}
        }
        concerns |= self.over(plan, job, for_want_of_record);
        (notices, concerns)
    }

    /// Counts the independent windows of a source that failed in a row: then it is the source that fails. Whether it is stopped by that.
    fn judge_source(&mut self, source: SourceIndex, evidence: JobEvidence) -> bool {
        let failed = self.failed_windows.entry(source).or_default();
        match evidence {
            JobEvidence::Made | JobEvidence::Found => *failed = 0,
            JobEvidence::Exhausted | JobEvidence::Permanent => *failed += 1,
            JobEvidence::Misconfigured => *failed = WINDOWS_IN_A_ROW,
            JobEvidence::Nothing => {}
        }
        let is_stopped = *failed >= WINDOWS_IN_A_ROW && !self.stuck.contains_key(&source);
        if is_stopped {
            self.stuck.insert(source, NotStarted::SourceStopped);
        }
        is_stopped
    }

    /// Counts the periods in which a bank failed in a row. Whether the bank is stopped by that.
    fn judge_bank(&mut self, bank: BankIndex, period: Period, evidence: JobEvidence) -> bool {
        let record = self.banks.entry(bank).or_default();
        match evidence {
            JobEvidence::Made => record.failed.clear(),
            JobEvidence::Exhausted | JobEvidence::Permanent => drop(record.failed.insert(period)),
            JobEvidence::Misconfigured | JobEvidence::Found | JobEvidence::Nothing => {}
        }
        !record.stopped && {
            record.stopped = record.failed.len() >= PERIODS_IN_A_ROW;
            record.stopped
        }
    }
}

/// Whether the job collects a window that no other depends on.
fn is_independent(job: &PlannedJob) -> bool {
    matches!(job.key, GapKey::Window { .. })
}
