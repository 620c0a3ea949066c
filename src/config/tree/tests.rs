use std::path::Path;

use super::*;

fn read(text: &str) -> (Option<Node>, String) {
    let mut findings = Findings::of(Path::new("f"));
    let node = parse(text, &mut findings);
    (node, Findings::into_result([findings]).err().map(|errors| errors.to_string()).unwrap_or_default())
}

#[test]
fn every_key_and_value_has_its_place() {
    let (node, errors) = read("a: 1\nb:\n  - x\n  - {c: y}\n");
    assert_eq!(errors, "");
    let node = node.unwrap();
    assert_eq!(node.json(), serde_json::json!({"a": 1, "b": ["x", {"c": "y"}]}));
    let b = &node.entries()[1];
    assert_eq!(b.key_at, Position { line: 2, column: 1 });
    let Value::List(items) = &b.value.value else { panic!("a list") };
    assert_eq!(items[0].at, Position { line: 3, column: 5 });
    assert_eq!(items[1].get("c").unwrap().at, Position { line: 4, column: 9 });
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    for (text, json) in [
        ("12", serde_json::json!(12)),
        ("-3", serde_json::json!(-3)),
        ("+3", serde_json::json!(3)),
        ("010", serde_json::json!(10)),
        ("0x1f", serde_json::json!(31)),
        ("0o17", serde_json::json!(15)),
        ("18446744073709551615", serde_json::json!(18_446_744_073_709_551_615_u64)),
        ("1.5", serde_json::json!(1.5)),
        ("1.", serde_json::json!(1.0)),
        (".5", serde_json::json!(0.5)),
        ("-1e3", serde_json::json!(-1000.0)),
        (".", serde_json::json!(".")),
        ("e5", serde_json::json!("e5")),
        ("1e", serde_json::json!("1e")),
        ("1_000", serde_json::json!("1_000")),
        (".inf", serde_json::json!(".inf")),
        ("1e999", serde_json::json!("1e999")),
        ("yes", serde_json::json!("yes")),
        ("NO", serde_json::json!("NO")),
        ("true", serde_json::json!(true)),
        ("~", serde_json::json!(null)),
        ("\"12\"", serde_json::json!("12")),
        ("'null'", serde_json::json!("null")),
        ("15m", serde_json::json!("15m")),
    ] {
        assert_eq!(read(text).0.unwrap().json(), json, "{text}");
    }
}

#[test]
fn aliases_are_followed() {
    let (node, errors) = read("a: &x {k: [1, 2]}\nb: *x\n");
    assert_eq!(errors, "");
    assert_eq!(node.unwrap().json(), serde_json::json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}}));
}

#[test]
fn what_is_refused_says_where() {
    for (text, expected) in [
        ("a: 1\na: 2\n", "f:2:1: duplicate key \"a\", first given at 1:1; keep one of the two"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document begins here; keep one document in the file"),
        ("a: !secret x\n", "f:1:4: tags (\"!...\") are not supported; remove it, and quote the value to make it text"),
        ("[a]: 1\n", "f:1:1: a key must be text, not a list or a mapping"),
        ("a: &x {b: *x}\n", "f:1:11: this alias is inside of its own anchor"),
        (
            "a: {b: ${N}}\n",
            "f:1:9: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'; \
             inside of { } and [ ] quote what has ${...}, or write one key per line",
        ),
        ("a: *nobody\n", "f:1:4: not valid YAML: while parsing node, found unknown anchor"),
        ("x: &x {}\na:\n  <<: *x\n", "f:3:3: merge keys (<<) are not supported; write the keys out, or alias single values"),
    ] {
        assert_eq!(read(text).1, expected, "{text}");
    }
    assert!(read("a: [1, 2\nb: 3").1.starts_with("f:2:2: not valid YAML: "), "{}", read("a: [1, 2\nb: 3").1);
}

#[test]
fn bounds_hold() {
    let deep = "[".repeat(40);
    assert!(read(&deep).1.contains("deep"), "{}", read(&deep).1);
    let mut laughs = vec!["a: &a [x, x, x, x, x, x, x, x, x, x]".to_owned()];
    for (last, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        laughs.push(format!("{next}: &{next} [{}]", vec![format!("*{last}"); 10].join(", ")));
    }
    let laughs = laughs.join("\n");
    assert!(read(&laughs).1.contains("more than 50000 values"));
}

#[test]
fn an_empty_file_has_no_tree() {
    for text in ["", "# only a comment\n", "\u{feff}"] {
        assert!(read(text).0.is_none_or(|node| node.json().is_null()), "{text:?}");
    }
}
