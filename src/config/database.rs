//! Where the database is: `database.url`, or the variables `POSTGRES_*`.

mod parameters;

use std::path::Path;

use secrecy::SecretString;
use url::Url;

use super::address::{self, encoded};
use super::paths::{meant_for_a_shell, resolve};
use crate::plan::model::settings::{DatabaseTarget, Variables};

/// Reads a URL as written. Messages never hold the URL or parts of its values.
pub(super) fn from_url(url: &str, variables: &Variables, base: &Path) -> Result<DatabaseTarget, String> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return sqlite(path.strip_prefix("//").unwrap_or(path), base);
    }
    if address::is_server(url) {
        const FORM: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE with user and password from variables, ${NAME}, whose values may \
                            hold any character; in the text itself write / as %2F, ? as %3F, # as %23, @ as %40";
        let misread = || format!("database.url is cut in two by a character of its password; {FORM}");
        let url = address::with_encoded_user(url).ok_or_else(misread)?;
        // The parser's own words may quote a part of a password that it took for a host or a port.
        let url = Url::parse(&url).map_err(|_| format!("database.url cannot be read; {FORM}"))?;
        if is_misread(&url) {
            return Err(misread());
        }
        return Ok(postgres(&parameters::complete(url, variables, base)?));
    }
    // As SQLAlchemy writes them.
    if let Some((scheme, _)) = url.split_once("://")
        && let Some(driver) = scheme.strip_prefix("postgresql+").filter(|driver| driver.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        return Err(format!("database.url must begin with sqlite:// or postgres://; take +{driver} away from its beginning"));
    }
    Err("database.url must begin with sqlite:// or postgres://".to_owned())
}

/// Whether a `/`, `?` or `#` in user or password ended the part of the URL that holds them, so that the rest of the password would be taken
/// for a database or a parameter, and shown. Then an `@` is left over behind it.
fn is_misread(url: &Url) -> bool {
    let in_query = url.username().is_empty() && url.query().is_some_and(|query| query.contains('@'));
    url.path().contains('@') || url.fragment().is_some() || in_query
}

fn sqlite(path: &str, base: &Path) -> Result<DatabaseTarget, String> {
    if path.is_empty() || path.ends_with('/') {
        return Err("database.url names no file; write sqlite://PATH".to_owned());
    }
    if path == ":memory:" {
        return Err("database.url: a database in memory would forget what was done; name a file, sqlite://PATH".to_owned());
    }
    if path.contains('?') {
        return Err("database.url: a SQLite URL takes no parameters; write sqlite://PATH".to_owned());
    }
    if let Some(problem) = meant_for_a_shell(path) {
        return Err(format!("database.url {problem}"));
    }
    Ok(DatabaseTarget::Sqlite(resolve(base, Path::new(path))))
}

/// The server that `POSTGRES_*` name. `Ok(None)` when none of them is set.
pub(super) fn from_variables(variables: &Variables, base: &Path) -> Result<Option<DatabaseTarget>, String> {
    let get = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let names = ["POSTGRES_HOST", "POSTGRES_DATABASE", "POSTGRES_USER"];
    if names.iter().all(|name| get(name).is_none()) {
        return Ok(None);
    }
    let [Some(host), Some(database), Some(user)] = names.map(get) else {
        let missing: Vec<&str> = names.into_iter().filter(|name| get(name).is_none()).collect();
        return Err(format!(
            "no database.url, and of the variables that serve instead {} is not set; set it, or database.url",
            missing.join(" and ")
        ));
    };
    let port: u16 = match get("POSTGRES_PORT") {
        Some(port) => {
            port.parse().ok().filter(|port| *port > 0).ok_or("variable POSTGRES_PORT is not a port; set it to a number like 5432")?
        }
        None => 5432,
    };
    let password = get("POSTGRES_PASSWORD").map(|password| format!(":{}", encoded(password))).unwrap_or_default();
    if host.contains(',') {
        return Err("variable POSTGRES_HOST names several hosts; name one, or an address that follows the primary".to_owned());
    }
    let (server, parameters) = if host.starts_with('/') {
        ("localhost".to_owned(), format!("?host={}", encoded(host)))
    } else if host.contains(':') {
        (format!("[{}]", host.trim_matches(['[', ']'])), String::new())
    } else {
        (host.to_owned(), String::new())
    };
    let url = format!("postgres://{}{password}@{server}:{port}/{}{parameters}", encoded(user), encoded(database));
    let unusual = || "variable POSTGRES_HOST is no host name, address or socket directory; a port belongs into POSTGRES_PORT".to_owned();
    let url = Url::parse(&url).map_err(|_| unusual())?;
    // A host with a `/`, `?` or `@` in it would have become something else.
    if url.port() != Some(port) || url.username() != encoded(user) {
        return Err(unusual());
    }
    Ok(Some(postgres(&parameters::complete(url, variables, base)?)))
}

/// The server at a URL. What stands before the last `@` is shown to nobody.
fn postgres(url: &Url) -> DatabaseTarget {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    let parameters = parameters::shown(url);
    let shown = format!("{}://{host}{port}{}{parameters}", url.scheme(), url.path());
    DatabaseTarget::Postgres { url: SecretString::from(url.as_str()), shown }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(k, v)| (format!("POSTGRES_{k}"), (*v).to_owned())).collect()
    }

    fn from(pairs: &[(&str, &str)]) -> Result<Option<DatabaseTarget>, String> {
        from_variables(&variables(pairs), Path::new("/srv/config"))
    }

    fn both(target: DatabaseTarget) -> (String, String) {
        match target {
            DatabaseTarget::Sqlite(path) => (path.display().to_string(), String::new()),
            DatabaseTarget::Postgres { url, shown } => (url.expose_secret().to_owned(), shown),
        }
    }

    #[test]
    fn sqlite_files_are_relative_to_the_configuration() {
        for (url, path) in [
            ("sqlite://../var/x.db", "/srv/var/x.db"),
            ("sqlite:x.db", "/srv/config/x.db"),
            ("sqlite:///abs/x.db", "/abs/x.db"),
            ("sqlite:/abs/x.db", "/abs/x.db"),
        ] {
            assert_eq!(both(from_url(url, &Variables::new(), Path::new("/srv/config")).unwrap()).0, path, "{url}");
        }
        for url in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite://x.db?mode=ro", "sqlite://dir/", "mysql://x", "x.db", ""] {
            assert!(from_url(url, &Variables::new(), Path::new("/srv")).is_err(), "{url}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let url = "postgres://u:s3cret@h:5433/db?sslmode=require&password=s3cret&options=-c%20x%3Ds3cret&host=/run/pg";
        let (whole, shown) = both(from_url(url, &Variables::new(), Path::new("/")).unwrap());
        assert_eq!(whole, url);
        assert_eq!(shown, "postgres://h:5433/db?sslmode=require&host=/run/pg");
        for bad in [
            "postgres://u:a/s3cret@h/db",
            "postgres://u:12/s3cret@h/db",
            "postgres://u:a@b/s3cret@h/db",
            "postgres://12?host=s3cret@h/db",
            "postgres://u:12/x?s3cret@h/db",
            "postgres://u:s3cret@h:notaport/db",
            "postgres://u:s3cret@h/db?s3cret",
            "pg://u:s3cret@h/db",
        ] {
            let error = from_url(bad, &Variables::new(), Path::new("/")).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_password_may_hold_what_means_something_elsewhere() {
        for (url, whole) in [
            ("postgres://u:12?host=s3cret@h/db", "postgres://u:12%3Fhost%3Ds3cret@h/db"),
            ("postgres://u:a#s3@cret%@h/db", "postgres://u:a%23s3%40cret%25@h/db"),
            ("postgresql://u:a%2Fb@h/db", "postgresql://u:a%2Fb@h/db"),
        ] {
            let (read, shown) = both(from_url(url, &Variables::new(), Path::new("/")).unwrap());
            assert_eq!(read, whole);
            assert!(shown.ends_with("://h/db"), "{shown}");
        }
    }

    #[test]
    fn variables_serve_and_every_character_survives() {
        let password = "p@ss/w:o#r?d%41 é{}";
        let target = from(&[("HOST", "localhost"), ("DATABASE", "finance-dev"), ("USER", "me"), ("PASSWORD", password)]);
        let (url, shown) = both(target.unwrap().unwrap());
        assert_eq!(shown, "postgres://localhost:5432/finance-dev");
        assert_eq!(url, "postgres://me:p%40ss%2Fw%3Ao%23r%3Fd%2541%20%C3%A9%7B%7D@localhost:5432/finance-dev");
    }

    #[test]
    fn a_socket_directory_is_a_host_too() {
        let target = from(&[("HOST", "/run/postgresql"), ("PORT", "5433"), ("DATABASE", "d"), ("USER", "u")]);
        let (url, shown) = both(target.unwrap().unwrap());
        assert_eq!(url, "postgres://u@localhost:5433/d?host=%2Frun%2Fpostgresql");
        assert_eq!(shown, "postgres://localhost:5433/d?host=/run/postgresql");
        for host in ["::1", "[::1]"] {
            let target = from(&[("HOST", host), ("DATABASE", "d"), ("USER", "u")]);
            assert_eq!(both(target.unwrap().unwrap()).1, "postgres://[::1]:5432/d");
        }
    }

    #[test]
    fn what_is_not_enough() {
        assert!(from(&[]).unwrap().is_none());
        assert!(from(&[("HOST", ""), ("PASSWORD", "x")]).unwrap().is_none());
        let error = from(&[("HOST", "h")]).unwrap_err();
        assert!(error.contains("POSTGRES_DATABASE and POSTGRES_USER is not set"), "{error}");
        for (port, host) in [("0", "h"), ("x", "h"), ("5432", "h/x"), ("5432", "a@h"), ("5432", "a,b"), ("5432", "h h")] {
            let error = from(&[("HOST", host), ("PORT", port), ("DATABASE", "d"), ("USER", "u")]);
            assert!(error.is_err(), "{port} {host}");
        }
    }
}
