//! Finds the program that an ETL's command names, as `execvp` would with the ETL's own environment and directory.
//!
//! The C library would search our own PATH instead. A full path also lets the standard library use `posix_spawn`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// The search path when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The full path of `program`. A name with a slash is relative to `cwd`, and is not looked up; any other is searched in `path`, the
/// value of PATH. A file that may not be executed is returned only when no directory has one that may, so that the error can name it.
/// `None` when no directory has the file at all.
pub(super) fn find(program: &str, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

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
