//! NUL characters, which PostgreSQL cannot store in a text.

use std::borrow::Cow;

/// The text with each NUL replaced by U+FFFD.
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}
