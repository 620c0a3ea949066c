//! A simulated world: banks, data, ETLs that fail, a clock, and runs that are planned as the program does it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use etl_orch::plan::decide::plan::Plan;
use etl_orch::plan::decide::planner::Planner;
use etl_orch::plan::model::candidate::{AvailabilityKey, Candidate};
use etl_orch::plan::model::etl::{Etl, EtlIndex, Places, Pool, ReportsBy};
use etl_orch::plan::model::gap::{Gap, GapKey};
use etl_orch::plan::model::health::AgeLimits;
use etl_orch::plan::model::institution::{BankIndex, Institution, Institutions};
use etl_orch::plan::model::job::{JobState, Owner};
use etl_orch::plan::model::outcome::ExitCodes;
use etl_orch::plan::model::period::Period;
use etl_orch::plan::model::retry::RetryPolicy;
use etl_orch::plan::model::selection::Selection;
use etl_orch::plan::model::settings::RunSettings;
use etl_orch::plan::model::work::{CommandSpec, Work};
use etl_orch::plan::remember::breaker::OpenBreaker;
use etl_orch::plan::remember::failure_history::{FailureHistory, GapState};
use etl_orch::plan::remember::fingerprint::Fingerprint;
use etl_orch::plan::remember::stored_state::StoredState;
use etl_orch::plan::run::breakers::Refund;
use etl_orch::plan::run::job_end::JobEnd;
use etl_orch::plan::run::schedule::NextStep;

use crate::faults::Fault;

pub(crate) const BANKS: usize = 14;
pub(crate) const TICK: i64 = 15;

/// How a run is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Natural,
    /// It is asked to stop after so many attempts ended.
    Stopped(usize),
    /// It dies after so many attempts ended.
    Killed(usize),
}

/// What another invocation does about a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It fills the gap.
    Running,
    /// It claims the gap after the next run was planned.
    RunningSoon,
    /// It fills the gap after the next run was planned, and before that run's claim.
    MadeSoon,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// The jobs of which an attempt was started.
    pub(crate) started: HashSet<Gap>,
    /// The probes among them.
    pub(crate) probes: Vec<Gap>,
    /// Whether a breaker of this ETL was open when the run began, and when it ended.
    pub(crate) open: BTreeMap<EtlIndex, (bool, bool)>,
}

#[derive(Debug)]
pub(crate) struct World {
    /// True time since the start, in minutes.
    pub(crate) minutes: i64,
    /// What the clock is off by.
    pub(crate) clock_off: TimeDelta,
    pub(crate) institutions: Institutions,
    pub(crate) etls: Vec<Etl>,
    pub(crate) settings: RunSettings,
    pub(crate) available: BTreeSet<(usize, Period)>,
    pub(crate) made: BTreeSet<(EtlIndex, usize, Period)>,
    pub(crate) versions: HashMap<(usize, Period), u64>,
    pub(crate) states: BTreeMap<GapKey, GapState>,
    pub(crate) breakers: HashMap<EtlIndex, OpenBreaker>,
    /// Faults of banks, by ETL.
    pub(crate) bank_faults: BTreeMap<(EtlIndex, usize), Fault>,
    pub(crate) etl_faults: BTreeMap<EtlIndex, Fault>,
    /// What other invocations do.
    pub(crate) elsewhere: HashMap<Gap, Elsewhere>,
    /// True minutes at which runs of a gap were charged.
    pub(crate) charged: HashMap<Gap, Vec<i64>>,
    /// Whether other invocations use the pool now and then, so that attempts cannot begin.
    pub(crate) pool_is_shared: bool,
    attempts: u64,
}

pub(crate) fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn etl(name: &str, report_type: &str, needs: Vec<EtlIndex>) -> Etl {
    let command = CommandSpec {
        argv: Vec::new(),
        cwd: PathBuf::from("/"),
        env: Vec::new(),
        env_file: None,
        timeout: Duration::from_secs(60),
        progress: Vec::new(),
        grace: Duration::from_secs(10),
    };
    Etl {
        name: name.to_owned(),
        report_type: report_type.to_owned(),
        other_report_types: Vec::new(),
        description: None,
        requires: vec!["transcripts".to_owned()],
        needs,
        work: Work::Command { command, exit_codes: ExitCodes::default() },
        reports: ReportsBy::Etl,
        retry: RetryPolicy::default(),
        warn_after: None,
        gap_age: AgeLimits::default(),
        pool: None,
        version: None,
        places: Places::default(),
    }
}

impl World {
    /// All banks have data for these periods, and nothing is made yet.
    pub(crate) fn new(periods: &[&str]) -> Self {
        let bank = |id: i64| Institution {
            key: format!("B{id:02}"),
            id,
            name: format!("Bank {id}"),
            kind: None,
            priority: 0,
            place: String::new(),
        };
        let mut summary = etl("call_summary", "Call Summary", Vec::new());
        summary.pool = Some(Pool { name: "gpu".to_owned(), limit: 3 });
        let mut world = Self {
            minutes: 0,
            clock_off: TimeDelta::zero(),
            institutions: Institutions::new((1..).take(BANKS).map(bank).collect()),
            etls: vec![summary, etl("key_themes", "Key Themes", vec![0])],
            settings: RunSettings::default(),
            available: BTreeSet::new(),
            made: BTreeSet::new(),
            versions: HashMap::new(),
            states: BTreeMap::new(),
            breakers: HashMap::new(),
            bank_faults: BTreeMap::new(),
            etl_faults: BTreeMap::new(),
            elsewhere: HashMap::new(),
            charged: HashMap::new(),
            pool_is_shared: false,
            attempts: 0,
        };
        for text in periods {
            world.new_period(period(text));
        }
        world
    }

    /// Data for a period arrives for all banks.
    pub(crate) fn new_period(&mut self, period: Period) {
        self.available.extend((0..BANKS).map(|bank| (bank, period)));
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        start + TimeDelta::minutes(self.minutes) + self.clock_off
    }

    pub(crate) fn key(&self, gap: Gap) -> GapKey {
        GapKey::report(self.institutions.get(gap.bank), gap.period, &self.etls[gap.etl])
    }

    /// What is missing.
    pub(crate) fn missing(&self) -> Vec<Gap> {
        let all =
            (0..self.etls.len()).flat_map(|etl| self.available.iter().map(move |(bank, period)| Gap { bank: *bank, period: *period, etl }));
        all.filter(|gap| !self.made.contains(&(gap.etl, gap.bank, gap.period))).collect()
    }

    pub(crate) fn history(&self, gap: Gap) -> FailureHistory {
        self.states.get(&self.key(gap)).map(|state| state.history.clone()).unwrap_or_default()
    }

    fn state(&mut self, gap: Gap) -> &mut GapState {
        let key = self.key(gap);
        let blank = GapState { key: key.clone(), fence: 0, history: FailureHistory::default(), skip: None, forced: None };
        self.states.entry(key).or_insert(blank)
    }

    /// An operator orders all gaps to be tried again.
    pub(crate) fn retry_all(&mut self) {
        self.states.clear();
    }

    pub(crate) fn fingerprint(&self, gap: Gap) -> Fingerprint {
        let version = self.versions.get(&(gap.bank, gap.period)).copied().unwrap_or_default();
        Fingerprint { sources: format!("{version:x}"), etl: "e".to_owned() }
    }

    /// What goes wrong with the next attempt.
    pub(crate) fn fault(&mut self, gap: Gap) -> Option<Fault> {
        self.attempts += 1;
        let fault = self.etl_faults.get(&gap.etl).or_else(|| self.bank_faults.get(&(gap.etl, gap.bank)));
        fault.copied().filter(|fault| fault.strikes(self.attempts))
    }

    /// Whether an attempt of this ETL cannot begin, as others use its pool.
    pub(crate) fn is_pool_full(&mut self, etl: EtlIndex) -> bool {
        let asked = self.pool_is_shared && self.etls[etl].pool.is_some();
        self.attempts += u64::from(asked);
        asked && self.attempts.is_multiple_of(3)
    }

    pub(crate) fn stored(&self) -> StoredState {
        let missing = self.missing().into_iter().map(|gap| (self.key(gap), self.fingerprint(gap)));
        let running = self.elsewhere.iter().filter(|(_, how)| **how == Elsewhere::Running);
        StoredState {
            now: self.now(),
            gaps: self.states.iter().map(|(key, state)| (key.clone(), state.clone())).collect(),
            fingerprints: missing.filter(|(key, _)| self.states.contains_key(key)).collect(),
            breakers: self.breakers.clone(),
            running: running.map(|(gap, _)| (self.key(*gap), owner())).collect(),
            ..StoredState::default()
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        self.plan_from(&self.stored())
    }

    pub(crate) fn plan_from(&self, stored: &StoredState) -> Plan {
        let selection = Selection::default();
        let mut planner = Planner::new(&self.institutions, &self.etls, &self.settings, &selection, stored);
        for gap in self.missing() {
            let bank = self.institutions.get(gap.bank);
            planner.candidate(Candidate {
                etl: gap.etl,
                key: AvailabilityKey {
                    bank_id: Some(bank.id.to_string()),
                    bank_symbol: Some(bank.key.clone()),
                    fiscal_year: Some(gap.period.year().to_string()),
                    quarter: Some(gap.period.quarter().as_str().to_owned()),
                    mistyped: None,
                },
                exists: false,
                needs_met: self.etls[gap.etl].needs.iter().map(|need| self.made.contains(&(*need, gap.bank, gap.period))).collect(),
            });
        }
        let mut plan = planner.finish();
        for job in &mut plan.jobs {
            job.fingerprint = job.report().map(|gap| self.fingerprint(gap));
        }
        plan
    }

    /// A run claims the gap. Returns the fence.
    pub(crate) fn claim(&mut self, gap: Gap) -> i64 {
        let state = self.state(gap);
        state.fence += 1;
        state.fence
    }

    /// Records the end of a job.
    pub(crate) fn record(&mut self, gap: Gap, end: &JobEnd) {
        if end.state() == JobState::Succeeded {
            self.made(gap);
        }
        let Some(history) = end.history() else { return };
        if history.failed_runs > self.history(gap).failed_runs {
            self.charged.entry(gap).or_default().push(self.minutes);
        }
        self.state(gap).history = history.into_owned();
    }

    fn made(&mut self, gap: Gap) {
        assert!(self.made.insert((gap.etl, gap.bank, gap.period)), "made twice");
    }

    /// Another invocation claims the gaps of an ETL and a bank.
    pub(crate) fn claimed_elsewhere(&mut self, etl: EtlIndex, bank: BankIndex, how: Elsewhere) {
        let needs = self.etls[etl].needs.clone();
        let may_run = |gap: &Gap| needs.iter().all(|need| self.made.contains(&(*need, gap.bank, gap.period)));
        let gaps: Vec<Gap> = self.missing().into_iter().filter(|gap| (gap.etl, gap.bank) == (etl, bank)).filter(may_run).collect();
        for gap in gaps {
            self.elsewhere.entry(gap).or_insert(how);
        }
    }

    /// A run was planned: what other invocations do before its claims.
    pub(crate) fn planned(&mut self, plan: &Plan) {
        for (gap, how) in std::mem::take(&mut self.elsewhere) {
            if how == Elsewhere::Running {
                assert!(plan.jobs.iter().all(|job| job.report() != Some(gap)), "{gap:?} is planned while it is running elsewhere");
            } else {
                self.claim(gap);
            }
            match how {
                Elsewhere::Running | Elsewhere::RunningSoon => drop(self.elsewhere.insert(gap, Elsewhere::Running)),
                Elsewhere::MadeSoon => self.made_elsewhere(gap),
            }
        }
    }

    /// What a claim finds: the gap is filled, or is being filled, by another invocation.
    pub(crate) fn found_elsewhere(&self, gap: Gap) -> Option<NextStep> {
        if self.made.contains(&(gap.etl, gap.bank, gap.period)) {
            Some(NextStep::Succeed)
        } else {
            self.elsewhere.contains_key(&gap).then_some(NextStep::Skip)
        }
    }

    /// The other invocations end, with what they were to make, or as they died.
    pub(crate) fn elsewhere_ends(&mut self, made: bool) {
        for gap in std::mem::take(&mut self.elsewhere).into_keys() {
            if made {
                self.made_elsewhere(gap);
            } else {
                self.lost(gap);
            }
        }
    }

    fn made_elsewhere(&mut self, gap: Gap) {
        self.made(gap);
        self.state(gap).history = FailureHistory::default();
    }

    /// Whoever was filling the gap died.
    pub(crate) fn lost(&mut self, gap: Gap) {
        let (fingerprint, now) = (self.fingerprint(gap), self.now());
        let state = self.state(gap);
        state.history = state.history.lost(Some(&fingerprint), now);
    }

    /// Records a refund as the database does: unless the gap was claimed since.
    pub(crate) fn refund(&mut self, refund: Refund) {
        if let Some(state) = self.states.get_mut(&refund.gap).filter(|state| state.fence == refund.fence) {
            state.history = refund.history;
        }
    }
}

/// Who another invocation is.
fn owner() -> Owner {
    Owner { host: "elsewhere".to_owned(), machine_id: None, boot_id: "boot".to_owned(), pid: 7, pid_started: 1 }
}
