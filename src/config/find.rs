//! Finds the configuration file: `--config`, else `ETL_ORCH_CONFIG`, else the first of the usual places that has one.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigErrors;
use crate::os::input::InputError;
use crate::plan::model::settings::Variables;

/// Name of the variable that may name the file.
const VARIABLE: &str = "ETL_ORCH_CONFIG";

/// Where every user finds it, in whatever directory.
const OF_SYSTEM: &str = "/etc/etl-orch/etl-orch.yaml";

/// Whether every user finds this file without naming it.
#[must_use]
pub fn is_found_by_all(path: &Path) -> bool {
    path == Path::new(OF_SYSTEM)
}

/// The configuration file.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    /// The usual places before it that could not be looked at, each in a sentence.
    pub skipped: Vec<String>,
}

/// Finds the configuration file. `explicit` is the value of `--config`. A path from `--config` or from the variable is returned
/// even if there is no such file; loading it then fails.
///
/// # Errors
/// When no usual place has one.
pub fn find(explicit: Option<&Path>, variables: &Variables) -> Result<Found, ConfigErrors> {
    find_with(explicit, variables, etcetera::home_dir().ok(), Path::try_exists)
}

fn find_with(
    explicit: Option<&Path>,
    variables: &Variables,
    home: Option<PathBuf>,
    exists: impl Fn(&Path) -> io::Result<bool>,
) -> Result<Found, ConfigErrors> {
    let named = explicit.or_else(|| variables.get(VARIABLE).filter(|path| !path.is_empty()).map(Path::new));
    if let Some(path) = named {
        return Ok(Found { path: path.to_owned(), skipped: Vec::new() });
    }
    let candidates = candidates(variables, home);
    let mut skipped = Vec::new();
    for path in &candidates {
        match exists(path) {
            Ok(false) => {}
            // A directory above it may not be entered, so that it cannot be meant for this user. A file that may not be read is another matter:
            // it is there, and to go on would silently use another configuration.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let reason = InputError::of(path, error);
                skipped.push(format!("{} is passed over, as it {reason}", path.display()));
            }
            Ok(true) | Err(_) => return Ok(Found { path: path.clone(), skipped }),
        }
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    let none = format!(
        "no configuration found; name it with --config or ${VARIABLE}, or let `etl-orch config init` write one (looked for {})",
        looked.join(", ")
    );
    Err(ConfigErrors::without_file([vec![none], skipped].concat().join("; ")))
}

fn candidates(variables: &Variables, home: Option<PathBuf>) -> Vec<PathBuf> {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").or(home).map(|home| home.join(".config")));
    let mut candidates = vec![PathBuf::from("etl-orch.yaml"), PathBuf::from("config/etl-orch.yaml")];
    candidates.extend(user.map(|directory| directory.join("etl-orch/etl-orch.yaml")));
    candidates.push(PathBuf::from(OF_SYSTEM));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_first_that_exists_in_order() {
        let order = ["etl-orch.yaml", "config/etl-orch.yaml", "/home/u/.config/etl-orch/etl-orch.yaml", "/etc/etl-orch/etl-orch.yaml"];
        for (n, expected) in order.iter().enumerate() {
            let there = &order[n..];
            let found = find_with(None, &variables(&[("HOME", "/home/u")]), None, |path| Ok(there.iter().any(|p| Path::new(p) == path)));
            assert_eq!(found.unwrap().path, Path::new(expected));
        }
    }

    #[test]
    fn the_option_goes_before_the_variable_and_both_before_what_exists() {
        let variables = variables(&[(VARIABLE, "b.yaml")]);
        assert_eq!(find_with(Some(Path::new("a.yaml")), &variables, None, |_| Ok(true)).unwrap().path, Path::new("a.yaml"));
        assert_eq!(find_with(None, &variables, None, |_| Ok(true)).unwrap().path, Path::new("b.yaml"));
    }

    #[test]
    fn a_place_that_may_not_be_looked_at_is_passed_over_and_named() {
        let home = variables(&[("HOME", "/h")]);
        let exists = |path: &Path| {
            if path.starts_with("/h") { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(path.starts_with("/etc")) }
        };
        let found = find_with(None, &home, None, exists).unwrap();
        assert_eq!(found.path, Path::new("/etc/etl-orch/etl-orch.yaml"));
        assert_eq!(found.skipped.len(), 1);
        assert!(found.skipped[0].starts_with("/h/.config/etl-orch/etl-orch.yaml is passed over, as it cannot be read: "), "{found:?}");
        let error = find_with(None, &home, None, |path| exists(path).map(|_| false)).unwrap_err().to_string();
        assert!(error.ends_with(&found.skipped[0]), "{error}");
    }

    #[test]
    fn nothing_found_lists_where_it_looked() {
        let error = find_with(None, &variables(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), None, |_| Ok(false)).unwrap_err();
        insta::assert_snapshot!(error, @"no configuration found; name it with --config or $ETL_ORCH_CONFIG, or let `etl-orch config init` write one (looked for etl-orch.yaml, config/etl-orch.yaml, /x/etl-orch/etl-orch.yaml, /etc/etl-orch/etl-orch.yaml)");
    }
}
