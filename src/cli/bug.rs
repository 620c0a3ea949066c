//! What people see of a panic, which is a bug of etl-orch: a sentence, and an exit code of the table.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use super::exit::{Exit, Failure};
use crate::show;

/// From now on a panic is reported as a bug.
pub(super) fn report_panics() {
    panic::set_hook(Box::new(|info| show::diagnose(&sentence(info))));
}

/// The exit that `work` leads to. A panic in it, which was reported, is a failure of etl-orch.
pub(super) fn caught(work: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Ok(Exit::Orchestrator))
}

fn sentence(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    format!("error: this is a bug of etl-orch, please report it: {}{place}", words(info.payload()))
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
