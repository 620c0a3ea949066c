//! What is installed, from the configuration.

use std::path::{Path, PathBuf};

use super::super::args::Global;
use super::super::exit::Failure;
use super::{InstallArgs, Schedule};
use crate::config::{self, Config};
use crate::os::users;
use crate::plan::decide::deployment::{Deployment, has_control_characters, is_in_home, longest_run};
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::settings::{DatabaseTarget, Variables};
use crate::plan::text::span::brief;
use crate::show;

/// Who runs it, unless somebody else is named.
const USER: &str = "etl-orch";
/// The state directory that systemd makes.
const STATE: &str = "/var/lib/etl-orch";
/// Where systemd and cron look for programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is installed, and what is to be said of it.
pub(super) struct Made {
    pub(super) deployment: Deployment,
    pub(super) notes: Vec<String>,
    pub(super) next: Vec<String>,
}

/// Reads the configuration as a run of systemd or cron will, to which nothing of this shell is known.
pub(super) fn of(global: &Global, environment: &Variables, args: &InstallArgs) -> Result<Made, Failure> {
    let found = config::find(global.config.as_deref(), environment)?;
    let home = environment.get("HOME").filter(|_| args.common.user).map(|home| ("HOME".to_owned(), home.clone()));
    let poor: Variables = home.into_iter().chain([("PATH".to_owned(), PATH.to_owned())]).collect();
    let config = config::load(&found.path, &poor)?;
    show::hide(config.secrets.clone());
    let program = std::env::current_exe().map_err(|error| Failure::Orchestrator(format!("where this program is: {error}")))?;
    let user = user(args)?;
    let is_systemd = args.schedule == Schedule::Systemd;
    let written = if is_systemd && !args.common.user { written(&config, args, user.as_deref())? } else { Vec::new() };
    let needed = needed(&config);
    let needs_home = written.iter().chain(&needed).chain([&program, &config.path]).any(|path| is_in_home(path));
    let deployment = Deployment {
        program: text(&program)?,
        config: text(&config.path)?,
        user,
        written,
        needs_home,
        longest_run: longest_run(&config.run, &config.catalogue),
    };
    // Who may write to a file is judged for the user of this process; `doctor` judges it as the user of the runs.
    let mut notes = if args.common.user { config.warnings.clone() } else { Vec::new() };
    if is_systemd {
        notes.extend(notes_on(&deployment, &config));
    }
    Ok(Made { next: next(&deployment, is_systemd), deployment, notes })
}

fn user(args: &InstallArgs) -> Result<Option<String>, Failure> {
    if args.common.user {
        return Ok(None);
    }
    let name = args.run_as.as_deref().unwrap_or(USER);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@\\".contains(c));
    if !is_name {
        return Err(Failure::Usage(format!("--run-as: {name:?} is no name of a user")));
    }
    if args.run_as.is_none() && !args.common.dry_run && !users::has(USER) {
        let make = format!("useradd --system --home-dir {STATE} --shell /usr/sbin/nologin {USER}");
        return Err(Failure::Usage(format!("there is no user {USER}; name the user who runs your ETLs by --run-as, or make one: {make}")));
    }
    Ok(Some(name.to_owned()))
}

/// The directories that runs and their ETLs write to, as far as the configuration says; those that the state directory is above are left out.
fn written(config: &Config, args: &InstallArgs, user: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
    let parent = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_owned();
    let outputs = config.catalogue.etls.iter().filter_map(|etl| match &etl.reports {
        ReportsBy::Orchestrator { output } => Some(PathBuf::from(output.directory())),
        ReportsBy::Etl => None,
    });
    let database = match &config.database.target {
        DatabaseTarget::Sqlite(path) => Some(parent(path)),
        DatabaseTarget::Postgres { .. } => None,
    };
    let files = [Some(&config.lock_file), config.html_file.as_ref(), config.tell.textfile.as_ref(), config.tell.events_file.as_ref()];
    let files = files.into_iter().flatten().map(|path| parent(path));
    let writable = args.writable.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>();
    let writable = writable.map_err(|error| Failure::Usage(format!("--writable: {error}")))?;
    let mut all: Vec<PathBuf> = outputs.chain(database).chain(files).chain([config.state_dir.clone()]).chain(writable).collect();
    all.retain(|path| !path.starts_with(STATE));
    all.sort();
    all.dedup_by(|later, earlier| later.starts_with(earlier));
    let missing: Vec<String> = all.iter().filter(|path| !path.is_dir()).map(|path| path.display().to_string()).collect();
    if missing.is_empty() || args.common.dry_run {
        all.iter().map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
        return Ok(all);
    }
    let owner = user.unwrap_or(USER);
    let make = missing.iter().map(|path| format!("install -d -o {owner} {path}")).collect::<Vec<_>>().join("; ");
    Err(Failure::Usage(format!("systemd lets a run write only to directories that exist; make these first: {make}")))
}

/// Files and directories that ETLs and sources are started from, as far as they are known.
fn needed(config: &Config) -> Vec<PathBuf> {
    let works = config.catalogue.etls.iter().map(|etl| &etl.work).chain(config.catalogue.sources.iter().map(|source| &source.work));
    let mut paths = Vec::new();
    for spec in works.filter_map(|work| work.program()) {
        paths.push(spec.cwd.clone());
        paths.extend(spec.env_file.clone());
        paths.extend(spec.argv.iter().map(|word| PathBuf::from(word.directory())));
        let search = spec.env.iter().filter(|(name, _)| name == "PATH").map(|(_, path)| path.render(|_| String::new()));
        paths.extend(search.flat_map(|path| path.split(':').map(PathBuf::from).collect::<Vec<_>>()));
    }
    paths
}

fn notes_on(deployment: &Deployment, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if config.run.deadline.is_none() {
        let longest = brief(deployment.longest_run);
        notes.push(format!("without run.deadline a run may take {longest}, and one that hangs is ended no sooner; set run.deadline: 50m"));
    }
    if deployment.user.is_some() {
        let written: Vec<String> = deployment.written.iter().map(|path| path.display().to_string()).collect();
        let below = [vec![STATE.to_owned()], written].concat().join(", ");
        notes.push(format!("a run and its ETLs can write below {below}, and nowhere else; name more by --writable DIR"));
    }
    notes
}

fn next(deployment: &Deployment, is_systemd: bool) -> Vec<String> {
    let Deployment { program, config, user, .. } = deployment;
    let by = user.as_ref().map_or_else(String::new, |user| format!("sudo -u {user} "));
    let mut next = vec![format!("{by}{program} doctor --config {config}")];
    match (is_systemd, user) {
        (true, Some(_)) => next.push("journalctl -u etl-orch.service -f".to_owned()),
        (true, None) => {
            next.push("loginctl enable-linger: your timers then fire while you are logged out, too".to_owned());
            next.push("journalctl --user -u etl-orch.service -f".to_owned());
        }
        (false, _) => {}
    }
    next
}

/// A path as a text for a unit or a crontab.
fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !has_control_characters(text));
    text.map(str::to_owned).ok_or_else(|| Failure::Usage(format!("{} has characters that no unit or crontab can have", path.display())))
}
