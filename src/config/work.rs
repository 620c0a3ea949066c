//! Checks how an ETL or a source does its work: by a program, or by a service.

use std::collections::{BTreeSet, HashMap};

use super::check::Check;
use super::http::http;
use super::patterns;
use super::program::program;
use super::written_program::ProgramKeys;
use super::written_work as written;
use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::work::{CommandSpec, Work};
use crate::plan::text::placeholder::Scope;

/// The keys that say how the work is done, as the file has them.
pub(super) struct WorkKeys {
    pub(super) program: ProgramKeys,
    pub(super) exit_codes: Option<written::ExitCodes>,
    pub(super) outcomes: Option<Vec<written::EndPattern>>,
    pub(super) progress: Option<Vec<written::StagePattern>>,
    pub(super) http: Option<written::Http>,
}

impl WorkKeys {
    /// Checks the keys of the mapping at `path`. `name` is the name of the ETL or the source; `does` completes the advice "write what ...".
    pub(super) fn check(self, check: &mut Check, path: &[&str], name: &str, does: &str, allowed: &[Scope]) -> Option<Work> {
        let at = |key| [path, &[key]].concat();
        if let Some(http_keys) = self.http {
            if self.program.command.is_some() {
                check.wrong_key(&at("command"), format!("{name} has command and http; keep one of the two"));
            }
            let more = [self.exit_codes.map(|_| "exit_codes"), self.outcomes.map(|_| "outcomes"), self.progress.map(|_| "progress")];
            for key in self.program.beside_command().chain(more.into_iter().flatten()) {
                let advice = if key == "timeout" { "write it in http" } else { "remove it" };
                check.wrong_key(&at(key), format!("{key} has an effect only beside command; {advice}"));
            }
            return http(check, &at("http"), name, http_keys, allowed).map(|spec| Work::Http(Box::new(spec)));
        }
        if self.program.command.is_none() && !check.document.is_broken(&at("command")) && !check.document.is_broken(&at("http")) {
            check.wrong_key(path, format!("{name} has neither command nor http; write what {does}"));
        }
        let command = program(check, path, self.program, name, allowed);
        let codes = exit_codes(check, &at("exit_codes"), self.exit_codes.unwrap_or_default());
        let patterns = patterns::outcomes(check, &at("outcomes"), &self.outcomes.unwrap_or_default());
        let progress = patterns::progress(check, &at("progress"), &self.progress.unwrap_or_default());
        Some(Work::Command { command: CommandSpec { progress, ..command? }, exit_codes: ExitCodes { patterns, ..codes } })
    }
}

/// Checks the classes of exit codes. A list replaces the default codes of its class, and its codes leave the defaults of other classes.
fn exit_codes(check: &mut Check, path: &[&str], written: written::ExitCodes) -> ExitCodes {
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
