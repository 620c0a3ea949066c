//! Gathers the facts for a plan and lets `plan` decide.

use crate::plan::etl::Etl;
use crate::plan::institution::Institutions;
use crate::plan::known::Known;
use crate::plan::planner::{Plan, Planner};
use crate::plan::selection::Selection;
use crate::plan::settings::RunSettings;
use crate::store::{self, Available, EtlScan, ScanRequest, Scanned, Store};

/// What is planned about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The monitored banks.
    pub(super) institutions: &'a Institutions,
    /// The ETLs.
    pub(super) etls: &'a [Etl],
    /// How the run goes about its work.
    pub(super) settings: &'a RunSettings,
    /// What the invocation was asked to look at.
    pub(super) selection: &'a Selection,
}

/// Scans the database and decides. `known` is what is known before; `also_available` is data that the
/// database does not know of.
///
/// # Errors
/// When the database fails.
pub(super) async fn plan(store: &dyn Store, subject: Subject<'_>, known: &Known, also_available: Vec<Available>) -> store::Result<Plan> {
    let mut planner = Planner::new(subject.institutions, subject.etls, subject.settings, subject.selection, known);
    let request = request(subject, also_available);
    store
        .scan(&request, &mut |scanned| match scanned {
            Scanned::Candidate(candidate) => planner.candidate(candidate),
            Scanned::Group(group) => planner.group(&group),
            Scanned::NotAnArray { rows, examples } => planner.not_an_array(rows, examples),
        })
        .await?;
    Ok(planner.finish())
}

fn request(subject: Subject<'_>, also_available: Vec<Available>) -> ScanRequest {
    let selection = subject.selection;
    let etls = subject.etls.iter().enumerate();
    ScanRequest {
        etls: etls
            .filter(|(index, _)| selection.etls.is_empty() || selection.etls.contains(index))
            .map(|(index, etl)| EtlScan {
                etl: index,
                report_type: etl.report_type.clone(),
                requires: etl.requires.clone(),
                needs: etl.needs.iter().map(|need| subject.etls[*need].report_type.clone()).collect(),
            })
            .collect(),
        symbols: subject
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
