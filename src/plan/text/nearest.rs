//! Suggestions for a mistyped name.

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
    scored.truncate(3);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// `; did you mean a, b?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wanted, names).as_slice() {
        [] => String::new(),
        close => format!("; did you mean {}?", close.join(", ")),
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
    }
}
