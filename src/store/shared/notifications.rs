//! What people were told.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::cell::{AnyText, Found};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement};
use crate::plan::remember::alert::{Alert, AlertState, Notified, Subject};

row! {
    struct NotifiedRow of "notifications" {
        subject: Subject,
        channel: String,
        state: AlertState,
        since: DateTime<Utc>,
        reason: Option<AnyText>,
        log: Option<AnyText>,
        notified_at: DateTime<Utc>,
    }
}

impl NotifiedRow {
    fn notified(self) -> Notified {
        let alert = Alert {
            state: self.state,
            since: self.since,
            reason: self.reason.map(|AnyText(reason)| reason),
            log: self.log.map(|AnyText(log)| PathBuf::from(log)),
        };
        Notified { channel: self.channel, subject: self.subject, alert, at: self.notified_at }
    }
}

pub(in crate::store) async fn notified<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<Notified>> {
    let (columns, own) = (NotifiedRow::select("n"), C::OWN);
    let query = format!("SELECT {columns} FROM {own}notifications n WHERE state IS NOT NULL ORDER BY channel, subject");
    Ok(connection.fetch_all(Statement::plain(query)).await?.map(NotifiedRow::notified))
}

/// All in one statement.
pub(in crate::store) async fn record<C: SqlConnection>(
    connection: &mut C,
    channel: &str,
    subjects: &[(&Subject, Option<&Alert>)],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    let row = |(subject, alert): &(&Subject, Option<&Alert>)| -> Columns {
        vec![
            ("subject", subject.to_string().into()),
            ("state", alert.map(|alert| alert.state.name()).into()),
            ("since", alert.map(|alert| alert.since).into()),
            ("reason", alert.and_then(|alert| alert.reason.as_deref()).into()),
            ("log", alert.and_then(|alert| alert.log.as_ref()).map(|log| log.display().to_string()).into()),
        ]
    };
    let rows: Vec<Columns> = subjects.iter().map(row).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}notifications (channel, subject, state, since, reason, log, notified_at)
         SELECT {channel}, subject, state, since, reason, log, {at} FROM ({rows}) t WHERE TRUE
         ON CONFLICT (channel, subject) DO UPDATE SET state = excluded.state, since = excluded.since, reason = excluded.reason,
             log = excluded.log, notified_at = excluded.notified_at",
        own = C::OWN,
        channel = parameters.add(channel),
        at = parameters.add(at),
        rows = parameters.rows::<C>(&rows),
    );
    connection.write(parameters.statement(text), "notifications").await
}
