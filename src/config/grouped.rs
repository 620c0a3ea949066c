//! Regular expressions.

use regex::{Regex, RegexBuilder};

use super::check::Check;

/// A compiled pattern takes at most this many bytes.
const MAX_PATTERN: usize = 2 * 1024 * 1024;

/// A regular expression with at least one group.
pub(super) fn grouped(check: &mut Check, path: &[&str], pattern: &str) -> Option<Regex> {
    let pattern = regex(check, path, pattern, MAX_PATTERN)?;
    if pattern.captures_len() > 1 {
        return Some(pattern);
    }
    let name = check.document.named(path);
    check.wrong(path, format!("{name} has no group; put ( ) around the number"));
    None
}

/// A regular expression that takes at most so many bytes when it is compiled.
pub(super) fn regex(check: &mut Check, path: &[&str], pattern: &str, most: usize) -> Option<Regex> {
    let name = check.document.named(path);
    match RegexBuilder::new(pattern).size_limit(most).build() {
        Ok(pattern) => return Some(pattern),
        Err(error) => {
            // The first lines of the error quote the pattern, which may come from a variable; they are left out.
            let text = error.to_string();
            let why = text.rsplit("error: ").next().unwrap_or_default().trim();
            check.wrong(path, format!("{name} is no regular expression: {why}"));
        }
    }
    None
}
