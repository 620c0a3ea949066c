//! Starts the child of an attempt.
//!
//! The pipes are made before the child, so that little can fail once it exists. The standard library can use `posix_spawn`, which costs
//! the same however much memory we use: no code runs between fork and exec, and the program is named by its full path.

use std::ffi::OsStr;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::super::task::Program;
use super::capture::Stream;
use super::group::Leader;
use super::spawn_error;
use crate::os::children::StartedChild;
use crate::os::{blocking, programs};
use crate::plan::model::work::is_of_attempt;
use crate::plan::run::ended::End;

/// A child that was started.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) leader: Leader,
    pub(super) out: Stream,
    pub(super) err: Stream,
}

/// Starts the program of `task` in another thread, as the thread that does it waits until the program has been loaded.
///
/// # Errors
/// As [`spawn`].
pub(super) async fn spawn_elsewhere(task: Arc<Program>) -> Result<Spawned, End> {
    let (runtime, program) = (Handle::current(), Arc::clone(&task));
    let spawned = blocking::run(move || {
        let _in_runtime = runtime.enter();
        spawn(&program)
    });
    // Where there is no room for a thread it is done here.
    spawned.await.unwrap_or_else(|_| spawn(&task))
}

/// Starts the program of `task`. The end of an attempt that could not be started names the program and says what to do. It never contains
/// arguments or environment, which may be secret.
fn spawn(task: &Program) -> Result<Spawned, End> {
    let name = task.argv.first().map_or("", String::as_str);
    let cwd = std::path::absolute(&task.cwd).unwrap_or_else(|_| task.cwd.clone());
    let program =
        programs::find(name, child_path(task).as_deref(), &cwd).ok_or_else(|| End::SpawnFailed(spawn_error::not_found(name, &cwd)))?;
    let pipes = || -> io::Result<_> { Ok((pipe(true)?, pipe(false)?)) };
    let ((out, out_end), (err, err_end)) = pipes().map_err(|error| spawn_error::end(name, &program, &cwd, &error))?;
    let child = StartedChild::spawn(command(task, name, &program, cwd.clone()).stdout(out_end).stderr(err_end));
    let leader = child.and_then(Leader::new).map_err(|error| spawn_error::end(name, &program, &cwd, &error))?;
    Ok(Spawned { leader, out, err })
}

/// It must be dropped before anybody waits for the end of the output, as it owns the child's ends of the pipes.
fn command(task: &Program, name: &str, program: &Path, cwd: PathBuf) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_attempt)) {
        command.env_remove(name);
    }
    command
        .arg0(name)
        .args(task.argv.iter().skip(1))
        .envs(task.env.iter().map(|(key, value)| (key, value)))
        .current_dir(cwd)
        .process_group(0)
        .stdin(Stdio::null());
    command
}

/// `speaks`: whether messages for programs may come through it.
fn pipe(speaks: bool) -> io::Result<(Stream, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Stream::new(reader.into(), speaks)?, writer))
}

/// The PATH that the child will have.
fn child_path(task: &Program) -> Option<std::borrow::Cow<'_, OsStr>> {
    match task.env.iter().rev().find(|(key, _)| key == "PATH") {
        Some((_, path)) => Some(OsStr::new(path).into()),
        None => std::env::var_os("PATH").map(Into::into),
    }
}
