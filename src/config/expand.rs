//! Fills in `${NAME}` and `${NAME:-default}`, and knows which scalars of the file are templates.

use super::error::{Findings, MAX_MISTAKES, Position};
use super::tree::{MAX_TEXT, Node, Scalar, Value};
use crate::plan::model::settings::Variables;
use crate::plan::text::size::grouped;

/// How a scalar is read. Its path in the file decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// As YAML reads it: `8080` is a number, `"8080"` is text.
    Plain,
    /// As a template. It is always text, exactly as written: `8080` in an argument list is no number. Braces that come from a variable
    /// are doubled, so that a value is never read as a placeholder.
    Template,
    /// As a part of a JSON body: `limit: 100` is a number, and a text is a template.
    Body,
}

/// How to read the scalar at this path; `*` in the path stands for any item of a list.
pub(super) fn read_as(path: &[&str]) -> ReadAs {
    match path {
        ["availability", "sync", "*", "files"] | ["etls", _, "output"] | ["sources", _, "verify", "sql"] => ReadAs::Template,
        ["sources", _, "verify", rest @ ..] | ["etls" | "sources", _, rest @ ..] => in_work(rest),
        _ => ReadAs::Plain,
    }
}

/// The keys `command`, `env` and `http` have the same meaning wherever they stand.
fn in_work(path: &[&str]) -> ReadAs {
    match path {
        ["command", "*"]
        | ["env", _]
        | ["http", "headers", _]
        | ["http", "trigger" | "status" | "cancel", "url"]
        | ["http", "trigger" | "status" | "cancel", "headers", _] => ReadAs::Template,
        ["http", "trigger" | "cancel", "json", ..] => ReadAs::Body,
        _ => ReadAs::Plain,
    }
}

/// Longest text of one value once its variables are filled in, in bytes: the kernel passes no longer argument to a program.
const MAX_VALUE: usize = 128 * 1024;
const TOO_LONG: &str = "put a text that long into a file of its own";

/// Fills in the variables in every scalar of a tree. Returns the paths of the scalars where that failed; the reasons are in `findings`.
/// `None` when it stopped before the end, as there are too many mistakes or too much text.
pub(super) fn expand(root: &mut Node, variables: &Variables, findings: &mut Findings) -> Option<Vec<Vec<String>>> {
    let mut walk = Walk { variables, findings, failed: Vec::new(), bytes: 0, is_stopped: false };
    walk.node(root, &mut Vec::new());
    (!walk.is_stopped).then_some(walk.failed)
}

struct Walk<'a> {
    variables: &'a Variables,
    findings: &'a mut Findings,
    failed: Vec<Vec<String>>,
    /// Bytes of all texts so far.
    bytes: usize,
    is_stopped: bool,
}

impl Walk<'_> {
    /// Each step of `path` is a pair: the step as [`read_as`] takes it, with `*` for an item of a list, and the real step.
    fn node(&mut self, node: &mut Node, path: &mut Vec<(String, String)>) {
        let at = node.at;
        if self.is_stopped {
            return;
        }
        match &mut node.value {
            Value::Scalar(scalar) => {
                let steps: Vec<&str> = path.iter().map(|(step, _)| step.as_str()).collect();
                if !self.scalar(scalar, at, read_as(&steps)) {
                    self.failed.push(path.iter().map(|(_, step)| step.clone()).collect());
                }
                self.bound(at);
            }
            Value::List(items) => {
                for (n, item) in items.iter_mut().enumerate() {
                    path.push(("*".to_owned(), n.to_string()));
                    self.node(item, path);
                    path.pop();
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    path.push((entry.key.clone(), entry.key.clone()));
                    self.node(&mut entry.value, path);
                    path.pop();
                }
            }
        }
    }

    /// Stops where going on would take too much time or memory.
    fn bound(&mut self, at: Position) {
        if self.bytes > MAX_TEXT {
            self.findings.add(at, format!("more than {} bytes of text, variables filled in", grouped(MAX_TEXT as u64)));
            self.is_stopped = true;
        } else if self.failed.len() > MAX_MISTAKES {
            self.findings.too_many();
            self.is_stopped = true;
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar, at: Position, read_as: ReadAs) -> bool {
        let mut good = true;
        match substitute(&scalar.text, self.variables, read_as) {
            Ok(None) => {}
            Ok(Some((text, name))) => {
                scalar.text = text;
                scalar.from = Some(name);
            }
            Err(problems) => {
                good = false;
                for problem in problems {
                    self.findings.add(at, problem);
                }
            }
        }
        self.bytes += scalar.text.len();
        if scalar.text.len() > MAX_VALUE {
            good = false;
            self.findings.add(at, format!("has more than {} bytes; {TOO_LONG}", grouped(MAX_VALUE as u64)));
        }
        if scalar.text.contains('\0') {
            good = false;
            self.findings.add(at, "holds a NUL character; remove it");
        }
        if read_as == ReadAs::Template && !scalar.json().is_null() {
            scalar.is_text = true;
        }
        good
    }
}

/// The text with its variables filled in, and the name of the first of them; `None` when the text has no variable.
fn substitute(text: &str, variables: &Variables, read_as: ReadAs) -> Result<Option<(String, String)>, Vec<String>> {
    let mut filled = String::new();
    let mut first = None;
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        filled.push_str(&rest[..start]);
        let tail = &rest[start + 2..];
        let Some(end) = tail.find('}') else {
            problems.push("\"${\" has no \"}\" after it; write ${NAME} or ${NAME:-default}".to_owned());
            rest = "";
            break;
        };
        let inner = &tail[..end];
        rest = &tail[end + 1..];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_name(name) || default.is_some_and(|default| default.contains('{')) {
            problems.push(format!(
                "\"${{{inner}}}\" names no variable; write ${{NAME}} or ${{NAME:-default}}, with letters, digits and underscores in the \
                 name and no braces in the default"
            ));
            continue;
        }
        let set = variables.get(name).map(String::as_str);
        // As in a shell, a variable that is set to nothing gets the default as well.
        let value = match (set, default) {
            (Some(value), None) => value,
            (Some(value), Some(_)) if !value.is_empty() => value,
            (_, Some(default)) => default,
            (None, None) => {
                problems.push(format!(
                    "variable {name} is not set; set it in the environment or in .env beside the configuration, or write ${{{name}:-default}}"
                ));
                continue;
            }
        };
        match read_as {
            ReadAs::Plain => filled.push_str(value),
            ReadAs::Template | ReadAs::Body => filled.push_str(&value.replace('{', "{{").replace('}', "}}")),
        }
        first.get_or_insert_with(|| name.to_owned());
        if filled.len() > MAX_VALUE {
            problems.push(format!("has more than {} bytes, ${{{name}}} filled in; {TOO_LONG}", grouped(MAX_VALUE as u64)));
            return Err(problems);
        }
    }
    filled.push_str(rest);
    if problems.is_empty() { Ok(first.map(|name| (filled, name))) } else { Err(problems) }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tree::parse;
    use super::*;

    fn variables() -> Variables {
        [("HOST", "db"), ("N", "7"), ("EMPTY", ""), ("SECRET", "a{b}c${HOST}")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn expanded(text: &str) -> Result<serde_json::Value, String> {
        let mut findings = Findings::of(Path::new("f"));
        let mut node = parse(text, &mut findings).unwrap();
        expand(&mut node, &variables(), &mut findings);
        Findings::into_result([findings]).map(|()| node.json()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn plain_scalars_are_resolved_again_and_quoted_ones_stay_text() {
        for (text, json) in [
            ("${N}", serde_json::json!(7)),
            ("'${N}'", serde_json::json!("7")),
            ("${HOST}:${N}", serde_json::json!("db:7")),
            ("${NONE:-3}", serde_json::json!(3)),
            ("${NONE:-}", serde_json::json!(null)),
            ("${EMPTY:-x}", serde_json::json!("x")),
            ("'${EMPTY}'", serde_json::json!("")),
            ("$HOST $5", serde_json::json!("$HOST $5")),
            // What a variable holds is not expanded again.
            ("${SECRET}", serde_json::json!("a{b}c${HOST}")),
        ] {
            assert_eq!(expanded(text).unwrap(), json, "{text}");
        }
    }

    #[test]
    fn keys_are_not_expanded() {
        assert_eq!(expanded("'${N}': 1").unwrap(), serde_json::json!({"${N}": 1}));
    }

    #[test]
    fn in_templates_everything_is_text_and_values_bring_no_placeholders() {
        let json = expanded("etls: {a: {command: [x, 5, 1.50, '${SECRET}', '{etl}', true], timeout: 5}}").unwrap();
        assert_eq!(
            json,
            serde_json::json!({"etls": {"a": {"command": ["x", "5", "1.50", "a{{b}}c${{HOST}}", "{etl}", "true"], "timeout": 5}}})
        );
    }

    #[test]
    fn in_bodies_spelling_says_what_is_text_and_values_bring_no_placeholders() {
        let json = expanded(
            "sources: {a: {http: {trigger: {json: {limit: 100, of: '${N}', list: [true, '${SECRET}', {year: '{window_year}'}]}}}}}",
        );
        let body = &json.unwrap()["sources"]["a"]["http"]["trigger"]["json"];
        assert_eq!(*body, serde_json::json!({"limit": 100, "of": "7", "list": [true, "a{{b}}c${{HOST}}", {"year": "{window_year}"}]}));
        let json = expanded("sources:\n  a:\n    http:\n      trigger:\n        json:\n          limit: ${N}\n").unwrap();
        assert_eq!(json["sources"]["a"]["http"]["trigger"]["json"], serde_json::json!({"limit": 7}), "as anywhere in the file");
    }

    #[test]
    fn the_service_of_an_etl_is_read_like_that_of_a_source() {
        let http = "http: {headers: {X-Key: '${SECRET}', X-Version: 5}, trigger: {url: '${SECRET}', json: {of: '${SECRET}', limit: 100}}}";
        let [etl, source] = ["etls", "sources"].map(|section| {
            let json = expanded(&format!("{section}: {{a: {{{http}}}}}")).unwrap();
            json[section]["a"]["http"].clone()
        });
        assert_eq!(etl, source);
        assert_eq!(etl["headers"], serde_json::json!({"X-Key": "a{{b}}c${{HOST}}", "X-Version": "5"}));
        assert_eq!(etl["trigger"]["json"], serde_json::json!({"of": "a{{b}}c${{HOST}}", "limit": 100}));
    }

    #[test]
    fn what_cannot_be_expanded_is_named_at_its_place() {
        for (text, expected) in [
            (
                "a: ${NONE}",
                "f:1:4: variable NONE is not set; set it in the environment or in .env beside the configuration, or write ${NONE:-default}",
            ),
            ("a: ${HOST", "f:1:4: \"${\" has no \"}\" after it; write ${NAME} or ${NAME:-default}"),
        ] {
            assert_eq!(expanded(text).unwrap_err(), expected, "{text}");
        }
        for text in ["${}", "${1A}", "${A B}", "${N:-{etl}}", "\"a\\0b\""] {
            assert!(expanded(&format!("a: {text}")).is_err(), "{text}");
        }
    }
}
