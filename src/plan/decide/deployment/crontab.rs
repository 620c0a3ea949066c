//! A line of a crontab.

use super::Deployment;

const SHIPPED: &str = include_str!("../../../../examples/crontab");
/// When it starts.
const TIMES: &str = "*/15 * * * *";

/// Between these lines is what is ours in a user's crontab.
const BEGIN: &str = "# etl-orch: begin; written by `etl-orch install cron --user`";
const END: &str = "# etl-orch: end";

/// The file for `/etc/cron.d`: the shipped one, with the line of this deployment.
#[must_use]
pub fn cron_file(deployment: &Deployment) -> String {
    let user = deployment.user.as_deref().unwrap_or_default();
    let line = |line: &str| if line.starts_with(TIMES) { format!("{TIMES} {user} {}", command(deployment)) } else { line.to_owned() };
    SHIPPED.lines().map(|text| line(text) + "\n").collect()
}

/// A user's crontab with our line in it, once, and everything else as it was.
#[must_use]
pub fn with_line(crontab: &str, deployment: &Deployment) -> String {
    let block = [BEGIN, &format!("{TIMES} {}", command(deployment)), END];
    let mut lines: Vec<&str> = crontab.lines().collect();
    match place(&lines) {
        Some((begin, end)) => drop(lines.splice(begin..end, block)),
        None => lines.extend(block),
    }
    joined(&lines)
}

/// A user's crontab without our line, and everything else as it was.
#[must_use]
pub fn without_line(crontab: &str) -> String {
    let mut lines: Vec<&str> = crontab.lines().collect();
    while let Some((begin, end)) = place(&lines) {
        lines.drain(begin..end);
    }
    joined(&lines)
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Where our lines are. Where the end was lost, no more than the line after the beginning is taken for ours.
fn place(lines: &[&str]) -> Option<(usize, usize)> {
    let begin = lines.iter().position(|line| *line == BEGIN)?;
    let end = lines.iter().skip(begin).position(|line| *line == END).map(|end| begin + end + 1);
    Some((begin, end.unwrap_or((begin + 2).min(lines.len()))))
}

fn command(deployment: &Deployment) -> String {
    format!("{} run --quiet --config {}", word(&deployment.program), word(&deployment.config))
}

/// A path as a word of the shell that cron starts; a percent sign ends a command of cron's.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")).replace('%', "\\%") }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_shipped_file_is_that_of_the_shipped_layout() {
        assert_eq!(cron_file(&example()), SHIPPED);
        let other = Deployment { user: Some("ann".to_owned()), config: "/srv/it's 5%.yaml".to_owned(), ..example() };
        let line = "\n*/15 * * * * ann /usr/bin/etl-orch run --quiet --config '/srv/it'\\''s 5\\%.yaml'\n";
        assert!(cron_file(&other).contains(line));
    }

    #[test]
    fn a_users_crontab_gets_one_line_and_loses_it_again() {
        let mine = Deployment { user: None, ..example() };
        let other = "MAILTO=ann\n0 3 * * * backup\n";
        let with = with_line(other, &mine);
        let block = format!("{BEGIN}\n*/15 * * * * /usr/bin/etl-orch run --quiet --config /etc/etl-orch/etl-orch.yaml\n{END}\n");
        assert_eq!(with, format!("{other}{block}"));
        assert_eq!(with_line(&with, &mine), with);
        assert_eq!(without_line(&with), other);
        let behind = format!("{block}@daily tidy\n");
        assert_eq!(with_line(&behind, &mine), behind);
        assert_eq!(without_line(&behind), "@daily tidy\n");
        let cut = format!("{BEGIN}\nold\n@daily tidy\n");
        assert_eq!(without_line(&cut), "@daily tidy\n");
    }
}
