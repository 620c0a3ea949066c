//! Arguments that ask for nothing to be done: wrong ones, and those that ask for the help or the version.

use std::ffi::OsString;

use clap::Args;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{Format, log_stream};
use super::exit::{Exit, Failure};
use super::output;
use super::run::args::RunArgs;
use crate::plan::model::logging::{LogFormat, Logging};
use crate::plan::model::settings::Variables;
use crate::show::logs;
use crate::show::outcome::PageView;

/// Prints what `error` has to say, in the format that the arguments ask for.
pub(super) fn refuse(error: clap::Error, args: &[OsString], environment: &Variables) -> Exit {
    let error = &with_tips(error);
    let kind = match error.kind() {
        ErrorKind::DisplayHelp => Some("help"),
        ErrorKind::DisplayVersion => Some("version"),
        _ => None,
    };
    let format = if output::asks_for_json(args, "--format") { Format::Json } else { Format::Text };
    match (kind, format) {
        (None, _) => {
            usage_error(error, args, format, environment);
            Exit::Usage
        }
        (Some(_), Format::Text) => ended(format, printed(error)),
        (Some(kind), Format::Json) => ended(format, output::print(format, &PageView::new(kind, error.render().to_string()))),
    }
}

/// Prints a page in the colors of clap.
fn printed(page: &clap::Error) -> Result<(), Failure> {
    match page.print() {
        // A reader that went away is no error.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn ended(format: Format, printed: Result<(), Failure>) -> Exit {
    match printed {
        Ok(()) => Exit::Success,
        Err(failure) => {
            output::report(format, &failure);
            failure.exit()
        }
    }
}

/// The error with what helps a reader who does not know the commands, and without what does not.
fn with_tips(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        // No argument of ours begins with a hyphen.
        let tips: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().contains("as a value, use '-- ")).collect();
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && error.get(ContextKind::SuggestedSubcommand).is_none()
        && let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(tip) = tip(word, error.get(ContextKind::Usage))
    {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// What was likely meant by a word that is no command.
fn tip(word: &str, usage: Option<&ContextValue>) -> Option<String> {
    let is_of_main = usage.is_some_and(|usage| usage.to_string().contains("etl-orch [OPTIONS]"));
    let option = word.to_lowercase().replace('_', "-");
    let run = RunArgs::augment_args(clap::Command::new("run"));
    if is_of_main && run.get_arguments().any(|arg| arg.get_long() == Some(&option)) {
        return Some(format!("it is an option: '--{option}'"));
    }
    is_of_main.then(|| "a run selects by options: '--bank-symbol RY,TD', '--etl-type NAME', '--period 2025Q2', '--source ID'".to_owned())
}

fn usage_error(error: &clap::Error, args: &[OsString], format: Format, environment: &Variables) {
    let failure = Failure::Usage(sentence(error));
    let asked = output::value_of(args, "--log-format").and_then(LogFormat::named);
    logs::start(Logging { format: asked, level: None }, log_stream(environment));
    if logs::format() != LogFormat::Text {
        output::report(format, &failure);
        return;
    }
    // In its own layout and colors. If stderr is gone, there is nowhere left to say so.
    let _ = error.print();
    output::report_on_stdout(format, &failure);
}

/// The error and its tips, without the usage that follows.
fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists them".to_owned();
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let words: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    words.join(" ").replace(" tip: ", "; ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;

    #[test]
    fn a_wrong_word_is_answered_with_what_was_likely_meant() {
        let says = |args: &str| sentence(&with_tips(Cli::read(args.split(' ').map(OsString::from), 80).unwrap_err()));
        let by_option = "a run selects by options: '--bank-symbol RY,TD', '--etl-type NAME', '--period 2025Q2', '--source ID'";
        assert_eq!(says("etl-orch RY"), format!("unrecognized subcommand 'RY'; {by_option}"));
        assert_eq!(says("etl-orch --bank-symbol RY TD"), format!("unrecognized subcommand 'TD'; {by_option}"));
        assert_eq!(says("etl-orch dry-run"), "unrecognized subcommand 'dry-run'; it is an option: '--dry-run'");
        assert_eq!(says("etl-orch cancl"), "unrecognized subcommand 'cancl'; a similar subcommand exists: 'cancel'");
        assert_eq!(says("etl-orch sources show"), "unrecognized subcommand 'show'");
        assert_eq!(says("etl-orch skip --all"), "unexpected argument '--all' found");
    }
}
