//! Gathers the facts for a plan and lets `plan` decide.

use std::collections::{BTreeSet, HashMap};

use chrono::Utc;

use super::plan_input::PlanInput;
use super::recover::Found;
use super::sources::Sources;
use super::sync::Stamps;
use crate::plan::decide::plan::{Plan, PlannedJob};
use crate::plan::decide::planner::Planner;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::period::Period;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::GapState;
use crate::plan::remember::fingerprint::{self, Fingerprint};
use crate::plan::remember::stored_state::StoredState;
use crate::store::{self, Available, Data, EtlScan, ScanRequest, Scanned, Store};

/// A plan, and what it rests on.
#[derive(Debug)]
pub(super) struct Planned {
    /// What is to be done.
    pub(super) plan: Plan,
    /// What was known before the scan.
    pub(super) stored: StoredState,
    /// ETLs that have an open breaker, but are not what they were when it opened, or are not configured any more.
    pub(super) stale_breakers: Vec<String>,
}

/// Scans the database and decides. `also_available` is data that the database does not know of.
///
/// # Errors
/// When the database fails.
pub(super) async fn plan(store: &dyn Store, input: PlanInput<'_>, found: &Found, also_available: Vec<Available>) -> store::Result<Planned> {
    let digests = EtlDigests::of(input);
    let (stored, stale_breakers) = know(store, input, &digests, found).await?;
    let sources = Sources::gather(store, input, found).await?;
    let collections = sources.plan(input, &stored, input.most_collections());
    let mut plan = plan_reports(store, input, &stored, room_beside(&collections, input.settings), also_available).await?;
    let row_of = |gap: Gap| (input.catalogue.institutions.get(gap.bank).id, gap.period);
    let inputs = Inputs::look_up(store, input, plan.jobs.iter().filter_map(PlannedJob::report).map(row_of).collect()).await?;
    for job in &mut plan.jobs {
        job.fingerprint = job.report().map(|gap| digests.with(gap.etl, inputs.digest(row_of(gap))));
    }
    sources.add(&mut plan, collections, input.catalogue, &stored);
    Ok(Planned { plan, stored, stale_breakers })
}

/// The settings for reports, when these collections are made in the same run.
fn room_beside(collections: &[SourcePlan], settings: &RunSettings) -> RunSettings {
    let made: usize = collections.iter().map(|source| source.jobs.len()).sum();
    RunSettings { max_jobs: settings.max_jobs.saturating_sub(made), ..settings.clone() }
}

/// The plan of reports; an empty one where the selection has none, without a look at the data.
async fn plan_reports(
    store: &dyn Data,
    input: PlanInput<'_>,
    stored: &StoredState,
    settings: RunSettings,
    also_available: Vec<Available>,
) -> store::Result<Plan> {
    let mut planner = Planner::new(&input.catalogue.institutions, &input.catalogue.etls, &settings, input.selection, stored);
    if !input.has_reports() {
        return Ok(planner.finish());
    }
    let request = request(input, also_available);
    store
        .scan(&request, &mut |scanned| match scanned {
            Scanned::Candidate(candidate) => planner.candidate(candidate),
            Scanned::Group(group) => planner.group(&group),
            Scanned::NotAnArray { rows, examples } => planner.not_an_array(rows, examples),
        })
        .await?;
    if let Some(request) = forced_request(input, stored, request) {
        store
            .scan(&request, &mut |scanned| match scanned {
                Scanned::Candidate(candidate) => planner.forced_candidate(candidate),
                // Counted by the scan before.
                Scanned::Group(_) | Scanned::NotAnArray { .. } => {}
            })
            .await?;
    }
    Ok(planner.finish())
}

/// What is known before the scan, and which breakers are stale.
async fn know(store: &dyn Store, input: PlanInput<'_>, digests: &EtlDigests, found: &Found) -> store::Result<(StoredState, Vec<String>)> {
    let gaps = found.gap_states(store).await?;
    let failed: Vec<(&GapKey, EtlIndex, (i64, Period))> = gaps
        .values()
        .filter(|state| state.history.fingerprint.is_some())
        .filter_map(|state| {
            let GapKey::Report { bank, period, etl } = &state.key else { return None };
            let (_, bank) = input.catalogue.institutions.iter().find(|(_, stored)| stored.key == *bank)?;
            let etl = input.catalogue.etls.iter().position(|stored| stored.name == *etl)?;
            Some((&state.key, etl, (bank.id, *period)))
        })
        .collect();
    let inputs = Inputs::look_up(store, input, failed.iter().map(|(_, _, source)| *source).collect()).await?;
    let fingerprints = failed.iter().map(|(key, etl, source)| ((*key).clone(), digests.with(*etl, inputs.digest(*source)))).collect();
    let breakers = store.open_breakers().await?;
    let mut stale: Vec<String> = breakers.iter().map(|breaker| breaker.etl.clone()).collect();
    let breakers = digests.still_open(input, breakers);
    stale.retain(|etl| !breakers.values().any(|breaker| breaker.etl == *etl));
    let stored =
        StoredState { now: Utc::now(), running: found.running.clone(), fingerprints, breakers, settled: found.settled.clone(), gaps };
    Ok((stored, stale))
}

/// The digest of each ETL.
pub(super) struct EtlDigests(Vec<String>);

impl EtlDigests {
    pub(super) fn of(input: PlanInput<'_>) -> Self {
        Self(input.catalogue.etls.iter().map(|etl| fingerprint::of_etl(etl, input.env_files)).collect())
    }

    fn with(&self, etl: EtlIndex, sources: String) -> Fingerprint {
        Fingerprint { sources, etl: self.0[etl].clone() }
    }

    /// The breakers of ETLs that are what they were when they broke.
    fn still_open(&self, input: PlanInput<'_>, breakers: Vec<OpenBreaker>) -> HashMap<EtlIndex, OpenBreaker> {
        let of_etl = |breaker: OpenBreaker| {
            let etl = input.catalogue.etls.iter().position(|etl| etl.name == breaker.etl)?;
            (self.0[etl] == breaker.etl_digest).then_some((etl, breaker))
        };
        breakers.into_iter().filter_map(of_etl).collect()
    }
}

/// What database and files say of what reports are made from.
struct Inputs<'a> {
    rows: HashMap<(i64, Period), String>,
    stamps: &'a Stamps,
}

impl<'a> Inputs<'a> {
    async fn look_up(store: &dyn Data, input: PlanInput<'a>, of: BTreeSet<(i64, Period)>) -> store::Result<Self> {
        let of: Vec<_> = of.into_iter().collect();
        let rows = if of.is_empty() { HashMap::new() } else { store.availability_versions(&of).await?.into_iter().collect() };
        Ok(Self { rows, stamps: input.stamps })
    }

    fn digest(&self, source: (i64, Period)) -> String {
        let rows = self.rows.get(&source).map(String::as_str);
        let stamps = self.stamps.get(&source).into_iter().flatten().map(String::as_str);
        fingerprint::digest(rows.into_iter().chain(stamps))
    }
}

fn request(input: PlanInput<'_>, also_available: Vec<Available>) -> ScanRequest {
    let selection = input.selection;
    let etls = input.catalogue.etls.iter().enumerate();
    ScanRequest {
        etls: etls
            .filter(|(index, _)| selection.etls.is_empty() || selection.etls.contains(index))
            .map(|(index, etl)| EtlScan {
                etl: index,
                report_type: etl.report_type.clone(),
                requires: etl.requires.clone(),
                needs: etl.needs.iter().map(|need| input.catalogue.etls[*need].report_type.clone()).collect(),
            })
            .collect(),
        symbols: input
            .catalogue
            .institutions
            .data_symbols()
            .filter(|(_, bank)| selection.banks.is_empty() || selection.banks.contains(bank))
            .map(|(symbol, _)| symbol.to_owned())
            .collect(),
        from_year: selection.from_year,
        periods: selection.periods.iter().copied().collect(),
        include_existing: selection.force,
        also_available,
    }
}

/// A second look, at the periods of gaps that `--force` asked for in a run that could not finish them: their reports may be
/// there. `None` when there are none, or the first look included them.
fn forced_request(input: PlanInput<'_>, stored: &StoredState, request: ScanRequest) -> Option<ScanRequest> {
    if request.include_existing {
        return None;
    }
    let selected = &request.periods;
    let period_of = |state: &GapState| match &state.key {
        GapKey::Report { period, .. } => Some(*period),
        GapKey::Source(_) => None,
    };
    let forced = stored.gaps.values().filter(|state| state.forced).filter_map(period_of);
    let periods: BTreeSet<Period> = forced.filter(|period| selected.is_empty() || selected.contains(period)).collect();
    if periods.is_empty() || input.catalogue.etls.is_empty() {
        return None;
    }
    Some(ScanRequest { periods: periods.into_iter().collect(), include_existing: true, ..request })
}
