//! What goes to stdout: one page for people or, with `--format json`, exactly one object, however the command ends.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::Format;
use super::exit::Failure;
use crate::run::guard::link::announce_output;
use crate::show::outcome::ErrorView;
use crate::show::{self, View};

/// Whether something was written, by this process or by the orchestrator that it guards.
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// Prints a view in this format.
pub(super) fn print(format: Format, view: &impl View) -> Result<(), Failure> {
    let page = match format {
        Format::Text => view.text(),
        Format::Json => view.json()?,
    };
    note_begun();
    announce_output();
    Ok(show::out(&page)?)
}

/// The orchestrator has begun to print; nothing may follow that.
pub(super) fn note_begun() {
    HAS_BEGUN.store(true, Ordering::Relaxed);
}

/// Says why a command could not do its work: on stderr for people, and on stdout where nothing else was printed there for programs.
pub(super) fn report(format: Format, failure: &Failure) {
    failure.lines().iter().for_each(|line| show::diagnose(line));
    report_on_stdout(format, failure);
}

/// The same for programs alone.
pub(super) fn report_on_stdout(format: Format, failure: &Failure) {
    if format == Format::Json && !HAS_BEGUN.load(Ordering::Relaxed) {
        let view = ErrorView::new(failure.exit().code(), failure.class(), failure.message(), failure.causes());
        if let Err(error) = print(format, &view) {
            error.lines().iter().for_each(|line| show::diagnose(line));
        }
    }
}

/// Whether `option json` is among the arguments, for errors in these.
pub(super) fn asks_for_json(args: &[OsString], option: &str) -> bool {
    value_of(args, option) == Some("json")
}

/// The value of an option among the arguments, for errors in these.
pub(super) fn value_of<'a>(args: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut options = args.iter().skip(1).take_while(|arg| *arg != "--").filter_map(|arg| arg.to_str());
    while let Some(arg) = options.next() {
        match arg.strip_prefix(option) {
            Some("") => return options.next(),
            Some(rest) if rest.starts_with('=') => return rest.strip_prefix('='),
            Some(_) | None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_although_the_arguments_are_wrong() {
        let asks = |args: &str| asks_for_json(&args.split(' ').map(OsString::from).collect::<Vec<_>>(), "--format");
        for yes in ["etl-orch --nonsense --format json", "etl-orch --format=json retry", "etl-orch sources --format json x"] {
            assert!(asks(yes), "{yes}");
        }
        for no in [
            "etl-orch --nonsense",
            "etl-orch --format text json",
            "etl-orch --log-format json",
            "etl-orch -- --format json",
            "--format=json",
        ] {
            assert!(!asks(no), "{no}");
        }
    }
}
