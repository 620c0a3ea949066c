//! Gathers the facts for an explanation, as a run that starts now would find them, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::invocation::Invocation;
use super::plan_input::PlanInput;
use super::planning::{self, Planned};
use super::recover::{self, Recovery};
use super::sources;
use super::sync::Learnt;
use crate::plan::decide::decision::{Decided, Decision};
use crate::plan::decide::explain::{self, Explanation, ReportFacts, SourceAsked};
use crate::plan::decide::mismatch::{NameCount, misspelled};
use crate::plan::decide::plan::Plan;
use crate::plan::model::candidate::AvailabilityRow;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::ids::RunId;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::job::ReportKey;
use crate::plan::model::period::Period;
use crate::plan::model::selection::Selection;
use crate::plan::model::source::SourceIndex;
use crate::plan::remember::arrivals::{ArrivalQuery, tags_on_record};
use crate::plan::remember::past::{JobQuery, PastJob, PastRun, RunQuery};
use crate::plan::remember::source_state::QueuedWindow;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::outlook::Expectation;
use crate::store::Available;

/// So many of the latest jobs of a gap are looked at.
const LATEST_JOBS: u32 = 20;

/// Whose reports are to be explained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// All banks where it is empty.
    pub banks: BTreeSet<BankIndex>,
    /// All periods of which there is data where it is `None`.
    pub period: Option<Period>,
    /// All ETLs where it is empty.
    pub etls: BTreeSet<EtlIndex>,
}

/// What was asked for, explained.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub explanations: Vec<Explanation>,
    /// When it is expected to be filled, where a single gap was asked for.
    pub expectation: Option<Expectation>,
    /// Reports that exist and are not among the explanations.
    pub done: u64,
    /// Reports that the configuration leaves out and that are not among them.
    pub filtered: u64,
    /// Gaps that `max_jobs` leaves for later runs, where everything was asked for.
    pub capped: u64,
    /// The latest run.
    pub last_run: Option<PastRun>,
    /// What a person should know; each is a sentence.
    pub warnings: Vec<String>,
}

/// What is the same for all reports that are explained.
struct Found {
    decided: BTreeMap<GapKey, Decided>,
    stored: StoredState,
    plan: Option<Plan>,
    last_run: Option<PastRun>,
    news: Vec<Available>,
    /// The runs that are under way.
    living: BTreeSet<RunId>,
    warnings: Vec<String>,
}

/// What is looked up for one report alone.
#[derive(Default)]
struct Details {
    rows: Vec<AvailabilityRow>,
    tags: Vec<NameCount>,
    symbols: Vec<NameCount>,
    jobs: Vec<PastJob>,
    exists: bool,
    misspelled: Option<String>,
    from_files: Vec<String>,
    first_seen: Option<DateTime<Utc>>,
}

impl Invocation {
    /// Explains reports: all facts of a single one; of several those that are not done, without what would have to be looked up for each.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn why_reports(&self, asked: &Asked) -> Result<Answer, RunError> {
        let found = self.find(asked).await?;
        let single = match (asked.banks.first(), asked.period, asked.etls.first()) {
            (Some(bank), Some(period), Some(etl)) if asked.banks.len() == 1 && asked.etls.len() == 1 => {
                Some(Gap { bank: *bank, period, etl: *etl })
            }
            _ => None,
        };
        if let Some(gap) = single {
            let details = self.details(gap, &found).await?;
            let explanation = self.explain(gap, &found, &details, true).await?;
            let expectation = self.expectation(&explanation, found.plan.as_ref(), &found.living).await?;
            return Ok(Answer {
                explanations: vec![explanation],
                expectation,
                last_run: found.last_run,
                warnings: found.warnings,
                ..Answer::default()
            });
        }
        self.explain_all(asked, found).await
    }

    /// Explains a source.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn why_source(&self, source: SourceIndex) -> Result<Answer, RunError> {
        let plans = sources::preview(&*self.store, &self.catalogue, &self.env_files, &self.settings, &self.state_dir).await?;
        let id = &self.catalogue.source(source).id;
        let query = JobQuery { filled_by: vec![id.clone()], limit: LATEST_JOBS, ..JobQuery::default() };
        let jobs = self.store.jobs(&query).await?;
        let queue = self.store.queue().await?;
        let queued = queue.iter().filter(|row| row.source == *id && QueuedWindow::is_open(row)).count() as u64;
        let last_run = self.last_run().await?;
        let explanation = |plan| {
            let (catalogue, settings) = (&*self.catalogue, &self.settings);
            explain::source(&SourceAsked { catalogue, settings, plan, queued, jobs: &jobs, last_run: last_run.as_ref() })
        };
        let explanations: Vec<Explanation> = plans.iter().filter(|plan| plan.source == source).map(explanation).collect();
        let recovery = recover::preview(&*self.store, &self.state_dir).await?;
        let plan = self.whole_plan(&self.learn()?, &recovery, Vec::new()).await?;
        let expectation = match explanations.first() {
            Some(explanation) => self.expectation(explanation, Some(&plan), &recovery.living).await?,
            None => None,
        };
        Ok(Answer { explanations, expectation, last_run, ..Answer::default() })
    }

    /// Explains, in short, everything that is not made now: what is held back, what the next run makes, and sources.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn why_all(&self) -> Result<Answer, RunError> {
        let mut learnt = self.learn()?;
        let recovery = recover::preview(&*self.store, &self.state_dir).await?;
        let news = self.store.not_yet_available(&learnt.available).await?;
        let plan = self.whole_plan(&learnt, &recovery, news).await?;
        let warnings = [std::mem::take(&mut learnt.warnings), recovery.warnings].concat();
        let (explanations, capped) = (explain::all(&plan, &self.catalogue), plan.capped);
        Ok(Answer { explanations, capped, last_run: self.last_run().await?, warnings, ..Answer::default() })
    }

    async fn last_run(&self) -> Result<Option<PastRun>, RunError> {
        Ok(self.store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).await?.pop())
    }

    /// What a run would decide on the reports that are asked for, and its whole plan where any of them is to be made.
    async fn find(&self, asked: &Asked) -> Result<Found, RunError> {
        let selection = Selection {
            banks: asked.banks.clone(),
            periods: asked.period.into_iter().collect(),
            from_year: self.selection.from_year,
            ..Selection::default()
        };
        let mut learnt = self.learn()?;
        let recovery = recover::preview(&*self.store, &self.state_dir).await?;
        let news = self.store.not_yet_available(&learnt.available).await?;
        let input = PlanInput { selection: &selection, ..self.plan_input(&learnt.stamps) };
        let (decided, stored) = planning::decide_all(&*self.store, input, &recovery, news.clone()).await?;
        let is_asked =
            |key: &GapKey| asked.etls.is_empty() || asked.etls.iter().any(|etl| self.catalogue.etl(*etl).name == key.filled_by());
        let is_to_be_made =
            |(key, decided): (&GapKey, &Decided)| is_asked(key) && matches!(decided.decision, Decision::Run(_) | Decision::Deferred);
        let plan = if decided.iter().any(is_to_be_made) { Some(self.whole_plan(&learnt, &recovery, news.clone()).await?) } else { None };
        let warnings = [std::mem::take(&mut learnt.warnings), recovery.warnings].concat();
        Ok(Found { decided, stored, plan, last_run: self.last_run().await?, news, living: recovery.living, warnings })
    }

    async fn whole_plan(&self, learnt: &Learnt, recovery: &Recovery, news: Vec<Available>) -> Result<Plan, RunError> {
        let Planned { plan, .. } = planning::plan(&*self.store, self.plan_input(&learnt.stamps), recovery, news, None).await?;
        Ok(plan)
    }

    /// Every report that is asked for and not done; where a period is named, also those that there is no data for.
    async fn explain_all(&self, asked: &Asked, found: Found) -> Result<Answer, RunError> {
        let mut answer = Answer::default();
        let mut gaps: Vec<Gap> = Vec::new();
        for (key, decided) in &found.decided {
            let Some(gap) = self.gap(key).filter(|gap| asked.etls.is_empty() || asked.etls.contains(&gap.etl)) else { continue };
            match decided.decision {
                Decision::Done if asked.period.is_none() => answer.done += 1,
                Decision::Filtered(_) if asked.period.is_none() => answer.filtered += 1,
                _ => gaps.push(gap),
            }
        }
        let etls = || (0..self.catalogue.etls.len()).filter(|etl| asked.etls.is_empty() || asked.etls.contains(etl));
        if let Some(period) = asked.period {
            let all = asked.banks.iter().flat_map(|bank| etls().map(|etl| Gap { bank: *bank, period, etl }));
            let others: Vec<Gap> = all.filter(|gap| !gaps.contains(gap)).collect();
            gaps.extend(others);
        }
        gaps.sort_by_key(|gap| (gap.bank, std::cmp::Reverse(gap.period), gap.etl));
        let mut details: Option<(BankIndex, Details)> = None;
        for gap in gaps {
            if details.as_ref().is_none_or(|(bank, _)| *bank != gap.bank) {
                details = Some((gap.bank, self.details_of_bank(gap.bank).await?));
            }
            let Some((_, details)) = &details else { continue };
            answer.explanations.push(self.explain(gap, &found, details, false).await?);
        }
        Ok(Answer { last_run: found.last_run, warnings: found.warnings, ..answer })
    }

    fn gap(&self, key: &GapKey) -> Option<Gap> {
        let GapKey::Report { bank, period, etl } = key else { return None };
        let (bank, _) = self.catalogue.institutions.iter().find(|(_, one)| one.key == *bank)?;
        let etl = self.catalogue.etls.iter().position(|one| one.name == *etl)?;
        Some(Gap { bank, period: *period, etl })
    }

    async fn details_of_bank(&self, bank: BankIndex) -> Result<Details, RunError> {
        let symbols: Vec<&str> =
            self.catalogue.institutions.data_symbols().filter(|(_, of)| *of == bank).map(|(symbol, _)| symbol).collect();
        let rows = self.store.availability_rows(&symbols, self.catalogue.institutions.get(bank).id).await?;
        Ok(Details { rows, ..Details::default() })
    }

    /// What else is looked up for a single report.
    async fn details(&self, gap: Gap, found: &Found) -> Result<Details, RunError> {
        let mut details = self.details_of_bank(gap.bank).await?;
        let (bank, etl) = (self.catalogue.institutions.get(gap.bank), self.catalogue.etl(gap.etl));
        let key = GapKey::report(bank, gap.period, etl);
        let has_data = found.decided.contains_key(&key);
        if !has_data {
            details.tags = self.store.availability_tags(&etl.requires).await?;
            details.symbols = self.store.availability_symbols().await?;
        }
        let is_news = |one: &&Available| one.bank_id == bank.id && one.period == gap.period;
        details.from_files = found.news.iter().filter(is_news).map(|one| one.tag.clone()).collect();
        let tags = tags_on_record(&etl.requires);
        let arrivals = self.store.arrivals(ArrivalQuery::Data(&bank.key, gap.period)).await?;
        details.first_seen = arrivals.into_iter().find(|arrival| arrival.tags == tags).map(|arrival| arrival.first_seen_at);
        details.jobs = self.store.jobs(&JobQuery { gaps: vec![key.clone()], limit: LATEST_JOBS, ..JobQuery::default() }).await?;
        let report = ReportKey {
            bank_id: bank.id,
            period: gap.period,
            report_type: etl.report_type.clone(),
            other_types: etl.other_report_types.clone(),
        };
        details.exists = match found.decided.get(&key) {
            Some(decided) => decided.exists,
            None => self.store.report_fingerprint(&report).await?.is_some(),
        };
        if !details.exists {
            let beside = self.store.reports_beside(&report).await?;
            details.misspelled = misspelled(&report, &self.catalogue.etls, &beside).map(|found| found.explain(&report, etl));
        }
        Ok(details)
    }

    async fn explain(&self, gap: Gap, found: &Found, details: &Details, is_single: bool) -> Result<Explanation, RunError> {
        let key = GapKey::report(self.catalogue.institutions.get(gap.bank), gap.period, self.catalogue.etl(gap.etl));
        let orders = if is_single { self.store.pending_orders(std::slice::from_ref(&key)).await? } else { Vec::new() };
        Ok(explain::report(&ReportFacts {
            catalogue: &self.catalogue,
            settings: &self.settings,
            selection: &self.selection,
            gap,
            decided: &found.decided,
            stored: &found.stored,
            plan: found.plan.as_ref(),
            rows: &details.rows,
            first_seen: details.first_seen,
            from_files: &details.from_files,
            tags: &details.tags,
            symbols: &details.symbols,
            jobs: &details.jobs,
            exists: details.exists,
            misspelled: details.misspelled.as_deref(),
            order: orders.first(),
            last_run: found.last_run.as_ref(),
        }))
    }
}
