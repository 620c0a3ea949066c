//! Checks the keys that say how to start a program. An ETL, a source and a `verify:` can have them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Check;
use super::written_program::ProgramKeys;
use crate::plan::model::work::{CommandSpec, OWN_PREFIX};
use crate::plan::text::placeholder::Scope;
use crate::plan::text::span;
use crate::plan::text::template::Template;

/// A program may run this long, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Time between SIGTERM and SIGKILL, unless the file says otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// Checks the keys of the mapping at `path`; `owner` is the name of that mapping in messages. A missing `command` is no mistake here,
/// because only the caller knows which other keys may replace it.
pub(super) fn program(check: &mut Check, path: &[&str], keys: ProgramKeys, owner: &str, allowed: &[Scope]) -> Option<CommandSpec> {
    let at = |key| [path, &[key]].concat();
    let argv = keys.command.and_then(|command| argv(check, &at("command"), owner, &command, allowed));
    let env = env(check, &at("env"), &keys.env.unwrap_or_default(), allowed);
    let cwd = check.path(&at("cwd"), keys.cwd).unwrap_or_else(|| check.base.to_owned());
    let env_file = check.path(&at("env_file"), keys.env_file);
    let timeout = check.not_zero(&at("timeout"), keys.timeout).unwrap_or(TIMEOUT);
    let grace = keys.grace.map_or(GRACE, |written| written.0);
    Some(CommandSpec { argv: argv?, cwd, env: env?, env_file, timeout, grace, progress: Vec::new() })
}

/// A program is stopped when two thirds of the lease have passed without its being renewed; its grace must fit into the rest.
pub(super) fn grace_fits(check: &mut Check, path: &[&str], command: Option<&CommandSpec>, lease: Duration) {
    let Some(CommandSpec { grace, .. }) = command else { return };
    if *grace >= lease / 3 {
        let (grace, lease) = (span::exact(*grace), span::exact(lease));
        let message =
            format!("grace {grace} must be shorter than a third of the lease, which is {lease}; shorten it, or lengthen the lease");
        check.wrong(path, message);
    }
}

/// The version as it is written, also where it looks like a number.
pub(super) fn version(check: &mut Check, path: &[&str]) -> Option<String> {
    let version = check.document.scalar(path)?.text.clone();
    check.text(path, &version);
    Some(version)
}

fn argv(check: &mut Check, path: &[&str], owner: &str, command: &[String], allowed: &[Scope]) -> Option<Vec<Template>> {
    if command.is_empty() {
        check.missing(path, format!("{owner} has no command; write it as a list, [program, argument, ...]"));
        return None;
    }
    if command[0].trim().is_empty() {
        check.wrong(&[path, &["0"]].concat(), format!("the program of {owner} is empty"));
    }
    let parsed: Vec<_> =
        command.iter().enumerate().map(|(n, source)| check.template(&[path, &[&n.to_string()]].concat(), source, allowed)).collect();
    parsed.into_iter().collect()
}

fn env(check: &mut Check, path: &[&str], written: &BTreeMap<String, String>, allowed: &[Scope]) -> Option<Vec<(String, Template)>> {
    let order: Vec<String> = check.document.keys(path).into_iter().map(str::to_owned).collect();
    let mut parsed = Vec::new();
    for variable in order {
        let path = [path, &[&variable]].concat();
        if variable.is_empty() || variable.contains('=') || variable.chars().any(|c| c.is_control() || c.is_whitespace()) {
            check.wrong_key(&path, format!("{variable:?} cannot name a variable"));
        } else if variable.starts_with(OWN_PREFIX) {
            check.wrong_key(&path, format!("{variable} is set by etl-orch itself; choose a name without {OWN_PREFIX}"));
        }
        let Some(source) = written.get(&variable) else { continue };
        parsed.push(check.template(&path, source, allowed).map(|template| (variable.clone(), template)));
    }
    parsed.into_iter().collect()
}
