//! What starts etl-orch from now on, or no longer.

use std::fmt::Write;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::View;
use super::terminal::page_width;
use super::words::{Untrusted, wrapped};
use crate::plan::decide::deployment::{Change, Effect};

/// What was installed or taken away, or would be.
#[derive(Debug, Serialize)]
pub struct InstallView {
    #[serde(skip)]
    kind: &'static str,
    dry_run: bool,
    changes: Vec<ChangeView>,
    pub steps: Vec<Step>,
    #[serde(serialize_with = "untrusted")]
    pub notes: Vec<String>,
    #[serde(serialize_with = "untrusted")]
    pub next: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    place: Untrusted<'static>,
    change: &'static str,
    /// What is added, after `+`, and taken away, after `-`.
    lines: Vec<Untrusted<'static>>,
}

/// Something that systemd was to do.
#[derive(Debug)]
pub struct Step {
    pub command: String,
    /// What came of it; `None` where it was not done.
    pub result: Option<Result<(), String>>,
}

impl Step {
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.result, Some(Ok(())))
    }

    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }
}

impl InstallView {
    /// The view of these changes. `kind`: `install` or `uninstall`.
    #[must_use]
    pub fn new(kind: &'static str, dry_run: bool, changes: &[Change]) -> Self {
        let view = |change: &Change| ChangeView {
            place: change.place.clone().into(),
            change: match change.effect() {
                Effect::Nothing => "unchanged",
                Effect::Create => "created",
                Effect::Replace => "replaced",
                Effect::Remove => "removed",
            },
            lines: change.lines().into_iter().map(Untrusted::from).collect(),
        };
        Self { kind, dry_run, changes: changes.iter().map(view).collect(), steps: Vec::new(), notes: Vec::new(), next: Vec::new() }
    }

    fn change_lines(&self, page: &mut String) {
        for ChangeView { place, change, lines } in &self.changes {
            // Writing to a String cannot fail.
            let _ = match (self.dry_run, *change) {
                (_, "unchanged") if self.kind == "uninstall" => writeln!(page, "{place}: nothing of etl-orch is there"),
                (_, "unchanged") => writeln!(page, "{place} is as it should be"),
                (true, change) => writeln!(page, "{place} would be {change}:"),
                (false, change) => writeln!(page, "{place} is {change}"),
            };
            if self.dry_run && *change != "removed" {
                for line in lines {
                    let line = line.to_string();
                    // Of what is new every line is added.
                    let line = if *change == "created" { line.trim_start_matches("+ ") } else { &line };
                    let _ = writeln!(page, "    {line}");
                }
            }
        }
    }

    fn step_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for Step { command, result } in &self.steps {
            lines.push(match result {
                Some(Ok(())) => format!("{command}: done"),
                Some(Err(error)) => format!("{command} failed: {}", Untrusted::from(error.as_str())),
                None => format!("not done: {command}"),
            });
        }
        if self.steps.iter().any(|step| step.result.is_none()) && !self.steps.iter().any(Step::has_failed) {
            lines.push("systemd does not run here, so nothing is started or stopped; call these commands where it does.".to_owned());
        }
        lines
    }
}

impl View for InstallView {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn text(&self) -> String {
        let mut page = String::new();
        self.change_lines(&mut page);
        let notes = self.notes.iter().map(|note| format!("Note: {}", Untrusted::from(note.as_str())));
        let mut lines: Vec<String> = self.step_lines().into_iter().chain(notes).collect();
        if !self.next.is_empty() {
            lines.push("Next:".to_owned());
            lines.extend(self.next.iter().enumerate().map(|(n, step)| format!("  {}. {}", n + 1, Untrusted::from(step.as_str()))));
        }
        for line in lines {
            let _ = writeln!(page, "{}", wrapped(&line, page_width()));
        }
        page
    }
}

fn untrusted<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| Untrusted::from(text.as_str())))
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let result = match &self.result {
            Some(Ok(())) => "done".to_owned(),
            Some(Err(error)) => format!("failed: {error}"),
            None => "not_done".to_owned(),
        };
        let mut step = serializer.serialize_struct("Step", 2)?;
        step.serialize_field("command", &self.command)?;
        step.serialize_field("result", &Untrusted::from(result))?;
        step.end()
    }
}
