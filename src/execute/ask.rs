//! Asks a program of the host that answers at once, such as `crontab -l`.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

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
    #[error("{0} is not installed")]
    NotInstalled(&'static str),
    #[error("{0} cannot be started: {1}")]
    NotStarted(&'static str, io::Error),
    #[error("{0} did not answer within {most} s", most = PATIENCE.as_secs())]
    TooLate(&'static str),
}

/// Runs a program of our own PATH to its end, with English words and times in UTC. One that takes too long is killed.
pub(crate) async fn ask(program: &'static str, args: &[&str]) -> Result<Answer, NoAnswer> {
    tell(program, args, "").await
}

/// The same for a program that reads a text.
pub(crate) async fn tell(program: &'static str, args: &[&str], input: &str) -> Result<Answer, NoAnswer> {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C").env("TZ", "UTC").env("SYSTEMD_PAGER", "").env("SYSTEMD_COLORS", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NoAnswer::NotInstalled(program),
        _ => NoAnswer::NotStarted(program, error),
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let all = async { tokio::join!(say(stdin, input), text(stdout), text(stderr), child.wait()) };
    let ((), stdout, stderr, end) = tokio::time::timeout(PATIENCE, all).await.map_err(|_| NoAnswer::TooLate(program))?;
    let succeeded = end.map_err(|error| NoAnswer::NotStarted(program, error))?.success();
    Ok(Answer { succeeded, stdout, stderr })
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
