//! Explains why a child could not be started, and what to do about it.
//!
//! The error number of the kernel does not tell whether program, interpreter or directory is at fault. That is looked up after the
//! failure, so that a start that works costs nothing more.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::os::programs::{self, bad_directory, bad_program};
use crate::plan::run::ended::End;

/// The explanation when the program of a command is nowhere.
pub(super) fn not_found(name: &str, cwd: &Path) -> String {
    Some(cwd).filter(|_| !name.is_empty()).and_then(bad_directory).unwrap_or_else(|| programs::not_found(name))
}

/// The end of an attempt whose start failed with `error`; `name` is what the configuration calls the program.
pub(super) fn end(name: &str, program: &Path, cwd: &Path, error: &io::Error) -> End {
    let why = explain(name, program, cwd, error);
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => End::HostShort(why),
        Some(_) | None => End::SpawnFailed(why),
    }
}

/// What went wrong, and what to do about it.
fn explain(name: &str, program: &Path, cwd: &Path, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::InvalidInput {
        return format!("an argument or variable for {name} holds a NUL byte; no process can be given one");
    }
    let path = program.display();
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => {
            bad_directory(cwd).or_else(|| bad_program(program)).unwrap_or_else(|| {
                format!(
                    "{path} may not be executed: {error}; look at the directories above it and whether its file system is mounted noexec"
                )
            })
        }
        Some(Errno::NOEXEC) => format!(
            "{path} is neither a program for this machine nor a script with a #! line; begin it with one (#!/bin/sh), or name its interpreter in `command:`"
        ),
        Some(Errno::TOOBIG) => {
            format!("the arguments and environment for {name} are larger than the system allows; pass large values in a file")
        }
        Some(Errno::AGAIN) => {
            format!("{name} was not started: the host has no room for another process; raise the limit (ulimit -u, TasksMax= of the unit)")
        }
        Some(Errno::NOMEM) => format!("{name} was not started: out of memory; lower `max_parallel`"),
        Some(Errno::MFILE | Errno::NFILE) => {
            format!("{name} was not started: too many open files; raise the limit (ulimit -n) or lower `max_parallel`")
        }
        Some(Errno::TXTBSY) => format!("{path} is open for writing; wait until whoever writes it has closed it"),
        _ => format!("{path} could not be started: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_system_are_explained() {
        for (errno, words, is_short) in [
            (Errno::TOOBIG, "pass large values in a file", false),
            (Errno::AGAIN, "no room for another process", true),
            (Errno::NOMEM, "out of memory", true),
            (Errno::MFILE, "too many open files", true),
            (Errno::TXTBSY, "open for writing", false),
            (Errno::IO, "could not be started", false),
        ] {
            let end = end("tool", Path::new("/bin/tool"), Path::new("/"), &errno.into());
            let (End::HostShort(text) | End::SpawnFailed(text)) = &end else { panic!("{end:?}") };
            assert_eq!(matches!(end, End::HostShort(_)), is_short, "{end:?}");
            assert!(text.contains(words) && text.contains("tool"), "{text}");
        }
    }
}
