//! Starts the child of an attempt.
//!
//! Everything that can fail is made before the child exists, so that a child that was started is also watched. Nothing is
//! asked of the standard library that would keep it from `posix_spawn`, which costs the same however large we are: no
//! code runs between fork and exec, and the program is named by its full path.

use std::ffi::OsStr;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::Program;
use super::capture::Stream;
use super::exit;
use super::group::Leader;
use super::lookup;
use super::refusal;

/// A child that runs.
#[derive(Debug)]
pub(super) struct Spawned {
    /// The process, leader of its own group.
    pub(super) leader: Leader,
    /// Our end of its stdout.
    pub(super) out: Stream,
    /// Our end of its stderr.
    pub(super) err: Stream,
}

/// Starts the program of `task`. The error names the program and says what to do; it never holds arguments or
/// environment, which may be secret.
pub(super) fn spawn(task: &Program) -> Result<Spawned, String> {
    exit::keep_exit_statuses();
    let name = task.argv.first().map_or("", String::as_str);
    let cwd = std::path::absolute(&task.cwd).unwrap_or_else(|_| task.cwd.clone());
    let program = lookup::find(name, path_of(task).as_deref(), &cwd).ok_or_else(|| refusal::not_found(name, &cwd))?;
    let pipes = || -> io::Result<_> { Ok((pipe()?, pipe()?)) };
    let ((out, out_end), (err, err_end)) = pipes().map_err(|error| refusal::explain(name, &program, &cwd, &error))?;
    let child = command(task, name, &program, cwd.clone()).stdout(out_end).stderr(err_end).spawn();
    let leader = child.and_then(Leader::new).map_err(|error| refusal::explain(name, &program, &cwd, &error))?;
    Ok(Spawned { leader, out, err })
}

/// The command owns the child's ends of the pipes: it must be gone before anybody waits for their end.
fn command(task: &Program, name: &str, program: &Path, cwd: PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .arg0(name)
        .args(task.argv.iter().skip(1))
        .envs(task.env.iter().map(|(key, value)| (key, value)))
        .current_dir(cwd)
        .process_group(0)
        .stdin(Stdio::null());
    command
}

fn pipe() -> io::Result<(Stream, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Stream::new(reader.into())?, writer))
}

/// The PATH that the child will have.
fn path_of(task: &Program) -> Option<std::borrow::Cow<'_, OsStr>> {
    match task.env.iter().rev().find(|(key, _)| key == "PATH") {
        Some((_, path)) => Some(OsStr::new(path).into()),
        None => std::env::var_os("PATH").map(Into::into),
    }
}
