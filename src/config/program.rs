//! Programs, wherever the file names one: how they are started, and what their ends mean.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::check::Check;
use super::written::{self, Span};
use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::work::CommandSpec;
use crate::plan::text::template::{Placeholder, Template};

/// A program may run this long, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Time between SIGTERM and SIGKILL, unless the file says otherwise.
const GRACE: Duration = Duration::from_secs(10);
/// Variables of this prefix are etl-orch's own in a program's environment.
const OWN_PREFIX: &str = "ETL_ORCH_";

/// The keys that say how to start a program, as they are written.
pub(super) struct Program {
    pub(super) command: Option<Vec<String>>,
    pub(super) cwd: Option<String>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) env_file: Option<String>,
    pub(super) timeout: Option<Span>,
    pub(super) grace: Option<Span>,
}

impl Program {
    /// Checks the keys, which stand in the mapping at `path`. `who` is what messages call it.
    pub(super) fn check(self, check: &mut Check, path: &[&str], who: &str, allowed: &[Placeholder]) -> Option<CommandSpec> {
        let at = |key| [path, &[key]].concat();
        let argv = argv(check, &at("command"), who, &self.command.unwrap_or_default(), allowed);
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

fn argv(check: &mut Check, path: &[&str], who: &str, command: &[String], allowed: &[Placeholder]) -> Option<Vec<Template>> {
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

fn env(check: &mut Check, path: &[&str], written: &BTreeMap<String, String>, allowed: &[Placeholder]) -> Option<Vec<(String, Template)>> {
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

/// The classes of exit codes: a list replaces its class, and its codes leave the defaults of the others.
pub(super) fn exit_codes(check: &mut Check, path: &[&str], written: written::ExitCodes) -> ExitCodes {
    let mut codes = ExitCodes::default();
    let given =
        [("permanent", written.permanent), ("config", written.config), ("not_ready", written.not_ready), ("transient", written.transient)];
    let mut class_of: HashMap<i32, &str> = HashMap::new();
    for (class, list) in &given {
        for (n, code) in list.iter().flatten().enumerate() {
            let n = n.to_string();
            let path = [path, &[class, &n]].concat();
            let Some(code) = i32::try_from(*code).ok().filter(|code| (1..=255).contains(code)) else {
                check.wrong(&path, "an exit code in a class must be from 1 to 255; 0 is success");
                continue;
            };
            match class_of.insert(code, class) {
                Some(other) if other != *class => {
                    let shown = check.document.shown(&path, &code.to_string()).replace('"', "");
                    check.wrong(&path, format!("exit code {shown} is in {other} and in {class}; keep one"));
                }
                Some(_) | None => {}
            }
        }
    }
    let sets = [&mut codes.permanent, &mut codes.config, &mut codes.not_ready, &mut codes.transient];
    for ((class, list), set) in given.iter().zip(sets) {
        if list.is_some() {
            *set = class_of.iter().filter(|(_, of)| *of == class).map(|(code, _)| *code).collect::<BTreeSet<i32>>();
        } else {
            set.retain(|code| !class_of.contains_key(code));
        }
    }
    codes
}
