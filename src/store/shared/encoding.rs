//! Texts that a database cannot hold. PostgreSQL holds no NUL, and where its encoding is not UTF-8 it lacks characters and refuses every
//! statement that has one of them. What it lacks is replaced.
//!
//! Nobody knows all encodings of a server. An operation that is refused for a character is repeated with fewer kinds of characters, until
//! it is not: the operations can be repeated.

use std::borrow::Cow;

use crate::plan::text::nul::without_nul;
use crate::store::StoreError;

/// The characters that an operation may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Characters {
    All,
    /// Those up to U+00FF, which are in many encodings of Europe.
    Latin,
    Ascii,
}

tokio::task_local! {
    /// The characters that the operation under way may send.
    static MAY_SEND: Characters;
}

impl Characters {
    /// Carries out an operation which sends only these.
    pub(in crate::store) async fn only<T>(self, operation: impl Future<Output = T>) -> T {
        MAY_SEND.scope(self, operation).await
    }

    /// Those of the operation under way.
    pub(in crate::store) fn sent() -> Self {
        MAY_SEND.try_with(|characters| *characters).unwrap_or(Self::All)
    }

    /// Those with which an operation is to be repeated after this answer; `None` where it is not.
    pub(in crate::store) fn after<T>(self, answer: &Result<T, StoreError>) -> Option<Self> {
        let is_refused = answer.as_ref().err().is_some_and(StoreError::is_about_characters);
        match self {
            Self::All if is_refused => Some(Self::Latin),
            Self::Latin if is_refused => Some(Self::Ascii),
            Self::All | Self::Latin | Self::Ascii => None,
        }
    }

    fn has(self, character: char) -> bool {
        match self {
            Self::All => true,
            Self::Latin => character <= '\u{ff}',
            Self::Ascii => character.is_ascii(),
        }
    }

    /// Whether they are all that the text has.
    pub(in crate::store) fn have(self, text: &str) -> bool {
        text.chars().all(|character| self.has(character))
    }

    fn replaced(self, text: &str) -> Cow<'_, str> {
        // U+FFFD is a character that few encodings have.
        let with = |character| if self.has(character) { character } else { '?' };
        if self.have(text) { Cow::Borrowed(text) } else { text.chars().map(with).collect() }
    }
}

/// The text as the database can hold it: NUL is replaced, and every character that it lacks.
pub(in crate::store) fn storable(text: &str) -> Cow<'_, str> {
    match without_nul(text) {
        Cow::Borrowed(text) => Characters::sent().replaced(text),
        Cow::Owned(text) => Cow::Owned(Characters::sent().replaced(&text).into_owned()),
    }
}

/// A text of the database, of whatever bytes: those that are not UTF-8 are escaped.
pub(in crate::store) fn readable(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().escape_ascii().map(char::from));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FailureKind;

    #[tokio::test]
    async fn what_the_database_lacks_is_replaced_and_the_rest_is_kept() {
        let text = "a\0 é ✓";
        assert_eq!(storable(text), "a\u{fffd} é ✓");
        assert_eq!(Characters::Latin.only(async { storable(text).into_owned() }).await, "a? é ?");
        assert_eq!(Characters::Ascii.only(async { storable(text).into_owned() }).await, "a? ? ?");
        assert!(Characters::Latin.have("é") && !Characters::Latin.have("✓"));
    }

    #[test]
    fn only_an_operation_that_was_refused_for_a_character_is_repeated() {
        let answer = |kind| Err::<(), _>(StoreError::Query { doing: "x", kind, source: sqlx::Error::RowNotFound });
        let refused = answer(FailureKind::Characters);
        assert_eq!(Characters::All.after(&refused), Some(Characters::Latin));
        assert_eq!(Characters::Latin.after(&refused), Some(Characters::Ascii));
        assert_eq!(Characters::Ascii.after(&refused), None);
        assert_eq!(Characters::All.after(&answer(FailureKind::Values)), None);
        assert_eq!(Characters::All.after(&Ok(())), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        assert_eq!(readable(b"R\xffY \xc3".to_vec()), "R\\xffY \\xc3");
        assert_eq!(readable("é✓".as_bytes().to_vec()), "é✓");
    }
}
