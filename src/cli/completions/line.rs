//! The command line that is being typed, as far as a shell tells it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;

use super::super::output::value_of;

/// The words of a line, without quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// With the name of the program. The word that is completed ends at the cursor.
    pub(super) words: Vec<String>,
    /// Which word is completed.
    pub(super) index: usize,
    /// The beginning of that word that the shell keeps, whatever the word is replaced with.
    pub(super) kept: String,
}

/// What bash knows.
pub(super) struct OfBash<'a> {
    /// Which of its words is completed.
    pub(super) index: usize,
    /// What of that word stands before the cursor, from the last word break on.
    pub(super) current: &'a str,
    /// The line up to the cursor.
    pub(super) line: &'a str,
    /// bash divides words at characters such as `=` and `:`, which are words too.
    pub(super) words: &'a [String],
}

impl Line {
    /// Words as most shells have them.
    pub(super) fn of_words(index: usize, words: &[String]) -> Option<Self> {
        (index < words.len()).then(|| Self { words: words.iter().map(|word| unquoted(word)).collect(), index, kept: String::new() })
    }

    /// The words as they stand in the line: what no space divides is one.
    pub(super) fn of_bash(of: &OfBash<'_>) -> Option<Self> {
        let mut words: Vec<String> = Vec::new();
        let mut rest = of.line;
        for (n, word) in of.words.iter().enumerate().take(of.index + 1) {
            let next = rest.trim_start();
            let is_glued = n > 0 && next.len() == rest.len();
            // The last one may go on behind the cursor.
            let text = if n == of.index { next } else { word.as_str() };
            rest = next.strip_prefix(text)?;
            match words.last_mut().filter(|_| is_glued) {
                Some(last) => last.push_str(text),
                None => words.push(text.to_owned()),
            }
        }
        let index = words.len().checked_sub(1)?;
        let kept = unquoted(words.last()?.strip_suffix(of.current)?);
        words.extend(of.words.iter().skip(of.index + 1).cloned());
        Some(Self { words: words.iter().map(|word| unquoted(word)).collect(), index, kept })
    }

    /// The word that is completed, up to the cursor.
    pub(super) fn current(&self) -> &str {
        self.words.get(self.index).map_or("", String::as_str)
    }

    /// The words before it.
    fn before(&self) -> &[String] {
        self.words.get(..self.index).unwrap_or_default()
    }

    /// The configuration that is named anywhere in the line.
    pub(super) fn config(&self, home: Option<&str>) -> Option<PathBuf> {
        let words: Vec<OsString> = self.words.iter().map(OsString::from).collect();
        let path = value_of(&words, "--config")?;
        Some(match (path.strip_prefix("~/"), home) {
            (Some(below), Some(home)) => PathBuf::from(home).join(below),
            _ => PathBuf::from(path),
        })
    }

    /// Whether an option without a value stands in the line.
    pub(super) fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| word == option)
    }

    /// Whether this stands before the cursor, by itself or in a list.
    pub(super) fn names(&self, value: &str) -> bool {
        let lists = self.before().iter().map(String::as_str).chain(self.current().rsplit_once(',').map(|(list, _)| list));
        lists.flat_map(|list| list.split([',', '='])).any(|item| item == value)
    }

    /// The arguments before the cursor that are no options, as far as they can be understood.
    pub(super) fn positionals(&self, root: Command) -> Vec<String> {
        let mut root = root.ignore_errors(true);
        let Ok(matches) = root.try_get_matches_from_mut(self.before()) else { return Vec::new() };
        let (mut command, mut matches) = (&root, &matches);
        while let Some((name, below)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, below);
        }
        let given = command.get_positionals().filter_map(|arg| matches.get_raw(arg.get_id().as_str())).flatten();
        given.map(|value| value.to_string_lossy().into_owned()).collect()
    }
}

/// A word without its quotes, of which the last may still be open.
fn unquoted(word: &str) -> String {
    let mut text = String::new();
    let mut quote = None;
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None | Some('"'), '\\') => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::super::args::Cli;
    use super::*;

    /// The line that bash tells of with the cursor at its end.
    fn bash(line: &str, current: &str, words: &str) -> Line {
        let words: Vec<String> = words.split('|').map(str::to_owned).collect();
        Line::of_bash(&OfBash { index: words.len() - 1, current, line, words: &words }).unwrap()
    }

    #[test]
    fn words_that_bash_divides_are_one_again() {
        for (line, current, words, whole, kept) in [
            ("etl-orch why ", "", "etl-orch|why|", "", ""),
            ("etl-orch  why RY", "RY", "etl-orch|why|RY", "RY", ""),
            ("etl-orch --period=20", "20", "etl-orch|--period|=|20", "--period=20", "--period="),
            ("etl-orch --period=", "", "etl-orch|--period|=", "--period=", "--period="),
            ("etl-orch why source:us", "us", "etl-orch|why|source|:|us", "source:us", "source:"),
            ("etl-orch why s:x@2026-01-16T00:", "", "etl-orch|why|s|:|x|@|2026-01-16T00|:", "s:x@2026-01-16T00:", "s:x@2026-01-16T00:"),
            ("etl-orch why \"source:us", "source:us", "etl-orch|why|\"source:us", "source:us", ""),
        ] {
            let read = bash(line, current, words);
            assert_eq!((read.current(), read.kept.as_str()), (whole, kept), "{line}");
        }
    }

    #[test]
    fn what_follows_the_cursor_is_no_part_of_the_word_but_of_the_line() {
        let words = ["etl-orch", "why", "RYX", "--config", "x.yaml"].map(str::to_owned);
        let line = Line::of_bash(&OfBash { index: 2, current: "RY", line: "etl-orch why RY", words: &words }).unwrap();
        assert_eq!((line.current(), line.config(None)), ("RY", Some("x.yaml".into())));
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_not_guessed_at() {
        let words = ["etl-orch", "why"].map(str::to_owned);
        assert_eq!(Line::of_bash(&OfBash { index: 1, current: "why", line: "other why", words: &words }), None);
        assert_eq!(Line::of_words(2, &words), None);
    }

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(unquoted(r#"'my file'.yaml "a\"b" c\ d "#), r#"my file.yaml a"b c d "#);
        assert_eq!(unquoted("\"still open"), "still open");
    }

    #[test]
    fn the_words_before_it_are_known_whatever_is_wrong_with_them() {
        let positionals = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let index = words.len() - 1;
            Line { words, index, kept: String::new() }.positionals(Cli::command())
        };
        assert_eq!(positionals("etl-orch why RY 2025 "), ["RY", "2025"]);
        assert_eq!(positionals("etl-orch --config x.yaml retry --reason why RY --nonsense "), ["RY"]);
        assert_eq!(positionals("etl-orch sources give-up us_house --window "), ["us_house"]);
        assert_eq!(positionals("etl-orch run-one RY 2025 Q2 "), ["RY", "2025", "Q2"]);
        assert_eq!(positionals("etl-orch "), [""; 0]);
    }

    #[test]
    fn a_value_that_is_named_already_is_known() {
        let words = ["etl-orch", "--bank-symbol=RY,TD", "--exclude-bank", "BMO,C"].map(str::to_owned).to_vec();
        let line = Line { words, index: 3, kept: String::new() };
        assert!(line.names("RY") && line.names("TD") && line.names("BMO"));
        assert!(!line.names("C"), "it is what is being typed");
    }
}
