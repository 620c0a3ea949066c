//! What a run would start, as lines for a POSIX shell.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::View;
use super::escape::{escaped, is_harmful};
use super::words::Untrusted;
use crate::plan::model::gap::GapKey;

/// A program with its directory and what is added to its environment. A text that is secret is `None`.
#[derive(Debug, Serialize)]
pub struct ShellEnvView<'a> {
    gap: &'a GapKey,
    work_dir: String,
    cwd: String,
    env: Vec<Variable<'a>>,
    argv: &'a [Option<String>],
}

#[derive(Debug, Serialize)]
struct Variable<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> ShellEnvView<'a> {
    /// The view of the program that fills this gap, and of the workspace that is made for it before.
    pub fn new(gap: &'a GapKey, [work_dir, cwd]: [&Path; 2], env: &'a [(String, Option<String>)], argv: &'a [Option<String>]) -> Self {
        let env = env.iter().map(|(name, value)| Variable { name, value: value.as_deref() }).collect();
        Self { gap, work_dir: work_dir.display().to_string(), cwd: cwd.display().to_string(), env, argv }
    }
}

impl View for ShellEnvView<'_> {
    fn kind(&self) -> &'static str {
        "shell_env"
    }

    fn text(&self) -> String {
        let mut text = format!("# What a run would start for {}. The ids are on no record.\n", escaped(&self.gap.to_string()));
        let _ = writeln!(text, "mkdir -p {}\ncd {}", quoted(&self.work_dir), quoted(&self.cwd));
        for Variable { name, value } in &self.env {
            // Writing to a String cannot fail.
            let _ = match value {
                _ if !is_identifier(name) => writeln!(text, "# a shell cannot export {}", Untrusted::from(*name)),
                Some(value) => writeln!(text, "export {name}={}", quoted(value)),
                None => writeln!(text, "export {name}=\"${{{name}:?is secret: set it first}}\""),
            };
        }
        let argument = |(n, argument): (usize, &Option<String>)| {
            argument.as_deref().map_or_else(|| format!("\"${{ARGUMENT_{n}:?is secret: set it first}}\""), quoted)
        };
        let words: Vec<String> = self.argv.iter().enumerate().map(argument).collect();
        let _ = writeln!(text, "exec {}", words.join(" "));
        text
    }
}

fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// One word of a POSIX shell that stands for this text, and does nothing to a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut word = "'".to_owned();
    for character in text.chars() {
        match character {
            '\'' => word.push_str("'\\''"),
            '\n' => word.push('\n'),
            harmful if is_harmful(harmful) => {
                word.push_str("'\"$(printf '");
                for byte in harmful.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(word, "\\{byte:03o}");
                }
                word.push_str("')\"'");
            }
            plain => word.push(plain),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_text_to_a_shell_and_harmless_to_a_terminal() {
        assert_eq!(quoted("it's $HOME `id` \"q\" \\"), r#"'it'\''s $HOME `id` "q" \'"#);
        assert_eq!(quoted("a\u{1b}[2J\u{202e}\nb\n"), "'a'\"$(printf '\\033')\"'[2J'\"$(printf '\\342\\200\\256')\"'\nb\n'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn secrets_are_left_to_whoever_reads_it() {
        let gap = "RY-CA/2025Q2/a".parse().unwrap();
        let env = [("A".to_owned(), Some("it's".to_owned())), ("API_KEY".to_owned(), None), ("a-b".to_owned(), Some(String::new()))];
        let argv = [Some("run me".to_owned()), None];
        let view = ShellEnvView::new(&gap, [Path::new("/var/work/RY"), Path::new("/srv/etl")], &env, &argv);
        insta::assert_snapshot!(view.text(), @r#"
        # What a run would start for RY-CA/2025Q2/a. The ids are on no record.
        mkdir -p '/var/work/RY'
        cd '/srv/etl'
        export A='it'\''s'
        export API_KEY="${API_KEY:?is secret: set it first}"
        # a shell cannot export a-b
        exec 'run me' "${ARGUMENT_1:?is secret: set it first}"
        "#);
    }
}
