//! Patterns for children that say nothing in a form for programs: what their last lines mean, and which stages their lines name.

use regex::Regex;

/// Most bytes of a line that patterns look at, from its beginning. It bounds the time that a line costs.
const MOST_BYTES: usize = 1024;

/// What an exit means that a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndClass {
    Permanent,
    Config,
    NotReady,
    Transient,
}

/// An entry of `outcomes`: it gives an exit other than 0 its class.
#[derive(Debug, Clone)]
pub struct EndPattern {
    /// Only for this exit code; `None`: for every one but 0.
    pub exit: Option<i32>,
    /// One of the last lines looks like this. `None`: whatever they are.
    pub pattern: Option<Regex>,
    pub is: EndClass,
}

/// The first of these patterns that applies to an exit code other than 0: what the exit means, and the line that it matches.
#[must_use]
pub fn class_of<'a>(patterns: &[EndPattern], code: i32, tail: &'a str) -> Option<(EndClass, Option<&'a str>)> {
    let mut of_code = patterns.iter().filter(|pattern| pattern.exit.is_none_or(|exit| exit == code));
    of_code.find_map(|EndPattern { pattern, is, .. }| {
        let Some(pattern) = pattern else { return Some((*is, None)) };
        let line = tail.lines().map(str::trim_end).rfind(|line| pattern.is_match(start(line)))?;
        Some((*is, Some(line)))
    })
}

/// An entry of `progress`: a line like this begins a stage.
#[derive(Debug, Clone)]
pub struct StagePattern {
    pub pattern: Regex,
    /// What the stage is called.
    pub stage: String,
    /// The group of the pattern that has the number of records.
    pub records: Option<usize>,
}

/// A stage that a line names, and its number of records.
#[must_use]
pub fn stage_in<'a>(patterns: &'a [StagePattern], line: &str) -> Option<(&'a str, Option<u64>)> {
    let line = start(line);
    let found = patterns.iter().find(|pattern| pattern.pattern.is_match(line))?;
    let group = found.records.and_then(|group| found.pattern.captures(line)?.get(group));
    // A whole number, with or without `,` or `_` between its thousands.
    let records = group.and_then(|group| group.as_str().trim().replace([',', '_'], "").parse().ok());
    Some((&found.stage, records))
}

fn start(line: &str) -> &str {
    let end = (0..=MOST_BYTES.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}

impl PartialEq for EndPattern {
    fn eq(&self, other: &Self) -> bool {
        let text = |one: &Self| one.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        (self.exit, self.is, text(self)) == (other.exit, other.is, text(other))
    }
}

impl Eq for EndPattern {}

impl PartialEq for StagePattern {
    fn eq(&self, other: &Self) -> bool {
        (self.pattern.as_str(), &self.stage, self.records) == (other.pattern.as_str(), &other.stage, other.records)
    }
}

impl Eq for StagePattern {}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(exit: Option<i32>, pattern: Option<&str>, is: EndClass) -> EndPattern {
        EndPattern { exit, pattern: pattern.map(|pattern| Regex::new(pattern).unwrap()), is }
    }

    #[test]
    fn the_first_pattern_that_applies_says_what_an_exit_means() {
        let patterns = [
            end(None, Some("^⚠️"), EndClass::NotReady),
            end(Some(1), Some("rate limit"), EndClass::Transient),
            end(Some(3), None, EndClass::Config),
            end(None, Some("^no such bank"), EndClass::Permanent),
        ];
        for (code, tail, found) in [
            (1, "a\n⚠️ No transcript \nbye", Some((EndClass::NotReady, Some("⚠️ No transcript")))),
            (1, "hit a rate limit\n⚠️ x", Some((EndClass::NotReady, Some("⚠️ x")))),
            (1, " hit a rate limit\nbye", Some((EndClass::Transient, Some(" hit a rate limit")))),
            (2, "hit a rate limit", None),
            (3, "", Some((EndClass::Config, None))),
            (9, "x\nno such bank: ZZ", Some((EndClass::Permanent, Some("no such bank: ZZ")))),
        ] {
            assert_eq!(class_of(&patterns, code, tail), found, "{code} {tail}");
        }
        let long = format!("{}rate limit", "é".repeat(2000));
        assert_eq!(class_of(&patterns, 1, &long), None, "only the beginning of a line is looked at");
    }

    #[test]
    fn a_line_names_a_stage_and_its_records() {
        let pattern =
            |pattern: &str, stage: &str, records| StagePattern { pattern: Regex::new(pattern).unwrap(), stage: stage.into(), records };
        let patterns =
            [pattern("Connected to Snowflake", "Snowflake Query", None), pattern(r"Filtered to (\S+)", "Pre-filtering", Some(1))];
        assert_eq!(stage_in(&patterns, "INFO Connected to Snowflake"), Some(("Snowflake Query", None)));
        assert_eq!(stage_in(&patterns, "Filtered to 1,198 new"), Some(("Pre-filtering", Some(1198))));
        assert_eq!(stage_in(&patterns, "Filtered to many"), Some(("Pre-filtering", None)));
        assert_eq!(stage_in(&patterns, "Filtered"), None);
    }
}
