//! Finds the configuration file: `--config`, else `ETL_ORCH_CONFIG`, else the first of the usual places that has one.

use std::path::{Path, PathBuf};

use super::error::ConfigErrors;
use crate::plan::model::settings::Variables;

/// Name of the variable that may name the file.
const VARIABLE: &str = "ETL_ORCH_CONFIG";

/// The path of the configuration file. `explicit` is the value of `--config`. A path from `--config` or from the variable is returned
/// even if there is no such file; loading it then fails.
pub fn find(explicit: Option<&Path>, variables: &Variables) -> Result<PathBuf, ConfigErrors> {
    // A file without access counts as found. To go on would silently use another configuration.
    find_with(explicit, variables, etcetera::home_dir().ok(), |path| path.try_exists().unwrap_or(true))
}

fn find_with(
    explicit: Option<&Path>,
    variables: &Variables,
    home: Option<PathBuf>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, ConfigErrors> {
    if let Some(path) = explicit {
        return Ok(path.to_owned());
    }
    if let Some(path) = variables.get(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let candidates = candidates(variables, home);
    if let Some(found) = candidates.iter().find(|path| exists(path)) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(ConfigErrors::without_file(format!(
        "no configuration found; name it with --config or ${VARIABLE}, or make one of {}",
        looked.join(", ")
    )))
}

fn candidates(variables: &Variables, home: Option<PathBuf>) -> Vec<PathBuf> {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").or(home).map(|home| home.join(".config")));
    let mut candidates = vec![PathBuf::from("etl-orch.yaml"), PathBuf::from("config/etl-orch.yaml")];
    candidates.extend(user.map(|directory| directory.join("etl-orch/etl-orch.yaml")));
    candidates.push(PathBuf::from("/etc/etl-orch/etl-orch.yaml"));
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
            let found = find_with(None, &variables(&[("HOME", "/home/u")]), None, |path| there.iter().any(|p| Path::new(p) == path));
            assert_eq!(found.unwrap(), Path::new(expected));
        }
    }

    #[test]
    fn the_option_goes_before_the_variable_and_both_before_what_exists() {
        let variables = variables(&[(VARIABLE, "b.yaml")]);
        assert_eq!(find_with(Some(Path::new("a.yaml")), &variables, None, |_| true).unwrap(), Path::new("a.yaml"));
        assert_eq!(find_with(None, &variables, None, |_| true).unwrap(), Path::new("b.yaml"));
    }

    #[test]
    fn nothing_found_lists_where_it_looked() {
        let error = find_with(None, &variables(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), None, |_| false).unwrap_err();
        insta::assert_snapshot!(error, @"no configuration found; name it with --config or $ETL_ORCH_CONFIG, or make one of etl-orch.yaml, config/etl-orch.yaml, /x/etl-orch/etl-orch.yaml, /etc/etl-orch/etl-orch.yaml");
    }
}
