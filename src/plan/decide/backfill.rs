//! What a run does about each source: pure functions over half-open windows.
//!
//! The backlog of a source lies between its frontier and the end of the last window that is due. Windows of it that are not in the
//! queue yet are put there; windows in the queue that are not collected make jobs.

mod added;
mod backlog;
mod giving_up;
mod independent;
mod jobs;
mod lateness;
mod recorded;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

pub use self::added::add;
use self::backlog::Backlog;
pub use self::giving_up::give_up;
use self::jobs::{Row, deal};
pub use self::recorded::{move_frontier, record};
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::Owner;
use crate::plan::model::selection::Selection;
use crate::plan::model::source::{CatchUp, Source, SourceIndex};
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Eligibility, GapState};
use crate::plan::remember::fingerprint::{self, Fingerprint};
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::remember::unfinished::UnrecordedEnd;

/// No more windows of a source are in the queue at once; a later run goes on.
const MOST_QUEUED: usize = 10_000;

/// What is known when the sources are planned.
#[derive(Debug, Clone, Copy)]
pub struct SourceFacts<'a> {
    /// Wall clock.
    pub now: DateTime<Utc>,
    /// The records of sources, by id; those that never ran have none.
    pub states: &'a HashMap<String, SourceState>,
    /// The queue: every window that is not collected, and those collected beyond a frontier.
    pub queue: &'a [QueuedWindow],
    /// Gaps that have a past.
    pub gaps: &'a HashMap<GapKey, GapState>,
    /// Gaps whose job has ended, which the database does not have on record yet.
    pub unrecorded: &'a HashMap<GapKey, UnrecordedEnd>,
    /// Gaps that living owners are filling.
    pub running: &'a HashMap<GapKey, Owner>,
}

/// What a run does about the sources in its selection, in order of declaration, with at most `most` jobs in all. `digests` are
/// those of [`fingerprint::of_source`], for each source.
#[must_use]
pub fn plan(sources: &[Source], selection: &Selection, digests: &[String], facts: SourceFacts<'_>, most: usize) -> Vec<SourcePlan> {
    // While something is left of what `--force` asked for, it goes on with that.
    let asks_again = selection.force
        && !sources.iter().enumerate().any(|(index, source)| selection.sources.contains(&index) && is_asked_for(source, facts));
    let mut assessed: Vec<Assessed> = Vec::new();
    for (index, source) in sources.iter().enumerate().filter(|(index, _)| selection.has_source(*index)) {
        let digest = digests.get(index).map_or("", String::as_str);
        let again = asks_again && selection.sources.contains(&index);
        assessed.push(assess((index, source), selection.overrides_failures(), again, &fingerprint(source, digest, facts.now), facts));
    }
    let turns = deal(&assessed.iter().map(|source| source.jobs.len()).collect::<Vec<_>>(), most);
    assessed.into_iter().zip(turns).map(|(source, jobs)| source.finish(jobs)).collect()
}

/// What a failure of a source depended on. A window that became due since then is new data.
#[must_use]
pub fn fingerprint(source: &Source, digest: &str, now: DateTime<Utc>) -> Fingerprint {
    let due = due_end(source, now).timestamp().to_string();
    Fingerprint { sources: fingerprint::digest([due.as_str()]), etl: digest.to_owned() }
}

/// A window is due when it ended here or before.
#[must_use]
pub fn due_by(source: &Source, now: DateTime<Utc>) -> DateTime<Utc> {
    let lag = TimeDelta::from_std(source.lag).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(lag).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The end of the last window that is due.
fn due_end(source: &Source, now: DateTime<Utc>) -> DateTime<Utc> {
    source.cadence.starting_at_or_before(due_by(source, now))
}

/// A source assessed by itself, before the places for jobs are shared out among all sources.
struct Assessed {
    plan: SourcePlan,
    jobs: Vec<jobs::Group>,
}

/// Whether an operator asked for a window of a source, which nothing has tried since and nobody wants left alone.
fn is_asked_for(source: &Source, facts: SourceFacts<'_>) -> bool {
    let is_paused = facts.states.get(&source.id).is_some_and(|state| state.paused.is_some());
    let skip = facts.gaps.get(&GapKey::source(&source.id)).and_then(|gap| gap.skip.as_ref());
    let is_left_alone = is_paused || skip.is_some_and(|order| order.holds(facts.now));
    !is_left_alone && facts.queue.iter().any(|row| row.source == source.id && row.is_urgent && row.window.end <= due_by(source, facts.now))
}

/// The quarantine or the rest that keeps a gap from being tried at `now`.
fn rest(gap: &GapState, fingerprint: &Fingerprint, now: DateTime<Utc>) -> Option<SourceStatus> {
    match gap.history.eligibility(now, Some(fingerprint)) {
        Eligibility::Quarantined(quarantine) => Some(SourceStatus::Quarantined(quarantine)),
        Eligibility::Resting(rest) => Some(SourceStatus::CoolingDown(rest)),
        Eligibility::Free => None,
    }
}

/// `again`: whether its last window is to be collected once more.
fn assess(
    (index, source): (SourceIndex, &Source),
    force: bool,
    again: bool,
    fingerprint: &Fingerprint,
    facts: SourceFacts<'_>,
) -> Assessed {
    let key = GapKey::source(&source.id);
    let gap = facts.gaps.get(&key);
    let state = facts.states.get(&source.id).cloned();
    let state = state.unwrap_or_else(|| SourceState { source: source.id.clone(), ..SourceState::default() });
    let missing = Backlog::find(source, &state, facts.queue, facts.now);
    let again = if again { missing.last() } else { Vec::new() };
    let pasts = independent::pasts(source, &missing, fingerprint, force, facts);
    let is_independent = source.catch_up == CatchUp::Independent;
    let rests = gap.and_then(|gap| rest(gap, fingerprint, facts.now)).filter(|_| !force && !is_independent);
    // A rest lets through, once, what an operator asked for.
    let is_once = rests.is_some() && missing.is_urgent();
    let standing = match (&state.paused, gap.and_then(|gap| gap.skip.as_ref()).filter(|order| order.holds(facts.now))) {
        (Some(pause), _) => SourceStatus::Paused(pause.clone()),
        (None, Some(order)) => SourceStatus::Skipped(order.clone()),
        (None, None) if missing.is_none() && again.is_empty() => SourceStatus::UpToDate,
        (None, None) => match (facts.unrecorded.get(&key), facts.running.get(&key), rests) {
            (Some(end), _, _) => SourceStatus::Unrecorded(end.clone()),
            (None, Some(owner), _) => SourceStatus::Claimed(owner.clone()),
            (None, None, Some(rest)) if !is_once => rest,
            (None, None, _) => SourceStatus::Due,
        },
    };
    let held_back = pasts.windows();
    let is_all_held_back = missing.is_all_in(&held_back) && again.is_empty();
    let standing = match (standing, pasts.standing()) {
        (SourceStatus::Due, Some(held)) if is_all_held_back => held,
        (standing, _) => standing,
    };
    let is_due = standing == SourceStatus::Due;
    let room = MOST_QUEUED.saturating_sub(missing.queued.len());
    let new: Vec<Window> = if is_due && !is_once { missing.not_queued().take(room).collect() } else { Vec::new() };
    let again = if is_due { again } else { Vec::new() };
    let jobs = if is_due { jobs::groups(source, rows(&missing, is_once, &new, &again, &held_back)) } else { Vec::new() };
    let history = pasts.worst.or(gap.filter(|_| !is_independent).map(|gap| &gap.history));
    let given_up = giving_up::spans(source, facts.queue);
    let plan = SourcePlan {
        source: index,
        begin: missing.begin().filter(|_| is_due && is_independent && state.frontier.is_none()),
        standing,
        new,
        again,
        jobs: Vec::new(),
        behind: missing.count(),
        missing: missing.span(),
        left: 0,
        next_due: missing.next_due(),
        lateness: lateness::of(source, &state, gap, &missing, &given_up, facts.now),
        given_up,
        error: history.and_then(|history| history.error.clone()),
        failed_runs: history.map_or(0, |history| history.failed_runs),
        held_back: pasts.held_back,
        order: None,
        state,
    };
    Assessed { plan, jobs }
}

/// Everything to collect, oldest first. Windows that are collected once more come last: if one of them fails, it does not hold up
/// what is missing. With `is_once`, only what an operator asked for and no run has tried since. Without what is held back.
fn rows(missing: &Backlog<'_>, is_once: bool, new: &[Window], last: &[Window], held_back: &HashSet<Window>) -> Vec<Row> {
    let row = |window, remote_id: Option<&String>, is_behind| {
        let is_again = missing.is_before_frontier(window);
        Row { window, remote_id: remote_id.cloned(), is_behind, is_again }
    };
    let is_wanted = |queued: &&&QueuedWindow| (!is_once || queued.is_urgent) && !held_back.contains(&queued.window);
    let queued = missing.queued.iter().filter(is_wanted).map(|queued| row(queued.window, queued.remote_id.as_ref(), true));
    let new = new.iter().map(|window| row(*window, None, true));
    let asked = missing.again.iter().filter(is_wanted).map(|queued| row(queued.window, queued.remote_id.as_ref(), false));
    let last = last.iter().filter(|last| !missing.again.iter().any(|queued| queued.window == **last)).map(|last| row(*last, None, false));
    let mut rows: Vec<Row> = queued.chain(new).chain(asked).chain(last).collect();
    rows.sort_by_key(|row| (row.is_again, row.window));
    rows
}

impl Assessed {
    /// The plan, when so many of its jobs are made in this run.
    fn finish(self, jobs: usize) -> SourcePlan {
        let Self { mut plan, jobs: mut groups } = self;
        groups.truncate(jobs);
        let made: u64 = groups.iter().map(|group| group.behind).sum();
        let held_back = plan.held_back.len() as u64;
        plan.left = if plan.standing == SourceStatus::Due { plan.behind.saturating_sub(made + held_back) } else { 0 };
        plan.jobs = groups.into_iter().map(|group| group.collection(plan.source)).collect();
        plan
    }
}

#[cfg(test)]
mod tests;
