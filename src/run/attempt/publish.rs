//! Publishes the report that an attempt wrote: stages it before the end of its job is recorded, and puts it in place afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use chrono::Utc;

use super::Attempt;
use super::place::host_outcome;
use crate::os::blocking::{self, GiveUp};
use crate::plan::model::gap::Gap;
use crate::plan::model::job::ReportRow;
use crate::plan::model::outcome::Outcome;
use crate::plan::run::aftermath::Finding;
use crate::plan::run::job_end::Artifact;
use crate::plan::run::stop::StopLevel;
use crate::run::context::shown;
use crate::run::output::{Staged, Unusable, Written};
use crate::run::placing;

/// How long publishing goes on after a stop was asked for. A small report is in place by then, and not made again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it may take to notice that it is to give up; a disk that hangs takes longer.
const NOTICE: Duration = Duration::from_millis(500);

fn outcome(unusable: &Unusable) -> Outcome {
    match unusable {
        Unusable::GivenUp => Outcome::Interrupted,
        Unusable::NotPlaced(_, error) => host_outcome(error, unusable.to_string()),
        Unusable::NotThere(_) | Unusable::Unreadable(_) => Outcome::NoOutput(unusable.to_string()),
    }
}

impl Attempt<'_> {
    /// Stages the report that was written, for the end of its job to be recorded.
    pub(super) async fn publish(&self, gap: Gap, data_symbol: &str, destination: PathBuf) -> Finding {
        match self.stage(destination).await {
            Ok(staged) => Finding::Succeeded(Artifact::ReportRow(Box::new(self.report_row(gap, data_symbol, staged.content)))),
            Err(unusable) => Finding::Failed(outcome(&unusable)),
        }
    }

    async fn stage(&self, destination: PathBuf) -> Result<Staged, Unusable> {
        let (context, job) = (self.order.context, self.order.id);
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let written = Written {
            workspaces: context.workspaces.clone(),
            work_dir: name(&self.paths.work_dir),
            name: self.paths.output.as_deref().map(name).unwrap_or_default(),
            job,
            destination,
        };
        let give_up = GiveUp::default();
        let work = {
            let (written, give_up) = (written.clone(), give_up.clone());
            move || written.stage(&give_up)
        };
        let mut staging = pin!(blocking::run(work));
        let staged = tokio::select! {
            biased;
            staged = &mut staging => staged,
            () = self.impatient() => {
                give_up.ask();
                tokio::time::timeout(NOTICE, staging).await.unwrap_or_else(|_| {
                    // It may still come to its end.
                    context.placements.leave(job);
                    Ok(Err(Unusable::GivenUp))
                })
            }
        };
        // Where there is no room for a thread it is done here.
        staged.unwrap_or_else(|_| written.stage(&give_up))
    }

    /// Puts the staged report in its place, as its row is written now.
    ///
    /// # Errors
    /// When that cannot be done. The next run tries again.
    pub(super) async fn place(&self, destination: PathBuf) -> io::Result<()> {
        let (context, job) = (self.order.context, self.order.id);
        let path = destination.clone();
        let placed = tokio::select! {
            biased;
            placed = blocking::run(move || placing::place(&path, job)) => placed,
            () = self.impatient() => Ok(Err(io::ErrorKind::TimedOut.into())),
        };
        match placed.unwrap_or_else(|_| placing::place(&destination, job)) {
            Ok(_) => {
                context.placements.add(&destination);
                Ok(())
            }
            Err(error) => {
                context.placements.leave(job);
                Err(error)
            }
        }
    }

    /// Removes what was staged for a row that is not written.
    pub(super) async fn unstage(&self, destination: PathBuf) {
        let (context, job) = (self.order.context, self.order.id);
        let path = destination.clone();
        let removed = blocking::run(move || placing::unstage(&path, job)).await;
        if let Err(error) = removed.unwrap_or_else(|_| placing::unstage(&destination, job)) {
            tracing::warn!("the report that was staged for {} cannot be removed: {error}", destination.display());
            context.placements.leave(job);
        }
    }

    /// Resolves some time after a stop was asked for.
    async fn impatient(&self) {
        self.order.stop.reached(StopLevel::Graceful).await;
        tokio::select! {
            () = tokio::time::sleep(PATIENCE) => {}
            _ = self.order.stop.reached(StopLevel::Immediate) => {}
        }
    }

    /// The row of a report that etl-orch publishes.
    fn report_row(&self, gap: Gap, data_symbol: &str, text: Option<String>) -> ReportRow {
        let context = self.order.context;
        let (bank, etl) = (context.catalogue.institutions.get(gap.bank), context.etl(gap));
        let described = || format!("{} of {} for fiscal {}", etl.report_type, bank.name, gap.period);
        ReportRow {
            key: context.report_key(gap),
            report_name: format!("{} - {} {}", etl.report_type, bank.name, gap.period),
            report_description: etl.description.clone().unwrap_or_else(described),
            bank_name: bank.name.clone(),
            bank_symbol: data_symbol.to_owned(),
            local_filepath: context.destination(gap).map(|destination| shown(&destination)).unwrap_or_default(),
            markdown_content: text,
            generation_date: Utc::now(),
            generated_by: concat!("etl-orch ", env!("CARGO_PKG_VERSION")).to_owned(),
            execution_id: context.run,
            metadata: serde_json::json!({
                "job_id": self.order.id,
                "attempt": self.order.number,
                "etl": etl.name,
                "sources": etl.requires,
            }),
        }
    }
}
