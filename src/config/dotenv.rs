//! The `.env` file beside the configuration, and the files of `env_file:`: read, never put into the environment of this process.
//!
//! They are read as the usual `.env` libraries read them: `export`, comments, single and double quotes, values over several lines, and
//! `$NAME` for a variable of the environment or of a line before. Reading takes time and memory in proportion to the file, and never
//! more than [`MAX_TOTAL`].

use std::path::Path;

use super::error::{Findings, Position};
use crate::os::access::FileAccess;
use crate::os::input;
use crate::plan::model::settings::Variables;
use crate::plan::text::size::grouped;

/// Most bytes that the values of a file have together, once `$NAME` is filled in.
const MAX_TOTAL: usize = 1024 * 1024;

/// The variables of a file.
#[derive(Debug)]
pub(super) struct Dotenv {
    pub(super) variables: Variables,
    pub(super) access: FileAccess,
}

/// Reads a file; `None` when there is none, or none that can be used. Mistakes never show what the file holds.
pub(super) fn read(path: &Path, environment: &Variables, findings: &mut Findings) -> Option<Dotenv> {
    let file = match input::read(path) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return None,
        Err(error) => {
            findings.add_for_file(error.to_string());
            return None;
        }
    };
    let text = findings.utf8(file.bytes)?;
    match parse(&text, environment) {
        Ok(variables) => Some(Dotenv { variables, access: file.access }),
        Err((line, mistake)) => {
            findings.add(Position { line, column: 1 }, mistake.to_string());
            None
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Mistake {
    #[error("not a NAME=value line; quote values that hold spaces, $ or # (single quotes keep them as they are)")]
    NotALine,
    #[error("the values of this file have more than {} bytes once $NAME is filled in; single quotes keep $NAME as it is", grouped(MAX_TOTAL as u64))]
    TooLong,
}

/// The variables, or the line of the first mistake. The first of several values of a name counts; `$NAME` stands for the last one before
/// it, unless the environment has that variable.
fn parse(text: &str, environment: &Variables) -> Result<Variables, (usize, Mistake)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { environment, before: Variables::new(), total: 0 };
    let mut variables = Variables::new();
    let (mut rest, mut number) = (text, 1);
    while !rest.is_empty() {
        let (line, length) = logical_line(rest).ok_or((number, Mistake::NotALine))?;
        let read = reader.line(line).map_err(|mistake| (number, mistake))?;
        if let Some((name, value)) = read {
            variables.entry(name.to_owned()).or_insert_with(|| value.clone());
            reader.before.insert(name.to_owned(), value);
        }
        number += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    Ok(variables)
}

/// The first line without its comment and its end, and how many bytes it takes with them. It ends at the first end of a line outside
/// of quotes. `None` when a quote is never closed.
fn logical_line(text: &str) -> Option<(&str, usize)> {
    let mut quote = None;
    let mut after_blank = true;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (_, '\\') => drop(chars.next()),
            (None, '\n') => return Some((&text[..at], at + 1)),
            (None, '#') if after_blank => {
                let length = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
                return Some((&text[..at], length));
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some(_), _) => {}
        }
        after_blank = c.is_whitespace();
    }
    quote.is_none().then_some((text, text.len()))
}

/// What lines are read with.
struct Reader<'a> {
    environment: &'a Variables,
    /// The values of the lines before.
    before: Variables,
    /// Bytes of all values so far.
    total: usize,
}

impl Reader<'_> {
    /// Name and value; `None` for a line that has neither.
    fn line<'t>(&mut self, line: &'t str) -> Result<Option<(&'t str, String)>, Mistake> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(None);
        }
        let (mut name, mut rest) = split_name(line)?;
        // `export` is a word before the name, unless it is the name itself.
        if name == "export" && !rest.starts_with('=') {
            (name, rest) = split_name(rest)?;
        }
        let value = rest.strip_prefix('=').ok_or(Mistake::NotALine)?.trim_start();
        Ok(Some((name, if value.starts_with('#') { String::new() } else { self.value(value)? })))
    }

    fn value(&mut self, source: &str) -> Result<String, Mistake> {
        let mut value = String::new();
        let mut quote = None;
        let mut rest = source;
        while let Some(c) = take_char(&mut rest) {
            match (quote, c) {
                (Some(open), c) if open == c => quote = None,
                (Some('\''), c) => self.push(&mut value, c)?,
                (_, '\\') => match take_char(&mut rest) {
                    Some(escaped @ ('\\' | '\'' | '"' | '$' | ' ')) => self.push(&mut value, escaped)?,
                    Some('n') => self.push(&mut value, '\n')?,
                    None => {}
                    Some(_) => return Err(Mistake::NotALine),
                },
                (_, '$') => self.variable(&mut rest, quote, &mut value)?,
                (None, '\'' | '"') => quote = Some(c),
                // Behind a value there may be blanks, and nothing else.
                (None, ' ' | '\t') if rest.trim_start_matches([' ', '\t']).is_empty() => break,
                (None, ' ' | '\t') => return Err(Mistake::NotALine),
                (_, c) => self.push(&mut value, c)?,
            }
        }
        if quote.is_some() { Err(Mistake::NotALine) } else { Ok(value) }
    }

    /// Fills in the variable whose name is at the start of `rest`, plain or in braces. A plain one has letters and digits only, and the
    /// character that ends it stands for itself, unless it begins another variable or ends the quotes.
    fn variable(&mut self, rest: &mut &str, quote: Option<char>, value: &mut String) -> Result<(), Mistake> {
        let (name, after) = match rest.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or(Mistake::NotALine)?,
            None => rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())),
        };
        let is_plain = !rest.starts_with('{');
        *rest = after;
        let filled = self.environment.get(name).or_else(|| self.before.get(name)).cloned().unwrap_or_default();
        self.total += filled.len();
        self.is_within()?;
        value.push_str(&filled);
        if is_plain && !rest.starts_with('$') && rest.chars().next() != quote {
            take_char(rest).map_or(Ok(()), |c| self.push(value, c))?;
        }
        Ok(())
    }

    fn push(&mut self, value: &mut String, c: char) -> Result<(), Mistake> {
        self.total += c.len_utf8();
        value.push(c);
        self.is_within()
    }

    fn is_within(&self) -> Result<(), Mistake> {
        if self.total > MAX_TOTAL { Err(Mistake::TooLong) } else { Ok(()) }
    }
}

fn take_char(text: &mut &str) -> Option<char> {
    let mut chars = text.chars();
    let c = chars.next()?;
    *text = chars.as_str();
    Some(c)
}

/// The name at the start of a line, and what is behind it and its blanks.
fn split_name(line: &str) -> Result<(&str, &str), Mistake> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { Ok((name, rest.trim_start())) } else { Err(Mistake::NotALine) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_text(text: &str) -> Result<Variables, (usize, Mistake)> {
        parse(text, &Variables::new())
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn reads_names_and_values() {
        let read =
            read_text("\u{feff}# comment\r\nA=1\r\nexport B='p$w # x' # why\n\nA=2\nC=\nD = \"two\\n $A lines\"\nE='x\ny'\nexport=F");
        let expected = [("A", "1"), ("B", "p$w # x"), ("C", ""), ("D", "two\n 2 lines"), ("E", "x\ny"), ("export", "F")];
        assert_eq!(read.unwrap(), variables(&expected));
    }

    #[test]
    fn the_environment_goes_before_lines() {
        let read = parse("A=1\nB=${A}-$C-$none", &variables(&[("A", "0"), ("C", "c")]));
        assert_eq!(read.unwrap(), variables(&[("A", "1"), ("B", "0-c-")]));
    }

    #[test]
    fn a_mistake_has_its_line() {
        for (text, line) in
            [("A=1\nB = two words\nC=3\n", 2), ("nonsense", 1), ("A='x\ny'\nB='open\nC=3\n", 3), ("# x\n\nA=${open\n", 3), ("A=\\x", 1)]
        {
            assert_eq!(read_text(text), Err((line, Mistake::NotALine)), "{text:?}");
        }
    }

    #[test]
    fn values_that_double_line_by_line_are_refused_at_their_line() {
        let doubling: Vec<String> = (1..64).map(|n| format!("A{n}=$A{0}$A{0}\n", n - 1)).collect();
        let text = format!("A0=xx\n{}", doubling.concat());
        assert_eq!(read_text(&text), Err((20, Mistake::TooLong)));
        let wide = format!("A={}\nB={}\n", "x".repeat(1024), "$A".repeat(1024 * 1024));
        assert_eq!(read_text(&wide), Err((2, Mistake::TooLong)));
    }

    /// Lines that mean something to a `.env` reader.
    fn lines() -> impl Strategy<Value = String> {
        let pieces = [
            "A", "B2", "_c", "=", " = ", "export ", "'", "\"", "\\", "\\n", "$A", "${B2}", "$", "{", "}", "#", " ", "\t", "é", "x.y", "\n",
            "\r\n",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What users have written for the library that reads such files elsewhere means the same here.
        #[test]
        fn good_files_are_read_as_dotenvy_reads_them(text in lines()) {
            // There `"$A"` is a mistake.
            prop_assume!(!text.contains("$A\"") && !text.contains("$\""));
            let read: Result<Vec<(String, String)>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
            let Ok(pairs) = read else { return Ok(()) };
            let mut expected = Variables::new();
            for (name, value) in pairs {
                expected.entry(name).or_insert(value);
            }
            prop_assert_eq!(read_text(&text), Ok(expected));
        }
    }
}
