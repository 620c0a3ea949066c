//! What was done about a gap at some time, from what is on record alone.

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::retention::Keep;
use crate::plan::remember::arrivals::Arrival;
use crate::plan::remember::past::{PastDecision, PastJob, PastOrder, PastRun};
use crate::plan::remember::stored_decision::StoredDecision;

/// A gap as it was at some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Then {
    pub gap: GapKey,
    pub at: DateTime<Utc>,
    pub state: StateThen,
    /// The run that decided, where one did.
    pub decided_by: Option<PastRun>,
    /// The latest job that was planned by then.
    pub job: Option<PastJob>,
    /// Orders that were in force, the latest first.
    pub orders: Vec<PastOrder>,
    /// Of a source with independent windows: those that a run had decided not to collect.
    pub held_back: Vec<PastDecision>,
    pub runs: RunsThen,
    /// When its data arrived, by the tags that are required, where that is on record.
    pub arrivals: Vec<Arrival>,
}

/// The runs around a time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunsThen {
    /// The latest that had begun.
    pub last: Option<PastRun>,
    /// The first that began later.
    pub next: Option<PastRun>,
    /// Where there may have been others, which are not kept any longer: how long those are kept that had nothing to do.
    pub idle_kept: Option<Keep>,
}

impl RunsThen {
    /// The run that was under way.
    #[must_use]
    pub fn during(&self, at: DateTime<Utc>) -> Option<&PastRun> {
        self.last.as_ref().filter(|run| run.ended_at.is_none_or(|end| at < end))
    }
}

/// What is known of a gap at some time.
#[derive(Debug, Clone, PartialEq)]
pub enum StateThen {
    /// A job of it was running.
    Running(PastJob),
    /// A job of it was planned, and had not begun.
    Queued(PastJob),
    /// The run of its job had ended, and how that job ended was not on record.
    Unrecorded(PastJob),
    /// A run had decided not to make it, and no later one had decided otherwise.
    NotMade(PastDecision),
    /// A job had made it.
    Made(PastJob),
    /// Its latest job had ended otherwise, and no run had looked at it since, or none had decided against it.
    Ended(PastJob),
    /// The last run left so many gaps for later ones by `max_jobs`; it may have been among them.
    MaybeCapped(u64),
    Unknown,
}

/// What is on record of a gap and a time.
#[derive(Debug, Clone, Copy)]
pub struct PastFacts<'a> {
    pub at: DateTime<Utc>,
    /// The decision in force.
    pub decision: Option<&'a PastDecision>,
    pub decided_by: Option<&'a PastRun>,
    /// Those that were planned by then, the newest first.
    pub jobs: &'a [PastJob],
    /// The run of the job that had not ended.
    pub owner: Option<&'a PastRun>,
    /// Those on the gap and its groups that were given by then, the latest first.
    pub orders: &'a [PastOrder],
    /// Those against windows of the source.
    pub held_back: &'a [PastDecision],
    pub runs: &'a RunsThen,
    pub arrivals: &'a [Arrival],
}

/// Tells what was done about a gap.
#[must_use]
pub fn then(gap: &GapKey, facts: PastFacts<'_>) -> Then {
    Then {
        gap: gap.clone(),
        at: facts.at,
        state: state(facts),
        decided_by: facts.decided_by.cloned(),
        job: facts.jobs.first().cloned(),
        orders: in_force(facts.orders, facts.at),
        held_back: facts.held_back.to_vec(),
        runs: runs(facts),
        arrivals: facts.arrivals.to_vec(),
    }
}

/// The run that was at the gap comes before one that began later and was at others.
fn runs(facts: PastFacts<'_>) -> RunsThen {
    let of_owner = RunsThen { last: facts.owner.cloned(), ..facts.runs.clone() };
    if of_owner.during(facts.at).is_some() { of_owner } else { facts.runs.clone() }
}

fn state(facts: PastFacts<'_>) -> StateThen {
    let at = facts.at;
    let had_ended = |job: &PastJob| job.ended_at.is_some_and(|end| end <= at);
    let had_started = |job: &PastJob| job.started_at.is_some_and(|start| start <= at);
    if let Some(job) = facts.jobs.iter().find(|job| had_started(job) && !had_ended(job)) {
        let has_owner = job.ended_at.is_some() || facts.owner.is_none_or(|run| run.ended_at.is_none_or(|end| at < end));
        return match facts.decision {
            _ if has_owner => StateThen::Running(job.clone()),
            Some(decision) if matches!(decision.decision, StoredDecision::Unrecorded { .. }) => StateThen::NotMade(decision.clone()),
            Some(_) | None => StateThen::Unrecorded(job.clone()),
        };
    }
    if let Some(job) = facts.jobs.iter().find(|job| !had_ended(job)) {
        return StateThen::Queued(job.clone());
    }
    // A job that was at work after the decision says more: of somebody else, or as a broken ETL worked again.
    let has_ended_since =
        |decision: &PastDecision, job: &PastJob| job.started_at.is_some() && job.ended_at.is_some_and(|end| decision.since < end);
    let job = facts.jobs.first().filter(|job| facts.decision.is_none_or(|decision| has_ended_since(decision, job)));
    match (job, facts.decision) {
        (Some(job), _) if job.state == JobState::Succeeded => StateThen::Made(job.clone()),
        (Some(job), _) => StateThen::Ended(job.clone()),
        (None, Some(decision)) => StateThen::NotMade(decision.clone()),
        (None, None) => match facts.runs.last.as_ref().map_or(0, |run| run.capped) {
            0 => StateThen::Unknown,
            capped => StateThen::MaybeCapped(capped),
        },
    }
}

/// Orders that another has not taken back, and that had not ended by themselves: of each gap or group and purpose the latest.
fn in_force(orders: &[PastOrder], at: DateTime<Utc>) -> Vec<PastOrder> {
    let purpose = |order: &PastOrder| match order.kind.as_str() {
        "skip" | "unskip" | "retry" | "cancel" => 0,
        "pause" | "resume" => 1,
        _ => 2,
    };
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for order in orders {
        let place = (&order.gap, purpose(order));
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let holds = matches!(order.kind.as_str(), "skip" | "cancel" | "pause") && order.until.is_none_or(|until| at < until);
        if holds {
            found.push(order.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::ids::{JobId, RunId};
    use crate::plan::model::job::RunState;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-01T{hour:02}:00:00Z").parse().unwrap()
    }

    fn gap() -> GapKey {
        "RY-CA/2025Q2/b".parse().unwrap()
    }

    fn job(state: JobState, start: u32, end: Option<u32>) -> PastJob {
        PastJob {
            id: JobId::new(uuid::Uuid::nil()),
            run: RunId::new(uuid::Uuid::nil()),
            gap: gap(),
            window: None,
            state,
            forced: false,
            error: None,
            queued_at: at(1),
            started_at: Some(at(start)),
            ended_at: end.map(at),
            attempts: Vec::new(),
            metrics: Vec::new(),
        }
    }

    fn decided(since: u32) -> PastDecision {
        let decision = StoredDecision::Waiting { need: "a".to_owned() };
        PastDecision { gap: gap(), since: at(since), until: None, run: RunId::new(uuid::Uuid::nil()), decision }
    }

    fn name(hour: u32, decision: Option<&PastDecision>, jobs: &[PastJob]) -> &'static str {
        let runs = RunsThen::default();
        let facts = PastFacts {
            at: at(hour),
            decision,
            decided_by: None,
            jobs,
            owner: None,
            orders: &[],
            held_back: &[],
            runs: &runs,
            arrivals: &[],
        };
        match then(&gap(), facts).state {
            StateThen::Running(_) => "running",
            StateThen::Queued(_) => "queued",
            StateThen::Unrecorded(_) => "unrecorded",
            StateThen::NotMade(_) => "not made",
            StateThen::Made(_) => "made",
            StateThen::Ended(_) => "ended",
            StateThen::MaybeCapped(_) => "capped",
            StateThen::Unknown => "unknown",
        }
    }

    #[test]
    fn what_was_known_then_is_told_and_nothing_else() {
        let made = [job(JobState::Succeeded, 5, Some(7))];
        assert_eq!([2, 5, 6, 7, 9].map(|hour| name(hour, None, &made)), ["queued", "running", "running", "made", "made"]);
        assert_eq!(name(9, Some(&decided(3)), &made), "made", "it was made since");
        assert_eq!(name(9, Some(&decided(8)), &made), "not made");
        assert_eq!(name(9, None, &[job(JobState::Failed, 5, Some(7))]), "ended");
        assert_eq!(name(9, Some(&decided(8)), &[job(JobState::Failed, 5, Some(7))]), "not made");
        assert_eq!(name(9, Some(&decided(6)), &[job(JobState::Failed, 5, Some(7))]), "ended", "somebody else's, which a run had seen");
        let dropped = PastJob { started_at: None, ..job(JobState::Cancelled, 5, Some(7)) };
        assert_eq!(name(9, Some(&decided(1)), std::slice::from_ref(&dropped)), "not made", "it waited for a probe");
        assert_eq!(name(9, None, &[dropped]), "ended");
        assert_eq!(name(9, None, &[]), "unknown");
    }

    #[test]
    fn a_job_is_at_work_no_longer_than_its_run() {
        let (runs, jobs) = (RunsThen::default(), [job(JobState::Running, 5, None)]);
        let run = PastRun {
            id: RunId::new(uuid::Uuid::nil()),
            state: RunState::Failed,
            host: "h".to_owned(),
            pid: 1,
            version: String::new(),
            options: serde_json::Value::Null,
            started_at: at(4),
            ended_at: Some(at(7)),
            counts: None,
            metrics: Vec::new(),
            capped: 0,
        };
        let facts = |hour| PastFacts {
            at: at(hour),
            decision: None,
            decided_by: None,
            jobs: &jobs,
            owner: Some(&run),
            orders: &[],
            held_back: &[],
            runs: &runs,
            arrivals: &[],
        };
        let during = then(&gap(), facts(6));
        assert!(matches!(during.state, StateThen::Running(_)) && during.runs.during(at(6)).is_some());
        assert!(matches!(then(&gap(), facts(8)).state, StateThen::Unrecorded(_)));
    }

    #[test]
    fn an_order_is_in_force_until_it_is_taken_back_or_ends() {
        let order = |kind: &str, hour, until: Option<u32>| PastOrder {
            gap: gap(),
            kind: kind.to_owned(),
            by: "ann".to_owned(),
            reason: "r".to_owned(),
            at: at(hour),
            until: until.map(at),
        };
        let kinds = |orders: &[PastOrder]| in_force(orders, at(9)).into_iter().map(|order| order.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&[order("skip", 2, None)]), ["skip"]);
        assert_eq!(kinds(&[order("skip", 2, Some(9))]), [""; 0]);
        assert_eq!(kinds(&[order("unskip", 3, None), order("skip", 2, None)]), [""; 0]);
        assert_eq!(kinds(&[order("pause", 4, None), order("retry", 3, None), order("skip", 2, None)]), ["pause"]);
    }
}
