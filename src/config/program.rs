//! Programs, wherever the file names one: how they are started.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Check;
use super::scalars::Span;
use crate::plan::model::work::CommandSpec;
use crate::plan::text::placeholder::Scope;
use crate::plan::text::template::Template;

/// A program may run this long, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Time between SIGTERM and SIGKILL, unless the file says otherwise.
const GRACE: Duration = Duration::from_secs(10);
/// Variables of this prefix are etl-orch's own in a program's environment.
const OWN_PREFIX: &str = "ETL_ORCH_";

/// The keys that say how to start a program, as they are written.
pub(super) struct ProgramKeys {
    pub(super) command: Option<Vec<String>>,
    pub(super) cwd: Option<String>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) env_file: Option<String>,
    pub(super) timeout: Option<Span>,
    pub(super) grace: Option<Span>,
}

impl ProgramKeys {
    /// Those that are given besides `command`.
    pub(super) fn beside_command(&self) -> impl Iterator<Item = &'static str> {
        let Self { command: _, cwd, env, env_file, timeout, grace } = self;
        [
            ("cwd", cwd.is_some()),
            ("env", env.is_some()),
            ("env_file", env_file.is_some()),
            ("timeout", timeout.is_some()),
            ("grace", grace.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
    }

    /// Checks the keys, which stand in the mapping at `path`. `who` is what messages call it. Says nothing of a `command` that is missing: the caller knows what else
    /// would do.
    pub(super) fn check(self, check: &mut Check, path: &[&str], who: &str, allowed: &[Scope]) -> Option<CommandSpec> {
        let at = |key| [path, &[key]].concat();
        let argv = self.command.and_then(|command| argv(check, &at("command"), who, &command, allowed));
        let env = env(check, &at("env"), &self.env.unwrap_or_default(), allowed);
        let cwd = check.path(&at("cwd"), self.cwd).unwrap_or_else(|| check.base.to_owned());
        let env_file = check.path(&at("env_file"), self.env_file);
        let timeout = check.not_zero(&at("timeout"), self.timeout).unwrap_or(TIMEOUT);
        let grace = self.grace.map_or(GRACE, |span| span.0);
        Some(CommandSpec { argv: argv?, cwd, env: env?, env_file, timeout, grace })
    }
}

/// A program is stopped when two thirds of the lease have passed without its being renewed; its grace must fit into the rest.
pub(super) fn grace_fits(check: &mut Check, path: &[&str], command: Option<&CommandSpec>, lease: Duration) {
    let Some(CommandSpec { grace, .. }) = command else { return };
    if *grace >= lease / 3 {
        let (grace, lease) = (humantime::format_duration(*grace), humantime::format_duration(lease));
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

fn argv(check: &mut Check, path: &[&str], who: &str, command: &[String], allowed: &[Scope]) -> Option<Vec<Template>> {
    if command.is_empty() {
        check.missing(path, format!("{who} has no command; write it as a list, [program, argument, ...]"));
        return None;
    }
    if command[0].trim().is_empty() {
        check.wrong(&[path, &["0"]].concat(), format!("the program of {who} is empty"));
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
