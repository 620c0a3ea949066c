//! Takes secrets out of texts that are logged, stored or shown, in whatever form they stand there.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;

use super::encoded::{Reading, consumed};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Shorter secrets are not taken out: that would tear ordinary text apart.
const SHORTEST: usize = 4;
/// Secrets shorter than this, and numbers, are taken out only where they stand alone.
const SHORTEST_WITHIN_WORDS: usize = 6;
/// A line of a secret of several lines, such as a private key, counts by itself if it is at least this long.
const SHORTEST_LINE: usize = 16;

/// Secret texts. A copy shares them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Arc<Patterns>);

#[derive(Default, PartialEq, Eq)]
struct Patterns {
    /// The longest first.
    all: Vec<Pattern>,
    /// For each byte the secrets that can begin with it in one of their forms, as positions in `all`.
    by_first: Vec<Vec<usize>>,
}

#[derive(PartialEq, Eq)]
struct Pattern {
    text: String,
    /// Whether letters and digits beside it make it another text.
    stands_alone: bool,
}

impl Secrets {
    /// Secrets as they were configured. `Basic` credentials are secret in their decoded form too, and what follows the scheme of a header
    /// by itself.
    #[must_use]
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = texts.into_iter().flat_map(|text| parts(&text)).collect();
        let encoded: Vec<String> = all.iter().filter(|text| text.len() >= SHORTEST_WITHIN_WORDS).flat_map(|text| in_base64(text)).collect();
        all.extend(encoded);
        all.retain(|text| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            text.len() >= if is_number { SHORTEST_WITHIN_WORDS } else { SHORTEST }
        });
        Self::of(all)
    }

    /// These secrets and those.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self::of([self, others].into_iter().flat_map(|secrets| secrets.0.all.iter().map(|pattern| pattern.text.clone())).collect())
    }

    fn of(mut all: Vec<String>) -> Self {
        all.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all.dedup();
        let mut by_first = vec![Vec::new(); 256];
        for (position, first) in all.iter().map(|text| text.bytes().next()).enumerate() {
            // Any character can stand there encoded.
            for byte in b"%\\&+".iter().copied().chain(first.filter(|first| !b"%\\&+".contains(first))) {
                by_first[usize::from(byte)].push(position);
            }
        }
        let pattern = |text: String| {
            let stands_alone = text.len() < SHORTEST_WITHIN_WORDS || text.bytes().all(|byte| byte.is_ascii_digit());
            Pattern { text, stands_alone }
        };
        Self(Arc::new(Patterns { all: all.into_iter().map(pattern).collect(), by_first }))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// The text with `[redacted]` for every secret in it: as it is, percent-encoded, escaped as in JSON or HTML, or in base64.
    #[must_use]
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut cleaned, mut kept) = (String::new(), 0);
        let mut at = 0;
        while at < text.len() {
            if let Some(end) = self.end_at(text, at) {
                cleaned.push_str(&text[kept..at]);
                cleaned.push_str(REDACTED);
                (at, kept) = (end, end);
            } else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        cleaned.push_str(&text[kept..]);
        Cow::Owned(cleaned)
    }

    /// The same for every text and number in it.
    #[must_use]
    pub fn clean_json(&self, json: Value) -> Value {
        match json {
            Value::String(text) => Value::String(self.clean(&text).into_owned()),
            Value::Number(number) => match self.clean(&number.to_string()) {
                Cow::Borrowed(_) => Value::Number(number),
                Cow::Owned(cleaned) => Value::String(cleaned),
            },
            Value::Array(items) => items.into_iter().map(|item| self.clean_json(item)).collect(),
            Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (self.clean(&key).into_owned(), self.clean_json(value))).collect()
            }
            Value::Null | Value::Bool(_) => json,
        }
    }

    /// The end of the longest secret that begins here.
    fn end_at(&self, text: &str, at: usize) -> Option<usize> {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        self.0.by_first[usize::from(text.as_bytes()[at])].iter().map(|position| &self.0.all[*position]).find_map(|pattern| {
            // A text may hold the secret as it is or encoded, and in both forms characters that could be read in the other one.
            let end = [Reading::Plain, Reading::Encoded].into_iter().find_map(|reading| end_of(text, at, &pattern.text, reading))?;
            let is_within_word = || is_word(text[..at].chars().next_back()) || is_word(text[end..].chars().next());
            (!pattern.stands_alone || !is_within_word()).then_some(end)
        })
    }
}

/// Without the texts.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.all.len())
    }
}

/// The end of `secret` in `text` when it begins at `at`.
fn end_of(text: &str, at: usize, secret: &str, reading: Reading) -> Option<usize> {
    secret.chars().try_fold(at, |at, wanted| Some(at + consumed(&text[at..], wanted, reading)?))
}

/// A configured text, and the parts of it that are secret by themselves.
fn parts(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut parts = vec![text.to_owned()];
    if let Some((scheme, credentials)) = text.split_once(' ').filter(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        let credentials = credentials.trim();
        parts.push(credentials.to_owned());
        let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(credentials).ok()).flatten();
        if let Some(decoded) = decoded.and_then(|decoded| String::from_utf8(decoded).ok()) {
            parts.extend(decoded.split_once(':').map(|(_, password)| password.to_owned()));
            parts.push(decoded);
        }
    }
    if text.contains('\n') {
        parts.extend(text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
    }
    parts
}

/// What base64 makes of a text, whatever stands before and behind it in what is encoded: the characters that depend on nothing else.
fn in_base64(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for before in 0..3_usize {
        let bytes = [&vec![0; before][..], text.as_bytes()].concat();
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for engine in [STANDARD, URL_SAFE] {
            found.extend(engine.encode(&bytes).get(from..to).filter(|core| core.len() >= SHORTEST_WITHIN_WORDS).map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn secrets(texts: &[&str]) -> Secrets {
        Secrets::new(texts.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let one = secrets(&["p@ss/w\"ö rd%41"]);
        for form in [
            "p@ss/w\"ö rd%41",
            "p%40ss%2Fw%22%C3%B6%20rd%2541",
            "p%40ss%2fw%22%c3%b6+rd%2541",
            "p@ss/w%22%C3%B6%20rd%2541",
            r#"p@ss/w\"ö rd%41"#,
            r#"p@ss\/w\"\u00f6 rd%41"#,
            r#"p@ss\/w\"\u{f6} rd%41"#,
            "p@ss&#x2F;w&#34;ö rd%41",
            &STANDARD.encode("p@ss/w\"ö rd%41"),
            &STANDARD.encode("user:p@ss/w\"ö rd%41"),
            &URL_SAFE.encode("me:p@ss/w\"ö rd%41").replace('=', ""),
        ] {
            let cleaned = one.clean(form).into_owned();
            assert!(cleaned.contains(REDACTED), "{form} became {cleaned}");
        }
        assert_eq!(one.clean("a p%40ss%2Fw%22%C3%B6%20rd%2541 b"), "a [redacted] b");
    }

    #[test]
    fn credentials_of_a_header_are_secret_decoded_and_encoded() {
        let basic = secrets(&[&format!("Basic {}", STANDARD.encode("user:open sesame"))]);
        assert_eq!(basic.clean("user:open sesame"), REDACTED);
        assert_eq!(basic.clean("the password open sesame"), "the password [redacted]");
        assert_eq!(basic.clean("dXNlcjpvcGVuIHNlc2FtZQ=="), "[redacted]");
        assert_eq!(secrets(&["Bearer abcdef"]).clean("abcdef"), REDACTED);
    }

    #[test]
    fn short_ones_and_numbers_are_no_parts_of_words() {
        let short = secrets(&["abc", "s3cr", "481516"]);
        assert_eq!(short.clean("abc s3cr s3crs 481516 4815162342 x"), "abc [redacted] s3crs [redacted] 4815162342 x");
        assert_eq!(secrets(&["12345"]).clean("12345"), "12345", "a year or a count");
    }

    #[test]
    fn the_longest_goes_first_and_each_line_of_a_key_counts() {
        assert_eq!(secrets(&["abcdef", "abcdefghi"]).clean("abcdefghij"), "[redacted]j");
        let key = secrets(&["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nabc\n-----END KEY-----"]);
        assert_eq!(key.clean("x MIIEvQIBADANBgkqhkiG"), "x [redacted]");
    }

    #[test]
    fn json_is_cleaned_in_keys_texts_and_numbers() {
        let cleaned =
            secrets(&["Bearer abcdef", "481516"]).clean_json(json!({"a": ["x Bearer abcdef y", {"abcdef": 481_516, "n": 5}], "b": null}));
        assert_eq!(cleaned, json!({"a": ["x [redacted] y", {"[redacted]": "[redacted]", "n": 5}], "b": null}));
    }

    #[test]
    fn debug_shows_none() {
        assert!(!format!("{:?}", secrets(&["topsecret"])).contains("topsecret"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_has_no_secret_stays(text in any::<String>(), secret in "[a-z]{8,12}") {
            let one = Secrets::new([secret.clone()]);
            let cleaned = one.clean(&text);
            prop_assert!(cleaned == text || cleaned.contains(REDACTED));
            let around = format!("{text}{secret}{text}");
            prop_assert!(!one.clean(&around).contains(&secret));
        }
    }
}
