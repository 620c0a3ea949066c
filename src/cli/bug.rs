//! What people see of a panic, which is a bug of etl-orch: a sentence, and an exit code of the table.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use super::exit::{Exit, Failure};
use crate::show;

/// From now on a panic is reported as a bug.
pub fn report_panics() {
    panic::set_hook(Box::new(|info| show::diagnose(&sentence(info))));
}

/// The exit that `work` leads to. A panic in it, which was reported, is a failure of etl-orch.
pub(super) fn caught(work: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|payload| Err(Failure::Bug(format!("{BUG}: {}", words(&*payload)))))
}

const BUG: &str = "this is a bug of etl-orch, please report it";

fn sentence(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    format!("error: {BUG}: {}{place}", words(info.payload()))
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::text::secrets::Secrets;
    use crate::show::View;
    use crate::show::outcome::ErrorView;

    #[test]
    fn a_panic_is_a_failure_that_says_what_it_is() {
        let failed = caught(|| panic!("a bug, as this test wants it")).unwrap_err();
        assert_eq!(failed.message(), format!("{BUG}: a bug, as this test wants it"));
        assert_eq!((failed.exit(), failed.lines()), (Exit::Orchestrator, Vec::new()), "the hook has printed it");
    }

    #[test]
    fn a_program_that_asks_is_told_of_a_panic_without_its_secrets() {
        show::hide(Secrets::new(["planted-in-a-panic".to_owned()]));
        let failed = caught(|| panic!("a bug at planted-in-a-panic")).unwrap_err();
        let json = ErrorView::new(failed.exit().code(), failed.class(), failed.message(), failed.causes()).json().unwrap();
        assert!(json.contains(": a bug at [redacted]\"") && !json.contains("planted"), "{json}");
    }
}
