//! Lines that end before the 80th column, broken between words.

/// Columns of a page.
const WIDTH: usize = 80;

/// The text after `begin`; lines after the first are indented by so many spaces. What is longer than a line stays whole.
pub(super) fn wrapped(begin: &str, text: &str, indent: usize) -> String {
    let mut page = String::new();
    let mut line = begin.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let space = usize::from(!is_empty);
        if !is_empty && line.chars().count() + space + word.chars().count() > WIDTH {
            page.push_str(line.trim_end());
            page.push('\n');
            line = " ".repeat(indent);
        } else if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    page.push_str(line.trim_end());
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_paths_stay_whole() {
        let path = format!("/{}", "x".repeat(90));
        let page = wrapped("- ", &format!("{} end {path}", "word ".repeat(17)), 4);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), 3, "{page}");
        assert!(lines[0].starts_with("- word") && lines[0].chars().count() <= WIDTH && lines[1].starts_with("    word"), "{page}");
        assert_eq!(lines[2], format!("    {path}"));
    }
}
