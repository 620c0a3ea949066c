//! A path template read backwards: which bank and period a file's path names.

use std::path::PathBuf;

use regex::Regex;

use crate::plan::model::period::{InvalidPeriod, Period};
use crate::plan::text::placeholder::Placeholder;
use crate::plan::text::template::{Piece, Template};

/// The shape of a path, component by component.
#[derive(Debug, Clone)]
pub struct PathPattern {
    components: Vec<Component>,
}

/// One component of a path.
#[derive(Debug, Clone)]
pub enum Component {
    /// This very name.
    Literal(String),
    /// Any name of this shape.
    Shape(Shape),
}

/// A name with placeholders in it.
#[derive(Debug, Clone)]
pub struct Shape {
    regex: Regex,
    placeholders: Vec<Placeholder>,
}

/// What a path told: the value at each placeholder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(Vec<(Placeholder, String)>);

impl PathPattern {
    /// The pattern of an absolute path template.
    pub fn new(template: &Template) -> Self {
        let mut components = vec![Vec::new()];
        for piece in template.pieces() {
            match piece {
                Piece::Value(placeholder) => push(&mut components, Piece::Value(placeholder)),
                Piece::Text(text) => {
                    for (position, part) in text.split('/').enumerate() {
                        if position > 0 {
                            components.push(Vec::new());
                        }
                        if !part.is_empty() {
                            push(&mut components, Piece::Text(part));
                        }
                    }
                }
            }
        }
        Self { components: components.iter().filter(|pieces| !pieces.is_empty()).map(|pieces| Component::new(pieces)).collect() }
    }

    /// The directory that every such path is below, and the components from there on.
    pub fn split(&self) -> (PathBuf, &[Component]) {
        let is_literal = |component: &&Component| matches!(component, Component::Literal(_));
        let fixed = self.components.iter().take_while(is_literal).count();
        // A path without any placeholder is one file: its directory is what it is below.
        let fixed = fixed.min(self.components.len().saturating_sub(1));
        let mut directory = PathBuf::from("/");
        for component in &self.components[..fixed] {
            if let Component::Literal(name) = component {
                directory.push(name);
            }
        }
        (directory, &self.components[fixed..])
    }
}

fn push<'a>(components: &mut [Vec<Piece<'a>>], piece: Piece<'a>) {
    if let Some(last) = components.last_mut() {
        last.push(piece);
    }
}

impl Component {
    fn new(pieces: &[Piece<'_>]) -> Self {
        let mut placeholders = Vec::new();
        let mut regex = "^".to_owned();
        let mut literal = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    literal.push_str(text);
                    regex.push_str(&regex::escape(text));
                }
                Piece::Value(placeholder) => {
                    placeholders.push(*placeholder);
                    regex.push_str(shape_of(*placeholder));
                }
            }
        }
        regex.push('$');
        match Regex::new(&regex) {
            Ok(regex) if !placeholders.is_empty() => Self::Shape(Shape { regex, placeholders }),
            // An escaped text and a fixed group always compile.
            Ok(_) | Err(_) => Self::Literal(literal),
        }
    }
}

/// What may stand at a placeholder: as wide as lets a mistaken period be seen, and as narrow as finds the bank in
/// `A_B_2025_Q1`.
fn shape_of(placeholder: Placeholder) -> &'static str {
    let shapes = [(Placeholder::FiscalYear, r"(\d+)"), (Placeholder::Quarter, r"([Qq]\d+)"), (Placeholder::Period, r"(\d+[ -]?[Qq]\d+)")];
    shapes.iter().find(|(of, _)| *of == placeholder).map_or("(.+?)", |(_, shape)| shape)
}

impl Shape {
    /// Reads a name; `found` holds what the components before told. `None` when it has another shape, or tells
    /// something else for a placeholder that was told before.
    pub fn read(&self, name: &str, found: &Found) -> Option<Found> {
        let captures = self.regex.captures(name)?;
        let mut found = found.clone();
        for (placeholder, value) in self.placeholders.iter().zip(captures.iter().skip(1).flatten()) {
            match found.get(*placeholder) {
                Some(known) if known != value.as_str() => return None,
                Some(_) => {}
                None => found.0.push((*placeholder, value.as_str().to_owned())),
            }
        }
        Some(found)
    }
}

impl Found {
    fn get(&self, placeholder: Placeholder) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == placeholder).map(|(_, value)| value.as_str())
    }

    /// The bank's symbol, short or whole.
    pub fn bank(&self) -> Option<&str> {
        self.get(Placeholder::BankKey).or_else(|| self.get(Placeholder::BankSymbol))
    }

    /// The period.
    ///
    /// # Errors
    /// When what stands there is none.
    pub fn period(&self) -> Result<Period, InvalidPeriod> {
        match self.get(Placeholder::Period) {
            Some(period) => period.parse(),
            None => Period::from_columns(
                self.get(Placeholder::FiscalYear).unwrap_or_default(),
                self.get(Placeholder::Quarter).unwrap_or_default(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::text::placeholder::Scope;

    fn read(template: &str, path: &str) -> Option<Found> {
        let template = Template::parse(template, Scope::ALL).unwrap();
        let pattern = PathPattern::new(&template);
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        if names.len() != pattern.components.len() {
            return None;
        }
        let mut found = Found::default();
        for (component, name) in pattern.components.iter().zip(names) {
            match component {
                Component::Literal(literal) if literal == name => {}
                Component::Literal(_) => return None,
                Component::Shape(shape) => found = shape.read(name, &found)?,
            }
        }
        Some(found)
    }

    #[test]
    fn a_file_name_tells_bank_and_period() {
        let found = read("/data/{bank_symbol}_{fiscal_year}_{quarter}.txt", "/data/RY_2025_Q2.txt").unwrap();
        assert_eq!(found.bank(), Some("RY"));
        assert_eq!(found.period().unwrap().compact(), "2025Q2");
        let with_underscore = read("/data/{bank_symbol}_{fiscal_year}_{quarter}.txt", "/data/A_B_2025_Q2.txt").unwrap();
        assert_eq!(with_underscore.bank(), Some("A_B"));
    }

    #[test]
    fn directories_may_tell_too_and_must_agree() {
        let template = "/data/{bank_key}/{period}/{bank_key}.txt";
        let found = read(template, "/data/RY-CA/2025Q2/RY-CA.txt").unwrap();
        assert_eq!((found.bank(), found.period().unwrap().compact().as_str()), (Some("RY-CA"), "2025Q2"));
        assert_eq!(read(template, "/data/RY-CA/2025Q2/TD-CA.txt"), None);
    }

    #[test]
    fn another_shape_is_passed_over_and_a_bad_period_is_seen() {
        let template = "/data/{bank_symbol}_{fiscal_year}_{quarter}.txt";
        for other in ["/data/README.md", "/data/RY_2025.txt", "/data/RY_2025_Q2.txt.part", "/other/RY_2025_Q2.txt"] {
            assert_eq!(read(template, other), None, "{other}");
        }
        assert!(read(template, "/data/RY_2025_Q5.txt").unwrap().period().is_err());
    }
}
