//! The `.env` file beside the configuration, and the files of `env_file:`: read, never put into the environment of this process.
//!
//! They mean what they mean to python-dotenv, which the users' programs read them with. Only `${NAME}` and `${NAME:-default}` are filled
//! in, from the environment or from a line before, and not in single quotes. The last value of a name counts. Reading takes time and
//! memory in proportion to the file, and never more than [`MAX_TOTAL`].

mod statements;
#[cfg(test)]
mod tests;

use std::path::Path;

use self::statements::{Statement, Statements, Value};
use super::error::{Findings, Position};
use crate::os::access::FileAccess;
use crate::os::input;
use crate::plan::model::settings::Variables;
use crate::plan::text::size::grouped;

/// Most bytes that the values of a file have together, once `${NAME}` is filled in.
const MAX_TOTAL: usize = 1024 * 1024;

/// The variables of a file.
#[derive(Debug)]
pub(super) struct Dotenv {
    pub(super) variables: Variables,
    pub(super) access: FileAccess,
}

/// Reads a file; `None` when there is none, or none that can be used. Lines that set nothing are remarks. No message shows what the file
/// holds.
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
        Ok(content) => {
            for (line, remark) in content.remarks() {
                findings.add_remark(Position { line, column: 1 }, remark);
            }
            Some(Dotenv { variables: content.variables, access: file.access })
        }
        Err((line, mistake)) => {
            findings.add(Position { line, column: 1 }, mistake.to_string());
            None
        }
    }
}

/// What no program could be given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Mistake {
    #[error("the values of this file have more than {} bytes once ${{NAME}} is filled in; single quotes keep ${{NAME}} as it is", grouped(MAX_TOTAL as u64))]
    TooLong,
    #[error("holds a NUL character; remove it")]
    Nul,
    #[error("the name in quotes holds a \"=\"; no variable can have that name")]
    Name,
}

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    variables: Variables,
    /// Lines that cannot be read.
    unreadable: Vec<usize>,
    /// Lines that have a name and no `=`, where nothing else sets that name.
    without_value: Vec<usize>,
}

impl Content {
    /// A sentence for each kind of ignored lines, with the first of them.
    fn remarks(&self) -> impl Iterator<Item = (usize, String)> {
        let kinds = [
            (&self.unreadable, "is ignored, as it is not NAME=value; behind a closed quote only a # comment may stand"),
            (&self.without_value, "is ignored, as it has no \"=\"; put quotes around a value of several lines"),
        ];
        kinds.into_iter().filter_map(|(lines, what)| {
            let (first, more) = lines.split_first()?;
            let more = if more.is_empty() { String::new() } else { format!(" ({} more like it)", more.len()) };
            Some((*first, format!("this line {what}{more}")))
        })
    }
}

/// Reads the text, or says in which line reading ended.
fn parse(text: &str, environment: &Variables) -> Result<Content, (usize, Mistake)> {
    // As Python reads any text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut values = Values { environment, before: Variables::new(), total: 0 };
    let mut content = Content::default();
    let mut without_value = Vec::new();
    for (line, statement) in Statements::of(&text) {
        match statement {
            Statement::Assignment { name, .. } if name.contains('=') => return Err((line, Mistake::Name)),
            Statement::Assignment { name, value } => {
                let value = values.fill_in(value).map_err(|mistake| (line, mistake))?;
                if name.contains('\0') || value.contains('\0') {
                    return Err((line, Mistake::Nul));
                }
                values.before.insert(name.to_owned(), value);
            }
            // It takes an earlier value back.
            Statement::Name(name) => {
                values.before.remove(name);
                without_value.push((line, name));
            }
            Statement::Unreadable => content.unreadable.push(line),
        }
    }
    content.variables = values.before;
    let is_set = |name: &str| content.variables.contains_key(name) || environment.contains_key(name);
    content.without_value = without_value.into_iter().filter(|(_, name)| !is_set(name)).map(|(line, _)| line).collect();
    Ok(content)
}

/// The values of the lines before, and how many bytes they have.
struct Values<'a> {
    environment: &'a Variables,
    before: Variables,
    total: usize,
}

impl Values<'_> {
    /// The value with each `${NAME}` and `${NAME:-default}` replaced. A `$` that begins neither stays.
    fn fill_in(&mut self, value: Value) -> Result<String, Mistake> {
        if value.is_literal {
            self.count(&value.text)?;
            return Ok(value.text);
        }
        let mut filled = String::new();
        let mut references = References::of(&value.text);
        while let Some((literal, reference)) = references.next() {
            self.push(&mut filled, literal)?;
            let set = self.environment.get(reference.name).or_else(|| self.before.get(reference.name)).cloned();
            self.push(&mut filled, set.as_deref().unwrap_or(reference.default))?;
        }
        self.push(&mut filled, references.rest)?;
        Ok(filled)
    }

    fn push(&mut self, filled: &mut String, text: &str) -> Result<(), Mistake> {
        self.count(text)?;
        filled.push_str(text);
        Ok(())
    }

    fn count(&mut self, text: &str) -> Result<(), Mistake> {
        self.total += text.len();
        if self.total > MAX_TOTAL { Err(Mistake::TooLong) } else { Ok(()) }
    }
}

/// `${NAME}` or `${NAME:-default}`.
struct Reference<'t> {
    name: &'t str,
    /// Empty where none is written.
    default: &'t str,
}

/// The references in a value, each with the text before it.
struct References<'t> {
    rest: &'t str,
}

impl<'t> References<'t> {
    fn of(text: &'t str) -> Self {
        Self { rest: text }
    }

    fn next(&mut self) -> Option<(&'t str, Reference<'t>)> {
        let text = self.rest;
        // The first `:` or `}` from here on; looked for again only once it is passed, so that time stays in proportion to the text.
        let mut end = 0;
        let mut from = 0;
        while let Some(start) = text[from..].find("${").map(|at| from + at) {
            from = start + "${".len();
            if end < from {
                end = from + text[from..].find([':', '}'])?;
            }
            let name = &text[from..end];
            let (default, length) = match text[end..].strip_prefix(":-") {
                Some(behind) => {
                    let default = &behind[..behind.find('}')?];
                    (default, ":-".len() + default.len())
                }
                None if text[end..].starts_with('}') => ("", 0),
                None => continue,
            };
            self.rest = &text[end + length + "}".len()..];
            return Some((&text[..start], Reference { name, default }));
        }
        None
    }
}
