//! The chains of a run: where each one stands, found without looking at all of them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;

use super::JobIndex;

/// Position of a chain in [`Plan::chains`].
pub(super) type ChainIndex = usize;

/// All chains, each in exactly one of the sets, running, or finished.
#[derive(Debug)]
pub(super) struct Chains {
    all: Vec<Chain>,
    chain_of: Vec<ChainIndex>,
    pools: Vec<Pool>,
    /// The pool of each job.
    pool_of: Vec<usize>,
    /// To be looked at: their head is new, or something happened that may concern it.
    unplaced: BTreeSet<ChainIndex>,
    /// Their head may not start by itself.
    gated: BTreeSet<ChainIndex>,
    waiting: BTreeSet<(Duration, ChainIndex)>,
    /// No attempt at all begins before this time, as the database does not answer. A chain that is ready keeps its place meanwhile.
    paused_until: Duration,
    running: usize,
    /// Chains with a job that is not over.
    left: usize,
    /// Jobs that are not over.
    jobs_left: usize,
}

#[derive(Debug)]
struct Chain {
    jobs: VecDeque<JobIndex>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready { attempt: u32 },
    Running { attempt: u32 },
    Backoff { until: Duration, attempt: u32 },
}

/// One pool, and the heads of the chains that are ready and use it. The first pool is that of jobs without one.
#[derive(Debug)]
struct Pool {
    limit: usize,
    used: usize,
    /// In the order of their turns.
    ready: BTreeSet<JobIndex>,
    /// The same, by how many jobs their chains have left.
    by_length: BTreeSet<(usize, Reverse<JobIndex>)>,
    /// Other invocations use all of it: no attempt that needs it begins before this time, when it is asked for again.
    paused_until: Duration,
}

impl Pool {
    fn new(limit: usize) -> Self {
        Self { limit, used: 0, ready: BTreeSet::new(), by_length: BTreeSet::new(), paused_until: Duration::ZERO }
    }

    fn has_room(&self, now: Duration) -> bool {
        self.used < self.limit && self.paused_until <= now
    }
}

/// The job that a chain is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) chain: ChainIndex,
    pub(super) job: JobIndex,
    /// Whether an attempt of it was made.
    pub(super) begun: bool,
}

impl Chains {
    pub(super) fn new(plan: &Plan, catalogue: &Catalogue) -> Self {
        let (pools, pool_of) = pools(plan, catalogue);
        let mut chain_of = vec![0; plan.jobs.len()];
        for (chain, jobs) in plan.chains.iter().enumerate() {
            for job in jobs {
                chain_of[*job] = chain;
            }
        }
        let all: Vec<Chain> =
            plan.chains.iter().map(|jobs| Chain { jobs: jobs.iter().copied().collect(), state: State::Ready { attempt: 1 } }).collect();
        let unplaced: BTreeSet<ChainIndex> = (0..all.len()).filter(|chain| !all[*chain].jobs.is_empty()).collect();
        Self {
            left: unplaced.len(),
            jobs_left: plan.jobs.len(),
            all,
            chain_of,
            pools,
            pool_of,
            unplaced,
            gated: BTreeSet::new(),
            waiting: BTreeSet::new(),
            paused_until: Duration::ZERO,
            running: 0,
        }
    }

    /// How many attempts are under way.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Whether no job is left.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next end of a wait.
    pub(super) fn next_wake(&self, now: Duration) -> Option<Duration> {
        let paused = self.pools.iter().filter(|pool| !pool.ready.is_empty()).map(|pool| pool.paused_until.max(self.paused_until));
        let waits = self.waiting.first().map(|(until, _)| *until);
        paused.filter(|until| *until > now).chain(waits).min()
    }

    /// The heads of chains that are ready and whose pool has no room.
    pub(super) fn without_room(&self, now: Duration) -> impl Iterator<Item = JobIndex> {
        self.pools.iter().filter(move |pool| !pool.has_room(now)).flat_map(|pool| pool.ready.iter().copied())
    }

    /// The gated chains' heads.
    pub(super) fn gated(&self) -> impl Iterator<Item = JobIndex> {
        self.gated.iter().filter_map(|chain| self.all[*chain].jobs.front().copied())
    }

    /// Something happened that may concern any job that is not running.
    pub(super) fn look_again(&mut self) {
        self.unplaced.append(&mut self.gated);
        for pool in &mut self.pools {
            pool.by_length.clear();
            self.unplaced.extend(std::mem::take(&mut pool.ready).into_iter().map(|job| self.chain_of[job]));
        }
        self.unplaced.extend(std::mem::take(&mut self.waiting).into_iter().map(|(_, chain)| chain));
    }

    /// Chains whose wait is over are to be looked at.
    pub(super) fn wake(&mut self, now: Duration) {
        while let Some((until, chain)) = self.waiting.pop_first() {
            if until > now {
                self.waiting.insert((until, chain));
                return;
            }
            self.unplaced.insert(chain);
        }
    }

    /// A chain that is to be looked at; then it is to be [placed](Self::place), or its head [taken out](Self::take_out).
    pub(super) fn unplaced(&mut self) -> Option<Head> {
        while let Some(chain) = self.unplaced.pop_first() {
            let begun = match self.all[chain].state {
                State::Ready { attempt } | State::Backoff { attempt, .. } => attempt > 1,
                State::Running { .. } => continue,
            };
            if let Some(job) = self.all[chain].jobs.front() {
                return Some(Head { chain, job: *job, begun });
            }
        }
        None
    }

    /// Puts a chain where its state belongs at `now`.
    pub(super) fn place(&mut self, head: Head, gated: bool, now: Duration) {
        let state = &mut self.all[head.chain].state;
        match *state {
            State::Backoff { until, .. } if until > now => {
                self.waiting.insert((until, head.chain));
                return;
            }
            State::Backoff { attempt, .. } => *state = State::Ready { attempt },
            State::Ready { .. } => {}
            State::Running { .. } => return,
        }
        if gated {
            self.gated.insert(head.chain);
        } else {
            let pool = &mut self.pools[self.pool_of[head.job]];
            pool.ready.insert(head.job);
            pool.by_length.insert((self.all[head.chain].jobs.len(), Reverse(head.job)));
        }
    }

    /// Takes the head out of its chain; the next job is to be looked at.
    pub(super) fn take_out(&mut self, chain: ChainIndex) {
        let Chain { jobs, state } = &mut self.all[chain];
        self.jobs_left -= usize::from(jobs.pop_front().is_some());
        *state = State::Ready { attempt: 1 };
        if jobs.is_empty() {
            self.left -= 1;
        } else {
            self.unplaced.insert(chain);
        }
    }

    /// Starts the job whose turn it is: the first of the ready ones whose pool has room. But a chain so long that the run would wait for it
    /// in the end, with `slots` chains at once, goes on.
    pub(super) fn start(&mut self, slots: usize, now: Duration) -> Option<(JobIndex, u32)> {
        if now < self.paused_until {
            return None;
        }
        let with_room = || self.pools.iter().filter(|pool| pool.has_room(now));
        let (length, Reverse(longest)) = *with_room().filter_map(|pool| pool.by_length.last()).max()?;
        let first = *with_room().filter_map(|pool| pool.ready.first()).min()?;
        let job = if length > self.jobs_left.div_ceil(slots) { longest } else { first };
        let chain = &mut self.all[self.chain_of[job]];
        let pool = &mut self.pools[self.pool_of[job]];
        pool.ready.remove(&job);
        pool.by_length.remove(&(chain.jobs.len(), Reverse(job)));
        pool.used += 1;
        self.running += 1;
        let attempt = match chain.state {
            State::Ready { attempt } | State::Backoff { attempt, .. } => attempt,
            State::Running { .. } => return None,
        };
        chain.state = State::Running { attempt };
        Some((job, attempt))
    }

    /// A job that is under way already. Returns whether it is the head of a chain that is not running.
    pub(super) fn resume(&mut self, job: JobIndex) -> bool {
        let Some(chain) = self.waits(job) else { return false };
        self.unplaced.remove(&chain);
        self.pools[self.pool_of[job]].used += 1;
        self.running += 1;
        self.all[chain].state = State::Running { attempt: 1 };
        true
    }

    /// The attempt of a job is over. Returns its chain and the number of the attempt, if that job was running.
    pub(super) fn ended(&mut self, job: JobIndex) -> Option<(ChainIndex, u32)> {
        let index = *self.chain_of.get(job)?;
        let chain = &self.all[index];
        let State::Running { attempt } = chain.state else { return None };
        if chain.jobs.front() != Some(&job) {
            return None;
        }
        self.running -= 1;
        self.pools[self.pool_of[job]].used -= 1;
        Some((index, attempt))
    }

    /// The head of a chain could not begin, and nothing can before `until`.
    pub(super) fn pause_all(&mut self, chain: ChainIndex, until: Duration, attempt: u32) {
        self.paused_until = self.paused_until.max(until);
        self.all[chain].state = State::Ready { attempt };
        self.unplaced.insert(chain);
    }

    /// The head of a chain could not begin, and nothing of its pool can before `until`.
    pub(super) fn pause_pool(&mut self, chain: ChainIndex, job: JobIndex, until: Duration, attempt: u32) {
        let pool = &mut self.pools[self.pool_of[job]];
        pool.paused_until = pool.paused_until.max(until);
        self.all[chain].state = State::Ready { attempt };
        self.unplaced.insert(chain);
    }

    /// The chain whose head this job is, unless it is running.
    pub(super) fn waits(&self, job: JobIndex) -> Option<ChainIndex> {
        let index = *self.chain_of.get(job)?;
        let chain = &self.all[index];
        (!matches!(chain.state, State::Running { .. }) && chain.jobs.front() == Some(&job)).then_some(index)
    }

    /// The head of a chain that was running is to be tried (again) later.
    pub(super) fn put_off(&mut self, chain: ChainIndex, until: Duration, attempt: u32) {
        self.all[chain].state = State::Backoff { until, attempt };
        self.unplaced.insert(chain);
    }
}

/// The pools by name, and that of each job. Where two jobs give a pool different limits, the smaller one holds.
fn pools(plan: &Plan, catalogue: &Catalogue) -> (Vec<Pool>, Vec<usize>) {
    let mut pools = vec![Pool::new(usize::MAX)];
    let mut names: Vec<&str> = vec![""];
    let mut pool_of = Vec::new();
    for job in &plan.jobs {
        let Some(pool) = catalogue.pool(job) else {
            pool_of.push(0);
            continue;
        };
        let limit = usize::try_from(pool.limit).unwrap_or(usize::MAX).max(1);
        let known = names.iter().skip(1).position(|name| *name == pool.name).map(|position| position + 1);
        let index = known.unwrap_or_else(|| {
            names.push(&pool.name);
            pools.push(Pool::new(limit));
            pools.len() - 1
        });
        pools[index].limit = pools[index].limit.min(limit);
        pool_of.push(index);
    }
    (pools, pool_of)
}
