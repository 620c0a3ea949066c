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
use etl_orch::plan::run::breakers::{BreakerFacts, Breakers};
use etl_orch::plan::run::schedule::{JobIndex, NextStep, NotStarted, Schedule, Step, next_step};

use crate::world::{End, TICK, Tick, World};

impl World {
    /// One run, then time goes on to the next.
    pub(crate) fn tick(&mut self, end: End) -> Tick {
        let open_before: BTreeSet<EtlIndex> = self.breakers.keys().copied().collect();
        let stored = self.stored();
        let plan = self.plan_from(&stored);
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

/// A run under way.
pub(crate) struct Run<'a> {
    world: &'a mut World,
    plan: &'a Plan,
    schedule: Schedule,
    breakers: Breakers<'a>,
    now: Duration,
    /// When attempts end, and which.
    running: BTreeSet<(Duration, JobIndex)>,
    attempt: HashMap<JobIndex, u32>,
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
            attempt: HashMap::new(),
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
                Step::GiveUp { job, .. } => self.over(job, Progress::Waiting),
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
        self.running.insert((self.now + Duration::from_secs(30 + (job as u64 * 7) % 60), job));
        self.attempt.insert(job, attempt);
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
        if attempt == 1 {
            self.world.claim(gap);
            if planned.gate == Gate::Probe {
                self.breakers.probe_started(gap, self.at());
                self.record_breaker(gap.etl);
            }
        }
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

    fn end(&mut self, job: JobIndex, stopped: bool) {
        self.running.remove(&(self.now, job));
        self.ended += 1;
        let (planned, attempt) = (&self.plan.jobs[job], self.attempt[&job]);
        let gap = planned.report().unwrap();
        if self.world.is_pool_full(gap.etl) {
            self.progress[job] = if attempt == 1 { Progress::Queued } else { Progress::Waiting };
            let wait = Duration::from_secs(20);
            // As when the database is away for a moment.
            let later = if self.ended.is_multiple_of(3) { NextStep::Later(wait) } else { NextStep::PoolFull(wait) };
            assert_eq!(self.schedule.ended(self.plan, job, None, later, self.now), []);
            return;
        }
        let class = if stopped { Class::Interrupted } else { self.world.class(gap) };
        let after = next_step(class, attempt, &self.world.etls[gap.etl].retry, 0.5);
        let at = self.at();
        match after {
            NextStep::Succeed => {
                assert!(self.world.made.insert((gap.etl, gap.bank, gap.period)), "made twice");
                self.world.remember(gap, FailureHistory::default());
            }
            NextStep::Fail => {
                let (fence, history) = self.world.failed(gap, class, planned.gate == Gate::Probe, at);
                self.breakers.failed(job, fence, history);
            }
            NextStep::Skip => {
                let fingerprint = self.world.fingerprint(gap);
                let history = self.world.history(gap).not_ready("not ready", Some(&fingerprint), at, &self.world.settings.cooldown);
                self.world.remember(gap, history);
            }
            NextStep::Retry(_) | NextStep::Later(_) | NextStep::PoolFull(_) | NextStep::Cancel => {}
        }
        self.progress[job] = if matches!(after, NextStep::Retry(_)) { Progress::Waiting } else { Progress::Over };
        for notice in self.schedule.ended(self.plan, job, Some(class), after, self.now) {
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
        let at = self.world.now();
        let under_way =
            self.plan.jobs.iter().zip(&self.progress).filter(|(_, progress)| matches!(progress, Progress::Running | Progress::Waiting));
        for (job, _) in under_way {
            let fingerprint = self.world.fingerprint(job.report().unwrap());
            let history = self.world.history(job.report().unwrap()).lost(Some(&fingerprint), at);
            self.world.remember(job.report().unwrap(), history);
        }
        self.tick
    }
}
