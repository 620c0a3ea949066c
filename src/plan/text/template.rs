//! Texts with `{placeholders}`. The configuration has them, and each job fills them in.

use std::fmt;

use crate::plan::text::nearest::did_you_mean;
use crate::plan::text::placeholder::{Placeholder, Scope, Values};

/// A text with placeholders. `{{` and `}}` stand for the braces themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    Value(Placeholder),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The name between the braces is not known, or not available at this place.
    #[error("unknown placeholder {{{name}}}{hint}")]
    Unknown {
        /// The name as written.
        name: String,
        /// `; did you mean bank_symbol?`, or empty.
        hint: String,
    },
    /// A brace without its partner.
    #[error("unbalanced {0:?} in {1:?}; write {{{{ or }}}} for a brace itself")]
    Unbalanced(char, String),
}

impl Template {
    /// Reads a template in which the placeholders of the `allowed` scopes may occur.
    ///
    /// # Errors
    /// Every unknown placeholder and unbalanced brace in it.
    pub fn parse(source: &str, allowed: &[Scope]) -> Result<Self, Vec<TemplateError>> {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = if rest[at..].starts_with('{') { '{' } else { '}' };
            let tail = &rest[at + 1..];
            if let Some(after) = tail.strip_prefix(brace) {
                text.push(brace);
                rest = after;
                continue;
            }
            let end = if brace == '{' { tail.find(['{', '}']).filter(|end| tail[*end..].starts_with('}')) } else { None };
            let Some(end) = end else {
                errors.push(TemplateError::Unbalanced(brace, source.to_owned()));
                rest = tail;
                continue;
            };
            let name = &tail[..end];
            match Placeholder::within(allowed).find(|placeholder| placeholder.name() == name) {
                Some(placeholder) => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Value(placeholder));
                }
                None => errors.push(TemplateError::Unknown {
                    name: name.to_owned(),
                    hint: did_you_mean(name, Placeholder::within(allowed).map(Placeholder::name)),
                }),
            }
            rest = &tail[end + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if errors.is_empty() { Ok(Self { source: source.to_owned(), parts }) } else { Err(errors) }
    }

    /// The placeholders in it, in order, repeated where they repeat.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(*placeholder),
            Part::Text(_) => None,
        })
    }

    /// Text and placeholders, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.parts.iter().map(|part| match part {
            Part::Text(text) => Piece::Text(text),
            Part::Value(placeholder) => Piece::Value(*placeholder),
        })
    }

    /// Of a path: its last directory before the first placeholder.
    pub fn directory(&self) -> String {
        let before = self.pieces().map_while(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Value(_) => None,
        });
        let before: String = before.collect();
        let directory = before.rsplit_once('/').map_or(before.as_str(), |(directory, _)| directory);
        if directory.is_empty() { "/".to_owned() } else { directory.to_owned() }
    }

    /// Fills in every placeholder from `values`. One without a value becomes empty; the configuration refuses such templates.
    #[must_use]
    pub fn fill(&self, values: &Values) -> String {
        self.render(|placeholder| values.get(&placeholder).cloned().unwrap_or_default())
    }

    /// Fills in every placeholder with its `value`.
    pub fn render(&self, mut value: impl FnMut(Placeholder) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Value(placeholder) => value(*placeholder),
            })
            .collect()
    }
}

/// The template as it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str) -> Result<Template, Vec<TemplateError>> {
        Template::parse(source, Scope::ALL)
    }

    #[test]
    fn fills_in_values() {
        let template = parse("reports/{period}/{bank_symbol}_{etl}.md").unwrap();
        assert_eq!(template.render(|placeholder| placeholder.name().to_uppercase()), "reports/PERIOD/BANK_SYMBOL_ETL.md");
        assert_eq!(template.placeholders().count(), 3);
    }

    #[test]
    fn doubled_braces_are_braces() {
        let template = parse("{{\"bank\": {bank_id}}}").unwrap();
        assert_eq!(template.render(|_| "7".to_owned()), "{\"bank\": 7}");
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let template = parse("{bank_name}").unwrap();
        assert_eq!(template.render(|_| "{etl}".to_owned()), "{etl}");
    }

    #[test]
    fn names_every_mistake_and_the_nearest_name() {
        let errors = parse("{bank_symbl} and {quarter} and {nonsense_}").unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts[0], "unknown placeholder {bank_symbl}; did you mean bank_symbol, bank_key, bank_name?");
        assert_eq!(texts.len(), 2);
        for broken in ["{bank_symbol", "bank_symbol}", "{{bank_symbol}", "{a{etl}"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn only_what_is_allowed_here_is_known() {
        assert!(Template::parse("{output}", Scope::IN_REPORT_WORK).is_err());
    }
}
