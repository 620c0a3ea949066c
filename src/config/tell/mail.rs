//! `tell.mail`.

use std::net::IpAddr;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::super::check::Check;
use crate::plan::model::tell::{self, MailSecurity, MailServer};

/// People who are told of changes by mail.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    /// The server that takes the mail: `smtps://HOST` (TLS, port 465), or `smtp://HOST` (STARTTLS, which only a server on this host need
    /// not have; port 587). Required.
    server: Option<String>,
    /// The user at that server. Default: none.
    user: Option<String>,
    /// That user's password.
    password: Option<String>,
    /// Who sends it, `etl-orch <etl-orch@example.com>`. Required.
    from: Option<String>,
    /// Whom it goes to. Required.
    to: Option<Vec<String>>,
    /// What subjects begin with. Default: `[etl-orch]`.
    subject_prefix: Option<String>,
}

const PATH: [&str; 2] = ["tell", "mail"];

pub(super) fn mail(check: &mut Check, written: Mail) -> Option<tell::Mail> {
    let server = required(check, "server", written.server, "write its address, smtps://HOST");
    let server = server.and_then(|address| server_at(check, &address));
    let login = login(check, written.user, written.password);
    let from = required(check, "from", written.from, "write who sends the mail, etl-orch@HOST");
    let from = from.filter(|from| is_mailbox(check, &at("from"), from));
    let to = recipients(check, written.to);
    let subject_prefix = written.subject_prefix.inspect(|prefix| check.text(&at("subject_prefix"), prefix));
    let subject_prefix = subject_prefix.unwrap_or_else(|| "[etl-orch]".to_owned());
    Some(tell::Mail { server: server?, login, from: from?, to: to?, subject_prefix })
}

fn at(key: &str) -> [&str; 3] {
    [PATH[0], PATH[1], key]
}

fn required<T>(check: &mut Check, key: &str, given: Option<T>, advice: &str) -> Option<T> {
    if given.is_none() {
        check.missing(&at(key), format!("tell.mail.{key} is missing; {advice}"));
    }
    given
}

/// The sentence quotes no part of the address, which may hold a password.
fn server_at(check: &mut Check, address: &str) -> Option<MailServer> {
    let parsed = parsed(address);
    if let Err(problem) = &parsed {
        check.wrong(&at("server"), format!("tell.mail.server {problem}"));
    }
    parsed.ok()
}

fn parsed(address: &str) -> Result<MailServer, &'static str> {
    const WANTED: &str = "must be smtps://HOST or smtp://HOST, and may name a port";
    let url = Url::parse(address).map_err(|_| WANTED)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it; put them into user: and password:");
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if host.is_empty() || !is_plain || host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '%' | '\\')) {
        return Err(WANTED);
    }
    let is_local = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let (security, port) = match url.scheme() {
        "smtps" => (MailSecurity::Tls, 465),
        "smtp" if is_local => (MailSecurity::Local, 587),
        "smtp" => (MailSecurity::StartTls, 587),
        _ => return Err(WANTED),
    };
    Ok(MailServer { security, host, port: url.port().unwrap_or(port) })
}

/// User and password; `None` where there is neither, or something is wrong with them.
fn login(check: &mut Check, user: Option<String>, password: Option<String>) -> Option<(String, SecretString)> {
    match (user, password) {
        (Some(user), Some(password)) => {
            check.text(&at("user"), &user);
            if password.is_empty() {
                check.wrong(&at("password"), "tell.mail.password is empty");
            }
            return Some((user, password.into()));
        }
        (None, None) => {}
        (Some(_), None) => {
            check.missing(&at("password"), "tell.mail has a user and no password; write password: \"${MAIL_PASSWORD}\"");
        }
        (None, Some(_)) => {
            check.missing(&at("user"), "tell.mail has a password and no user; write user: NAME");
        }
    }
    None
}

fn recipients(check: &mut Check, given: Option<Vec<String>>) -> Option<Vec<String>> {
    let to = required(check, "to", given, "write whom the mail goes to, [ops@HOST]")?;
    if to.is_empty() {
        check.wrong(&at("to"), "tell.mail.to is empty; write whom the mail goes to, [ops@HOST]");
    }
    for (index, address) in to.iter().enumerate() {
        let index = index.to_string();
        is_mailbox(check, &[&at("to")[..], &[&index]].concat(), address);
    }
    Some(to)
}

fn is_mailbox(check: &mut Check, path: &[&str], address: &str) -> bool {
    let is_one = address.parse::<Mailbox>().is_ok();
    if !is_one {
        let shown = check.document.shown(path, address);
        check.wrong(path, format!("{shown} is no address of mail; write NAME@HOST, or \"Name <NAME@HOST>\""));
    }
    is_one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_on_this_host_need_not_have_tls() {
        use MailSecurity::{Local, StartTls, Tls};
        for (address, expected) in [
            ("smtps://mail.example.com", Ok((Tls, "mail.example.com", 465))),
            ("smtps://mail.example.com:4650/", Ok((Tls, "mail.example.com", 4650))),
            ("smtp://mail.example.com", Ok((StartTls, "mail.example.com", 587))),
            ("smtp://localhost:25", Ok((Local, "localhost", 25))),
            ("smtp://[::1]", Ok((Local, "::1", 587))),
            ("smtp://127.0.0.1", Ok((Local, "127.0.0.1", 587))),
            ("smtp://127.0.0.1.example.com", Ok((StartTls, "127.0.0.1.example.com", 587))),
            ("smtps://localhost", Ok((Tls, "localhost", 465))),
            ("mail.example.com:25", Err("must be smtps")),
            ("https://mail.example.com", Err("must be smtps")),
            ("smtp://mail.example.com/inbox", Err("must be smtps")),
            ("smtp://a b", Err("must be smtps")),
            ("smtp://", Err("must be smtps")),
            ("smtps://user:secret@mail.example.com", Err("has a user")),
        ] {
            match (parsed(address), expected) {
                (Ok(server), Ok((security, host, port))) => {
                    assert_eq!((server.security, server.host.as_str(), server.port), (security, host, port), "{address}");
                }
                (Err(problem), Err(begin)) => assert!(problem.starts_with(begin), "{address}: {problem}"),
                (parsed, _) => panic!("{address}: {parsed:?}"),
            }
        }
    }
}
