//! `state_dir/health.json`, after every run: for whoever polls a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::super::exit::Failure;
use super::super::run::request::RunRequest;
use super::{exit, judge_now, view_of};
use crate::os::files::replace_soon;
use crate::plan::health::facts::EndedRun;
use crate::plan::health::judgement::{Judgement, judge};
use crate::plan::health::recovery::Action;
use crate::plan::model::job::RunState;
use crate::plan::run::summary::RunSummary;
use crate::run::health::facts;
use crate::show::View;
use crate::show::health::HealthView;
use crate::store::Store;

/// A run waits no longer for the judgement, and one that is to stop no longer than that.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_WHEN_STOPPED: Duration = Duration::from_secs(1);

/// Writes how things stand after a run. Returns why it could not, in a sentence: that is no failure of the run.
pub(in crate::cli) async fn after_run(
    request: &RunRequest<'_>,
    store: Arc<dyn Store>,
    summary: &RunSummary,
    is_stopped: bool,
) -> Option<String> {
    let config = &request.context.config;
    let patience = if is_stopped { PATIENCE_WHEN_STOPPED } else { PATIENCE };
    let view = match tokio::time::timeout(patience, judged(request, store, summary)).await {
        Ok(Ok(judgement)) => {
            let next = request.context.command_line_anywhere();
            HealthView::new(&judgement, Action::None, &config.catalogue, exit(&judgement).code(), &next).json()
        }
        Ok(Err(failure)) => view_of(&failure, Action::None).json(),
        Err(_) => view_of(&Failure::Orchestrator("the database did not answer everything in time".to_owned()), Action::None).json(),
    };
    write(&config.state_dir, view)
}

/// A run that looked at everything and changed nothing has seen how things stand; after any other it is looked again.
async fn judged(request: &RunRequest<'_>, store: Arc<dyn Store>, summary: &RunSummary) -> Result<Judgement, Failure> {
    let config = &request.context.config;
    let results = summary.results.as_ref().filter(|results| results.jobs.is_empty() && !request.is_special());
    let Some((run, results)) = summary.run.zip(results) else {
        return Ok(Box::pin(judge_now(store, &request.context)).await?.0);
    };
    let state = if results.broken.is_some() || summary.has_unknown_tags() {
        RunState::Failed
    } else if results.stopped {
        RunState::Cancelled
    } else {
        RunState::Succeeded
    };
    let this = EndedRun { id: run, state, started_at: summary.started_at, ended_at: Utc::now(), has_counts: true };
    Ok(judge(facts(&*store, &config.state_dir, summary, Some(this)).await?, &config.catalogue, &config.health))
}

/// Writes that a run could not do its work.
pub(in crate::cli) fn after_failure(state_dir: &Path, failure: &Failure) {
    match failure {
        // Nothing was found out, and the next run will.
        Failure::Stopped(_) | Failure::LockHeld(_) | Failure::Usage(_) => return,
        Failure::Config(_) | Failure::Schema(_) | Failure::Orchestrator(_) | Failure::Ended(..) | Failure::Bug(_) => {}
    }
    if let Some(trouble) = write(state_dir, view_of(failure, Action::None).json()) {
        tracing::warn!("{trouble}");
    }
}

fn write(state_dir: &Path, view: std::io::Result<String>) -> Option<String> {
    let file = state_dir.join("health.json");
    let error = view.and_then(|text| replace_soon(&file, &text)).err()?;
    Some(format!("{} was not written: {error}", file.display()))
}
