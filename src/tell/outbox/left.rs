//! What lies in outboxes, for those who look at them, and what is left there of receivers that are configured no more.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{LONGEST, Name, list, remove};
use crate::plan::decide::checkup::Waiting;

/// What waits for a receiver in its directory.
///
/// # Errors
/// When that cannot be read.
pub(in crate::tell) fn waiting(directory: &Path) -> io::Result<Option<Waiting>> {
    let found = list(directory)?;
    Ok(found.first_key_value().and_then(|(oldest, _)| Some(Waiting { messages: found.len(), since: made_at(oldest)? })))
}

fn made_at(name: &Name) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(name.split('-').next()?.parse().ok()?)
}

/// Drops messages that are too old, of receivers that are not `served`: nobody else does it. Returns of whom, and how many.
///
/// # Errors
/// When something cannot be looked at, or removed.
pub(in crate::tell) fn drop_abandoned(outbox: &Path, served: &[&str], now: DateTime<Utc>) -> io::Result<Vec<(String, usize)>> {
    let entries = match std::fs::read_dir(outbox) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut dropped = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(receiver) = entry.file_name().to_str().filter(|name| !served.contains(name)).map(str::to_owned) else { continue };
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let mut old = list(&entry.path())?;
        let kept = old.split_off(&format!("{:013}", (now - LONGEST).timestamp_millis()));
        for name in old.keys() {
            remove(&entry.path().join(name))?;
        }
        if kept.is_empty() {
            // It stays where somebody else has put something into it.
            let _ = std::fs::remove_dir(entry.path());
        }
        if !old.is_empty() {
            dropped.push((receiver, old.len()));
        }
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::plan::test_events::at;

    #[test]
    fn only_what_is_old_and_of_no_channel_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(drop_abandoned(&dir.path().join("none"), &[], at(0)).unwrap(), []);
        let put = |receiver: &str, made: DateTime<Utc>| {
            let path = dir.path().join(receiver);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(format!("{:013}-run-000001.json", made.timestamp_millis())), "1").unwrap();
        };
        let soon = TimeDelta::seconds(9);
        for (receiver, made) in [("served", at(0)), ("gone", at(0)), ("mixed", at(0)), ("mixed", at(0) + soon)] {
            put(receiver, made);
        }
        std::fs::write(dir.path().join("a file"), "").unwrap();
        let now = at(0) + LONGEST + TimeDelta::seconds(1);
        let mut dropped = drop_abandoned(dir.path(), &["served"], now).unwrap();
        dropped.sort();
        assert_eq!(dropped, [("gone".to_owned(), 1), ("mixed".to_owned(), 1)]);
        assert!(!dir.path().join("gone").exists() && dir.path().join("a file").exists());
        let left = |receiver| waiting(&dir.path().join(receiver)).unwrap();
        assert_eq!(left("served"), Some(Waiting { messages: 1, since: at(0) }));
        assert_eq!((left("mixed"), left("gone")), (Some(Waiting { messages: 1, since: at(0) + soon }), None));
    }
}
