//! Explains why a child could not be started, and what to do about it.
//!
//! The error number of the kernel does not tell whether program, interpreter or directory is at fault. That is looked up after the
//! failure, so that a start that works costs nothing more.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::Access;
use rustix::io::Errno;

use crate::os::input;
use crate::plan::run::ended::End;

/// The explanation when no directory of PATH has the program.
pub(super) fn not_found(name: &str, cwd: &Path) -> String {
    if name.is_empty() {
        return "the command is empty; give a program in `command:`".to_owned();
    }
    bad_directory(cwd).unwrap_or_else(|| {
        format!("{name} is not found on the ETL's PATH; install it, set PATH in the ETL's `env:`, or give its full path in `command:`")
    })
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

/// What is wrong with the directory, if anything.
fn bad_directory(cwd: &Path) -> Option<String> {
    let path = cwd.display();
    match cwd.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("the directory {path} does not exist; make it, or correct `cwd:`"))
        }
        Err(error) => Some(format!("the directory {path} cannot be entered: {error}; correct its permissions or `cwd:`")),
        Ok(found) if !found.is_dir() => Some(format!("{path} is not a directory; correct `cwd:`")),
        Ok(_) if rustix::fs::access(cwd, Access::EXEC_OK).is_err() => {
            Some(format!("the directory {path} may not be entered; correct its permissions or `cwd:`"))
        }
        Ok(_) => None,
    }
}

/// What is wrong with the program or its interpreter, if anything.
fn bad_program(program: &Path) -> Option<String> {
    let path = program.display();
    match program.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("{path} does not exist; install it, or correct `command:`")),
        Err(error) => Some(format!("{path} cannot be reached: {error}; correct `command:`")),
        Ok(found) if found.is_dir() => Some(format!("{path} is a directory, not a program; correct `command:`")),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Some(format!("{path} is not executable; chmod +x it, or name its interpreter in `command:`"))
        }
        Ok(_) => bad_interpreter(program),
    }
}

/// The kernel has the same error number for a script whose interpreter is missing.
fn bad_interpreter(program: &Path) -> Option<String> {
    let head = input::read_head(program, 256).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let path = program.display();
    if line.ends_with('\r') {
        return Some(format!("{path} has Windows line ends, so its #! line names no program; convert it (dos2unix)"));
    }
    let interpreter = line.split_ascii_whitespace().next()?;
    match rustix::fs::access(interpreter, Access::EXEC_OK) {
        Ok(()) => None,
        Err(Errno::NOENT | Errno::NOTDIR) => {
            Some(format!("{path} needs {interpreter}, named in its #! line, which does not exist; install it"))
        }
        Err(error) => Some(format!("{path} needs {interpreter}, named in its #! line, which cannot be executed: {error}")),
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
