//! Reads the tree into the structs of `written`. Every wrong type, unknown key and bad value is reported at its position.
//!
//! serde stops at the first mistake. So that mistake is reported, its node is taken out of the tree, and the rest is read again,
//! until serde finds no mistake.

use serde_path_to_error::Segment;

use super::document::Document;
use super::error::{Findings, MAX_MISTAKES};
use super::report_types;
use super::tree::Value;
use super::written::Written;
use crate::plan::text::nearest::{did_you_mean, nearest};

/// Reads the document and takes out the parts with mistakes. `None` when nothing of it can be used.
pub(super) fn decode(document: &mut Document, findings: &mut Findings) -> Option<Written> {
    if !matches!(document.root().value, Value::Map(_)) {
        findings.add(document.root().at, format!("expected a mapping with keys such as etls, found {}", document.root().kind()));
        return None;
    }
    for _ in 0..MAX_MISTAKES {
        let error = match serde_path_to_error::deserialize::<_, Written>(document.root().json()) {
            Ok(written) => return Some(written),
            Err(error) => error,
        };
        let path = existing(document, error.path());
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let said = error.inner().to_string();
        let (message, at_key) = reword(document, &steps, &said);
        let at = if at_key { document.key_position(&steps) } else { document.position(&steps) };
        findings.add(at, message);
        for meant in meant_keys(&steps, &said) {
            document.excuse(&[steps.split_last().map_or(&[][..], |(_, parent)| parent), &[meant.as_str()]].concat());
        }
        if !document.take_out(&steps) {
            return None;
        }
    }
    findings.too_many();
    None
}

/// The part of serde's path that leads to a node.
fn existing(document: &Document, path: &serde_path_to_error::Path) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for segment in path {
        steps.push(match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { .. } | Segment::Unknown => break,
        });
        let so_far: Vec<&str> = steps.iter().map(String::as_str).collect();
        if document.get(&so_far).is_none() {
            steps.pop();
            break;
        }
    }
    steps
}

/// The keys that an unknown one may stand for. They are not missing as well.
fn meant_keys(path: &[&str], said: &str) -> Vec<String> {
    let valid = said.strip_prefix("unknown field ").and_then(|rest| rest.split_once("expected"));
    let (Some((_, valid)), Some(key)) = (valid, path.last()) else { return Vec::new() };
    nearest(key, quoted(valid)).into_iter().map(str::to_owned).collect()
}

/// A plainer message for an error of serde, and whether the error concerns the key instead of the value.
fn reword(document: &Document, path: &[&str], said: &str) -> (String, bool) {
    let name = document.named(path);
    if let Some(rest) = said.strip_prefix("unknown field ") {
        let valid = quoted(rest.split_once("expected").map_or("", |(_, valid)| valid));
        let key = path.last().copied().unwrap_or_default();
        let within = match document.named(&path[..path.len().saturating_sub(1)]).as_str() {
            "" => String::new(),
            parent => format!(" in {parent}"),
        };
        let hint = match did_you_mean(key, valid.iter().copied()).as_str() {
            "" => format!("; valid keys here are {}", valid.join(", ")),
            hint => hint.to_owned(),
        };
        return (format!("unknown key {key:?}{within}{hint}"), true);
    }
    if let Some(rest) = said.strip_prefix("unknown variant ") {
        let valid = quoted(rest.split_once("expected").map_or("", |(_, valid)| valid));
        return (format!("{name}: must be one of {}", valid.join(", ")), false);
    }
    if said.starts_with("invalid type") || said.starts_with("invalid value") {
        let expected = said.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
        let found = document.get(path).map_or("nothing", super::tree::Node::kind);
        let from = document.variable(path).map(|name| format!(" (from ${{{name}}})")).unwrap_or_default();
        return (format!("{name}: expected {}, found {found}{from}{}", in_words(expected), advice(document, path, expected)), false);
    }
    (format!("{name}: {said}"), false)
}

/// What serde expects, in words for people.
fn in_words(expected: &str) -> &str {
    match expected {
        "a string" | "string or map" => "text",
        "i64" | "i32" | "u64" | "u32" | "u16" | "usize" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    }
}

/// What to write instead.
fn advice(document: &Document, path: &[&str], expected: &str) -> &'static str {
    let Some(Value::Scalar(scalar)) = document.get(path).map(|node| &node.value) else { return "" };
    match (expected, scalar.json()) {
        ("a string" | report_types::EXPECTED, serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => "; quote it",
        ("i64" | "f64", serde_json::Value::String(text)) if text.parse::<f64>().is_ok() => "; remove the quotes",
        ("a sequence", serde_json::Value::String(_)) => "; write it like [a, b]",
        _ => "",
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn errors(text: &str) -> String {
        let mut findings = Findings::of(std::path::Path::new("f"));
        let mut document = Document::new(parse(text, &mut findings).unwrap());
        decode(&mut document, &mut findings);
        Findings::into_result([findings]).err().map(|errors| errors.to_string()).unwrap_or_default()
    }

    #[test]
    fn every_mistake_at_its_place() {
        let text = "
databse: {url: x}
state_dir: 5
run:
  max_parallel: many
  max_jobs: '10'
  chain_by: banks
  order: [newest_first]
  deadline: 50
  nonsense_xyz: 1
retry: {jitter: high, initial_delay: 5 bananas}
availability: {sync: {tag: a}}
etls:
  a:
    command: python -m a
    requires: [1, x, ~]
    timeout: 1 hour 5
  b: 7
  c:
    env: [A=b]
    pools: llm
";
        insta::assert_snapshot!(errors(text), @r#"
        f:2:1: unknown key "databse"; did you mean database?
        f:3:12: state_dir: expected text, found a number; quote it
        f:5:17: run.max_parallel: expected a whole number or auto
        f:6:13: run.max_jobs: expected a whole number, found text; remove the quotes
        f:7:13: run.chain_by: must be one of bank, bank_period
        f:8:3: run.order: expected text, found a list
        f:9:13: run.deadline: expected a duration like 15m or 1h 30m, found a number
        f:10:3: unknown key "nonsense_xyz" in run; valid keys here are max_parallel, chain_by, order, max_jobs, from_year, deadline
        f:11:17: retry.jitter: expected a number, found text
        f:11:38: retry.initial_delay: not a duration; write it like 15m or 1h 30m
        f:12:16: availability.sync: expected a list, found a mapping
        f:15:14: etls.a.command: expected a list, found text; write it like [a, b]
        f:16:16: etls.a.requires: expected text, found a number; quote it
        f:16:22: etls.a.requires: expected text, found nothing
        f:17:14: etls.a.timeout: not a duration; write it like 15m or 1h 30m
        f:18:6: etls.b: expected a mapping, found a number
        f:20:5: etls.c.env: expected a mapping, found a list
        f:21:5: unknown key "pools" in etls.c; did you mean pool?
        "#);
    }

    #[test]
    fn a_file_that_is_no_mapping() {
        assert_eq!(errors("[1, 2]"), "f:1:1: expected a mapping with keys such as etls, found a list");
        let many = (0..200).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join("\n");
        assert_eq!(errors(&many).lines().count(), 101);
    }
}
