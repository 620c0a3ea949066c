//! Words that complete what is typed in a shell, each with a word of help, as the shells read them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use super::escape::excerpt;
use super::words::{Time, fitted};
use crate::plan::remember::failure_history::{Eligibility, GapState};
use crate::plan::remember::past::{PastJob, PastRun};
use crate::plan::remember::source_state::QueuedWindow;

/// A word, and what is to be said of it; empty where that is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub word: String,
    pub help: String,
}

/// Between a word and its help.
const GAP: usize = 2;

/// Columns of help that are worth their place.
const LEAST_HELP: usize = 12;

impl Offer {
    /// A word with a text from wherever. A shell takes it as it is, so it must need no quotes: otherwise `None`.
    pub fn new(word: impl Into<String>, help: &str) -> Option<Self> {
        let word = word.into();
        let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
        (!word.is_empty() && word.chars().all(is_plain)).then(|| Self { word, help: excerpt(help).into_owned() })
    }

    /// Whether this may be the beginning of it, in any case.
    #[must_use]
    pub fn begins_with(&self, typed: &str) -> bool {
        self.word.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed))
    }
}

/// Lines for bash, which replaces what is typed from the last of its word breaks on: `before` is what stands before that. Bash shows a list in
/// columns and knows no help. Where it only lists, `columns` wide, the help stands behind each word: what is common to all of them, which it
/// inserts, ends before that.
#[must_use]
pub fn for_bash(offers: &[Offer], before: &str, columns: Option<usize>) -> String {
    let rest: Vec<(&str, &str)> = offers.iter().filter_map(|offer| Some((offer.word.strip_prefix(before)?, offer.help.as_str()))).collect();
    let widest = rest.iter().map(|(word, _)| word.width()).max().unwrap_or_default();
    let room = columns.filter(|_| rest.len() > 1).map_or(0, |columns| columns.saturating_sub(widest + GAP + "()".len() + 1));
    let line = |(word, help): &(&str, &str)| match help {
        help if help.is_empty() || room < LEAST_HELP => format!("{word}\n"),
        help => format!("{word:<widest$}{:GAP$}({})\n", "", fitted(help, room, "…")),
    };
    rest.iter().map(line).collect()
}

/// Lines for zsh: `word:help`.
#[must_use]
pub fn for_zsh(offers: &[Offer]) -> String {
    let line = |offer: &Offer| {
        let help = if offer.help.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!(":{}", offer.help.replace('\\', "\\\\"))) };
        format!("{}{help}\n", offer.word.replace(':', "\\:"))
    };
    offers.iter().map(line).collect()
}

/// Lines for fish and PowerShell: the word, a tab, and the help.
#[must_use]
pub fn with_tabs(offers: &[Offer]) -> String {
    let line =
        |offer: &Offer| if offer.help.is_empty() { format!("{}\n", offer.word) } else { format!("{}\t{}\n", offer.word, offer.help) };
    offers.iter().map(line).collect()
}

/// Lines of words alone.
#[must_use]
pub fn plain(offers: &[Offer]) -> String {
    offers.iter().flat_map(|offer| [offer.word.as_str(), "\n"]).collect()
}

/// `RY-CA/2025Q2/call_summary, failed 14:03`.
#[must_use]
pub fn help_of_job(job: &PastJob, now: DateTime<Utc>) -> String {
    format!("{}, {}", job.gap, job_state(job, now))
}

/// `failed 14:03`.
#[must_use]
pub fn job_state(job: &PastJob, now: DateTime<Utc>) -> String {
    let at = job.ended_at.or(job.started_at).unwrap_or(job.queued_at);
    format!("{} {}", job.state.name(), Time(at).beside(Time(now)))
}

/// `run, failed 14:03`.
#[must_use]
pub fn help_of_run(run: &PastRun, now: DateTime<Utc>) -> String {
    format!("run, {} {}", run.state.name(), Time(run.ended_at.unwrap_or(run.started_at)).beside(Time(now)))
}

/// What keeps a gap from being made, by what is remembered of it; `None` where nothing does.
#[must_use]
pub fn help_of_gap(state: &GapState, now: DateTime<Utc>) -> Option<String> {
    if let Some(skip) = state.skip.as_ref().filter(|skip| skip.holds(now)) {
        return Some(format!("skipped by {}: {}", skip.by, skip.reason));
    }
    match state.history.held() {
        Eligibility::Free => None,
        Eligibility::Resting(rest) if rest.until <= now => None,
        Eligibility::Resting(rest) => Some(format!("cooling down until {}", Time(rest.until).beside(Time(now)))),
        Eligibility::Quarantined(quarantine) => Some(format!("quarantined {}", Time(quarantine.since).beside(Time(now)))),
    }
}

/// Why a window is not collected.
#[must_use]
pub fn help_of_window(queued: &QueuedWindow) -> String {
    match &queued.given_up {
        Some(order) if !queued.is_requested => format!("given up by {}: {}", order.by, order.reason),
        Some(_) | None => "to be collected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(words: &[(&str, &str)]) -> Vec<Offer> {
        words.iter().filter_map(|(word, help)| Offer::new(*word, help)).collect()
    }

    #[test]
    fn a_word_that_would_need_quotes_is_not_offered() {
        for bad in ["", "a b", "$(reboot)", "a;b", "*", "RY-CA/*/*", "~ann", "a\nb", "it's", "\u{1b}[2J", "a\u{202e}b"] {
            assert_eq!(Offer::new(bad, ""), None, "{bad:?}");
        }
        for good in ["RY-CA/2025Q2/call_summary", "source:us_house@2026-01-16T00:00:00Z", "Übersicht"] {
            assert!(Offer::new(good, "").is_some(), "{good:?}");
        }
    }

    #[test]
    fn each_shell_reads_it_in_its_own_way() {
        let two = offers(&[("source:us_house", "U.S. House: \\ and\tmore"), ("source:us_fed", "")]);
        insta::assert_snapshot!(for_zsh(&two), @r"
        source\:us_house:U.S. House: \\ and\\tmore
        source\:us_fed
        ");
        insta::assert_snapshot!(with_tabs(&two).replace('\t', "<TAB>"), @r"
        source:us_house<TAB>U.S. House: \ and\tmore
        source:us_fed
        ");
        assert_eq!(plain(&two), "source:us_house\nsource:us_fed\n");
    }

    #[test]
    fn bash_gets_what_follows_its_word_break_and_help_only_in_a_list() {
        let both = offers(&[("source:us_house", "U.S. House of Representatives"), ("source:us_fed", "Federal Register")]);
        assert_eq!(for_bash(&both, "source:", None), "us_house\nus_fed\n");
        assert_eq!(for_bash(&both, "", Some(24)), "source:us_house\nsource:us_fed\n", "too narrow for help");
        insta::assert_snapshot!(for_bash(&both, "source:", Some(36)), @r"
        us_house  (U.S. House of Represen…)
        us_fed    (Federal Register)
        ");
        assert_eq!(for_bash(&both[..1], "source:", Some(80)), "us_house\n", "it is inserted as it is");
        assert_eq!(for_bash(&both, "other:", Some(80)), "");
    }
}
