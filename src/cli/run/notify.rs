//! What people are told after a run by mail or webhook: found out before, and put on record after.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::exit::Failure;
use super::Done;
use super::request::RunRequest;
use crate::os::identity::host_name;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::JobState;
use crate::plan::remember::alert::{Alert, Notified, Subject};
use crate::plan::remember::past::{JobQuery, PastJob};
use crate::plan::run::notification::{Notification, Now};
use crate::plan::run::sightings::Sightings;
use crate::plan::run::told::Message;
use crate::show::notification::NotificationView;
use crate::show::{Time, View};
use crate::store::{self, Store};
use crate::tell::telling::Told;

/// What each channel is to tell.
#[derive(Default)]
pub(super) struct Notices(BTreeMap<&'static str, Notification>);

impl Notices {
    /// What is to be told after a run. After one that was stopped, or could not do its work, that is nothing: the next run tells what it finds.
    pub(super) async fn find(request: &RunRequest<'_>, done: &Result<Done, Failure>, now: DateTime<Utc>) -> Self {
        let settings = &request.context.config.tell;
        let Ok(Done { summary, store, .. }) = done else { return Self::default() };
        let Some(results) = summary.results.as_ref().filter(|results| !results.stopped) else { return Self::default() };
        if settings.notifying().next().is_none() {
            return Self::default();
        }
        let config = &request.context.config;
        let selection = (&request.selection, !request.is_special());
        let seen = Sightings::new(&summary.plan, results, &config.catalogue, selection, now);
        let found = async {
            let known = store.notified().await?;
            let mut notices = BTreeMap::new();
            for channel in settings.notifying() {
                let of_channel: Vec<&Notified> = known.iter().filter(|known| known.channel == channel).collect();
                let mut notification = Notification::new(&of_channel, &seen, now, config.health.tick);
                complete(&**store, &mut notification).await?;
                notices.insert(channel, notification);
            }
            notices.retain(|_, notification| !notification.is_empty());
            store::Result::Ok(notices)
        };
        match tokio::time::timeout(settings.timeout, found).await {
            Ok(Ok(notices)) => Self(notices),
            Ok(Err(error)) => Self::none(&error.to_string()),
            Err(_) => Self::none("the database did not answer in time"),
        }
    }

    fn none(why: &str) -> Self {
        tracing::warn!("nobody is told by mail or webhook what has changed, as it is not known what they were told: {why}");
        Self::default()
    }

    /// What is sent.
    pub(super) fn messages(&self, request: &RunRequest<'_>, run: RunId, now: DateTime<Utc>) -> BTreeMap<&'static str, Message> {
        let (host, next) = (host_name(), request.context.command_line_anywhere());
        let message = |(channel, notification): (&&'static str, &Notification)| {
            let view = NotificationView::new(notification, &host, run, Time(now), &next);
            // Every view has a JSON form.
            let json = view.json().unwrap_or_default();
            (*channel, Message { subject: view.subject(), text: view.text(), json })
        };
        self.0.iter().map(message).collect()
    }

    /// Puts on record what was told. What was not is told by the next run.
    pub(super) async fn record(self, store: &Arc<dyn Store>, told: &[Told], now: DateTime<Utc>) {
        for (channel, notification) in self.0 {
            if !told.iter().any(|told| told.channel == channel && told.result.is_ok()) {
                continue;
            }
            for (subjects, at) in [(notification.changed(), now), (notification.reminded(), notification.lasting_at)] {
                if let Err(error) = store.record_notified(channel, &subjects, at).await {
                    tracing::warn!("tell.{channel}: what was told is not on record, so that it is told again: {error}");
                }
            }
        }
    }
}

/// Adds what the last failed job of a gap says, where the run itself knows too little of it.
async fn complete(store: &dyn Store, notification: &mut Notification) -> store::Result<()> {
    let mut incomplete: BTreeMap<GapKey, &mut Alert> = BTreeMap::new();
    for change in &mut notification.changes {
        if let (Subject::Gap(gap), Now::Wrong(alert)) = (&change.subject, &mut change.now)
            && alert.log.is_none()
            && incomplete.len() < NotificationView::MOST_NAMED
        {
            incomplete.insert(gap.clone(), alert);
        }
    }
    for (gap, alert) in incomplete {
        let query = JobQuery { gaps: vec![gap], states: vec![JobState::Failed], limit: 1, ..JobQuery::default() };
        let Some(PastJob { error, attempts, .. }) = store.jobs(&query).await?.into_iter().next() else { continue };
        alert.reason = alert.reason.take().or(error);
        alert.log = attempts.into_iter().next_back().map(|attempt| attempt.log.into());
    }
    Ok(())
}
