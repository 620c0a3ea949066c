//! The files and the crontab that are installed: as they are, as they are to be, and the change.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use crate::os::{files, input};
use crate::plan::decide::deployment::{Change, Deployment, Effect, UNITS, cron_file, units as unit_texts, with_line, without_line};
use crate::plan::model::settings::Variables;
use crate::run::schedules;

const OF_HOST: &str = "/etc/systemd/system";
const CRON_FILE: &str = "/etc/cron.d/etl-orch";
/// The place of a user's crontab.
const CRONTAB: &str = "your crontab";

/// The units with this deployment, or without any.
pub(super) fn units(environment: &Variables, users: bool, deployment: Option<&Deployment>) -> Result<Vec<Change>, Failure> {
    let directory = if users { of_user(environment)? } else { PathBuf::from(OF_HOST) };
    let texts: Vec<(&str, Option<String>)> = match deployment {
        Some(deployment) => unit_texts(deployment).into_iter().map(|(name, text)| (name, Some(text))).collect(),
        None => UNITS.into_iter().map(|name| (name, None)).collect(),
    };
    texts.into_iter().map(|(name, after)| change(&directory.join(name), after)).collect()
}

/// The crontab with the line of this deployment, or without any.
pub(super) async fn cron(users: bool, deployment: Option<&Deployment>) -> Result<Change, Failure> {
    if !users {
        return change(Path::new(CRON_FILE), deployment.map(cron_file));
    }
    let before = schedules::crontab().await.map_err(|error| Failure::Orchestrator(format!("{CRONTAB} cannot be read: {error}")))?;
    let text = before.as_deref().unwrap_or_default();
    let after = match deployment {
        Some(deployment) => with_line(text, deployment),
        None => without_line(text),
    };
    let after = (deployment.is_some() || before.is_some()).then_some(after).filter(|text| !text.is_empty());
    Ok(Change { place: CRONTAB.to_owned(), before, after })
}

/// Whether a change takes something away that may be somebody's work. Of a user's crontab only our own lines are touched.
pub(super) fn loses_something(change: &Change) -> bool {
    match change.effect() {
        Effect::Nothing | Effect::Create => false,
        Effect::Replace | Effect::Remove => change.lines().iter().any(|line| line.starts_with('-')),
    }
}

/// Makes the changes.
pub(super) async fn apply(users: bool, changes: &[Change]) -> Result<(), Failure> {
    for change in changes.iter().filter(|change| change.effect() != Effect::Nothing) {
        let made = if change.place == CRONTAB {
            schedules::replace_crontab(change.after.as_deref()).await
        } else {
            write(Path::new(&change.place), change.after.as_deref(), users).map_err(|error| error.to_string())
        };
        made.map_err(|error| Failure::Orchestrator(format!("{} cannot be changed: {error}", change.place)))?;
    }
    Ok(())
}

fn write(path: &Path, text: Option<&str>, users: bool) -> std::io::Result<()> {
    let Some(text) = text else { return fs::remove_file(path) };
    if let (true, Some(directory)) = (users, path.parent()) {
        files::create_private_dir(directory)?;
    }
    files::replace_for_everybody(path, text)
}

fn of_user(environment: &Variables) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| Failure::Usage("where your units belong is not known: set HOME".to_owned()))?;
    Ok(config.join("systemd/user"))
}

fn change(path: &Path, after: Option<String>) -> Result<Change, Failure> {
    let before = match input::read(path) {
        Ok(file) => Some(String::from_utf8_lossy(&file.bytes).into_owned()),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(Failure::Orchestrator(format!("{} {error}", path.display()))),
    };
    Ok(Change { place: path.display().to_string(), before, after })
}
