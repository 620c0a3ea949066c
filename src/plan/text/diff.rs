//! How one text differs from another, line by line.

/// Texts with more lines than this are not compared line by line.
const MOST_LINES: usize = 2000;

/// The lines that are taken away, after `-`, and those that are added, after `+`, in their order. Lines that stay are left out.
#[must_use]
pub fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if before.len().max(after.len()) > MOST_LINES {
        return vec![format!("- {} lines", before.len()), format!("+ {} lines", after.len())];
    }
    let common = common(&before, &after);
    let at = |i: usize, j: usize| common.get(i).and_then(|row: &Vec<u16>| row.get(j)).copied().unwrap_or_default();
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (before.get(i), after.get(j)) {
            (None, None) => return lines,
            (Some(old), Some(new)) if old == new => (i, j) = (i + 1, j + 1),
            (Some(old), new) if new.is_none() || at(i + 1, j) >= at(i, j + 1) => {
                lines.push(format!("- {old}"));
                i += 1;
            }
            (_, new) => {
                lines.extend(new.map(|new| format!("+ {new}")));
                j += 1;
            }
        }
    }
}

/// How many lines the rests of both texts have in common, from each pair of lines on.
fn common(before: &[&str], after: &[&str]) -> Vec<Vec<u16>> {
    let mut table = vec![vec![0; after.len() + 1]; before.len() + 1];
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            table[i][j] = if old == new { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_stay_are_left_out() {
        let changed = |before, after| changed_lines(before, after).join("|");
        assert_eq!(changed("a\nb\nc\n", "a\nb\nc"), "");
        assert_eq!(changed("a\nb\nc", "a\nx\nc\nd"), "- b|+ x|+ d");
        assert_eq!(changed("", "a\nb"), "+ a|+ b");
        assert_eq!(changed("a\nb", ""), "- a|- b");
        assert_eq!(changed("a\nb\nc", "c\na\nb"), "+ c|- c");
        let long = "x\n".repeat(MOST_LINES + 1);
        assert_eq!(changed(&long, "x"), "- 2001 lines|+ 1 lines");
    }
}
