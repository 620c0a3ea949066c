//! `monitored_institutions.yaml`: the list of banks. Users keep this file for other programs as well, so unknown keys are allowed.
//!
//! Keys and names become arguments, path components and text on terminals, so they are checked here, once.

use std::collections::HashMap;

use super::error::{Findings, Position};
use super::expand::ambiguous_number;
use super::tree::{Entry, Node, Value, is_ambiguous_number, parse};
use crate::plan::model::institution::{Institution, Institutions};

/// Reads the file's text. Entries with mistakes are left out; the mistakes are in `findings`.
pub(super) fn read(text: &str, findings: &mut Findings) -> Institutions {
    let before = findings.len();
    let root = parse(text, findings);
    if findings.len() > before && root.is_none() {
        return Institutions::default();
    }
    let root = root.filter(|root| !root.json().is_null());
    let entries = root.as_ref().map(Node::entries).unwrap_or_default();
    match &root {
        Some(root) if !matches!(root.value, Value::Map(_)) => {
            findings.add(root.at, format!("expected a mapping of institutions, found {}", root.kind()));
        }
        _ if entries.is_empty() => {
            findings.add_for_file(
                "no institution is monitored; add one like RY-CA: {id: 1, name: \"Royal Bank of Canada\", type: \"Canadian_Banks\"}",
            );
        }
        Some(_) | None => {}
    }
    let mut ids: HashMap<i64, (&str, Position)> = HashMap::new();
    let mut keys: HashMap<String, (&str, Position)> = HashMap::new();
    let mut banks = Vec::new();
    for entry in entries {
        let good_key = check_key(entry, findings);
        if let Some((other, at)) = keys.insert(entry.key.to_ascii_uppercase(), (&entry.key, entry.key_at)) {
            findings
                .add(entry.key_at, format!("{:?} differs from {other:?} at {at} only in case; symbols are matched in any case", entry.key));
        }
        let Some(bank) = institution(entry, findings) else { continue };
        if let Some((other, at)) = ids.get(&bank.id) {
            let here = entry.value.get("id").map_or(entry.key_at, |id| id.at);
            findings.add(here, format!("id {} of {} is that of {other} at {at} already; ids are unique", bank.id, entry.key));
        } else {
            ids.insert(bank.id, (&entry.key, entry.key_at));
        }
        if good_key {
            banks.push(bank);
        }
    }
    Institutions::new(banks)
}

fn check_key(entry: &Entry, findings: &mut Findings) -> bool {
    let good = entry.key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !good {
        findings.add(
            entry.key_at,
            format!(
                "{:?} cannot be a symbol; it must begin with a letter or digit and hold only letters, digits, \".\", \"_\" and \"-\"",
                entry.key
            ),
        );
    }
    good
}

fn institution(entry: &Entry, findings: &mut Findings) -> Option<Institution> {
    let key = &entry.key;
    if !matches!(entry.value.value, Value::Map(_)) {
        findings.add(entry.value.at, format!("{key:?} must be like {{id: 1, name: \"...\", type: \"...\"}}, found {}", entry.value.kind()));
        return None;
    }
    let id = entry.value.get("id").and_then(|node| id(node, key, findings));
    let name = entry.value.get("name").and_then(|node| name(node, key, findings));
    if entry.value.get("id").is_none() {
        findings.add(entry.key_at, format!("{key:?} has no id; give it the bank_id of the data tables"));
    }
    if entry.value.get("name").is_none() {
        findings.add(entry.key_at, format!("{key:?} has no name; give it one"));
    }
    let kind = entry.value.get("type").filter(|node| !node.json().is_null()).map(|node| text(node, key, "type", findings));
    let priority = match entry.value.get("priority").filter(|node| !node.json().is_null()) {
        Some(node) => whole(node, key, "priority", findings),
        None => Some(0),
    };
    let place = format!("{}:{}", findings.file().display(), entry.key_at);
    Some(Institution { key: key.clone(), id: id?, name: name?, kind: kind.flatten(), priority: priority?, place })
}

fn id(node: &Node, key: &str, findings: &mut Findings) -> Option<i64> {
    let id = whole(node, key, "id", findings)?;
    if id < 0 {
        findings.add(node.at, format!("id of {key:?} must not be negative"));
        return None;
    }
    Some(id)
}

fn name(node: &Node, key: &str, findings: &mut Findings) -> Option<String> {
    let name = text(node, key, "name", findings)?;
    let problem = if name.trim().is_empty() {
        "is empty"
    } else if name.chars().any(char::is_control) {
        "holds a control character; remove it"
    } else if name.starts_with('-') {
        "begins with \"-\", which a program would take for an option"
    } else {
        return Some(name);
    };
    findings.add(node.at, format!("name of {key:?} {problem}"));
    None
}

fn whole(node: &Node, key: &str, what: &str, findings: &mut Findings) -> Option<i64> {
    if let Value::Scalar(scalar) = &node.value
        && !scalar.is_text
        && is_ambiguous_number(&scalar.text)
    {
        findings.add(node.at, format!("{what} of {key:?}: {}", ambiguous_number(scalar)));
        return None;
    }
    let number = node.json().as_i64();
    if number.is_none() {
        let advice = if node.json().as_str().is_some_and(|text| text.parse::<i64>().is_ok()) { "; remove the quotes" } else { "" };
        findings.add(node.at, format!("{what} of {key:?} must be a whole number, found {}{advice}", node.kind()));
    }
    number
}

fn text(node: &Node, key: &str, what: &str, findings: &mut Findings) -> Option<String> {
    match node.json() {
        serde_json::Value::String(text) => Some(text),
        other => {
            let advice = if other.is_number() || other.is_boolean() { "; quote it" } else { "" };
            findings.add(node.at, format!("{what} of {key:?} must be text, found {}{advice}", node.kind()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Institutions, String> {
        let mut findings = Findings::of(std::path::Path::new("banks.yaml"));
        let institutions = read(text, &mut findings);
        Findings::into_result([findings]).map(|()| institutions).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_order_of_the_file_is_kept_and_further_keys_are_allowed() {
        let banks = load(
            "RY-CA: {id: 1, name: \"Royal Bank of Canada\", type: \"Canadian_Banks\", path_safe_name: RY-CA_Royal}\n\
             NA-CA: {id: 4, name: National Bank, priority: 5}\n\
             BRK.B-US: {id: 0, name: Berkshire}\n",
        )
        .unwrap();
        let keys: Vec<_> = banks.iter().map(|(_, bank)| (bank.key.as_str(), bank.id, bank.priority, bank.kind.as_deref())).collect();
        assert_eq!(keys, [("RY-CA", 1, 0, Some("Canadian_Banks")), ("NA-CA", 4, 5, None), ("BRK.B-US", 0, 0, None)]);
    }

    #[test]
    fn every_mistake_at_its_place() {
        let text = r#"
RY-CA: {id: 1, name: "Royal Bank of Canada"}
BMO-CA: {id: 1, name: "Bank of Montreal"}
RY-CA: {id: 3, name: "Again"}
ry-ca: {id: 4, name: "Again"}
CM-CA: {id: "5", name: 5}
NA-CA: {name: "No id"}
TD-CA: {id: 7}
LB-CA: Laurentian
-X: {id: 9, name: "-rf"}
"a/b": {id: 10, name: "esc\e[31m", priority: high}
C-US: {id: -11, name: "  ", type: 5}
D-US: {id: 010, name: "Octal"}
"#;
        insta::assert_snapshot!(load(text).unwrap_err(), @r#"
        banks.yaml:3:14: id 1 of BMO-CA is that of RY-CA at 2:1 already; ids are unique
        banks.yaml:4:1: duplicate key "RY-CA", first given at 2:1; keep one of the two
        banks.yaml:5:1: "ry-ca" differs from "RY-CA" at 2:1 only in case; symbols are matched in any case
        banks.yaml:6:13: id of "CM-CA" must be a whole number, found text; remove the quotes
        banks.yaml:6:24: name of "CM-CA" must be text, found a number; quote it
        banks.yaml:7:1: "NA-CA" has no id; give it the bank_id of the data tables
        banks.yaml:8:1: "TD-CA" has no name; give it one
        banks.yaml:9:8: "LB-CA" must be like {id: 1, name: "...", type: "..."}, found text
        banks.yaml:10:1: "-X" cannot be a symbol; it must begin with a letter or digit and hold only letters, digits, ".", "_" and "-"
        banks.yaml:10:19: name of "-X" begins with "-", which a program would take for an option
        banks.yaml:11:1: "a/b" cannot be a symbol; it must begin with a letter or digit and hold only letters, digits, ".", "_" and "-"
        banks.yaml:11:23: name of "a/b" holds a control character; remove it
        banks.yaml:11:46: priority of "a/b" must be a whole number, found text
        banks.yaml:12:12: id of "C-US" must not be negative
        banks.yaml:12:23: name of "C-US" is empty
        banks.yaml:12:35: type of "C-US" must be text, found a number; quote it
        banks.yaml:13:12: id of "D-US": 010 is a number that readers of YAML understand differently (010 as 8 or 10, 1e3 as a number or a text); write it in decimal digits without leading zeros, or quote it if it is text
        "#);
    }

    #[test]
    fn a_file_without_institutions() {
        for text in ["", "# none\n", "{}"] {
            assert!(load(text).unwrap_err().starts_with("banks.yaml: no institution is monitored"), "{text:?}");
        }
        assert_eq!(load("- RY").unwrap_err(), "banks.yaml:1:1: expected a mapping of institutions, found a list");
    }
}
