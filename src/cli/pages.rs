//! Pages that describe the program itself: completions and the manual.

use clap::CommandFactory;
use clap_mangen::roff::{Roff, roman};

use super::args::{Cli, Format};
use super::exit::{EXIT_CODES, Exit, Failure};
use super::output;
use crate::show::outcome::PageView;

/// `etl-orch completions SHELL`.
pub(super) fn completions(format: Format, shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "etl-orch", &mut script);
    output::print(format, &PageView::new("completions", String::from_utf8_lossy(&script).into_owned()))?;
    Ok(Exit::Success)
}

/// `etl-orch man`: the page of the program and, after it, those of its commands.
pub(super) fn man(format: Format) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone().after_help("")).render(&mut page)?;
    exit_status(&mut page)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        clap_mangen::Man::new(subcommand.clone()).render(&mut page)?;
    }
    output::print(format, &PageView::new("man", String::from_utf8_lossy(&page).into_owned()))?;
    Ok(Exit::Success)
}

/// The exit codes, their lines kept as they are.
fn exit_status(page: &mut Vec<u8>) -> Result<(), Failure> {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]).control("nf", []);
    for line in EXIT_CODES.lines() {
        section.text([roman(line)]);
    }
    section.control("fi", []);
    Ok(section.to_writer(page)?)
}
