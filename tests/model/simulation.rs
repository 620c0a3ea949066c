//! One run in the simulated world, driven as the program does it, with all that must hold of it at every step.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use etl_orch::plan::decide::plan::{Gate, Plan};
use etl_orch::plan::model::catalogue::Catalogue;
use etl_orch::plan::model::etl::EtlIndex;
use etl_orch::plan::model::outcome::Class;
use etl_orch::plan::model::settings::{EnvFiles, PeriodOrder};
use etl_orch::plan::remember::failure_history::FailureHistory;
use etl_orch::plan::run::aftermath::{Aftermath, Attempted, Next};
use etl_orch::plan::run::breakers::{BreakerFacts, Breakers};
use etl_orch::plan::run::job_end::{Artifact, JobEnd};
use etl_orch::plan::run::not_started::NotStarted;
use etl_orch::plan::run::schedule::{JobIndex, NextStep, Schedule, Step};
use etl_orch::plan::run::stop::StopReason;

use crate::faults::{Fault, aftermath};
use crate::world::{End, TICK, Tick, World};

impl World {
    /// One run, then time goes on to the next.
    pub(crate) fn tick(&mut self, end: End) -> Tick {
        let open_before: BTreeSet<EtlIndex> = self.breakers.keys().copied().collect();
        let stored = self.stored();
        let plan = self.plan_from(&stored);
        self.planned(&plan);
        let catalogue = Catalogue { institutions: self.institutions.clone(), etls: self.etls.clone(), ..Catalogue::default() };
        let env_files = EnvFiles::default();
        let cooldown = self.settings.cooldown;
        let facts = BreakerFacts { catalogue: &catalogue, env_files: &env_files, plan: &plan, stored: &stored, cooldown };
        let mut tick = Run::new(self, facts).drive(end);
        for etl in 0..self.etls.len() {
            tick.open.insert(etl, (open_before.contains(&etl), self.breakers.contains_key(&etl)));
        }
        self.minutes += TICK;
        tick
    }

    pub(crate) fn ticks(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.tick(End::Natural);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Queued,
    Running,
    Waiting,
    Over,
}

/// A claimed job.
struct Active {
    /// Number of its latest attempt.
    attempt: u32,
    fence: i64,
    /// The gap's failures when the job was claimed.
    history: FailureHistory,
}

/// A run under way.
pub(crate) struct Run<'a> {
    world: &'a mut World,
    plan: &'a Plan,
    schedule: Schedule,
    breakers: Breakers<'a>,
    now: Duration,
    /// When attempts end, and which.
    running: BTreeSet<(Duration, JobIndex)>,
    active: HashMap<JobIndex, Active>,
    /// How jobs that wait for a retry end if the run is stopped.
    if_stopped: HashMap<JobIndex, JobEnd>,
    progress: Vec<Progress>,
    ended: usize,
    tick: Tick,
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a mut World, facts: BreakerFacts<'a>) -> Self {
        let plan = facts.plan;
        assert!(plan.jobs.len() <= world.settings.max_jobs);
        let schedule = Schedule::new(plan, facts.catalogue, &world.settings, false);
        Self {
            world,
            plan,
            schedule,
            breakers: Breakers::new(facts),
            now: Duration::ZERO,
            running: BTreeSet::new(),
            active: HashMap::new(),
            if_stopped: HashMap::new(),
            progress: vec![Progress::Queued; plan.jobs.len()],
            ended: 0,
            tick: Tick::default(),
        }
    }

    pub(crate) fn drive(mut self, end: End) -> Tick {
        let most = self.plan.jobs.len() * 40 + 40;
        for _ in 0..most {
            match end {
                End::Stopped(after) if self.ended >= after => self.schedule.halt(NotStarted::Stopped),
                End::Killed(after) if self.ended >= after && !self.running.is_empty() => return self.killed(),
                End::Natural | End::Stopped(_) | End::Killed(_) => {}
            }
            match self.schedule.step(self.plan, self.now) {
                Step::Start { job, attempt } => self.start(job, attempt),
                Step::Drop { job, .. } => self.over(job, Progress::Queued),
                Step::GiveUp { job, reason } => {
                    self.over(job, Progress::Waiting);
                    self.give_up(job, reason);
                }
                Step::Finished => {
                    assert!(self.progress.iter().all(|progress| *progress == Progress::Over), "a job was forgotten");
                    return self.tick;
                }
                Step::Wait { until } => {
                    let next = self.running.first().copied();
                    match (next, until) {
                        (Some((ends, job)), until) if until.is_none_or(|until| ends <= until) => {
                            self.now = ends;
                            self.end(job, matches!(end, End::Stopped(after) if self.ended >= after));
                        }
                        (_, Some(until)) => {
                            assert!(until > self.now, "waits for the past");
                            self.now = until;
                        }
                        (_, None) => panic!("waits for nothing"),
                    }
                }
            }
        }
        panic!("does not end: {:?}", self.progress);
    }

    fn start(&mut self, job: JobIndex, attempt: u32) {
        let planned = &self.plan.jobs[job];
        let gap = planned.report().unwrap();
        assert!(matches!((self.progress[job], attempt), (Progress::Queued, 1) | (Progress::Waiting, 2..)), "two attempts of one gap");
        self.progress[job] = Progress::Running;
        if attempt == 1 && planned.gate == Gate::Probe {
            self.breakers.probe_started(gap, self.at());
            self.record_breaker(gap.etl);
        }
        if let Some(found) = self.world.found_elsewhere(gap) {
            return self.over_without_attempt(job, found);
        }
        self.running.insert((self.now + Duration::from_secs(30 + (job as u64 * 7) % 60), job));
        if attempt == 1 {
            let history = self.world.history(gap);
            self.active.insert(job, Active { attempt, fence: self.world.claim(gap), history });
        } else if let Some(active) = self.active.get_mut(&job) {
            active.attempt = attempt;
        }
        assert!(self.running.len() <= self.world.settings.max_parallel);
        let etls = &self.world.etls;
        for pool in etls.iter().filter_map(|etl| etl.pool.as_ref()) {
            let in_pool = |job: &JobIndex| etls[self.plan.jobs[*job].report().unwrap().etl].pool.as_ref() == Some(pool);
            assert!(self.running.iter().filter(|(_, job)| in_pool(job)).count() <= pool.limit as usize, "{}", pool.name);
        }
        for need in &etls[gap.etl].needs {
            assert!(self.world.made.contains(&(*need, gap.bank, gap.period)), "{} before its need", planned.key);
        }
        self.in_chain_order(job);
        if planned.gate == Gate::BehindProbe {
            assert!(!self.world.breakers.contains_key(&gap.etl), "{} although its ETL is broken", planned.key);
        }
        if self.tick.started.insert(gap) && planned.gate == Gate::Probe {
            self.tick.probes.push(gap);
        }
    }

    /// All earlier jobs of the chain are over, and the chain is in order but for a probe at its front.
    fn in_chain_order(&self, job: JobIndex) {
        let chain = self.plan.chains.iter().find(|chain| chain.contains(&job)).unwrap();
        assert!(chain.iter().take_while(|other| **other != job).all(|other| self.progress[*other] == Progress::Over));
        let rank = |job: &JobIndex| {
            let gap = self.plan.jobs[*job].report().unwrap();
            let quarters = i64::from(gap.period.year()) * 4 + gap.period.quarter() as i64;
            (if self.world.settings.order == PeriodOrder::NewestFirst { -quarters } else { quarters }, gap.etl)
        };
        let ordinary: Vec<JobIndex> = chain.iter().copied().filter(|job| self.plan.jobs[*job].gate != Gate::Probe).collect();
        assert!(ordinary.is_sorted_by_key(rank));
    }

    fn over(&mut self, job: JobIndex, from: Progress) {
        assert_eq!(self.progress[job], from);
        self.progress[job] = Progress::Over;
    }

    /// A job that waited for a retry was stopped with the run, or somebody else's failure ended it.
    fn give_up(&mut self, job: JobIndex, reason: NotStarted) {
        if let Some(end) = self.if_stopped.remove(&job).filter(|_| reason == NotStarted::Stopped) {
            self.world.record(self.plan.jobs[job].report().unwrap(), &end);
        }
    }

    fn end(&mut self, job: JobIndex, stopped: bool) {
        self.running.remove(&(self.now, job));
        self.ended += 1;
        let (planned, active) = (&self.plan.jobs[job], &self.active[&job]);
        let (gap, attempt) = (planned.report().unwrap(), active.attempt);
        if self.world.is_pool_full(gap.etl) {
            self.progress[job] = if attempt == 1 { Progress::Queued } else { Progress::Waiting };
            let wait = Duration::from_secs(20);
            // As when the database is away for a moment.
            let later = if self.ended.is_multiple_of(3) { NextStep::Later(wait) } else { NextStep::PoolFull(wait) };
            assert_eq!(self.schedule.ended(self.plan, job, None, later, self.now), []);
            return;
        }
        let fault = if stopped { Some(Fault::Stopped) } else { self.world.fault(gap) };
        let etl = &self.world.etls[gap.etl];
        let attempted = Attempted {
            job: planned,
            number: attempt,
            work: &etl.work,
            retry: &etl.retry,
            cooldown: &self.world.settings.cooldown,
            history: &active.history,
            stop: stopped.then_some(&StopReason::Signal(15)),
            at: self.at(),
            random: 0.5,
        };
        let Aftermath { class, next, .. } = aftermath(&attempted, fault, Artifact::Report);
        self.progress[job] = match &next {
            Next::Retry { if_stopped, .. } => {
                self.if_stopped.insert(job, (**if_stopped).clone());
                Progress::Waiting
            }
            Next::End(end) => {
                self.world.record(gap, end);
                if let JobEnd::Failed { history, .. } = end
                    && *history != active.history
                {
                    self.breakers.failed(job, active.fence, history.clone());
                }
                Progress::Over
            }
        };
        self.tell_schedule(job, Some(class), next.step());
    }

    /// A claim finds that another invocation has the gap.
    fn over_without_attempt(&mut self, job: JobIndex, found: NextStep) {
        self.over(job, Progress::Running);
        self.tell_schedule(job, None, found);
    }

    fn tell_schedule(&mut self, job: JobIndex, class: Option<Class>, step: NextStep) {
        let at = self.at();
        for notice in self.schedule.ended(self.plan, job, class, step, self.now) {
            for refund in self.breakers.apply_notice(&notice, at) {
                self.world.refund(refund);
            }
            self.record_breaker(notice.etl());
        }
    }

    /// The clock of whoever runs it.
    fn at(&self) -> DateTime<Utc> {
        self.world.now() + TimeDelta::from_std(self.now).unwrap()
    }

    fn record_breaker(&mut self, etl: EtlIndex) {
        match self.breakers.of(etl) {
            Some(breaker) => drop(self.world.breakers.insert(etl, breaker.clone())),
            None => drop(self.world.breakers.remove(&etl)),
        }
    }

    /// The orchestrator died: the next run finds its jobs lost.
    fn killed(self) -> Tick {
        let under_way =
            self.plan.jobs.iter().zip(&self.progress).filter(|(_, progress)| matches!(progress, Progress::Running | Progress::Waiting));
        for (job, _) in under_way {
            self.world.lost(job.report().unwrap());
        }
        self.tick
    }
}
