//! `etl-orch tell`: tries the channels that are told of runs.

use clap::Subcommand;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::os::threads;
use crate::run::check_state_dir;
use crate::show::tell::TestView;
use crate::tell;
use crate::tell::telling;

/// What can be done about `tell:`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum TellCommand {
    /// Send something to each channel that is configured, and say what came of it
    ///
    /// A dead man's switch gets an entry in its log, which changes nothing. Start it as the user of the runs, who must be able to write the files.
    Test,
}

pub(super) async fn test(context: &Context<'_>) -> Result<Exit, Failure> {
    let (config, settings) = (&context.config, &context.config.tell);
    let channels = tell::channels(settings, &config.state_dir);
    if channels.is_empty() {
        return Err(Failure::Usage(format!("{} names nobody who is told; add a channel under tell", config.path.display())));
    }
    // Only the user of the runs can say what they can write, and makes files that they can write.
    check_state_dir(&config.state_dir)?;
    threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let tested = telling::test(channels, settings.timeout).await;
    let exit = if tested.iter().all(|tested| tested.result.is_ok()) { Exit::Success } else { Exit::Orchestrator };
    context.print(&TestView::new(&tested))?;
    Ok(exit)
}
