//! Programs as the kernel would start them: where they are, and what keeps one from being started.
//!
//! The C library would search our own PATH instead of that of the program's environment. A full path also lets the standard library use
//! `posix_spawn`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

use super::input;

/// The search path when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The full path of `program`. A name with a slash is relative to `cwd`, and is not looked up; any other is searched in `path`, the
/// value of PATH. A file that may not be executed is returned only when no directory has one that may, so that the error can name it.
/// `None` when no directory has the file at all.
pub(crate) fn find(program: &str, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(cwd.join(program));
    }
    if program.is_empty() {
        return None;
    }
    let mut not_executable = None;
    for directory in std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH))) {
        let candidate = cwd.join(directory).join(program);
        if candidate.is_file() {
            if rustix::fs::access(&candidate, Access::EXEC_OK).is_ok() {
                return Some(candidate);
            }
            not_executable.get_or_insert(candidate);
        }
    }
    not_executable
}

/// The explanation when no directory of PATH has the program.
pub(crate) fn not_found(name: &str) -> String {
    if name.is_empty() {
        return "the command is empty; give a program in `command:`".to_owned();
    }
    format!("{name} is not found on its PATH; install it, set PATH in its `env:`, or give its full path in `command:`")
}

/// What is wrong with the directory in which a program is to run, if anything.
pub(crate) fn bad_directory(cwd: &Path) -> Option<String> {
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

/// What keeps this process from starting the program, as far as it can be seen, if anything.
pub(crate) fn fault(program: &Path) -> Option<String> {
    bad_program(program).or_else(|| {
        let error = rustix::fs::access(program, Access::EXEC_OK).err()?;
        Some(format!("{} may not be executed: {error}; look at its mode and the directories above it", program.display()))
    })
}

/// What is wrong with the program or its interpreter, if anything.
pub(crate) fn bad_program(program: &Path) -> Option<String> {
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

    fn file(path: &Path, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_executable_on_the_path_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        file(&root.join("one/tool"), 0o644);
        file(&root.join("two/tool"), 0o755);
        file(&root.join("three/tool"), 0o755);
        file(&root.join("one/data"), 0o644);
        std::fs::create_dir(root.join("one/folder")).unwrap();
        let path = std::env::join_paths([root.join("none"), root.join("one"), "two".into(), root.join("three")]).unwrap();
        let find = |program| find(program, Some(&path), root);
        assert_eq!(find("tool"), Some(root.join("two/tool")));
        assert_eq!(find("data"), Some(root.join("one/data")), "named although it cannot be executed");
        assert_eq!(find("folder"), None);
        assert_eq!(find("nothing"), None);
        assert_eq!(find(""), None);
        assert_eq!(find("./two/tool"), Some(root.join("./two/tool")));
        assert_eq!(find("/bin/x"), Some("/bin/x".into()));
    }
}
