//! Asks a program of the host that answers at once, such as `crontab -l`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

use crate::os::programs;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes that are read of an answer.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// What a program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("{0} is not found on PATH")]
    NotFound(&'static str),
    #[error("{path} cannot be started: {1}", path = .0.display())]
    NotStarted(PathBuf, io::Error),
    #[error("{0} did not answer within {most} s", most = PATIENCE.as_secs())]
    TooLate(&'static str),
}

/// Runs a program of our own PATH to its end, with English words and times in UTC. One that takes too long is killed.
pub(crate) async fn ask(program: &'static str, args: &[&str]) -> Result<Answer, NoAnswer> {
    tell(program, args, "").await
}

/// The same for a program that reads a text.
pub(crate) async fn tell(program: &'static str, args: &[&str], input: &str) -> Result<Answer, NoAnswer> {
    let path = find(program, std::env::var_os("PATH").as_deref())?;
    let not_started = |error| NoAnswer::NotStarted(path.clone(), error);
    let mut command = Command::new(&path);
    command.args(args).env("LC_ALL", "C").env("TZ", "UTC").env("SYSTEMD_PAGER", "").env("SYSTEMD_COLORS", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(not_started)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let all = async { tokio::join!(say(stdin, input), text(stdout), text(stderr), child.wait()) };
    let ((), stdout, stderr, end) = tokio::time::timeout(PATIENCE, all).await.map_err(|_| NoAnswer::TooLate(program))?;
    let succeeded = end.map_err(not_started)?.success();
    Ok(Answer { succeeded, stdout, stderr })
}

/// The full path of a program. The C library would answer "Permission denied" of a directory on PATH that cannot be searched, wherever the
/// program is.
fn find(program: &'static str, path: Option<&OsStr>) -> Result<PathBuf, NoAnswer> {
    programs::find(program, path, Path::new("")).ok_or(NoAnswer::NotFound(program))
}

/// Says it, and closes the pipe. A program need not listen; what it made of that is its answer.
async fn say(pipe: Option<impl AsyncWrite + Unpin>, input: &str) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input.as_bytes()).await;
    }
}

/// What comes through a pipe. What cannot be read counts as not said.
async fn text(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(MOST_BYTES).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_not_found_or_the_file_that_cannot_be_started_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (barred, file) = (dir.path().join("barred"), dir.path().join("crontab"));
        std::fs::create_dir(&barred).unwrap();
        std::fs::set_permissions(&barred, Permissions::from_mode(0o000)).unwrap();
        std::fs::write(&file, "").unwrap();
        let path = std::env::join_paths([&barred, dir.path()]).unwrap();
        let missing = find("systemctl", Some(&path)).unwrap_err();
        assert_eq!(missing.to_string(), "systemctl is not found on PATH");
        assert_eq!(find("crontab", Some(&path)).unwrap(), file);
    }
}
