//! When the jobs of a dry run are expected to have ended.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::expected::{self, Span};
use super::super::words::{Time, count};
use crate::plan::model::gap::GapKey;
use crate::plan::remember::failure_history::Rest;
use crate::plan::run::forecast::{Interval, Prospect, Unreckoned};
use crate::plan::run::outlook::Outlook;
use crate::plan::run::summary::RunSummary;

/// ETLs and sources that are named.
const MOST_NAMES: usize = 3;

/// What is expected of the run as a whole.
#[derive(Debug, Serialize)]
pub(super) struct ForecastView<'a> {
    begin: Option<Span>,
    end: Option<Span>,
    left_by_deadline: usize,
    not_reckoned: NotReckoned<'a>,
    #[serde(skip)]
    outlook: &'a Outlook,
}

/// Jobs of which nothing can be said, and why.
#[derive(Debug, Default, Serialize)]
struct NotReckoned<'a> {
    total: usize,
    /// By their ETLs and sources.
    never_succeeded: BTreeMap<&'a str, usize>,
    broken: usize,
    behind_these: usize,
}

impl<'a> ForecastView<'a> {
    /// `None` where it was not asked for.
    pub(super) fn of(summary: &'a RunSummary) -> Option<Self> {
        let outlook = summary.outlook.as_ref()?;
        let mut view = Self {
            begin: outlook.begin.map(Span::from),
            end: outlook.planned.end.map(Span::from),
            left_by_deadline: 0,
            not_reckoned: NotReckoned::default(),
            outlook,
        };
        for (job, prospect) in summary.plan.jobs.iter().zip(&outlook.planned.jobs) {
            match prospect {
                Prospect::Expected(_) => {}
                Prospect::LeftByDeadline | Prospect::MayMissDeadline => view.left_by_deadline += 1,
                Prospect::Unknown(why) => view.not_reckoned.add(job.key.filled_by(), *why),
            }
        }
        Some(view)
    }

    /// `, expected 14:10–14:25`, of a job of another run.
    pub(super) fn elsewhere(&self, gap: &GapKey) -> String {
        let words = expected::words(self.outlook.active.get(gap), self.outlook.now);
        words.map(|words| format!(", {words}")).unwrap_or_default()
    }

    /// `next tried at 14:30, `, where runs start regularly.
    pub(super) fn next_try(&self, rest: Rest) -> String {
        let next = self.outlook.next_run(rest.until);
        next.map(|at| format!("next tried at {}, ", Time(at).beside(Time(self.outlook.now)))).unwrap_or_default()
    }

    /// Lines on the whole run; none where it has nothing to do.
    pub(super) fn lines(&self) -> Vec<String> {
        let Outlook { now, begin, planned, .. } = self.outlook;
        let Some(begin) = *begin else {
            return vec!["FORECAST: none, as it cannot be reckoned when the run that is under way will have ended".to_owned()];
        };
        if planned.jobs.is_empty() {
            return Vec::new();
        }
        let at = |interval: Interval| expected::interval(interval, *now);
        let run = if begin == Interval::at(*now) {
            "a run that starts now".to_owned()
        } else {
            format!("the next run, which waits for the one that is under way until {},", at(begin))
        };
        let head = match planned.end {
            Some(end) if self.not_reckoned.total == 0 => format!("FORECAST: {run} is expected to end {}", at(end)),
            Some(end) => format!("FORECAST: of {run} what can be reckoned is expected to end {}", at(end)),
            None => format!("FORECAST: nothing of {run} can be reckoned"),
        };
        let basis = planned.end.map(|_| "  (by the durations of the last successes, from the first to the third quartile)".to_owned());
        let left = (self.left_by_deadline > 0)
            .then(|| format!("  • left to a later run by the deadline: {}", count(self.left_by_deadline as u64, "job")));
        std::iter::once(head).chain(basis).chain(left).chain(self.not_reckoned.line()).collect()
    }
}

impl<'a> NotReckoned<'a> {
    fn add(&mut self, of: &'a str, why: Unreckoned) {
        self.total += 1;
        match why {
            Unreckoned::NeverSucceeded => *self.never_succeeded.entry(of).or_default() += 1,
            Unreckoned::Broken => self.broken += 1,
            Unreckoned::Behind | Unreckoned::Overdue => self.behind_these += 1,
        }
    }

    /// `not reckoned: 5 jobs; 2 of key_themes, which never succeeded yet; 3 that wait for such a job`.
    fn line(&self) -> Option<String> {
        if self.total == 0 {
            return None;
        }
        let mut parts = vec![format!("  • not reckoned: {}", count(self.total as u64, "job"))];
        let named = self.never_succeeded.iter().take(MOST_NAMES);
        parts.extend(named.map(|(of, jobs)| format!("{jobs} of {of}, which never succeeded yet")));
        let more = self.never_succeeded.len().saturating_sub(MOST_NAMES);
        if more > 0 {
            let jobs: usize = self.never_succeeded.values().skip(MOST_NAMES).sum();
            parts.push(format!("{jobs} of {more} others that never did"));
        }
        if self.broken > 0 {
            parts.push(format!("{} for an ETL that is taken for broken", self.broken));
        }
        if self.behind_these > 0 {
            let wait = if self.behind_these == 1 { "waits" } else { "wait" };
            parts.push(format!("{} that {wait} for such a job", self.behind_these));
        }
        Some(parts.join("; "))
    }
}
