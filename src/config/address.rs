//! The user part of a database's address, what stands before its last `@`: it holds the password, and a password may hold any character.
//!
//! In an address a `/`, `?`, `#`, `@` or `:` has a meaning, unless it is percent-encoded. A variable's value has none: it is encoded here. No
//! message shows any of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::expand::Piece;

/// The bytes of a user, a password or a name that are encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Whether this is the address of a PostgreSQL server.
pub(super) fn is_server(address: &str) -> bool {
    address.starts_with("postgres://") || address.starts_with("postgresql://")
}

/// Every byte that could have a meaning in an address is written as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// An address whose variables are filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined<'a> {
    pub(super) address: String,
    /// A variable of the user part whose value looks as if it were encoded already. It was not taken for that.
    pub(super) encoded_twice: Option<&'a str>,
}

/// The whole address. What variables bring into the user part is taken as it is, `%` too, and encoded. Where it is the variables that say
/// which part is the user's, such as `${DATABASE_URL}`, they must be encoded already as far as needed.
pub(super) fn joined<'a>(pieces: &[Piece<'a>]) -> Result<Joined<'a>, String> {
    let whole: String = pieces.iter().map(|piece| piece.text).collect();
    let scheme = whole.find("://").map(|at| at + "://".len()).filter(|_| is_server(&whole));
    let Some((scheme, user_end)) = scheme.and_then(|scheme| Some((scheme, written_user_end(pieces, scheme)?))) else {
        return Ok(Joined { address: whole, encoded_twice: None });
    };
    let mut address = String::new();
    let mut encoded_twice = None;
    let mut at = 0;
    for piece in pieces {
        let (start, end) = (at, at + piece.text.len());
        at = end;
        let Some(name) = piece.variable else {
            address.push_str(piece.text);
            continue;
        };
        if start >= user_end {
            if piece.text.contains('@') {
                return Err(format!("database.url: the value of {name} holds a \"@\", and stands behind the user and the password"));
            }
            address.push_str(piece.text);
            continue;
        }
        if encoded_once(piece.text) != encoded(piece.text) {
            encoded_twice = Some(name);
        }
        if start == scheme && end == user_end {
            // User and password in one.
            let (user, password) = piece.text.split_once(':').map_or((piece.text, None), |(user, password)| (user, Some(password)));
            address.push_str(&encoded(user));
            address.extend(password.map(|password| format!(":{}", encoded(password))));
        } else {
            address.push_str(&encoded(piece.text));
        }
    }
    Ok(Joined { address, encoded_twice })
}

/// Where in the whole text the last `@` is that stands in the file itself, before a `/` that does. `None` where no such `@` is, or the
/// `://` comes from a variable.
fn written_user_end(pieces: &[Piece<'_>], scheme: usize) -> Option<usize> {
    let mut at = 0;
    let mut user_end = None;
    for piece in pieces {
        let start = at;
        at += piece.text.len();
        if piece.variable.is_some() {
            // All of `://`, or a part of it.
            if start < scheme && at > scheme - "://".len() {
                return None;
            }
            continue;
        }
        let skipped = scheme.saturating_sub(start);
        if skipped > piece.text.len() {
            continue;
        }
        let host_end = piece.text[skipped..].find('/').map(|slash| skipped + slash);
        let authority = &piece.text[skipped..host_end.unwrap_or(piece.text.len())];
        user_end = authority.rfind('@').map(|found| start + skipped + found).or(user_end);
        if host_end.is_some() {
            break;
        }
    }
    user_end
}

/// The address with its user part encoded, so far as that is not done: up to the last `@` before the first `/`, as `psql` reads it. What is
/// encoded stays. `None` where it cannot be told which part it is.
pub(super) fn with_encoded_user(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let Some(user_end) = authority.rfind('@') else { return Some(address.to_owned()) };
    let (user, behind) = (&authority[..user_end], &rest[user_end..]);
    let parts = match user.split_once(':') {
        Some((user, password)) => format!("{}:{}", encoded_once(user), encoded_once(password)),
        // An `@` in a parameter, behind a host.
        None if user.contains('?') => return None,
        None => encoded_once(user),
    };
    Some(format!("{scheme}://{parts}{behind}"))
}

/// The text encoded, but for what is a `%XX` already.
fn encoded_once(text: &str) -> String {
    let mut encoded_text = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        encoded_text.push_str(&encoded(&rest[..at]));
        let is_code = rest.as_bytes().get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
        let length = if is_code { "%XX".len() } else { "%".len() };
        let code = &rest[at..at + length];
        encoded_text.push_str(if is_code { code } else { "%25" });
        rest = &rest[at + length..];
    }
    encoded_text + &encoded(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "p@s/s:w?o#r&d%41 é";
    const ENCODED: &str = "p%40s%2Fs%3Aw%3Fo%23r%26d%2541%20%C3%A9";

    /// The address that pieces make; those with a `$` before them come from the variable V.
    fn of<'a>(pieces: &[&'a str]) -> Result<Joined<'a>, String> {
        let piece = |text: &&'a str| match text.strip_prefix('$') {
            Some(text) => Piece { text, variable: Some("V") },
            None => Piece { text, variable: None },
        };
        joined(&pieces.iter().map(piece).collect::<Vec<_>>())
    }

    #[test]
    fn what_variables_bring_into_the_user_part_is_encoded() {
        let odd = format!("${ODD}");
        for (pieces, expected) in [
            (&["postgres://u:", &odd, "@h/d"][..], format!("postgres://u:{ENCODED}@h/d")),
            (&["postgres://", &odd, ":", &odd, "@", "$h:5432", "/d"], format!("postgres://{ENCODED}:{ENCODED}@h:5432/d")),
            (&["postgres://", &odd, "@h/d"], "postgres://p%40s%2Fs:w%3Fo%23r%26d%2541%20%C3%A9@h/d".to_owned()),
            (&["postgres://u:x", &odd, "y@", "$h"], format!("postgres://u:x{ENCODED}y@h")),
            (&["postgres://u:p@h/", "$d?sslmode=disable"], "postgres://u:p@h/d?sslmode=disable".to_owned()),
            (&["postgres://u@h/d?options=", "$a b"], "postgres://u@h/d?options=a b".to_owned()),
            // Here the variables say where the user part is.
            (&["$postgres://u:a@b@h/d"], "postgres://u:a@b@h/d".to_owned()),
            (&["$postgres://u:a@b@h", "/d"], "postgres://u:a@b@h/d".to_owned()),
            (&["postgres", "$://u:a@b", "@h/d"], "postgres://u:a@b@h/d".to_owned()),
            (&["postgres://", "$u:p@h", "/d"], "postgres://u:p@h/d".to_owned()),
            (&["sqlite://", "$a@b/c#d"], "sqlite://a@b/c#d".to_owned()),
        ] {
            assert_eq!(of(pieces).unwrap().address, expected, "{pieces:?}");
        }
        assert_eq!(of(&["postgres://u:", &odd, "@h/d"]).unwrap().encoded_twice, Some("V"));
        assert_eq!(of(&["postgres://u:", "$100%", "@h/", "$%41"]).unwrap().encoded_twice, None);
        assert_eq!(
            of(&["postgres://u:p@", "$h@s3cret", "/d"]).unwrap_err(),
            "database.url: the value of V holds a \"@\", and stands behind the user and the password"
        );
    }

    #[test]
    fn what_stands_before_the_last_at_is_the_user_part() {
        for (address, expected) in [
            ("postgres://u:a@b:c?d#e&f%g%4fh@h:1/d?x=@", Some("postgres://u:a%40b%3Ac%3Fd%23e%26f%25g%4fh@h:1/d?x=@")),
            ("postgres://u@h", Some("postgres://u@h")),
            ("postgres://u%@h", Some("postgres://u%25@h")),
            ("postgres://h/d?user=a@b", Some("postgres://h/d?user=a@b")),
            ("postgres://u:a/b@h/d", Some("postgres://u:a/b@h/d")),
            ("postgres://h?user=a@b", None),
        ] {
            assert_eq!(with_encoded_user(address).as_deref(), expected, "{address}");
        }
    }
}
