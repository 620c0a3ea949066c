//! A user's query: what it may be, and what its failures mean.
//!
//! That it changes nothing is not checked here, by reading it, but by each database, which refuses to.

use std::io;
use std::time::Duration;

use crate::store::{FailureKind, Result, StoreError};

/// How long a user's query may take.
pub(in crate::store) const PATIENCE: Duration = Duration::from_secs(30);

/// What is being done, for errors.
pub(in crate::store) const DOING: &str = "asking a query of the configuration";

/// The one statement of a text, without the `;` after it.
///
/// # Errors
/// When there is none, or more than one.
pub(in crate::store) fn one_statement(text: &str) -> Result<&str> {
    let mut code = code(text).into_iter().filter(|(_, c)| !c.is_whitespace()).peekable();
    if code.peek().is_none_or(|(_, c)| *c == ';') {
        return Err(wrong("there is no query in it".to_owned()));
    }
    let end = code.find(|(_, c)| *c == ';').map_or(text.len(), |(place, _)| place);
    if code.any(|(_, c)| c != ';') {
        return Err(wrong("it is more than one statement; write one, without `;` inside".to_owned()));
    }
    Ok(text.get(..end).unwrap_or(text))
}

/// The characters that are neither in quotes nor in comments, with their places. Of each quoted text there is the opening quote.
fn code(text: &str) -> Vec<(usize, char)> {
    let mut found = Vec::new();
    let mut place = 0;
    while let Some(rest) = text.get(place..)
        && let Some(first) = rest.chars().next()
    {
        let up_to =
            |end: &str, from: usize| rest.get(from..).and_then(|rest| rest.find(end)).map_or(rest.len(), |at| from + at + end.len());
        place += if rest.starts_with("--") {
            up_to("\n", 2)
        } else if rest.starts_with("/*") {
            up_to("*/", 2)
        } else {
            found.push((place, first));
            match first {
                '\'' => up_to("'", 1),
                '"' => up_to("\"", 1),
                '`' => up_to("`", 1),
                other => other.len_utf8(),
            }
        };
    }
    found
}

fn wrong(why: String) -> StoreError {
    StoreError::Query { doing: DOING, kind: FailureKind::Lasting, source: sqlx::Error::InvalidArgument(why) }
}

/// What the error means for a user's query: a query that would change something is wrong and never succeeds; one that took too
/// long may be faster later.
pub(in crate::store) fn explained(error: StoreError) -> StoreError {
    match error {
        StoreError::Query { kind: FailureKind::ReadOnly, source: sqlx::Error::Database(cause), .. } => {
            wrong(format!("it would change something: {}", cause.message()))
        }
        StoreError::Query { kind: FailureKind::Interrupted, .. } => {
            let late = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));
            StoreError::Query { doing: DOING, kind: FailureKind::Interrupted, source: sqlx::Error::Io(late) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_where_its_code_does() {
        for (text, statement) in [
            ("select 1", "select 1"),
            ("select 1 ;\n ; ", "select 1 "),
            ("select 1; -- done; really", "select 1"),
            ("select 1 -- a; b", "select 1 -- a; b"),
            ("/* a; b */ select 1; /* c */", "/* a; b */ select 1"),
            ("select ';', ''';', \"a;\"\"b\", `c;`;", "select ';', ''';', \"a;\"\"b\", `c;`"),
            ("select 'ü--'; ", "select 'ü--'"),
            ("select 1 /* not closed; ", "select 1 /* not closed; "),
        ] {
            assert_eq!(one_statement(text).unwrap(), statement, "{text}");
        }
    }

    #[test]
    fn none_and_several_are_refused_and_do_not_pass() {
        for (text, why) in [
            ("", "no query"),
            (" ; ", "no query"),
            ("-- nothing", "no query"),
            ("select 1; select 2", "more than one statement"),
            ("select 1; 'x'", "more than one statement"),
            ("select ''; drop table a --'", "more than one statement"),
        ] {
            let error = one_statement(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(!error.may_pass(), "{text}");
        }
    }
}
