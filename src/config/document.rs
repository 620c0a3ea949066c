//! A file that is being checked: its tree, without the parts in which a mistake was already found.

use super::error::Position;
use super::tree::{Node, Scalar, Value};

/// The path to a node: keys of mappings, and positions in lists.
pub(super) type KeyPath = Vec<String>;

/// A tree. A part with a mistake is taken out of it, so that the rest can still be checked.
#[derive(Debug)]
pub(super) struct Document {
    root: Node,
    broken: Vec<KeyPath>,
}

impl Document {
    pub(super) fn new(root: Node) -> Self {
        Self { root, broken: Vec::new() }
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    pub(super) fn get(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, step| child(node, step))
    }

    /// Position of the value at a path. If there is none, the position of the nearest value around it.
    pub(super) fn position(&self, path: &[&str]) -> Position {
        let mut node = &self.root;
        let mut at = node.at;
        for step in path {
            let Some(next) = child(node, step) else { break };
            // For a list or a mapping, the key in front of it is easier to find than its first character.
            at = key_at(node, step).filter(|_| !matches!(next.value, Value::Scalar(_))).unwrap_or(next.at);
            node = next;
        }
        at
    }

    /// Position of the key at a path. If there is none, the position of the nearest value around it.
    pub(super) fn key_position(&self, path: &[&str]) -> Position {
        path.split_last()
            .and_then(|(last, parent)| self.get(parent).and_then(|node| key_at(node, last)))
            .unwrap_or_else(|| self.position(path))
    }

    /// The name of a path in messages, `etls.call_summary.command`. Positions in lists are left out.
    pub(super) fn named(&self, path: &[&str]) -> String {
        let is_item = |n: usize| matches!(self.get(&path[..n]).map(|node| &node.value), Some(Value::List(_)));
        let keys: Vec<&str> = path.iter().enumerate().filter(|(n, _)| !is_item(*n)).map(|(_, step)| *step).collect();
        keys.join(".")
    }

    /// The keys of the mapping at a path, in the order of the file.
    pub(super) fn keys(&self, path: &[&str]) -> Vec<&str> {
        self.get(path).map(|node| node.entries().iter().map(|entry| entry.key.as_str()).collect()).unwrap_or_default()
    }

    /// Takes out a node that has a mistake. Returns whether the node was there.
    pub(super) fn take_out(&mut self, path: &[&str]) -> bool {
        let Some((last, parent)) = path.split_last() else { return false };
        let mut node = &mut self.root;
        for step in parent {
            let Some(next) = child_mut(node, step) else { return false };
            node = next;
        }
        let taken = match &mut node.value {
            Value::Map(entries) => {
                let before = entries.len();
                entries.retain(|entry| entry.key != *last);
                entries.len() < before
            }
            Value::List(items) => match last.parse::<usize>() {
                Ok(n) if n < items.len() => {
                    items.remove(n);
                    true
                }
                _ => false,
            },
            Value::Scalar(_) => false,
        };
        if taken {
            self.excuse(path);
        }
        taken
    }

    /// What is missing at this path is no second mistake.
    pub(super) fn excuse(&mut self, path: &[&str]) {
        self.broken.push(path.iter().map(|step| (*step).to_owned()).collect());
    }

    /// Whether a node at this path, inside it or around it was taken out. If so, a missing value there is not a second mistake.
    pub(super) fn is_broken(&self, path: &[&str]) -> bool {
        self.broken.iter().any(|broken| broken.iter().zip(path).all(|(a, b)| a == b))
    }

    /// The keys that were taken out of the mapping at a path.
    pub(super) fn broken_keys(&self, path: &[&str]) -> impl Iterator<Item = &str> {
        self.broken
            .iter()
            .filter(move |broken| broken.len() == path.len() + 1 && broken.iter().zip(path).all(|(a, b)| a == b))
            .filter_map(|broken| broken.last().map(String::as_str))
    }

    /// The first variable in the scalar at a path.
    pub(super) fn variable(&self, path: &[&str]) -> Option<&str> {
        self.scalar(path)?.from.as_deref()
    }

    pub(super) fn scalar(&self, path: &[&str]) -> Option<&Scalar> {
        match &self.get(path)?.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A value as a message may show it. A value that came from a variable may be a secret, so only the variable is named.
    pub(super) fn shown(&self, path: &[&str], value: &str) -> String {
        match self.variable(path) {
            Some(name) => format!("(from ${{{name}}})"),
            None => format!("{value:?}"),
        }
    }
}

fn child<'a>(node: &'a Node, step: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(_) => node.get(step),
        Value::List(items) => items.get(step.parse::<usize>().ok()?),
        Value::Scalar(_) => None,
    }
}

fn child_mut<'a>(node: &'a mut Node, step: &str) -> Option<&'a mut Node> {
    match &mut node.value {
        Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == step).map(|entry| &mut entry.value),
        Value::List(items) => items.get_mut(step.parse::<usize>().ok()?),
        Value::Scalar(_) => None,
    }
}

fn key_at(node: &Node, step: &str) -> Option<Position> {
    node.entries().iter().find(|entry| entry.key == step).map(|entry| entry.key_at)
}

#[cfg(test)]
mod tests {
    use super::super::error::Findings;
    use super::super::tree::parse;
    use super::*;

    fn document(text: &str) -> Document {
        let mut findings = Findings::of(std::path::Path::new("f"));
        Document::new(parse(text, &mut findings).unwrap())
    }

    fn at(line: usize, column: usize) -> Position {
        Position { line, column }
    }

    #[test]
    fn places_of_values_keys_and_what_is_missing() {
        let document = document("a:\n  b: 1\n  c: [x, y]\n");
        assert_eq!(document.position(&["a", "b"]), at(2, 6));
        assert_eq!(document.key_position(&["a", "b"]), at(2, 3));
        assert_eq!(document.position(&["a", "c", "1"]), at(3, 10));
        assert_eq!(document.position(&["a", "missing"]), at(1, 1));
        assert_eq!(document.key_position(&["missing"]), at(1, 1));
    }

    #[test]
    fn what_was_taken_out_is_broken_and_so_is_what_holds_it() {
        let mut document = document("a:\n  b: 1\n  c: [x, y]\n");
        assert!(document.take_out(&["a", "c", "0"]));
        assert!(!document.take_out(&["a", "d"]));
        assert!(document.is_broken(&["a", "c"]) && document.is_broken(&["a"]));
        assert!(!document.is_broken(&["a", "b"]));
        assert_eq!(document.root().json(), serde_json::json!({"a": {"b": 1, "c": ["y"]}}));
        assert!(document.take_out(&["a", "c"]));
        assert_eq!(document.broken_keys(&["a"]).collect::<Vec<_>>(), ["c"]);
    }
}
