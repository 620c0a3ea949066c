//! Finds out which texts of the configuration and of the environment are secret, so that they can be taken out of whatever is logged,
//! stored or shown.
//!
//! Secret are: the password of the database; the values of headers, those of `OTEL_EXPORTER_OTLP_HEADERS` too; variables whose name says so
//! (`ETL_API_KEY`); values in `env:` and `json:` that have such a name; texts in `json:` that come from a variable; long values in
//! the query of a service's address; and what lets one send to a receiver of `tell:`.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use url::Url;

use super::tell::{HEADERS_VARIABLE, header_list};
use super::tree::{Node, Value};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::settings::{DatabaseTarget, Variables};
use crate::plan::text::secrets::Secrets;

/// Words in the name of a secret.
const SECRET: &str =
    "apikey auth authorization cookie credential credentials dsn jwt passphrase passwd password pgpassword pin secret secrets token";
/// Last words of names that name something else about a secret.
const ABOUT_SECRETS: &str = "backend dir directory enabled file header host id level method mode name path port prefix provider scheme sock ssl timeout ttl type uri url user version";
/// Values that are no secret, whatever their name.
const NO_SECRETS: &str = "basic bearer default disabled enabled false none null true trust";
/// Headers that say how to read a body, and hold no secret.
const OPEN_HEADERS: [&str; 5] = ["accept", "accept-encoding", "accept-language", "content-type", "user-agent"];
/// Shorter parts of a receiver's path are taken for words.
const SHORTEST_KEY: usize = 16;
/// Shorter values of variables in `json:` are taken for settings, unless their name says otherwise.
const SHORTEST_UNNAMED: usize = 8;

/// The secrets of a configuration, whose variables are filled in.
///
/// What is the name of a bank, an ETL or a source, the database's user, or a part of its address that is shown, is none, as it may stand
/// anywhere.
pub(super) fn secrets(root: &Node, variables: &Variables, database: &DatabaseTarget, catalogue: &Catalogue) -> Secrets {
    let mut walk = Walk { variables, found: named(variables) };
    walk.node(root, &mut Vec::new());
    walk.found.extend(of_database(database));
    let of_banks = catalogue.institutions.iter().flat_map(|(_, bank)| [&bank.key, &bank.name]);
    let of_etls = catalogue.etls.iter().flat_map(|etl| [&etl.name, &etl.report_type].into_iter().chain(&etl.other_report_types));
    let of_sources = catalogue.sources.iter().flat_map(|source| [&source.id, &source.name]);
    let mut shown: HashSet<&str> = of_banks.chain(of_etls).chain(of_sources).map(String::as_str).collect();
    let address = database.to_string();
    shown.extend(address.split(['/', ':', '?', '&', '=']));
    let user = user_of(database);
    shown.extend(user.as_deref());
    Secrets::new(walk.found.into_iter().filter(|text| !shown.contains(text.as_str())))
}

/// The values of variables whose name says that they are secret, and the passwords in values that are addresses.
pub(super) fn named(variables: &Variables) -> Vec<String> {
    let is_secret = |(name, value): &(&String, &String)| looks_secret(name) && !is_one_of(NO_SECRETS, &value.to_ascii_lowercase());
    let named = variables.iter().filter(is_secret).map(|(_, value)| value.clone());
    let of_headers = variables.get(HEADERS_VARIABLE).into_iter().flat_map(|list| header_list(list)).map(|(_, value)| value);
    named.chain(of_headers).chain(variables.values().filter_map(|value| password_in(value))).collect()
}

/// The password of an address. Where a character of it, such as a `/`, has cut the address in two, it is all up to the last `@`; but in
/// the address of a page an `@` may stand in the path.
fn password_in(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let url = Url::parse(address).ok();
    let password = match url.as_ref().and_then(Url::password) {
        Some(password) => password,
        None if scheme.starts_with("http") => return None,
        None => rest.rsplit_once('@')?.0.split_once(':')?.1,
    };
    Some(percent_decode_str(password).decode_utf8_lossy().into_owned())
}

/// The password of a receiver's address, what its query says, and the parts of its path that are long enough for a key: whoever knows these
/// may send there.
fn of_address(address: &str) -> Vec<String> {
    let Ok(url) = Url::parse(address) else { return Vec::new() };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let keys = url.path().split('/').filter(|part| part.len() >= SHORTEST_KEY).map(decoded);
    keys.chain(in_query(address)).chain(password_in(address)).collect()
}

/// The values in the query of an address that may be secret. Those that are filled in for each job are not.
fn in_query(address: &str) -> Vec<String> {
    let Some((_, query)) = address.split_once('?') else { return Vec::new() };
    let values = url::form_urlencoded::parse(query.as_bytes()).map(|(_, value)| value.into_owned());
    values.filter(|value| may_be_secret(value) && !value.contains('{')).collect()
}

fn user_of(target: &DatabaseTarget) -> Option<String> {
    let DatabaseTarget::Postgres { url, .. } = target else { return None };
    let url = Url::parse(url.expose_secret()).ok()?;
    Some(percent_decode_str(url.username()).decode_utf8_lossy().into_owned())
}

fn of_database(target: &DatabaseTarget) -> Vec<String> {
    let DatabaseTarget::Postgres { url, .. } = target else { return Vec::new() };
    let Ok(url) = Url::parse(url.expose_secret()) else { return Vec::new() };
    let of_user = url.password().map(|password| percent_decode_str(password).decode_utf8_lossy().into_owned());
    let in_query = url.query_pairs().filter(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
    of_user.into_iter().chain(in_query).collect()
}

/// Whether a name is that of a secret: `API_KEY`, `x-api-key`, `dbPassword`. A `key` alone may be anything, and
/// `PWD` is a directory.
#[must_use]
pub fn looks_secret(name: &str) -> bool {
    let words = words(name);
    let is_about = words.last().is_some_and(|last| is_one_of(ABOUT_SECRETS, last));
    !is_about && (words.iter().any(|word| is_one_of(SECRET, word)) || words.iter().skip(1).any(|word| is_one_of("key pwd", word)))
}

fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || was_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            last.push(c.to_ascii_lowercase());
        }
        was_small = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

struct Walk<'a> {
    variables: &'a Variables,
    found: Vec<String>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a Node, path: &mut Vec<&'a str>) {
        match &node.value {
            Value::Scalar(scalar) => {
                // Templates write the braces of a value twice.
                let text = || scalar.text.replace("{{", "{").replace("}}", "}");
                let name = path.last().copied().unwrap_or_default();
                match path.as_slice() {
                    [.., "headers", header] if !OPEN_HEADERS.contains(&header.to_ascii_lowercase().as_str()) => self.found.push(text()),
                    ["tell", "mail", "password"] => self.found.push(scalar.text.clone()),
                    ["tell", ..] if scalar.text.contains("://") => self.found.extend(of_address(&scalar.text)),
                    ["etls" | "sources", _, "http", _, "url"] => self.found.extend(in_query(&scalar.text)),
                    [.., "env", _] if looks_secret(name) => self.found.push(text()),
                    ["etls" | "sources", _, "http", "trigger" | "cancel", "json", ..] => {
                        let of_variable = scalar.from.as_ref().and_then(|name| self.variables.get(name));
                        if looks_secret(name) {
                            self.found.push(text());
                        }
                        self.found.extend(of_variable.filter(|value| may_be_secret(value)).cloned());
                    }
                    _ => {}
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.node(item, path)),
            Value::Map(entries) => {
                for entry in entries {
                    path.push(&entry.key);
                    self.node(&entry.value, path);
                    path.pop();
                }
            }
        }
    }
}

/// Whether a value without a telling name may be a secret: neither short, nor a number, a path or an address.
fn may_be_secret(value: &str) -> bool {
    value.len() >= SHORTEST_UNNAMED && !value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('/') && !value.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in
            ["ETL_API_KEY", "POSTGRES_PASSWORD", "X-Api-Key", "dbPassword", "token", "GITHUB_TOKEN", "apikey", "client_secret", "DB_PWD"]
        {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "key",
            "PWD",
            "OLDPWD",
            "KEYBOARD",
            "SSH_AUTH_SOCK",
            "PASSWORD_FILE",
            "monkey",
            "HOME",
            "tokens_per_minute",
            "secret_id",
            "bank_name",
            "AUTH_METHOD",
            "CREDENTIALS_DIRECTORY",
            "",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn passwords_in_addresses() {
        assert_eq!(password_in("redis://u:p%40ss@h/0").as_deref(), Some("p@ss"));
        assert_eq!(password_in("https://h/p"), None);
        assert_eq!(password_in("http://h:80/@me"), None);
        for password in ["a/b", "12/x@y", "a#b", "a?b"] {
            assert_eq!(password_in(&format!("postgres://u:{password}@h/d")).as_deref(), Some(password));
        }
        assert_eq!(password_in("no address"), None);
    }
}
