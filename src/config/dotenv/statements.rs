//! Cuts the text of a `.env` file into statements.

/// What one or, in quotes, several lines say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement<'t> {
    /// `NAME=value`.
    Assignment { name: &'t str, value: Value },
    /// A name alone.
    Name(&'t str),
    /// Anything else.
    Unreadable,
}

/// A value without its quotes, escapes decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// It stood in single quotes, so that `${NAME}` stands for itself.
    pub(super) is_literal: bool,
}

impl Value {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_literal: false }
    }
}

/// The statements of a text whose lines end with `\n`, each with the line where it begins. Comments and empty lines are left out.
pub(super) struct Statements<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Iterator for Statements<'t> {
    type Item = (usize, Statement<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.take_while(is_space);
            if !self.rest.starts_with('#') {
                break;
            }
            self.take_line();
        }
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let statement = self.statement().unwrap_or_else(|| {
            self.take_line();
            Statement::Unreadable
        });
        Some((line, statement))
    }
}

impl<'t> Statements<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// `None` where the text is no statement. What was read by then is taken.
    fn statement(&mut self) -> Option<Statement<'t>> {
        if self.rest.strip_prefix("export").is_some_and(|behind| behind.starts_with(is_blank)) {
            self.take("export".len());
            self.take_while(is_blank);
        }
        let name = self.name()?;
        self.take_while(is_blank);
        let statement = if self.rest.starts_with('=') {
            self.take("=".len());
            Statement::Assignment { name, value: self.value()? }
        } else {
            Statement::Name(name)
        };
        self.take_while(is_blank);
        if self.rest.starts_with('#') {
            self.take_line();
        }
        (self.rest.is_empty() || self.rest.starts_with('\n')).then_some(statement)
    }

    fn name(&mut self) -> Option<&'t str> {
        if self.rest.starts_with('\'') {
            let inner = &self.rest[1..];
            let name = &inner[..inner.find('\'')?];
            self.take(name.len() + 2);
            return Some(name).filter(|name| !name.is_empty());
        }
        Some(self.take_while(|c| c != '=' && c != '#' && !is_space(c))).filter(|name| !name.is_empty())
    }

    fn value(&mut self) -> Option<Value> {
        let blanks = self.take_while(is_blank);
        match self.rest.chars().next() {
            Some('\'') => self.quoted('\'').map(|raw| Value { text: decoded(raw, &[('\\', '\\'), ('\'', '\'')]), is_literal: true }),
            Some('"') => self.quoted('"').map(|raw| Value::new(decoded(raw, ESCAPES))),
            // A comment, and no value. Directly behind the `=` it is one.
            Some('#') if !blanks.is_empty() => Some(Value::new("")),
            Some(_) | None => Some(Value::new(without_comment(self.take_line()))),
        }
    }

    /// What stands between two of these quotes. A backslash takes its meaning from the character behind it.
    fn quoted(&mut self, quote: char) -> Option<&'t str> {
        let inner = &self.rest[quote.len_utf8()..];
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.take(at + 2 * quote.len_utf8());
                return Some(&inner[..at]);
            }
            if c == '\\' {
                chars.next()?;
            }
        }
        None
    }

    /// The rest of the line; its end stays.
    fn take_line(&mut self) -> &'t str {
        self.take_while(|c| c != '\n')
    }

    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !is_wanted(c)).unwrap_or(self.rest.len()))
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

/// What a backslash and the first character stand for in double quotes. Before any other character a backslash is a backslash.
const ESCAPES: &[(char, char)] = &[
    ('\\', '\\'),
    ('\'', '\''),
    ('"', '"'),
    ('a', '\x07'),
    ('b', '\x08'),
    ('f', '\x0c'),
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
    ('v', '\x0b'),
];

fn decoded(raw: &str, escapes: &[(char, char)]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let mut behind = chars.clone();
        let escape = behind.next().filter(|_| c == '\\').and_then(|next| escapes.iter().find(|(written, _)| *written == next));
        match escape {
            Some((_, meant)) => {
                text.push(*meant);
                chars = behind;
            }
            None => text.push(c),
        }
    }
    text
}

/// A value without quotes ends before a blank and a `#`.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| line[..*at].ends_with(is_space));
    line[..comment.map_or(line.len(), |(at, _)| at)].trim_end_matches(is_space)
}

/// Python counts the separators of files, groups, records and units among the spaces.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn is_blank(c: char) -> bool {
    c != '\n' && is_space(c)
}
