//! Files that would take more time or memory than the machine has. Each is refused at a place, with the bound that it breaks.

use super::*;

/// The mistakes of a configuration, with these other files beside it and these variables in the environment.
fn refused(config: &str, files: &[(&str, &str)], environment: &[(&str, &str)]) -> String {
    let all = [&[("etl-orch.yaml", config), ("monitored_institutions.yaml", BANKS)], files].concat();
    load_in(directory(&all).path(), environment).unwrap_err()
}

#[test]
fn a_long_text_that_is_aliased_ten_thousand_times() {
    let config = with(&format!("x: &x {}\ny: [{}]\n", "x".repeat(1024 * 1024), vec!["*x"; 10_000].join(", ")));
    assert_eq!(refused(&config, &[], &[]), "etl-orch.yaml:3:25: more than 8,388,608 bytes of text, aliases followed");
    let banks = format!(
        "A: &x {{id: 1, name: {}}}\n{}",
        "x".repeat(1024 * 1024),
        (0..10).map(|n| format!("B{n}: *x\n")).collect::<Vec<_>>().concat()
    );
    let found = refused(&etl_with(""), &[("monitored_institutions.yaml", &banks)], &[]);
    assert!(found.contains("monitored_institutions.yaml:7:5: more than 8,388,608 bytes of text"), "{found}");
}

#[test]
fn anchors_in_anchors_keep_their_copies() {
    let nested = (0..30).map(|n| format!("&a{n} [")).collect::<Vec<_>>().concat();
    let config = with(&format!("x: {nested}{}{}\n", "x".repeat(1024 * 1024), "]".repeat(30)));
    assert!(refused(&config, &[], &[]).contains("more than 8,388,608 bytes of text"));
}

#[test]
fn a_long_variable_that_is_used_often() {
    let big = "x".repeat(100 * 1024);
    let once = etl_with(&format!("    env: {{A: '{}'}}\n", "${BIG}".repeat(10_000)));
    assert_eq!(
        refused(&once, &[], &[("BIG", &big)]),
        "etl-orch.yaml:7:14: has more than 131,072 bytes, ${BIG} filled in; put a text that long into a file of its own"
    );
    let often = etl_with(&format!("    command: [x, {}]\n", vec!["'${BIG}'"; 10_000].join(", "))).replacen("    command: [x]\n", "", 1);
    let found = refused(&often, &[], &[("BIG", &big)]);
    assert!(
        found.starts_with("etl-orch.yaml:6:") && found.ends_with(": more than 8,388,608 bytes of text, variables filled in"),
        "{found}"
    );
    let dotenv = format!("BIG='{}'\n", "x".repeat(1024 * 1024 + 1));
    assert!(refused(&often, &[(".env", &dotenv)], &[]).contains(".env:1:1: the values of this file have more than 1,048,576 bytes"));
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let long = "#".repeat(4 * 1024 * 1024 + 1);
    let too_long = "is longer than 4,194,304 bytes, the most that is read of such a file";
    assert_eq!(refused(&long, &[], &[]), format!("etl-orch.yaml: {too_long}"));
    assert_eq!(refused(&etl_with(""), &[(".env", &long)], &[]), format!(".env: {too_long}"));
    assert!(refused(&etl_with(""), &[("monitored_institutions.yaml", &long)], &[]).contains(too_long));
}

#[test]
fn mistakes_without_end_are_counted_to_a_hundred() {
    let unset = etl_with(&format!("    env: {{{}}}\n", (0..20_000).map(|n| format!("A{n}: '${{N{n}}}'")).collect::<Vec<_>>().join(", ")));
    assert!(refused(&unset, &[], &[]).starts_with("etl-orch.yaml: more than 100 mistakes; correct these first\n"));
    let unknown = with(&(0..20_000).map(|n| format!("k{n}: 1\n")).collect::<Vec<_>>().concat());
    assert!(refused(&unknown, &[], &[]).starts_with("etl-orch.yaml: more than 100 mistakes; correct these first\n"));
}

#[test]
fn a_pattern_that_takes_too_much_memory_is_refused() {
    let config = with("sources:\n  a: {every: 1d, command: [x], records: {pattern: '(\\w{1000}){1000}'}}\n");
    assert!(refused(&config, &[], &[]).contains("Compiled regex exceeds size limit of 2097152 bytes"));
}

#[test]
fn what_a_message_quotes_is_cut() {
    let found = refused(&with(&format!("? {}\n: 1\n", "k".repeat(1024 * 1024))), &[], &[]);
    assert!(found.len() < 3000 && found.contains("… (1,048,"), "{} bytes", found.len());
}
