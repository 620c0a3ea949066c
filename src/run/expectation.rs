//! When a gap is expected to be filled, for who asks about that gap alone.

use std::collections::BTreeSet;

use chrono::Utc;

use super::error::RunError;
use super::invocation::Invocation;
use super::outlook;
use crate::plan::decide::decision::Decision;
use crate::plan::decide::explain::{Explanation, Verdict};
use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::ids::RunId;
use crate::plan::run::outlook::{Expectation, Outlook, Start};

impl Invocation {
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
