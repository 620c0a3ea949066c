//! Fills in `${NAME}` and `${NAME:-default}`, and knows which scalars of the file are templates.

use super::address;
use super::error::{Findings, MAX_MISTAKES, Position};
use super::tree::{MAX_TEXT, Node, Scalar, Value, is_ambiguous_number};
use crate::plan::model::settings::Variables;
use crate::plan::text::size::grouped;

/// How a scalar is read. Its path in the file decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// As YAML reads it: `8080` is a number, `"8080"` is text.
    Plain,
    /// As text, whatever it looks like.
    Text,
    /// As a template. It is always text, exactly as written: `8080` in an argument list is no number. Braces that come from a variable
    /// are doubled, so that a value is never read as a placeholder.
    Template,
    /// As a part of a JSON body: `limit: 100` is a number, and a text is a template.
    Body,
    /// As the address of a database: what a variable brings into its user part is percent-encoded.
    Address,
}

/// How to read the scalar at this path; `*` in the path stands for any item of a list.
pub(super) fn read_as(path: &[&str]) -> ReadAs {
    match path {
        ["availability", "sync", "*", "files"] | ["etls", _, "output"] | ["sources", _, "verify", "sql"] => ReadAs::Template,
        ["etls" | "sources", _, "version"] => ReadAs::Text,
        ["database", "url"] => ReadAs::Address,
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
            Ok(Some(substituted)) => {
                scalar.text = substituted.text;
                scalar.from = Some(substituted.first);
                if let Some(remark) = substituted.remark {
                    self.findings.add_remark(at, remark);
                }
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
        if matches!(read_as, ReadAs::Plain | ReadAs::Body) && !scalar.is_text && is_ambiguous_number(&scalar.text) {
            good = false;
            self.findings.add(at, ambiguous_number(scalar));
        }
        if read_as == ReadAs::Template && !scalar.json().is_null() {
            scalar.is_text = true;
        }
        good
    }
}

/// A part of a text whose variables are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// The variable that it comes from.
    pub(super) variable: Option<&'a str>,
}

/// A text whose variables are filled in.
struct Substituted {
    text: String,
    /// The first of them.
    first: String,
    /// What its author may not have meant.
    remark: Option<String>,
}

/// `None` when the text has no variable.
fn substitute(text: &str, variables: &Variables, read_as: ReadAs) -> Result<Option<Substituted>, Vec<String>> {
    let pieces = pieces(text, variables)?;
    let Some(first) = pieces.iter().find_map(|piece| piece.variable) else { return Ok(None) };
    let mut remark = None;
    let text = match read_as {
        ReadAs::Plain | ReadAs::Text => pieces.iter().map(|piece| piece.text).collect(),
        ReadAs::Template | ReadAs::Body => pieces.iter().map(in_template).collect(),
        ReadAs::Address => {
            let joined = address::joined(&pieces).map_err(|problem| vec![problem])?;
            remark = joined.encoded_twice.map(|name| {
                format!(
                    "the value of {name} is taken as it is, and so are %40 and the like in it; a variable is not to be percent-encoded here"
                )
            });
            joined.address
        }
    };
    Ok(Some(Substituted { text, first: first.to_owned(), remark }))
}

/// What to do about such a number.
pub(super) fn ambiguous_number(scalar: &Scalar) -> String {
    let shown = scalar.from.as_ref().map_or_else(|| scalar.text.clone(), |name| format!("the value of {name}"));
    format!(
        "{shown} is a number that readers of YAML understand differently (010 as 8 or 10, 1e3 as a number or a text); write it in \
         decimal digits without leading zeros, or quote it if it is text"
    )
}

/// A piece as a template writes it.
fn in_template(piece: &Piece<'_>) -> String {
    if piece.variable.is_some() { piece.text.replace('{', "{{").replace('}', "}}") } else { piece.text.to_owned() }
}

fn pieces<'a>(text: &'a str, variables: &'a Variables) -> Result<Vec<Piece<'a>>, Vec<String>> {
    let mut pieces = Vec::new();
    let mut problems = Vec::new();
    let mut length = 0;
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        pieces.push(Piece { text: &rest[..start], variable: None });
        let tail = &rest[start + 2..];
        let Some(end) = tail.find('}') else {
            problems.push("\"${\" has no \"}\" after it; write ${NAME} or ${NAME:-default}".to_owned());
            rest = "";
            break;
        };
        rest = &tail[end + 1..];
        match value(&tail[..end], variables) {
            Ok(piece) => {
                pieces.push(piece);
                length += start + piece.text.len();
                if length > MAX_VALUE {
                    let name = piece.variable.unwrap_or_default();
                    problems.push(format!("has more than {} bytes, ${{{name}}} filled in; {TOO_LONG}", grouped(MAX_VALUE as u64)));
                    return Err(problems);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    pieces.push(Piece { text: rest, variable: None });
    if problems.is_empty() { Ok(pieces) } else { Err(problems) }
}

/// What `NAME` or `NAME:-default` stands for.
fn value<'a>(inner: &'a str, variables: &'a Variables) -> Result<Piece<'a>, String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) || default.is_some_and(|default| default.contains('{')) {
        return Err(format!(
            "\"${{{inner}}}\" names no variable; write ${{NAME}} or ${{NAME:-default}}, with letters, digits and underscores in the \
             name and no braces in the default"
        ));
    }
    // As in a shell, a variable that is set to nothing gets the default as well.
    match (variables.get(name), default) {
        (Some(value), None) => Ok(Piece { text: value, variable: Some(name) }),
        (Some(value), Some(_)) if !value.is_empty() => Ok(Piece { text: value, variable: Some(name) }),
        (_, Some(default)) => Ok(Piece { text: default, variable: Some(name) }),
        (None, None) => Err(format!(
            "variable {name} is not set; set it in the environment or in .env beside the configuration, or write ${{{name}:-default}}"
        )),
    }
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
    fn numbers_that_yaml_readers_understand_differently_are_refused() {
        for text in ["010", "-010", "00", "09", "0x1F", "0o17", "0b11", "1_000", "1_0.5", "1e3", "1E3", "1.5e3", "1e+3", "+1e-3"] {
            let error = expanded(&format!("a: {text}")).unwrap_err();
            assert!(error.starts_with(&format!("f:1:4: {text} is a number that readers of YAML understand differently")), "{error}");
            assert_eq!(expanded(&format!("a: '{text}'")).unwrap(), serde_json::json!({"a": text}), "quoted it is text");
            assert!(expanded(&format!("etls: {{a: {{command: [{text}], version: {text}}}}}")).is_ok(), "{text}");
        }
        assert!(expanded("a: ${NONE:-010}").unwrap_err().contains("the value of NONE is a number that readers"));
        for text in ["0", "10", "-5", "+5", "0.5", ".5", "5.", "1.5e+3", "2025-01-01", "1.2.3", "_1", "1_a", "e3", ".", "0s", "010x"] {
            assert!(expanded(&format!("a: {text}")).is_ok(), "{text}");
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
