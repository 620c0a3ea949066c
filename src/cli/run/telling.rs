//! Who is told of a run: from its options and its result to what channels get.

use std::collections::BTreeMap;

use chrono::Utc;

use super::super::exit::{Exit, Failure};
use super::request::RunRequest;
use super::{Done, quiet, view};
use crate::plan::model::ids::RunId;
use crate::plan::run::told::{RunBegin, RunEnd};
use crate::run::signals::Signals;
use crate::show::View;
use crate::show::escape::escaped;
use crate::tell;
use crate::tell::events::Events;
use crate::tell::telling::{Telling, Told};

/// The run has begun; `None` where nobody is told.
pub(super) fn begin(request: &RunRequest<'_>, id: RunId, events: &mut Events) -> Option<Telling> {
    let config = &request.context.config;
    let channels = tell::channels(&config.tell, &config.state_dir);
    if channels.is_empty() {
        return None;
    }
    let is_whole = !request.is_special() && request.args.by_hand.is_none();
    let (catalogue, database) = (config.catalogue.clone(), config.database.clone());
    let run = RunBegin { id, at: Utc::now(), is_whole, catalogue, trace: request.trace(id), database };
    Some(Telling::begin(channels, (config.tell.timeout, request.is_quiet()), run, events))
}

/// The run has ended.
pub(super) fn end(request: &RunRequest<'_>, done: &Result<Done, Failure>, signals: &Signals) -> RunEnd {
    let (exit, outcome, text) = match done {
        Ok(Done { summary, exit, .. }) => (*exit, Ok(summary.clone()), view(request, summary, *exit).text()),
        // Errors may repeat what others said, as views do not.
        Err(failure) => {
            let lines: String = failure.lines().iter().map(|line| escaped(line).into_owned() + "\n").collect();
            (failure.exit(), Err(escaped(&failure.message()).into_owned()), lines)
        }
    };
    let stopped_by = if let Exit::Signal(signal) = exit { Some(signal) } else { signals.number() };
    RunEnd { at: Utc::now(), exit_code: exit.code(), is_success: exit.is_success(), stopped_by, outcome, text, messages: BTreeMap::new() }
}

/// Drops what was kept too long for channels that are configured no more.
pub(super) async fn tidy(request: &RunRequest<'_>) {
    let config = &request.context.config;
    let dropping = tell::drop_abandoned(&config.tell, &config.state_dir, Utc::now());
    // A disk that hangs holds up no run: the next one drops it.
    let _ = tokio::time::timeout(config.tell.timeout, dropping).await;
}

/// Waits until everybody was told, but no longer than `tell.timeout`, or the next request to stop.
pub(super) async fn finish(request: &RunRequest<'_>, telling: Telling, end: RunEnd, signals: &Signals) -> Vec<Told> {
    let (seen, at, is_success, notes) = (signals.stop().level(), end.at, end.is_success, telling.notes());
    let hurry = async {
        signals.stop().raised_above(seen).await;
    };
    let told = telling.finish(end, hurry).await;
    quiet::log(request, &notes.unsaid(), is_success, at);
    told
}
