//! Talks to what starts etl-orch: systemd, and a user's crontab.

use std::path::Path;

use crate::execute::ask::{Answer, ask, tell};

/// Whether systemd started this host: otherwise there is nobody to talk to.
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether this user has a manager of systemd, by `XDG_RUNTIME_DIR`.
pub fn users_systemd_runs(runtime_directory: Option<&str>) -> bool {
    runtime_directory.is_some_and(|directory| Path::new(directory).join("systemd/private").exists())
}

/// Has systemd do something.
///
/// # Errors
/// What it says, where it does not.
pub async fn systemctl(args: &[&str]) -> Result<(), String> {
    done(ask("systemctl", args).await.map_err(|error| error.to_string())?).map(drop)
}

/// This user's crontab; `None` where there is none.
///
/// # Errors
/// What `crontab` says, where it does not tell.
pub async fn crontab() -> Result<Option<String>, String> {
    let answer = ask("crontab", &["-l"]).await.map_err(|error| error.to_string())?;
    if !answer.succeeded && answer.stderr.contains("no crontab for") {
        return Ok(None);
    }
    done(answer).map(Some)
}

/// Replaces this user's crontab, or removes it.
///
/// # Errors
/// What `crontab` says, where it refuses.
pub async fn replace_crontab(text: Option<&str>) -> Result<(), String> {
    let answer = match text {
        Some(text) => tell("crontab", &["-"], text).await,
        None => ask("crontab", &["-r"]).await,
    };
    done(answer.map_err(|error| error.to_string())?).map(drop)
}

fn done(answer: Answer) -> Result<String, String> {
    if answer.succeeded { Ok(answer.stdout) } else { Err(answer.stderr.trim().to_owned()) }
}
