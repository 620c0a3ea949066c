//! What is expected, for who asks about one gap alone, and for who watches a run.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::{Instant, timeout};

use super::error::RunError;
use super::invocation::Invocation;
use super::outlook;
use crate::plan::decide::decision::Decision;
use crate::plan::decide::explain::{Explanation, Verdict};
use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::ids::RunId;
use crate::plan::remember::durations::Durations;
use crate::plan::run::expectations::Expectations;
use crate::plan::run::forecast::{ExpectedRun, Interval};
use crate::plan::run::outlook::{Expectation, Outlook, Start};

/// The start of a run waits no longer for what is expected of it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Invocation {
    /// What is expected of a run that begins with this plan: nothing where nobody watches it, or the database does not say it soon.
    pub(super) async fn expectations(&self, plan: &Plan, lock_taken_at: Instant) -> Expectations {
        if !self.is_watched {
            return Expectations::default();
        }
        let names: BTreeSet<String> = plan.jobs.iter().map(|job| job.key.filled_by().to_owned()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let Ok(Ok(successes)) = timeout(PATIENCE, self.store.successes(&names)).await else { return Expectations::default() };
        let now = Utc::now();
        let begin = TimeDelta::from_std(lock_taken_at.elapsed()).ok().and_then(|ago| now.checked_sub_signed(ago)).unwrap_or(now);
        Expectations::of(&ExpectedRun {
            plan,
            catalogue: &self.catalogue,
            settings: &self.settings,
            durations: &Durations::of(successes),
            begin: Interval::at(begin),
            running: &[],
            filled_before: &HashMap::new(),
            now,
        })
    }

    /// What is expected of a gap that is explained. `plan` is that of a run that starts now, where it would fill the gap; `living` are the
    /// runs that are under way.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn expectation(
        &self,
        of: &Explanation,
        plan: Option<&Plan>,
        living: &BTreeSet<RunId>,
    ) -> Result<Option<Expectation>, RunError> {
        let rest = match &of.verdict {
            Verdict::Decided(Decision::CoolingDown(rest)) | Verdict::Source(SourceStatus::CoolingDown(rest)) => Some(*rest),
            Verdict::Decided(Decision::Run(_) | Decision::Claimed(_)) | Verdict::Source(SourceStatus::Due | SourceStatus::Claimed(_)) => {
                None
            }
            Verdict::NoData | Verdict::Capped | Verdict::Decided(_) | Verdict::Source(_) => return Ok(None),
        };
        let facts = outlook::facts(&*self.store, &self.catalogue, &self.settings, living, Utc::now()).await?;
        let nothing = Plan::default();
        let plan = plan.unwrap_or(&nothing);
        let outlook = Outlook::of(plan, &facts, Start::Regular);
        Ok(match rest {
            Some(rest) => outlook.next_run(rest.until).map(Expectation::TriedAt),
            None => outlook.of_gap(plan, &of.gap),
        })
    }
}
