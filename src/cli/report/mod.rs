//! `etl-orch report`: the page that says how things stand, and the same page after each run.

mod facts;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::args::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::OUTPUT;
use crate::os::files::replace;
use crate::run::check_database_file;
use crate::show::report::ReportView;
use crate::store::{Access, Store};

/// Options of `report`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ReportArgs {
    /// Write the page to this file; - prints it
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    html: Option<PathBuf>,
}

/// A page that a run did not change is written again after this long.
const OLDEST: Duration = Duration::from_secs(3600);

/// A run waits no longer for its page.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn command(context: &Context<'_>, args: &ReportArgs) -> Result<Exit, Failure> {
    let is_printed = args.html.as_deref() == Some(Path::new("-"));
    match (&args.html, context.global.format) {
        (None, Format::Text) => {
            let text = "a report is a page of HTML; write --html FILE, or --html - to print it (--format json prints its facts)";
            return Err(Failure::Usage(text.to_owned()));
        }
        (Some(_), Format::Json) if is_printed => {
            let text = "--html - prints a page, and --format json an object; write --html FILE, or --format json alone";
            return Err(Failure::Usage(text.to_owned()));
        }
        (Some(_), _) | (None, Format::Json) => {}
    }
    check_database_file(&context.config.database.target, &context.config.state_dir)?;
    let facts = context.with_store(Access::ReadOnly, async |store| facts::gather(store, context).await).await?;
    let mut view = ReportView::new(&facts, &context.config.catalogue);
    if let Some(file) = args.html.as_ref().filter(|_| !is_printed) {
        let page = view.html();
        replace(file, &page).map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", file.display())))?;
        view = view.written(file.clone(), page.len());
    }
    context.print(&view)?;
    Ok(Exit::Success)
}

/// Writes the page that the configuration asks for, after a run that changed something or once it has become old. Returns why it could
/// not be written, in a sentence: that is no failure of the run.
pub(super) async fn after_run(context: &Context<'_>, store: Arc<dyn Store>, has_changes: bool) -> Option<String> {
    let file = context.config.html_file.as_ref().filter(|file| has_changes || is_old(file))?;
    // It is rarely needed, and large.
    let written = Box::pin(async {
        let facts = facts::gather(store, context).await?;
        let page = ReportView::new(&facts, &context.config.catalogue).html();
        replace(file, &page).map_err(|error| Failure::Orchestrator(error.to_string()))
    });
    let why = match tokio::time::timeout(PATIENCE, written).await {
        Ok(written) => written.err()?.message(),
        Err(_) => format!("what it shows was not read within {}s", PATIENCE.as_secs()),
    };
    Some(format!("report.html_file: {} was not written: {why}", file.display()))
}

fn is_old(file: &Path) -> bool {
    let written = file.metadata().and_then(|metadata| metadata.modified());
    // A page from the future is as good as none.
    let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
    age.is_none_or(|age| age >= OLDEST)
}
