//! Relative paths are relative to the file that names them.

use std::io;
use std::path::{Component, Path, PathBuf};

/// The absolute directory of a file, its links followed, so that `..` after it means what the kernel says it means.
pub(super) fn directory_of(file: &Path) -> io::Result<PathBuf> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize(),
        Some(_) | None => Path::new(".").canonicalize(),
    }
}

/// What only a shell would fill in: `~` at the beginning, or `$NAME` as the name of a directory. In words, with what to write instead.
pub(super) fn meant_for_a_shell(path: &str) -> Option<String> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if path == "~" || path.starts_with("~/") {
        return Some("begins with ~, which only a shell fills in; write ${HOME}".to_owned());
    }
    let name = path.split('/').find_map(|part| part.strip_prefix('$').filter(|name| is_name(name)))?;
    Some(format!("has ${name}, which only a shell fills in; write ${{{name}}}"))
}

/// `path` as seen from `base`. Leading `.` and `..` are taken away, others stay: they may lead through links.
pub(super) fn resolve(base: &Path, path: &Path) -> PathBuf {
    let mut resolved = base.to_owned();
    let mut leading = true;
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if leading => {
                resolved.pop();
            }
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                leading = false;
                resolved.push(component);
            }
        }
    }
    resolved
}

/// The source of a template as seen from `base`, whose own braces are doubled. `None` when `base` is not UTF-8.
pub(super) fn resolve_template(base: &Path, source: &str) -> Option<String> {
    if source.starts_with('/') {
        return Some(source.to_owned());
    }
    let mut base = base.to_owned();
    let mut rest = source;
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            base.pop();
            rest = after;
        } else if let Some(after) = rest.strip_prefix("./").or_else(|| rest.strip_prefix('/')) {
            rest = after;
        } else {
            break;
        }
    }
    let base = base.to_str()?.replace('{', "{{").replace('}', "}}");
    Some(format!("{}/{rest}", base.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_base() {
        for (path, expected) in [
            ("var", "/srv/config/var"),
            ("../var/x.db", "/srv/var/x.db"),
            ("./a/../b", "/srv/config/a/../b"),
            ("../../../../x", "/x"),
            ("/abs/x", "/abs/x"),
            (".", "/srv/config"),
        ] {
            assert_eq!(resolve(Path::new("/srv/config"), Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn what_only_a_shell_fills_in_is_noticed() {
        let advice = |path: &str| meant_for_a_shell(path).unwrap_or_default();
        assert_eq!(advice("~/var"), "begins with ~, which only a shell fills in; write ${HOME}");
        assert_eq!(advice("../$TEAM/var"), "has $TEAM, which only a shell fills in; write ${TEAM}");
        for path in ["var", "/srv/~/x", "~old/x", "a$b/c", "$RECYCLE.BIN", "$", "/srv/$1"] {
            assert_eq!(advice(path), "", "{path}");
        }
    }

    #[test]
    fn templates_are_seen_from_the_base() {
        for (source, expected) in [
            ("{etl}.md", "/srv/{{x}}/{etl}.md"),
            (".././../var/{etl}.md", "/var/{etl}.md"),
            ("..//{etl}", "/srv/{etl}"),
            ("/abs/{etl}", "/abs/{etl}"),
        ] {
            assert_eq!(resolve_template(Path::new("/srv/{x}"), source).unwrap(), expected, "{source}");
        }
    }
}
