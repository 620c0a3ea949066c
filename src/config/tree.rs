//! Reads a YAML file into a tree in which every key and value has its position.
//!
//! One document; text keys only; anchors and aliases are followed, tags and merge keys are refused. What goes beyond
//! sensible bounds (depth, number of values) is refused too, so that no file can exhaust the machine.

use std::collections::HashMap;
use std::ops::Add;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::error::{Findings, Position};
use crate::plan::text::size::grouped;

/// Lists and mappings may be nested this deep.
const MAX_DEPTH: usize = 32;
/// A file may hold this many values, aliases followed.
const MAX_NODES: usize = 50_000;
/// The texts of a file may have this many bytes together, aliases followed and variables filled in.
pub(super) const MAX_TEXT: usize = 8 * 1024 * 1024;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A text in the file. What it means (number, text, nothing) follows from how it is written.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Quoted and block scalars are text, whatever they look like.
    pub(super) is_text: bool,
    /// The first variable that was filled in. If there is one, messages must not show the value.
    pub(super) from: Option<String>,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

impl Node {
    /// Entries, when it is a mapping.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// The value under a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value as JSON, plain scalars resolved by YAML's core schema.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Scalar(scalar) => scalar.json(),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Map(entries) => serde_json::Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect()),
        }
    }

    /// What a person would call this kind of value.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.json() {
                serde_json::Value::Null => "nothing",
                serde_json::Value::Bool(_) => "true or false",
                serde_json::Value::Number(number) if number.is_f64() => "a number with a fraction",
                serde_json::Value::Number(_) => "a number",
                serde_json::Value::String(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => "text",
            },
        }
    }
}

impl Scalar {
    /// Resolves the scalar by YAML 1.2's core schema.
    pub(super) fn json(&self) -> serde_json::Value {
        if self.is_text {
            return serde_json::Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => serde_json::Value::Null,
            "true" | "True" | "TRUE" => serde_json::Value::Bool(true),
            "false" | "False" | "FALSE" => serde_json::Value::Bool(false),
            text => number(text).map_or_else(|| serde_json::Value::String(text.to_owned()), serde_json::Value::Number),
        }
    }
}

/// Whether readers of YAML differ on which number this is, or whether it is one at all: `010` is 8 or 10, `1_000` and `1e3` are a number or
/// a text. Nobody needs `0x1F` and the like, and not everybody reads them.
pub(super) fn is_ambiguous_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let all = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c == '_' || c.is_digit(radix));
    let with_prefix =
        [("0x", 16), ("0o", 8), ("0b", 2)].iter().any(|(prefix, radix)| digits.strip_prefix(prefix).is_some_and(|rest| all(rest, *radix)));
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && all(digits, 10);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let is_decimal = mantissa.split('.').count() <= 2 && all(&mantissa.replace('.', ""), 10);
    let is_differing_exponent = |exponent: &str| {
        let signed = exponent.strip_prefix(['+', '-']);
        all(signed.unwrap_or(exponent), 10) && (signed.is_none() || !mantissa.contains('.'))
    };
    let is_differing_decimal = is_decimal && (exponent.is_some_and(is_differing_exponent) || exponent.is_none() && mantissa.contains('_'));
    with_prefix || has_leading_zero || is_differing_decimal
}

/// A number of the core schema. Infinity and "not a number" are text here: no setting can use them.
fn number(text: &str) -> Option<serde_json::Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let all = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    if let Some(octal) = text.strip_prefix("0o").filter(|octal| all(octal, 8)) {
        return u64::from_str_radix(octal, 8).ok().map(Into::into);
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|hex| all(hex, 16)) {
        return u64::from_str_radix(hex, 16).ok().map(Into::into);
    }
    if all(digits, 10) {
        if let Ok(signed) = text.parse::<i64>() {
            return Some(signed.into());
        }
        if let Ok(unsigned) = text.parse::<u64>() {
            return Some(unsigned.into());
        }
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let is_float = mantissa.bytes().any(|b| b.is_ascii_digit()) && plain(whole) && plain(fraction) && all(exponent, 10);
    if is_float { text.parse().ok().and_then(serde_json::Number::from_f64) } else { None }
}

/// Reads a file's text. `None` when it has no usable tree; why is in `findings` then.
pub(super) fn parse(text: &str, findings: &mut Findings) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { text, parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, bytes: 0, findings };
    builder.document().ok()?
}

/// Reading cannot go on; the reason is in the findings.
struct Stop;

struct Builder<'a, 'f> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// Bytes of all texts, those that are kept for aliases included.
    bytes: usize,
    findings: &'f mut Findings,
}

impl<'a> Builder<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Position), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(span))),
            Some(Err(error)) => {
                let at = Position { line: error.marker().line().max(1), column: error.marker().col() + 1 };
                let in_braces = self.text.lines().nth(at.line - 1).is_some_and(|line| line.contains("${"));
                let hint = if in_braces { "; inside of { } and [ ] quote what has ${...}, or write one key per line" } else { "" };
                self.findings.add(at, format!("not valid YAML: {}{hint}", error.info()));
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Position { line: 1, column: 1 })),
        }
    }

    fn stop<T>(&mut self, at: Position, message: impl Into<String>) -> Result<T, Stop> {
        self.findings.add(at, message);
        Err(Stop)
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    return self.stop(at, "a second document begins here; keep one document in the file");
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    root = Some(self.node(event, at, 0)?);
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            return self.stop(at, format!("nested more than {MAX_DEPTH} deep"));
        }
        let length = if let Event::Scalar(text, ..) = &event { text.len() } else { 0 };
        self.count(Size { nodes: 1, bytes: length }, at)?;
        let (anchor, tagged, value) = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain;
                (anchor, tag.is_some(), Value::Scalar(Scalar { text: text.into_owned(), is_text, from: None }))
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag.is_some(), Value::List(self.list(depth)?)),
            Event::MappingStart(anchor, tag) => (anchor, tag.is_some(), Value::Map(self.map(depth)?)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return self.stop(at, "not valid YAML: a value is missing here"),
        };
        if tagged {
            self.findings.add(at, "tags (\"!...\") are not supported; remove it, and quote the value to make it text");
        }
        let node = Node { at, value };
        if anchor != 0 {
            self.count(Size { nodes: 0, ..size(&node) }, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// A copy of the node with that anchor. The copy keeps the positions of the original.
    fn alias(&mut self, id: usize, at: Position) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&id) else {
            return self.stop(at, "this alias is inside of its own anchor");
        };
        // Before it is copied.
        self.count(size(node), at)?;
        self.anchors.get(&id).cloned().ok_or(Stop)
    }

    fn count(&mut self, more: Size, at: Position) -> Result<(), Stop> {
        self.nodes += more.nodes;
        self.bytes += more.bytes;
        if self.nodes > MAX_NODES {
            return self.stop(at, format!("more than {MAX_NODES} values, aliases followed"));
        }
        if self.bytes > MAX_TEXT {
            return self.stop(at, format!("more than {} bytes of text, aliases followed", grouped(MAX_TEXT as u64)));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut places: HashMap<String, Position> = HashMap::new();
        loop {
            let (event, key_at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, key_at, depth + 1)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            let Value::Scalar(Scalar { text: key, is_text, .. }) = key.value else {
                self.findings.add(key_at, "a key must be text, not a list or a mapping");
                continue;
            };
            if key == "<<" && !is_text {
                self.findings.add(key_at, "merge keys (<<) are not supported; write the keys out, or alias single values");
                continue;
            }
            if let Some(first) = places.get(&key) {
                self.findings.add(key_at, format!("duplicate key {key:?}, first given at {first}; keep one of the two"));
                continue;
            }
            places.insert(key.clone(), key_at);
            entries.push(Entry { key, key_at, value });
        }
    }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line().max(1), column: span.start.col() + 1 }
}

/// What a node takes, with all that is in it.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nodes: self.nodes + other.nodes, bytes: self.bytes + other.bytes }
    }
}

fn size(node: &Node) -> Size {
    let own = Size { nodes: 1, bytes: 0 };
    match &node.value {
        Value::Scalar(scalar) => Size { bytes: scalar.text.len(), ..own },
        Value::List(items) => items.iter().map(size).fold(own, Size::add),
        Value::Map(entries) => entries.iter().fold(own, |sum, entry| sum + Size { nodes: 1, bytes: entry.key.len() } + size(&entry.value)),
    }
}

#[cfg(test)]
mod tests;
