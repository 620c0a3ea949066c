//! Reads the facts for a plan from the database, and has the planner decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::arrivals;
use super::plan_input::PlanInput;
use super::recover::Recovery;
use super::sources::{self, Sources};
use super::sync::Stamps;
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::coverage::Coverage;
use crate::plan::decide::data_row;
use crate::plan::decide::decision::Decided;
use crate::plan::decide::mismatch::NameCount;
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

/// A plan, and the stored state that it was made from.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// What the database knew of gaps and ETLs before the scan.
    pub(super) stored: StoredState,
    /// Names of the ETLs whose open breaker no longer counts, because the ETL was changed or is no longer configured.
    pub(super) stale_breakers: Vec<String>,
}

/// Makes the plan. `also_available` is data to be planned for as if it were in the database. `coverage` is told of every report, those
/// that exist included.
///
/// # Errors
/// When the database fails.
pub(super) async fn plan(
    store: &dyn Store,
    input: PlanInput<'_>,
    recovery: &Recovery,
    also_available: Vec<Available>,
    coverage: Option<&mut Coverage>,
) -> store::Result<Planned> {
    let digests = EtlDigests::of(input);
    let (stored, stale_breakers) = stored_state(store, input, &digests, recovery).await?;
    let of_sources = Sources::gather(store, input, recovery).await?;
    let collections = of_sources.plan(input, &stored, input.most_collections());
    let request = ScanRequest { include_existing: input.selection.force || coverage.is_some(), ..scan_request(input, also_available) };
    let mut plan = plan_reports(store, input, &stored, settings_beside(&collections, input.settings), (request, coverage)).await?;
    arrivals::look(store, input, &mut plan, stored.now).await?;
    let availability_key = |gap: Gap| (input.catalogue.institutions.get(gap.bank).id, gap.period);
    let versions =
        DataVersions::look_up(store, input, plan.jobs.iter().filter_map(PlannedJob::report).map(availability_key).collect()).await?;
    for job in &mut plan.jobs {
        job.fingerprint = job.report().map(|gap| digests.with(gap.etl, versions.digest(availability_key(gap))));
    }
    of_sources.add(&mut plan, collections, input.catalogue, &stored);
    let gaps: Vec<GapKey> = plan.jobs.iter().map(|job| job.key.clone()).collect();
    plan.orders = store.pending_orders(&gaps).await?;
    sources::look_up_orders(store, &mut plan.sources, input.catalogue).await?;
    Ok(Planned { plan, stored, stale_breakers })
}

/// The decision on every gap of these periods (all where there are none), done and filtered ones too. `input.selection` has the banks.
///
/// # Errors
/// When the database fails.
pub(super) async fn decide_all(
    store: &dyn Store,
    input: PlanInput<'_>,
    recovery: &Recovery,
    also_available: Vec<Available>,
) -> store::Result<(BTreeMap<GapKey, Decided>, StoredState)> {
    let digests = EtlDigests::of(input);
    let (stored, _) = stored_state(store, input, &digests, recovery).await?;
    let mut planner = Planner::new(&input.catalogue.institutions, &input.catalogue.etls, input.settings, input.selection, &stored);
    planner.note_all();
    let request = scan_request(input, also_available);
    let request = ScanRequest { from_year: None, include_existing: true, candidates_only: true, ..request };
    store
        .scan(&request, &mut |scanned| {
            // Nothing else is scanned.
            if let Scanned::Candidate(candidate) = scanned {
                planner.candidate(candidate);
            }
        })
        .await?;
    let decided = planner.finish().decided;
    Ok((decided, stored))
}

/// The rows and banks that a person should look at. Nothing is decided.
///
/// # Errors
/// When the database fails.
pub(super) async fn data_issues(store: &dyn Data, input: PlanInput<'_>, also_available: Vec<Available>) -> store::Result<DataIssues> {
    let stored = StoredState::default();
    let mut planner = Planner::new(&input.catalogue.institutions, &input.catalogue.etls, input.settings, input.selection, &stored);
    store
        .scan(&scan_request(input, also_available), &mut |scanned| match scanned {
            Scanned::Group(group) => planner.group(&group),
            Scanned::NotAnArray { row, rows } => planner.not_an_array(&row, rows),
            Scanned::Candidate(_) => {}
        })
        .await?;
    look_at_unmatched(store, &mut planner).await?;
    Ok(planner.finish().data_issues)
}

/// The settings for the plan of reports: `max_jobs` is what these collections leave of it.
fn settings_beside(collections: &[SourcePlan], settings: &RunSettings) -> RunSettings {
    let jobs: usize = collections.iter().map(|source| source.jobs.len()).sum();
    RunSettings { max_jobs: settings.max_jobs.saturating_sub(jobs), ..settings.clone() }
}

/// The plan of reports. Where the selection has none it is empty, and the data is not scanned.
async fn plan_reports(
    store: &dyn Data,
    input: PlanInput<'_>,
    stored: &StoredState,
    settings: RunSettings,
    (request, mut coverage): (ScanRequest, Option<&mut Coverage>),
) -> store::Result<Plan> {
    let mut planner = Planner::new(&input.catalogue.institutions, &input.catalogue.etls, &settings, input.selection, stored);
    if !input.has_reports() {
        return Ok(planner.finish());
    }
    let learnt: BTreeSet<String> = request.also_available.iter().map(|one| one.tag.clone()).collect();
    store
        .scan(&request, &mut |scanned| match scanned {
            Scanned::Candidate(candidate) => {
                if let (Some((gap, state)), Some(coverage)) = (planner.candidate(candidate), &mut coverage) {
                    coverage.note(gap, state);
                }
            }
            Scanned::Group(group) => planner.group(&group),
            Scanned::NotAnArray { row, rows } => planner.not_an_array(&row, rows),
        })
        .await?;
    match compare_names(store, input, learnt, &mut planner).await {
        Err(error) if error.may_pass() => return Err(error),
        Err(error) => {
            let why = format!("{error}; so it was not looked whether the data has the configuration's names under another spelling");
            tracing::warn!("{why}");
            planner.names_unseen(why);
        }
        Ok(()) => {}
    }
    if let Some(coverage) = coverage {
        note_data(store, input, &request, coverage).await?;
    }
    if let Some(request) = forced_scan_request(input, stored, request) {
        store
            .scan(&request, &mut |scanned| match scanned {
                Scanned::Candidate(candidate) => planner.forced_candidate(candidate),
                // The first scan has counted them.
                Scanned::Group(_) | Scanned::NotAnArray { .. } => {}
            })
            .await?;
    }
    Ok(planner.finish())
}

/// Notes for which periods banks have data at all.
async fn note_data(store: &dyn Data, input: PlanInput<'_>, request: &ScanRequest, coverage: &mut Coverage) -> store::Result<()> {
    let Some(any) = request.etls.first() else { return Ok(()) };
    let request = ScanRequest {
        etls: vec![EtlScan { requires: Vec::new(), needs: Vec::new(), ..any.clone() }],
        candidates_only: true,
        ..request.clone()
    };
    store
        .scan(&request, &mut |scanned| {
            if let Scanned::Candidate(row) = scanned
                && let Ok((bank, period)) = data_row::check(&row.key, &input.catalogue.institutions)
            {
                coverage.has_data(bank, period);
            }
        })
        .await
}

/// Looks whether the data spells otherwise what the configuration names, where all reports of an ETL are missing or nothing has its tags.
/// `learnt` are tags of data that is not in the database yet.
async fn compare_names(store: &dyn Data, input: PlanInput<'_>, learnt: BTreeSet<String>, planner: &mut Planner<'_>) -> store::Result<()> {
    let without_reports = planner.without_reports();
    if !without_reports.is_empty() {
        let types: Vec<_> = without_reports.iter().map(|etl| input.catalogue.etl(*etl).report_types()).collect();
        planner.report_types(&store.report_types(&types).await?);
    }
    let supplied: Vec<&str> = input.sync.iter().map(|rule| rule.tag.as_str()).collect();
    let required = planner.without_data().into_iter().flat_map(|etl| &input.catalogue.etl(etl).requires);
    let in_question: BTreeSet<&String> = required.filter(|tag| !supplied.contains(&tag.as_str())).collect();
    if !in_question.is_empty() {
        let tags: Vec<String> = in_question.into_iter().cloned().collect();
        let mut found = store.availability_tags(&tags).await?;
        let new: Vec<String> = learnt.into_iter().filter(|tag| found.iter().all(|one| one.name != *tag)).collect();
        found.extend(new.into_iter().map(|name| NameCount { name, rows: 0 }));
        planner.tags(found, &supplied);
    }
    look_at_unmatched(store, planner).await
}

/// Looks what the data has, where nothing of it matches.
async fn look_at_unmatched(store: &dyn Data, planner: &mut Planner<'_>) -> store::Result<()> {
    if planner.is_unmatched() {
        let tags = store.availability_tags(&[]).await?;
        planner.unmatched(tags, store.availability_symbols().await?);
    }
    Ok(())
}

/// The stored state, and the names of the ETLs whose breaker is stale.
async fn stored_state(
    store: &dyn Store,
    input: PlanInput<'_>,
    digests: &EtlDigests,
    recovery: &Recovery,
) -> store::Result<(StoredState, Vec<String>)> {
    let gaps = recovery.gap_states(store).await?;
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
    let versions = DataVersions::look_up(store, input, failed.iter().map(|(_, _, source)| *source).collect()).await?;
    let fingerprints = failed.iter().map(|(key, etl, source)| ((*key).clone(), digests.with(*etl, versions.digest(*source)))).collect();
    let breakers = store.open_breakers().await?;
    let mut stale: Vec<String> = breakers.iter().map(|breaker| breaker.etl.clone()).collect();
    let breakers = digests.still_open(input, breakers);
    stale.retain(|etl| !breakers.values().any(|breaker| breaker.etl == *etl));
    let stored = StoredState {
        now: Utc::now(),
        running: recovery.running.clone(),
        unrecorded: recovery.unrecorded.clone(),
        gaps,
        fingerprints,
        breakers,
        settled: recovery.settled.clone(),
        force_orders: force_orders(store, input).await?,
    };
    Ok((stored, stale))
}

/// When `--force` asked for gaps, of the orders of which something is left. Without `--force` nobody needs to know.
async fn force_orders(store: &dyn Store, input: PlanInput<'_>) -> store::Result<HashMap<GapKey, Vec<DateTime<Utc>>>> {
    let mut orders: HashMap<GapKey, Vec<DateTime<Utc>>> = HashMap::new();
    if input.selection.force {
        for (gap, at) in store.force_orders().await? {
            orders.entry(gap).or_default().push(at);
        }
    }
    Ok(orders)
}

/// The digest of each ETL, by its index.
struct EtlDigests(Vec<String>);

impl EtlDigests {
    fn of(input: PlanInput<'_>) -> Self {
        Self(input.catalogue.etls.iter().map(|etl| fingerprint::of_etl(etl, input.env_files)).collect())
    }

    /// The fingerprint of a report of this ETL whose data has the digest `sources`.
    fn with(&self, etl: EtlIndex, sources: String) -> Fingerprint {
        Fingerprint { sources, etl: self.0.get(etl).cloned().unwrap_or_default() }
    }

    /// The breakers of configured ETLs that were not changed since the breaker opened.
    fn still_open(&self, input: PlanInput<'_>, breakers: Vec<OpenBreaker>) -> HashMap<EtlIndex, OpenBreaker> {
        let of_etl = |breaker: OpenBreaker| {
            let etl = input.catalogue.etls.iter().position(|etl| etl.name == breaker.etl)?;
            (self.0.get(etl) == Some(&breaker.etl_digest)).then_some((etl, breaker))
        };
        breakers.into_iter().filter_map(of_etl).collect()
    }
}

/// The versions of the data that reports are made from, by `bank_id` and period: of the rows in the database, and of files.
struct DataVersions<'a> {
    /// Changes when the availability row does.
    rows: HashMap<(i64, Period), String>,
    stamps: &'a Stamps,
}

impl<'a> DataVersions<'a> {
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

fn scan_request(input: PlanInput<'_>, also_available: Vec<Available>) -> ScanRequest {
    let selection = input.selection;
    let (selected, others): (Vec<_>, Vec<_>) =
        input.catalogue.etls.iter().enumerate().partition(|(index, _)| selection.etls.is_empty() || selection.etls.contains(index));
    ScanRequest {
        other_tags: others.into_iter().map(|(_, etl)| etl.requires.clone()).collect(),
        etls: selected
            .into_iter()
            .map(|(index, etl)| EtlScan {
                etl: index,
                report_types: etl.report_types(),
                requires: etl.requires.clone(),
                needs: etl.needs.iter().map(|need| input.catalogue.etl(*need).report_types()).collect(),
            })
            .collect(),
        symbols: input
            .catalogue
            .institutions
            .data_symbols()
            .filter(|(_, bank)| selection.has_bank(*bank))
            .map(|(symbol, _)| symbol.to_owned())
            .collect(),
        from_year: selection.from_year,
        until_year: selection.until_year,
        periods: selection.periods.iter().copied().collect(),
        include_existing: selection.force,
        candidates_only: false,
        also_available,
    }
}

/// The request for a second scan. It finds the gaps that an earlier run was to fill with `--force` and could not: their reports may exist,
/// so the first scan may have left them out. `None` when there are no such gaps, or the first scan includes existing reports.
fn forced_scan_request(input: PlanInput<'_>, stored: &StoredState, request: ScanRequest) -> Option<ScanRequest> {
    if request.include_existing {
        return None;
    }
    let selected = &request.periods;
    let period_of = |state: &GapState| match &state.key {
        GapKey::Report { period, .. } => Some(*period),
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => None,
    };
    let forced = stored.gaps.values().filter(|state| state.forced_at(true).is_some()).filter_map(period_of);
    let periods: BTreeSet<Period> = forced.filter(|period| selected.is_empty() || selected.contains(period)).collect();
    if periods.is_empty() || input.catalogue.etls.is_empty() {
        return None;
    }
    Some(ScanRequest { periods: periods.into_iter().collect(), include_existing: true, ..request })
}
