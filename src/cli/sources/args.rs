//! The options of `etl-orch sources`.

use clap::{Args, Subcommand};

use super::super::orders::args::{OrderArgs, reason};
use super::window_choice::{WindowChoice, wanted};

/// What can be done with a source.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SourcesCommand {
    /// Have windows of a source collected, also again, by the next run
    Enqueue(EnqueueArgs),
    /// Leave a source alone until `resume`
    Pause(SourceArgs),
    /// Take `pause` back
    Resume(SourceArgs),
}

/// Options of `sources enqueue`.
#[derive(Debug, Args)]
pub(in crate::cli) struct EnqueueArgs {
    /// The source
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Which windows: a span (START/END, END itself not included), a day (2026-01-16), or a time (2026-01-16T09:00:00Z); whole
    /// windows are collected. Days are those of the source's time zone, UTC without one [default: the last window that is due]
    #[arg(long, value_name = "WINDOW", value_parser = wanted)]
    pub(super) window: Option<WindowChoice>,
    /// Collect the source now, by a run of its own
    #[arg(long)]
    pub(super) now: bool,
    /// Why; kept with your name and the time
    #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "asked for on the command line")]
    pub(super) reason: String,
}

/// Options of `sources pause` and `sources resume`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SourceArgs {
    /// The source
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) order: OrderArgs,
}
