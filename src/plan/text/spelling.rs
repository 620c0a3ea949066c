//! Whether two names differ in their spelling only.

/// Shorter words must be equal but for case and plural: in `report_v1` or `series_b` one character is the whole difference.
const SHORTEST_WITH_A_SLIP: usize = 6;

/// Whether two names are very likely meant to be the same: they differ in case, in spaces, `_` and `-`, in a plural, or in one slip in a
/// longer word. Names that are equal are no spellings of each other.
#[must_use]
pub fn is_other_spelling(one: &str, other: &str) -> bool {
    if one == other {
        return false;
    }
    let (one, other) = (words(one), words(other));
    let is_same_word = |one: &String, other: &String| {
        let has_slip = |word: &String| word.chars().count() >= SHORTEST_WITH_A_SLIP && word.chars().all(char::is_alphabetic);
        one == other || singular(one) == singular(other) || (has_slip(one) && has_slip(other) && strsim::osa_distance(one, other) == 1)
    };
    one.concat() == other.concat() || (one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| is_same_word(one, other)))
}

fn words(name: &str) -> Vec<String> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '_' | '-' | '.');
    name.to_lowercase().split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|stem| stem.len() >= 3).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_and_names_that_only_look_alike() {
        for other in [
            "call_summary",
            "CALL SUMMARY",
            "Call-Summary",
            "CallSummary",
            " Call Summary ",
            "call_sumary",
            "Call Summery",
            "Calls Summary",
        ] {
            assert!(is_other_spelling("Call Summary", other), "{other}");
            assert!(is_other_spelling(other, "Call Summary"), "{other}");
        }
        assert!(is_other_spelling("Key Themes", "key_theme"));
        for (one, other) in [
            ("Call Summary", "Call Summary"),
            ("call_summary", "call_summary_editor"),
            ("report_v1", "report_v2"),
            ("series_a", "series_b"),
            ("series_a", "series"),
            ("Input Report", "Output Report"),
            ("gas", "ga"),
            ("price", "prime"),
            ("quarter1", "quarter2"),
            ("", "a"),
        ] {
            assert!(!is_other_spelling(one, other), "{one} {other}");
        }
    }
}
