//! Commands to type next, complete: with the configuration that they are about, and in words that a shell takes as they are.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

use super::escape::{escaped, is_harmful};
use super::shell_env::quoted;

/// How etl-orch is called so that it uses the same configuration.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    option: String,
}

impl CommandLine {
    /// `config` is what must be named with `--config`; `None` where it is found without that.
    #[must_use]
    pub fn new(config: Option<&Path>) -> Self {
        let option = |config: &Path| format!(" --config {}", escaped(&word(&config.to_string_lossy())));
        Self { option: config.map(option).unwrap_or_default() }
    }

    /// `etl-orch why us_house --config /srv/etl-orch.yaml`.
    #[must_use]
    pub fn of(&self, words: impl Display) -> String {
        format!("etl-orch {words}{}", self.option)
    }
}

/// A word for a POSIX shell, quoted where it must be.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() && !is_harmful(c) || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { Cow::Borrowed(text) } else { Cow::Owned(quoted(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        for (text, expected) in [
            ("RY-CA", "RY-CA"),
            ("/srv/Zürich/etl-orch.yaml", "/srv/Zürich/etl-orch.yaml"),
            ("A&B", "'A&B'"),
            ("it's", "'it'\\''s'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), expected);
        }
        assert_eq!(CommandLine::new(Some(Path::new("my files/x.yaml"))).of("run"), "etl-orch run --config 'my files/x.yaml'");
        assert_eq!(CommandLine::default().of("run"), "etl-orch run");
    }
}
