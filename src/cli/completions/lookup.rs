//! What can be named: by the configuration that the line is about, and by its database. What cannot be had is not offered, and nobody is
//! told of it: a shell that waits for a TAB has no place for that.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use tokio::time::{Instant, timeout_at};

use crate::config::{self, Config, Names};
use crate::os::threads;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::period::Period;
use crate::plan::model::settings::Variables;
use crate::plan::remember::past::{JobQuery, PastJob, RunQuery};
use crate::plan::remember::source_state::QueuedWindow;
use crate::show;
use crate::show::completion::{Offer, help_of_gap, help_of_job, help_of_run, help_of_window, job_state};
use crate::store::{self, Access, ScanRequest, Scanned, Store};

/// How long the database may take, however often it is asked.
const PATIENCE: Duration = Duration::from_millis(800);

/// Most ids of a kind.
const MOST: u32 = 30;

/// Most gaps, which are in an order that everybody knows.
const MOST_GAPS: usize = 100;

/// Jobs in which gaps are looked for.
const MOST_JOBS: u32 = 200;

/// Which gaps a command is about, beside those that can be named by bank and period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    /// That a run would not make now.
    Held,
    /// That failed, or that somebody wants left alone.
    Retryable,
    /// That somebody wants left alone.
    Skipped,
    /// That have a job that has not ended.
    Active,
    /// That had a job.
    Recorded,
}

/// What is known of one configuration.
#[derive(Debug)]
pub(super) struct Lookup {
    /// The file that the line names.
    named: Option<PathBuf>,
    environment: Variables,
    config: OnceLock<Option<Config>>,
    names: OnceLock<Names>,
    /// Until when the database is waited for.
    deadline: OnceLock<Instant>,
}

impl Lookup {
    pub(super) fn new(named: Option<PathBuf>, environment: Variables) -> Self {
        Self { named, environment, config: OnceLock::new(), names: OnceLock::new(), deadline: OnceLock::new() }
    }

    /// The configuration, if it is one. It is read once, and only for who needs it.
    fn config(&self) -> Option<&Config> {
        let read = || {
            let config = config::load(&self.path()?, &self.environment).ok()?;
            show::hide(config.secrets.clone());
            Some(config)
        };
        self.config.get_or_init(read).as_ref()
    }

    fn path(&self) -> Option<PathBuf> {
        config::find(self.named.as_deref(), &self.environment).ok().map(|found| found.path)
    }

    /// What it names. Who may not read `.env`, and gives orders by `sudo`, gets names all the same.
    fn names(&self) -> &Names {
        let read = || match self.config() {
            Some(config) => Names::from(config),
            None => self.path().and_then(|path| config::names(&path)).unwrap_or_default(),
        };
        self.names.get_or_init(read)
    }

    /// The banks, by the symbol that people use.
    pub(super) fn banks(&self) -> Vec<Offer> {
        let banks = &self.names().institutions;
        banks.iter().filter_map(|(_, bank)| Offer::new(banks.data_symbol(bank), &bank.name)).collect()
    }

    /// The banks, by their whole keys.
    pub(super) fn bank_keys(&self) -> Vec<Offer> {
        self.names().institutions.iter().filter_map(|(_, bank)| Offer::new(bank.key.as_str(), &bank.name)).collect()
    }

    pub(super) fn etls(&self) -> Vec<Offer> {
        self.names().etls.iter().filter_map(|(name, help)| Offer::new(name.as_str(), help)).collect()
    }

    pub(super) fn sources(&self) -> Vec<Offer> {
        self.names().sources.iter().filter_map(|(id, help)| Offer::new(id.as_str(), help)).collect()
    }

    /// Whether this word names a bank.
    pub(super) fn is_bank(&self, word: &str) -> bool {
        self.names().institutions.select(word).is_ok()
    }

    /// The periods of which there is data, of this bank or of any; the latest first.
    pub(super) fn periods(&self, bank: Option<&str>) -> Vec<Period> {
        let Some(config) = self.config() else { return Vec::new() };
        let banks = &config.catalogue.institutions;
        let wanted = bank.and_then(|bank| banks.select(bank).ok());
        let other_tags = config.catalogue.etls.iter().map(|etl| etl.requires.clone()).collect();
        let request = ScanRequest { other_tags, ..ScanRequest::default() };
        let found = self.ask(async |store| {
            let mut periods = Vec::new();
            let mut sink = |found| {
                if let Scanned::Group(group) = found {
                    let bank = group.bank_symbol.as_deref().and_then(|symbol| banks.by_data_symbol(symbol));
                    let period = |year: Option<&String>| Period::from_columns(year?, group.quarter.as_deref()?).ok();
                    let span = period(group.min_year.as_ref()).zip(period(group.max_year.as_ref()));
                    if let Some((first, last)) = span.filter(|_| bank.is_some() && (wanted.is_none() || bank == wanted)) {
                        // A group has one quarter of several years.
                        let following = std::iter::successors(Some(first), |period| period.next());
                        periods.extend(following.take_while(|period| *period <= last).filter(|period| period.quarter() == first.quarter()));
                    }
                }
            };
            store.scan(&request, &mut sink).await?;
            Ok(periods)
        });
        let mut periods = found.unwrap_or_default();
        periods.sort_unstable_by(|one, other| other.cmp(one));
        periods.dedup();
        periods
    }

    /// The gaps whose keys begin so.
    pub(super) fn gaps(&self, begin: &str, which: Gaps) -> Vec<Offer> {
        let now = Utc::now();
        let found = self.ask(async |store| {
            let gaps: Vec<(GapKey, String)> = match which {
                Gaps::Held | Gaps::Retryable | Gaps::Skipped => {
                    let mut states = store.gap_states().await?;
                    states.sort_by(|one, other| one.key.cmp(&other.key));
                    states.retain(|state| which != Gaps::Skipped || state.skip.as_ref().is_some_and(|skip| skip.holds(now)));
                    let of_state = states.into_iter().filter_map(|state| Some((state.key.clone(), help_of_gap(&state, now)?)));
                    let decisions = if which == Gaps::Held { store.decisions().await? } else { Vec::new() };
                    of_state.chain(decisions.into_iter().map(|(gap, decision)| (gap, decision.reason(now)))).collect()
                }
                Gaps::Active | Gaps::Recorded => {
                    let states = if which == Gaps::Active { vec![JobState::Running, JobState::Queued] } else { Vec::new() };
                    let jobs = store.jobs(&JobQuery { states, limit: MOST_JOBS, ..JobQuery::default() }).await?;
                    jobs.into_iter().map(|job| (job.gap.clone(), job_state(&job, now))).collect()
                }
            };
            Ok(gaps)
        });
        let mut offers: Vec<Offer> = Vec::new();
        for offer in found.unwrap_or_default().into_iter().filter_map(|(gap, help)| Offer::new(gap.to_string(), &help)) {
            if offers.len() < MOST_GAPS && offer.begins_with(begin) && !offers.iter().any(|other| other.word == offer.word) {
                offers.push(offer);
            }
        }
        offers
    }

    /// The jobs whose id begins so, or the latest; only those that have not ended, or all.
    pub(super) fn jobs(&self, begin: &str, active: bool) -> Vec<Offer> {
        if !begins_id(begin) {
            return Vec::new();
        }
        let states = if active { vec![JobState::Running, JobState::Queued] } else { Vec::new() };
        let query = JobQuery { id: id(begin), states, limit: MOST, ..JobQuery::default() };
        let jobs = self.ask(async |store| Ok(store.jobs(&query).await?)).unwrap_or_default();
        let now = Utc::now();
        let offer = |job: &PastJob| Offer::new(shown(begin, &job.id.to_string()), &help_of_job(job, now));
        jobs.iter().filter_map(offer).collect()
    }

    /// The same of runs.
    pub(super) fn runs(&self, begin: &str) -> Vec<Offer> {
        if !begins_id(begin) {
            return Vec::new();
        }
        let query = RunQuery { id: id(begin), limit: MOST, ..RunQuery::default() };
        let runs = self.ask(async |store| Ok(store.runs(&query).await?)).unwrap_or_default();
        let now = Utc::now();
        runs.iter().filter_map(|run| Offer::new(shown(begin, &run.id.to_string()), &help_of_run(run, now))).collect()
    }

    /// The windows of a source that are not collected, by their beginnings, the latest first.
    pub(super) fn windows(&self, source: &str) -> Vec<Offer> {
        let queue = self.ask(async |store| Ok(store.queue().await?)).unwrap_or_default();
        let missing = queue.iter().rev().filter(|queued| queued.source == source && !queued.is_collected);
        let begin = |queued: &QueuedWindow| queued.window.start.to_rfc3339_opts(SecondsFormat::Secs, true);
        missing.filter_map(|queued| Offer::new(begin(queued), &help_of_window(queued))).take(MOST as usize).collect()
    }

    /// The answer of the database, where it has one in time. Nothing is written, made or locked.
    fn ask<T>(&self, question: impl AsyncFnOnce(&dyn Store) -> store::Result<T>) -> Option<T> {
        let config = self.config()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().thread_keep_alive(threads::KEEP_ALIVE).build().ok()?;
        let asked = async {
            threads::reserve().await.ok()?;
            let store: Arc<dyn Store> = store::open(&config.database, Access::ReadOnly).await.ok()?;
            let answer = question(&*store).await.ok();
            store.close().await;
            answer
        };
        let answer =
            runtime.block_on(async { timeout_at(*self.deadline.get_or_init(|| Instant::now() + PATIENCE), asked).await.ok().flatten() });
        runtime.shutdown_background();
        answer
    }
}

/// Whether an id may begin so.
fn begins_id(typed: &str) -> bool {
    typed.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-')
}

/// What the database is asked for: any id where nothing is typed.
fn id(typed: &str) -> Option<String> {
    (!typed.is_empty()).then(|| typed.to_owned())
}

/// As much of an id as people see, or all of it where more is typed.
fn shown(typed: &str, id: &str) -> String {
    const SHORT: usize = 8;
    let length = if typed.len() > SHORT { id.len() } else { SHORT };
    id.chars().take(length).collect()
}
