//! Looks for what starts etl-orch: timers of systemd, of the host and of this user, and crontabs that this user may read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::execute::ask::{Answer, NoAnswer, ask};
use crate::os::{input, process};
use crate::plan::decide::checkup::{self, CronLine, Looked, NotLooked, Schedule, Timer, UnitText, timers_in_list};

const OF_TIMERS: &str = "--property=Id,Unit,ActiveState,UnitFileState,LastTriggerUSec,NextElapseUSecRealtime";
const OF_SERVICES: &str = "--property=Id,ExecStart,Result";

/// Programs that act on crontabs.
const CRON_DAEMONS: [&str; 3] = ["cron", "crond", "fcron"];

/// Looks for everything that starts etl-orch on this host.
pub async fn look_at_schedule() -> Schedule {
    let (timers, cron_lines) = tokio::join!(timers(), cron_lines());
    Schedule { timers, cron_lines, cron_runs: cron_runs() }
}

async fn timers() -> Looked<Vec<Timer>> {
    let of_host = timers_of(false).await?;
    if of_host.iter().any(|timer| timer.is_active) || !has_own_manager() {
        return Ok(of_host);
    }
    let of_user = timers_of(true).await;
    if of_host.is_empty() { of_user } else { Ok([of_host, of_user.unwrap_or_default()].concat()) }
}

/// Whether this user has a manager of systemd, without which no timer of the user's own fires.
fn has_own_manager() -> bool {
    Path::new(&format!("/run/user/{}/systemd/private", rustix::process::getuid().as_raw())).exists()
}

async fn timers_of(is_users: bool) -> Looked<Vec<Timer>> {
    let Some(list) = systemctl(is_users, &["list-unit-files", "--type=timer", "--no-legend"]).await? else { return Ok(Vec::new()) };
    let names = timers_in_list(&list);
    let Some(timers) = show(is_users, OF_TIMERS, names.iter().map(String::as_str)).await? else { return Ok(Vec::new()) };
    let Some(services) = show(is_users, OF_SERVICES, timers.values("Unit")).await? else { return Ok(Vec::new()) };
    Ok(checkup::timers(&timers, &services, is_users))
}

/// What systemd says of these units; `None` where there are none.
async fn show<'a>(is_users: bool, properties: &'a str, units: impl Iterator<Item = &'a str>) -> Looked<Option<UnitText>> {
    let args: Vec<&str> = ["show", properties].into_iter().chain(units).collect();
    if args.len() == 2 {
        return Ok(None);
    }
    Ok(systemctl(is_users, &args).await?.map(|text| UnitText::read(&text)))
}

/// What `systemctl` prints; `None` where this host has no systemd.
async fn systemctl(is_users: bool, args: &[&str]) -> Looked<Option<String>> {
    let manager = if is_users { "--user" } else { "--system" };
    let args: Vec<&str> = [&[manager, "--no-pager"], args].concat();
    match ask("systemctl", &args).await {
        Ok(Answer { succeeded: true, stdout, .. }) => Ok(Some(stdout)),
        // It is not what started this host.
        Ok(_) | Err(NoAnswer::NotFound(_)) if !Path::new("/run/systemd/system").exists() => Ok(None),
        Ok(answer) => Err(NotLooked::Because(format!("systemctl {manager}: {}", first_line(&answer.stderr)))),
        Err(error) => Err(NotLooked::Because(error.to_string())),
    }
}

async fn cron_lines() -> Looked<Vec<CronLine>> {
    let own = own_crontab().await;
    let mut found = own.clone().unwrap_or_default();
    let mut trouble = own.err();
    for path in crontabs_of_host() {
        match input::read(&path) {
            Ok(file) => found.extend(checkup::cron_lines(&path.display().to_string(), &String::from_utf8_lossy(&file.bytes), true)),
            Err(error) if error.is_not_found() => {}
            Err(error) => trouble = Some(NotLooked::Because(format!("{} {error}", path.display()))),
        }
    }
    match trouble {
        Some(trouble) if found.is_empty() => Err(trouble),
        Some(_) | None => Ok(found),
    }
}

async fn own_crontab() -> Looked<Vec<CronLine>> {
    match ask("crontab", &["-l"]).await {
        Ok(answer) if answer.succeeded => Ok(checkup::cron_lines("crontab -l", &answer.stdout, false)),
        Ok(answer) if answer.stderr.starts_with("no crontab for") => Ok(Vec::new()),
        Ok(answer) => Err(NotLooked::Because(format!("crontab -l: {}", first_line(&answer.stderr)))),
        Err(NoAnswer::NotFound(_)) => Ok(Vec::new()),
        Err(error) => Err(NotLooked::Because(error.to_string())),
    }
}

/// The crontabs that are no user's.
fn crontabs_of_host() -> Vec<PathBuf> {
    let below = fs::read_dir("/etc/cron.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = below.filter(|path| path.is_file()).collect();
    paths.sort();
    paths.insert(0, PathBuf::from("/etc/crontab"));
    paths
}

/// Whether a cron daemon runs.
fn cron_runs() -> Looked<bool> {
    let because = |error: io::Error| NotLooked::Because(error.to_string());
    let of_busybox = process::named(&["busybox"]).map_err(because)?.into_iter().any(|(_, command)| command.contains("crond"));
    if of_busybox || !process::named(&CRON_DAEMONS).map_err(because)?.is_empty() {
        Ok(true)
    } else if process::shows_others() {
        Ok(false)
    } else {
        Err(NotLooked::Because("this host hides the processes of other users".to_owned()))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word")
}
