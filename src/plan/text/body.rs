//! A JSON body with `{placeholders}` in its texts.

use serde_json::Value;

use crate::plan::text::placeholder::Placeholder;
use crate::plan::text::template::{Piece, Template};

/// A JSON value whose texts are templates. Keys are taken as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// `null`, `true`, `false` or a number.
    Plain(Value),
    Text(Template),
    List(Vec<Body>),
    /// An object, in the order of its keys.
    Object(Vec<(String, Body)>),
}

impl Body {
    /// Fills in every placeholder with its `value`. A text that consists of one numeric placeholder becomes a number.
    pub fn render(&self, value: &impl Fn(Placeholder) -> String) -> Value {
        match self {
            Self::Plain(plain) => plain.clone(),
            Self::Text(template) => text(template, value),
            Self::List(items) => Value::Array(items.iter().map(|item| item.render(value)).collect()),
            Self::Object(entries) => Value::Object(entries.iter().map(|(key, entry)| (key.clone(), entry.render(value))).collect()),
        }
    }

    pub fn placeholders(&self) -> Vec<Placeholder> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => template.placeholders().collect(),
            Self::List(items) => items.iter().flat_map(Self::placeholders).collect(),
            Self::Object(entries) => entries.iter().flat_map(|(_, entry)| entry.placeholders()).collect(),
        }
    }
}

fn text(template: &Template, value: &impl Fn(Placeholder) -> String) -> Value {
    let mut pieces = template.pieces();
    if let (Some(Piece::Value(only)), None) = (pieces.next(), pieces.next())
        && only.is_numeric()
        && let Ok(number) = value(only).parse::<i64>()
    {
        return Value::from(number);
    }
    Value::from(template.render(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::text::placeholder::Scope;

    fn body(text: &str) -> Body {
        Body::Text(Template::parse(text, Scope::ALL).unwrap())
    }

    #[test]
    fn only_a_numeric_placeholder_alone_becomes_a_number() {
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::WindowYear => "2026".to_owned(),
            _ => "7".to_owned(),
        };
        assert_eq!(body("{window_year}").render(&value), serde_json::json!(2026));
        assert_eq!(body("{lookback_days}").render(&value), serde_json::json!(7));
        assert_eq!(body("year {window_year}").render(&value), serde_json::json!("year 2026"));
        assert_eq!(body("{remote_id}").render(&value), serde_json::json!("7"), "a service's id is a text, whatever it looks like");
        assert_eq!(body("{source}").render(&|_| "{window_year}".to_owned()), serde_json::json!("{window_year}"));
    }

    #[test]
    fn order_and_plain_values_stay() {
        let body = Body::Object(vec![
            ("z".to_owned(), Body::Plain(Value::from(100))),
            ("a".to_owned(), Body::List(vec![body("{etl}"), Body::Plain(Value::Null)])),
        ]);
        assert_eq!(body.render(&|_| "x".to_owned()).to_string(), r#"{"z":100,"a":["x",null]}"#);
        assert_eq!(body.placeholders(), [Placeholder::Etl]);
    }
}
