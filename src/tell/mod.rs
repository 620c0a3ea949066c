//! What machines are told of a run, while it goes on and after its end.
//!
//! There is one stream of events ([`events`]), and a [`channel`] for each receiver that the configuration names. [`telling`] runs the channels
//! beside a run. None of them can fail a run, and after its end all together have a bounded time. The room does not know the database, and
//! prints nothing.
//!
//! To add a channel: its settings in [`TellSettings`], their check in a file of `config::tell`, and here a file with its [`Channel`], and its
//! line in [`channels`].

pub mod channel;
mod delivery;
pub mod events;
mod events_file;
mod exposition;
mod http;
mod mail;
mod metrics;
mod openlineage;
mod opentelemetry;
mod outbox;
mod pings;
mod sight;
pub mod telling;
mod textfile;
mod webhook;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::channel::Channel;
use self::delivery::Delivery;
use self::events_file::EventsFile;
use self::http::Http;
use self::mail::Mail;
use self::openlineage::OpenLineage;
use self::opentelemetry::OpenTelemetry;
use self::pings::Pings;
pub use self::sight::look;
use self::textfile::Textfile;
use self::webhook::Webhook;
use crate::os::blocking;
use crate::plan::model::tell::{OPENLINEAGE, OPENTELEMETRY, OUTBOX, TellSettings};

/// The channels that are configured, in the order of the documentation.
#[must_use]
pub fn channels(settings: &TellSettings, state_dir: &Path) -> Vec<Arc<dyn Channel>> {
    let (http, timeout) = (Http::new(settings.timeout), settings.timeout);
    let delivery = |channel| Delivery { http: http.clone(), timeout, directory: state_dir.join(OUTBOX).join(channel) };
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(address) = &settings.pings {
        // Where the start is not answered, there is time left for the end.
        channels.push(Arc::new(Pings::new(address.clone(), http.within(timeout / 2))));
    }
    if let Some(path) = &settings.textfile {
        channels.push(Arc::new(Textfile::new(path.clone(), state_dir.to_owned())));
    }
    if let Some(webhook) = &settings.webhook {
        channels.push(Arc::new(Webhook::new(webhook.clone(), http.clone())));
    }
    if let Some(mail) = &settings.mail {
        channels.push(Arc::new(Mail::new(mail.clone(), timeout)));
    }
    if let Some(receiver) = &settings.opentelemetry {
        channels.push(Arc::new(OpenTelemetry::new(receiver.clone(), delivery(OPENTELEMETRY))));
    }
    if let Some(receiver) = &settings.openlineage {
        channels.push(Arc::new(OpenLineage::new(receiver.clone(), delivery(OPENLINEAGE))));
    }
    if let Some(path) = &settings.events_file {
        channels.push(Arc::new(EventsFile::new(path.clone(), state_dir.to_owned())));
    }
    channels
}

/// Drops what has waited too long for receivers that are configured no more.
pub async fn drop_abandoned(settings: &TellSettings, state_dir: &Path, now: DateTime<Utc>) {
    let outbox = state_dir.join(OUTBOX);
    if !outbox.exists() {
        return;
    }
    let served: Vec<&'static str> = settings.channels().iter().map(|channel| channel.name).collect();
    let done = blocking::run(move || outbox::drop_abandoned(&outbox, &served, now)).await.flatten();
    match done {
        Ok(dropped) => dropped.into_iter().for_each(|(receiver, messages)| {
            tracing::info!("Dropped {messages} messages for tell.{receiver}, which is configured no more: {}", outbox::LIMITS);
        }),
        Err(error) => tracing::warn!("what waits for receivers that are configured no more cannot be dropped: {error}"),
    }
}
