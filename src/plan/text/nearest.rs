//! Suggestions for a mistyped name.

use std::collections::BTreeSet;

/// At most three of `names` that resemble `wanted`, the nearest first; empty when none does.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    // One wrong letter in a symbol of two or three letters lowers the score a lot.
    let likely = if wanted.len() <= 3 { 0.6 } else { 0.7 };
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= likely)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.truncate(3);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// All names, those that resemble one of the wanted first; otherwise in the order in which they came.
#[must_use]
pub fn nearest_first<'a>(wanted: &[&str], names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut first: Vec<&str> = wanted.iter().flat_map(|wanted| nearest(wanted, names.iter().copied())).collect();
    first.extend(names);
    let mut seen = BTreeSet::new();
    first.retain(|name| seen.insert(*name));
    first
}

/// So many names, or fewer, are all listed where one of them is mistyped.
const LISTED: usize = 10;

/// `; did you mean a, b?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wanted, names).as_slice() {
        [] => String::new(),
        close => format!("; did you mean {}?", close.join(", ")),
    }
}

/// The nearest names, and where there are not many all of them: `; did you mean a? There are a, b`. Nothing where there is no name.
#[must_use]
pub fn suggestion<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let question = did_you_mean(wanted, names.iter().copied());
    let all = all_of(&names, &question);
    question + &all
}

/// All names where they are not many, as what follows a question of [`did_you_mean`], or none: ` There are a, b` or `; there are a, b`. Of
/// many the first, where there is no question: something must show what names look like.
#[must_use]
pub fn all_of(names: &[&str], question: &str) -> String {
    let begin = if question.is_empty() { "; there" } else { " There" };
    match names {
        [] => String::new(),
        // The question has named it.
        [_] if !question.is_empty() => String::new(),
        [only] => format!("{begin} is only {only}"),
        several if several.len() <= LISTED => format!("{begin} are {}", several.join(", ")),
        many if question.is_empty() => format!("{begin} are {} and {} more", many[..LISTED].join(", "), many.len() - LISTED),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_likely_ones_and_only_those() {
        let names = ["call_summary", "key_themes", "us_house"];
        assert_eq!(nearest("call_sumary", names), ["call_summary"]);
        assert_eq!(did_you_mean("Key_Theme", names), "; did you mean key_themes?");
        assert_eq!(did_you_mean("zzz", names), "");
        assert_eq!(nearest("RX", ["RY", "TD", "BMO"]), ["RY"]);
        assert_eq!(nearest_first(&["us_hose", "key_theme"], names), ["us_house", "key_themes", "call_summary"]);
    }

    #[test]
    fn ten_names_or_fewer_are_all_listed() {
        let names = ["call_summary", "key_themes"];
        assert_eq!(suggestion("cal_summary", names), "; did you mean call_summary? There are call_summary, key_themes");
        assert_eq!(suggestion("zzz", names), "; there are call_summary, key_themes");
        assert_eq!(suggestion("zzz", ["us_house"]), "; there is only us_house");
        assert_eq!(suggestion("us_hous", ["us_house"]), "; did you mean us_house?");
        assert_eq!(suggestion("zzz", []), "");
        let many: Vec<String> = (0..11).map(|n| format!("bank{n}")).collect();
        let many = || many.iter().map(String::as_str);
        assert!(suggestion("zzz", many()).ends_with(", bank9 and 1 more"));
        assert!(suggestion("zzz", many().take(10)).ends_with(", bank9"));
        assert_eq!(suggestion("bank10", many()), "; did you mean bank10, bank0, bank1?");
    }
}
