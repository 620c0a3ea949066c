//! Pages that describe the program itself: completions and the manual.

mod configuration;
mod manual;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::args::{Cli, Format};
use super::completions::script;
use super::exit::{Exit, Failure};
use super::help::commands;
use super::help::headings::OUTPUT;
use super::output;
use crate::config::schema;
use crate::os::files;
use crate::show::outcome::PageView;

/// Options of `man`.
#[derive(Debug, Clone, Args)]
pub(super) struct ManArgs {
    /// The command, or etl-orch.yaml [default: the page of etl-orch]
    #[arg(value_name = "PAGE", conflicts_with = "share")]
    words: Vec<String>,
    /// Write all pages and completions below it
    ///
    /// All pages, and the completions of bash, zsh and fish, where these look for them below a directory such as ~/.local/share,
    /// /usr/local/share or /usr/share.
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    share: Option<PathBuf>,
}

/// Where the shells look for completions.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/etl-orch"),
    (Shell::Zsh, "zsh/site-functions/_etl-orch"),
    (Shell::Fish, "fish/vendor_completions.d/etl-orch.fish"),
];

/// `etl-orch completions SHELL`.
pub(super) fn completions(format: Format, shell: Shell) -> Result<Exit, Failure> {
    output::print(format, &PageView::new("completions", script(shell)))?;
    Ok(Exit::Success)
}

/// `etl-orch man`.
pub(super) fn man(format: Format, args: &ManArgs) -> Result<Exit, Failure> {
    let mut root = Cli::command();
    root.build();
    let page = match &args.share {
        Some(directory) => PageView::new("man_share", share(&root, directory)?),
        None if args.words == [configuration::NAME] => PageView::new("man", configuration::page(&schema())),
        None => PageView::new("man", manual::page(find(&root, &args.words)?, &args.words)?),
    };
    output::print(format, &page)?;
    Ok(Exit::Success)
}

fn find<'a>(root: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    words.iter().try_fold(root, |command, word| {
        let found = command.find_subcommand(word);
        found.ok_or_else(|| Failure::Usage(format!("there is no page of {:?}; `etl-orch --help` lists the commands", words.join(" "))))
    })
}

/// Writes everything, and returns the paths.
fn share(root: &Command, directory: &Path) -> Result<String, Failure> {
    let mut written = Vec::new();
    let mut put = |name: String, text: &str| {
        let path = directory.join(name);
        let parent = path.parent().unwrap_or(directory);
        let done = fs::create_dir_all(parent).and_then(|()| files::replace(&path, text));
        done.map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", path.display())))?;
        written.push(format!("{}\n", path.display()));
        Ok::<_, Failure>(())
    };
    for words in commands(root) {
        put(format!("man/man1/{}.1", manual::name(&words)), &manual::page(find(root, &words)?, &words)?)?;
    }
    put(format!("man/man5/{}.5", configuration::NAME), &configuration::page(&schema()))?;
    for (shell, name) in SHELLS {
        put(name.to_owned(), &script(shell))?;
    }
    Ok(written.concat())
}
