//! What people are told by mail or webhook: what has changed, and what lasts.

use std::fmt::Write;

use serde::Serialize;

use super::View;
use super::command_line::{CommandLine, word};
use super::late_banks::why_late;
use super::why::{commands::REASON, words as on_the_command_line};
use super::words::{Time, Untrusted, count};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::remember::alert::{Alert, AlertState, Subject};
use crate::plan::run::notification::{Change, Notification, Now};
use crate::plan::run::sightings::Over;

/// A message.
#[derive(Debug, Serialize)]
pub struct NotificationView {
    /// The page, as chat services take it: `&`, `<` and `>` mean something to them.
    text: String,
    host: String,
    run_id: RunId,
    at: Time,
    changes: Vec<Item>,
    /// How many changes are not named.
    more_changes: u64,
    /// What was told before and lasts.
    lasting: Vec<Item>,
    more_lasting: u64,
    #[serde(skip)]
    headline: String,
    /// The command that shows everything.
    #[serde(skip)]
    all: String,
}

/// Something that is wrong, or was.
#[derive(Debug, Serialize)]
struct Item {
    subject: String,
    /// What is so: the name of what is wrong, `recovered`, `gone` or `left_alone`.
    state: &'static str,
    /// What was wrong when it was told last.
    before: Option<&'static str>,
    /// Since when it is, or was, wrong.
    since: Option<Time>,
    reason: Option<String>,
    log: Option<String>,
    /// What to type next.
    next: Option<String>,
    #[serde(skip)]
    sentence: String,
}

impl NotificationView {
    /// Most changes that a message names, and most of what lasts; the rest is counted.
    pub const MOST_NAMED: usize = 20;

    /// What a run tells at its end.
    pub fn new(notification: &Notification, host: &str, run_id: RunId, at: Time, next: &CommandLine) -> Self {
        let Notification { changes, lasting, .. } = notification;
        let mut view = Self {
            text: String::new(),
            host: Untrusted::from(host).to_string(),
            run_id,
            at,
            changes: changes.iter().take(Self::MOST_NAMED).map(|change| Item::changed(change, next)).collect(),
            more_changes: changes.len().saturating_sub(Self::MOST_NAMED) as u64,
            lasting: lasting.iter().take(Self::MOST_NAMED).map(|lasting| Item::lasting(lasting, next)).collect(),
            more_lasting: lasting.len().saturating_sub(Self::MOST_NAMED) as u64,
            headline: headline(notification),
            all: next.of("run --dry-run"),
        };
        view.text = view.page().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        view
    }

    /// One line that says what it is about: `db1: 1 quarantined, 2 failing`.
    pub fn subject(&self) -> String {
        format!("{}: {}", self.host, self.headline)
    }

    fn page(&self) -> String {
        // Writing to a String cannot fail.
        let mut page = String::new();
        let _ = writeln!(page, "etl-orch on {}", self.subject());
        for item in &self.changes {
            let _ = write!(page, "\n{}", item.paragraph());
        }
        if self.more_changes > 0 {
            let _ = writeln!(page, "\n... and {}.", count(self.more_changes, "more change"));
        }
        if !self.lasting.is_empty() {
            let _ = writeln!(page, "\nTold before, and not known to be over:");
            for item in &self.lasting {
                let _ = write!(page, "\n{}", item.paragraph());
            }
        }
        if self.more_lasting > 0 {
            let _ = writeln!(page, "\n... and {} more.", self.more_lasting);
        }
        let _ = writeln!(page, "\nRun {} at {}. All that is missing, and why: {}", self.run_id.short(), self.at, self.all);
        page
    }
}

impl View for NotificationView {
    fn kind(&self) -> &'static str {
        "notification"
    }

    fn text(&self) -> String {
        self.page()
    }
}

/// `1 quarantined, 2 failing, 1 recovered`, or of what lasts alone `still 2 failing`.
fn headline(notification: &Notification) -> String {
    let changes: Vec<&'static str> = notification.changes.iter().map(|change| summed_as(&change.now)).collect();
    let lasting: Vec<&'static str> = notification.lasting.iter().map(|(_, alert)| state_words(alert.state)).collect();
    match (changes.is_empty(), lasting.is_empty()) {
        (false, true) => counted(&changes),
        (false, false) => format!("{}; still {}", counted(&changes), counted(&lasting)),
        (true, _) => format!("still {}", counted(&lasting)),
    }
}

/// The same words stand together.
fn counted(words: &[&'static str]) -> String {
    let groups = words.chunk_by(|one, other| one == other);
    groups.filter_map(|group| Some(format!("{} {}", group.len(), group.first()?))).collect::<Vec<_>>().join(", ")
}

fn summed_as(now: &Now) -> &'static str {
    match now {
        Now::Wrong(alert) => state_words(alert.state),
        Now::Over(Over::Recovered) => "recovered",
        Now::Over(Over::Gone) => "no longer missing",
        Now::Over(Over::LeftAlone { .. }) => "left alone",
    }
}

fn state_words(state: AlertState) -> &'static str {
    match state {
        AlertState::NothingMatches => "matching nothing",
        AlertState::Quarantined => "quarantined",
        AlertState::BreakerOpen => "broken",
        AlertState::Overdue => "overdue",
        AlertState::Ahead => "ahead of the clock",
        AlertState::RequiresUnmet => "without matching data",
        AlertState::TypeMisspelled => "of a misspelled type",
        AlertState::Failing => "failing",
        AlertState::Late | AlertState::BankLate => "late",
        AlertState::BankWithoutData => "without data",
    }
}

impl Item {
    fn changed(change: &Change, next: &CommandLine) -> Self {
        let before = change.before.as_ref();
        match &change.now {
            Now::Wrong(alert) => Self { before: before.map(|alert| alert.state.name()), ..Self::wrong(&change.subject, alert, next) },
            Now::Over(over) => Self::over(&change.subject, before, over),
        }
    }

    fn lasting((subject, alert): &(Subject, Alert), next: &CommandLine) -> Self {
        Self { before: Some(alert.state.name()), ..Self::wrong(subject, alert, next) }
    }

    fn wrong(subject: &Subject, alert: &Alert, next: &CommandLine) -> Self {
        let (name, since) = (name(subject), Time(alert.since));
        let sentence = match alert.state {
            AlertState::NothingMatches => format!("[NOTHING MATCHES] {name}, since {since}: no report can be made"),
            AlertState::RequiresUnmet => {
                format!("[NO DATA] {name}, since {since}: no report can be made")
            }
            AlertState::TypeMisspelled => {
                format!("[MISSPELLED] {name}, since {since}: its reports are not found")
            }
            AlertState::BankLate => format!("[LATE] {name}: its data was expected by {}", alert.since.date_naive()),
            AlertState::BankWithoutData => format!("[NO DATA] {name}, since {since}: it is monitored, and has no data for any ETL"),
            AlertState::Quarantined => {
                format!("[QUARANTINED] {name}, since {since}: it is not tried until somebody or something changes that")
            }
            AlertState::BreakerOpen => format!("[BROKEN] {name}, since {since}: it failed for one bank after another, and the rest waits"),
            AlertState::Overdue => format!("[OVERDUE] {name}: nothing was collected since {since}"),
            AlertState::Ahead => format!("[AHEAD] {name}: what was collected ends in the future, at {since}; is the clock right?"),
            AlertState::Failing => format!("[FAILING] {name}, since {since}"),
            AlertState::Late => format!("[LATE] {name}: nothing was collected since {since}"),
        };
        Self {
            subject: shown(subject),
            state: alert.state.name(),
            before: None,
            since: Some(since),
            reason: alert.reason.as_deref().map(|reason| Untrusted::from(reason).excerpt().into_owned()),
            log: alert.log.as_ref().map(|log| Untrusted::from(log.to_string_lossy()).to_string()),
            next: Some(next.of(words_of_next(subject, alert.state))),
            sentence,
        }
    }

    fn over(subject: &Subject, before: Option<&Alert>, over: &Over) -> Self {
        let (name, since) = (name(subject), before.map(|alert| Time(alert.since)));
        let was = before.map(|alert| match alert.state {
            state @ (AlertState::Late | AlertState::Overdue | AlertState::Ahead | AlertState::BankLate) => {
                format!(" (it was {})", state_words(state))
            }
            state @ (AlertState::NothingMatches
            | AlertState::Quarantined
            | AlertState::BreakerOpen
            | AlertState::RequiresUnmet
            | AlertState::TypeMisspelled
            | AlertState::Failing
            | AlertState::BankWithoutData) => {
                format!(" (it was {} since {})", state_words(state), Time(alert.since))
            }
        });
        let was = was.unwrap_or_default();
        let (state, sentence, reason) = match over {
            Over::Recovered => ("recovered", format!("[RECOVERED] {name}{was}"), None),
            Over::Gone => ("gone", format!("[OVER] {name}: it is no longer missing, or no longer configured{was}"), None),
            Over::LeftAlone { by, reason } => {
                let reason = Untrusted::from(reason).excerpt().into_owned();
                ("left_alone", format!("[LEFT ALONE] {name}, by {}{was}", Untrusted::from(by.as_str()).excerpt()), Some(reason))
            }
        };
        let before = before.map(|alert| alert.state.name());
        Self { subject: shown(subject), state, before, since, reason, log: None, next: None, sentence }
    }

    fn paragraph(&self) -> String {
        let mut text = format!("{}\n", self.sentence);
        let next = self.next.as_ref().map(|next| format!("Next: {next}"));
        let log = self.log.as_ref().map(|log| format!("Log:  {log}"));
        for line in [self.reason.clone(), log, next].into_iter().flatten() {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}

fn shown(subject: &Subject) -> String {
    Untrusted::from(subject.to_string()).to_string()
}

/// What people call it.
fn name(subject: &Subject) -> String {
    match subject {
        Subject::Gap(GapKey::Source(name))
        | Subject::Etl(name)
        | Subject::Lateness(name)
        | Subject::Requires(name)
        | Subject::ReportType(name)
        | Subject::Bank(name, None) => Untrusted::from(name.as_str()).to_string(),
        Subject::Bank(bank, Some(period)) => Untrusted::from(format!("{bank} {period}")).to_string(),
        Subject::Data => "the data".to_owned(),
        Subject::Gap(GapKey::Report { .. } | GapKey::Window { .. } | GapKey::Group { .. }) => shown(subject),
    }
}

fn words_of_next(subject: &Subject, state: AlertState) -> String {
    match subject {
        Subject::Gap(gap) => {
            let gap = on_the_command_line(gap);
            if state == AlertState::Quarantined { format!("retry {gap} {REASON}") } else { format!("logs {gap}") }
        }
        Subject::Etl(etl) => format!("jobs --failed --etl-type {}", Untrusted::from(word(etl))),
        Subject::Lateness(source) => format!("why {}", Untrusted::from(word(source))),
        Subject::Bank(bank, Some(period)) => Untrusted::from(why_late(bank, *period)).to_string(),
        Subject::Data | Subject::Requires(_) | Subject::ReportType(_) | Subject::Bank(_, None) => "doctor".to_owned(),
    }
}

#[cfg(test)]
mod tests;
