//! What people are told after a run: what has changed since they were told last and, once a day, what lasts.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::remember::alert::{Alert, AlertState, Notified, Subject};
use crate::plan::remember::daily;
use crate::plan::run::sightings::{Over, Sighting, Sightings};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// The worst first.
    pub changes: Vec<Change>,
    /// What was told before and lasts, the worst first; empty where it need not be told again.
    pub lasting: Vec<(Subject, Alert)>,
    /// The time that stands on record for what lasts: a day after it was told the last time.
    pub lasting_at: DateTime<Utc>,
}

/// Something is not as it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    /// What was told; `None` where it was fine.
    pub before: Option<Alert>,
    pub now: Now,
}

/// How something is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    Wrong(Alert),
    Over(Over),
}

impl Notification {
    /// What is to be told to who was told that, where runs start every `tick`.
    #[must_use]
    pub fn new(told: &[&Notified], seen: &Sightings<'_>, now: DateTime<Utc>, tick: Duration) -> Self {
        let known = |subject: &Subject| told.iter().find(|told| told.subject == *subject);
        let new = seen.wrong().filter(|(subject, _)| known(subject).is_none());
        let new = new.map(|(subject, alert)| Change { subject: subject.clone(), before: None, now: Now::Wrong(alert.clone()) });
        let mut changes: Vec<Change> = new.collect();
        let (mut lasting, mut again) = (Vec::new(), None);
        for told in told {
            let change = |now| Change { subject: told.subject.clone(), before: Some(told.alert.clone()), now };
            match seen.of(&told.subject) {
                Sighting::Wrong(alert) if is_news(told.alert.state, alert.state) => changes.push(change(Now::Wrong(alert))),
                Sighting::Over(over) => changes.push(change(Now::Over(over))),
                sighting @ (Sighting::Wrong(_) | Sighting::Unknown) => {
                    lasting.push((told.subject.clone(), brought_up_to_date(told.alert.clone(), sighting)));
                    again = again.or(daily::again(told.at, now, tick));
                }
            }
        }
        changes.sort_by(|one, other| (one.rank(), &one.subject).cmp(&(other.rank(), &other.subject)));
        lasting.sort_by(|(subject, alert), (other, of_other)| (alert.state, subject).cmp(&(of_other.state, other)));
        lasting.retain(|_| again.is_some());
        Self { changes, lasting, lasting_at: again.unwrap_or(now) }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.lasting.is_empty()
    }

    /// What is wrong with each subject that has changed, for the record; `None` where nothing is any more.
    #[must_use]
    pub fn changed(&self) -> Vec<(&Subject, Option<&Alert>)> {
        let alerts = self.changes.iter().map(|change| match &change.now {
            Now::Wrong(alert) => (&change.subject, Some(alert)),
            Now::Over(_) => (&change.subject, None),
        });
        alerts.collect()
    }

    /// The same of what lasts.
    #[must_use]
    pub fn reminded(&self) -> Vec<(&Subject, Option<&Alert>)> {
        self.lasting.iter().map(|(subject, alert)| (subject, Some(alert))).collect()
    }
}

impl Change {
    /// What is wrong comes before what is over.
    fn rank(&self) -> (bool, Option<AlertState>) {
        match &self.now {
            Now::Wrong(alert) => (false, Some(alert.state)),
            Now::Over(_) => (true, None),
        }
    }
}

/// What was told, with what this run knows better.
fn brought_up_to_date(told: Alert, sighting: Sighting) -> Alert {
    match sighting {
        Sighting::Wrong(alert) => {
            Alert { state: alert.state, since: told.since, reason: alert.reason.or(told.reason), log: alert.log.or(told.log) }
        }
        Sighting::Over(_) | Sighting::Unknown => told,
    }
}

/// Whether a state is told to who knows another. That a source is less late than before is none: it will be on time soon, or not.
fn is_news(before: AlertState, now: AlertState) -> bool {
    before != now && (before, now) != (AlertState::Overdue, AlertState::Late)
}

#[cfg(test)]
mod tests;
