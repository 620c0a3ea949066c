//! Finds the number of collected records in what a collector printed or answered.

use std::fmt;

use regex::Regex;
use serde_json::Value;

/// Where to find the number. At least one of the fields is set.
#[derive(Clone)]
pub struct RecordsRule {
    /// A JSON pointer into a service's last answer.
    pub pointer: Option<String>,
    /// What the text there, or a line that a program printed, looks like. The number is the sum of its groups.
    pub pattern: Option<Regex>,
}

impl RecordsRule {
    /// The number in a service's last answer.
    #[must_use]
    pub fn in_answer(&self, answer: &Value) -> Option<i64> {
        let found = match &self.pointer {
            Some(pointer) => answer.pointer(pointer)?,
            None => answer,
        };
        match (&self.pattern, found) {
            (None, Value::Number(number)) => number.as_i64(),
            (None, Value::String(text)) => number(text),
            (Some(pattern), Value::String(text)) => sum(pattern, text),
            (Some(pattern), other) => sum(pattern, &other.to_string()),
            (None, Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
        }
    }

    /// The number in the last of these lines that has one.
    #[must_use]
    pub fn in_lines(&self, lines: &str) -> Option<i64> {
        let pattern = self.pattern.as_ref()?;
        lines.lines().rev().find_map(|line| sum(pattern, line))
    }
}

fn sum(pattern: &Regex, text: &str) -> Option<i64> {
    let captures = pattern.captures(text)?;
    let numbers: Vec<i64> = captures.iter().skip(1).flatten().map(|group| number(group.as_str())).collect::<Option<_>>()?;
    numbers.into_iter().reduce(i64::saturating_add)
}

/// A whole number, with or without `,` or `_` between its thousands.
fn number(text: &str) -> Option<i64> {
    text.trim().replace([',', '_'], "").parse().ok()
}

impl fmt::Debug for RecordsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern.as_ref().map(Regex::as_str);
        f.debug_struct("RecordsRule").field("pointer", &self.pointer).field("pattern", &pattern).finish()
    }
}

impl PartialEq for RecordsRule {
    fn eq(&self, other: &Self) -> bool {
        self.pointer == other.pointer && self.pattern.as_ref().map(Regex::as_str) == other.pattern.as_ref().map(Regex::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(pointer: Option<&str>, pattern: Option<&str>) -> RecordsRule {
        RecordsRule { pointer: pointer.map(str::to_owned), pattern: pattern.map(|pattern| Regex::new(pattern).unwrap()) }
    }

    #[test]
    fn the_messages_of_the_five_sources_are_read() {
        let said = |pattern, message| rule(Some("/message"), Some(pattern)).in_answer(&json!({"message": message}));
        assert_eq!(said(r"Completed: (\d+) transactions from", "Completed: 17 transactions from 3 PDFs"), Some(17));
        let senate = r"Completed \[\w+\]: \d+ senators, \d+ disclosures, (\d+) transactions";
        assert_eq!(said(senate, "Completed [playwright]: 12 senators, 30 disclosures, 44 transactions, 0 errors"), Some(44));
        let others = r"Completed: (\d+) inserted, (\d+) updated";
        assert_eq!(said(others, "Completed: 5 inserted, 7 updated, 9 skipped, 0 failed"), Some(12));
        assert_eq!(said(others, "Done."), None);
    }

    #[test]
    fn a_number_may_stand_by_itself() {
        assert_eq!(rule(Some("/n"), None).in_answer(&json!({"n": 5})), Some(5));
        assert_eq!(rule(Some("/n"), None).in_answer(&json!({"n": "1,234"})), Some(1234));
        for nothing in [json!({}), json!({"n": null}), json!({"n": "many"}), json!({"n": 1.5}), json!({"n": [1]})] {
            assert_eq!(rule(Some("/n"), None).in_answer(&nothing), None, "{nothing}");
        }
        let large = format!("{0} and {0}", i64::MAX);
        assert_eq!(rule(None, Some(r"(\d+) and (\d+)")).in_answer(&json!(large)), Some(i64::MAX));
    }

    #[test]
    fn of_a_programs_lines_the_last_counts() {
        let rule = rule(None, Some(r"collected (\d+)"));
        assert_eq!(rule.in_lines("collected 1\ncollected 2\nbye"), Some(2));
        assert_eq!(rule.in_lines("bye"), None);
    }
}
