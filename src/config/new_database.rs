//! The database of a configuration that is not written yet.

use std::path::Path;

use url::Url;

use super::error::Findings;
use super::paths::directory_of;
use super::{address, database, dotenv};
use crate::plan::model::settings::{DatabaseTarget, Variables};

/// A database to begin from.
#[derive(Debug)]
pub struct NewDatabase {
    /// `None` where nobody names one.
    pub target: Option<DatabaseTarget>,
    /// Its address, where that has a password in it.
    pub secret_url: Option<String>,
}

/// The database at this address, or else the one that `POSTGRES_*` name, in the environment or in a `.env` beside the configuration that
/// is to be at `path`.
///
/// # Errors
/// In words, when there is no such directory, or the address is wrong.
pub fn new_database(url: Option<&str>, environment: &Variables, path: &Path) -> Result<NewDatabase, String> {
    let base = directory_of(path).map_err(|error| format!("the directory of {}: {error}; make it first", path.display()))?;
    let of_file = dotenv::read(&base.join(".env"), environment, &mut Findings::of(path)).map(|read| read.variables);
    let mut variables = of_file.unwrap_or_default();
    variables.extend(environment.iter().map(|(name, value)| (name.clone(), value.clone())));
    let Some(url) = url else {
        return Ok(NewDatabase { target: database::from_variables(&variables, &base)?, secret_url: None });
    };
    // Of an option a relative path is seen from where it is written.
    let here = directory_of(Path::new("here")).map_err(|error| error.to_string())?;
    let target = database::from_url(url, &variables, &here).map_err(|message| message.replace("database.url", "--database-url"))?;
    Ok(NewDatabase { target: Some(target), secret_url: with_password(url) })
}

/// The address, whole and encoded, if it has a password.
fn with_password(url: &str) -> Option<String> {
    let url = address::with_encoded_user(url).filter(|_| address::is_server(url))?;
    let parsed = Url::parse(&url).ok()?;
    let has_password = parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| name == "password");
    has_password.then_some(url)
}

/// The line of a `.env` file that sets a variable to an address.
#[must_use]
pub fn env_line(name: &str, url: &str) -> String {
    format!("{name}='{}'\n", url.replace('\'', "%27"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_a_secret() {
        assert_eq!(with_password("postgres://u:a?b@h/d").as_deref(), Some("postgres://u:a%3Fb@h/d"));
        assert!(with_password("postgres://u@h/d?password=x").is_some());
        for open in ["postgres://u@h/d", "sqlite://x:y@z"] {
            assert_eq!(with_password(open), None, "{open}");
        }
        assert_eq!(env_line("X", "postgres://u:'@h/d"), "X='postgres://u:%27@h/d'\n");
    }
}
