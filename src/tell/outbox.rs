//! What a receiver has not taken yet, as files of this user alone: one for each message, under a name that begins with its time, so that names
//! are in order. Runs at the same time share the directory; what two of them send is sent twice.
//!
//! It is bounded: what is too old or too much is dropped, the oldest first. Nothing is synced, as telemetry is not worth it: a file that a power
//! cut has torn is dropped as well.

mod left;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::IgnoredAny;
use tokio::sync::Notify;

use crate::os::{blocking, files, input};
use crate::plan::model::ids::RunId;

pub(super) use left::{drop_abandoned, waiting};

/// Most messages for one receiver.
const MOST: usize = 5000;
/// Most bytes of them.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// What is older is dropped.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// The limits in words.
pub(super) const LIMITS: &str = "5,000 messages, 16 MiB and 7 days are the most that is kept";

/// What one receiver has not taken yet.
pub(super) struct Outbox {
    directory: PathBuf,
    run: RunId,
    made: AtomicU64,
    waiting: Mutex<BTreeMap<Name, Body>>,
    grown: Notify,
}

/// `1768544100123-<run>-000001.json`
pub(super) type Name = String;

enum Body {
    /// Its length in its file.
    OnDisk(u64),
    /// The disk did not take it.
    InMemory(Arc<[u8]>),
}

impl Body {
    fn len(&self) -> u64 {
        match self {
            Self::OnDisk(bytes) => *bytes,
            Self::InMemory(bytes) => bytes.len() as u64,
        }
    }
}

impl Outbox {
    /// With what earlier runs have left there, which is nothing where that cannot be read. `now` is when this one has begun.
    pub(super) async fn open(directory: PathBuf, run: RunId, now: DateTime<Utc>) -> (Self, io::Result<Dropped>) {
        let read = directory.clone();
        let (mut found, listed) = match blocking::run(move || list(&read)).await.flatten() {
            Ok(found) => (found, Ok(())),
            Err(error) => (BTreeMap::new(), Err(error)),
        };
        let oldest = format!("{:013}", (now - LONGEST).timestamp_millis());
        let recent = found.split_off(&oldest);
        let outbox = Self { directory, run, made: AtomicU64::new(0), waiting: Mutex::new(recent), grown: Notify::new() };
        let too_old = found.into_iter().collect();
        let dropped = outbox.drop_all(too_old).await + outbox.bound().await;
        (outbox, listed.map(|()| dropped))
    }

    /// Adds a message.
    ///
    /// # Errors
    /// Why it is lost if this process ends before it is sent.
    pub(super) async fn add(&self, body: Vec<u8>, now: DateTime<Utc>) -> (Dropped, io::Result<()>) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:013}-{}-{number:06}.json", now.timestamp_millis(), self.run);
        let (path, body) = (self.directory.join(&name), Arc::<[u8]>::from(body));
        let written = body.clone();
        let kept = blocking::run(move || write(&path, &written)).await.flatten();
        let body = if kept.is_ok() { Body::OnDisk(body.len() as u64) } else { Body::InMemory(body) };
        self.waiting().insert(name, body);
        let dropped = self.bound().await;
        self.grown.notify_one();
        (dropped, kept)
    }

    /// Waits until something was added.
    pub(super) async fn grown(&self) {
        self.grown.notified().await;
    }

    /// Where messages wait.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The oldest message after this one. What cannot be read is dropped.
    pub(super) async fn next(&self, after: Option<&Name>) -> Option<(Name, Vec<u8>)> {
        loop {
            let (name, body) = {
                let waiting = self.waiting();
                let after = after.map_or(Bound::Unbounded, Bound::Excluded);
                let (name, body) = waiting.range::<Name, _>((after, Bound::Unbounded)).next()?;
                let body = if let Body::InMemory(bytes) = body { Some(bytes.to_vec()) } else { None };
                (name.clone(), body)
            };
            if let Some(body) = body {
                return Some((name, body));
            }
            let path = self.directory.join(&name);
            match blocking::run(move || read(&path)).await.flatten() {
                Ok(body) => return Some((name, body)),
                // Another run has sent it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => drop(self.waiting().remove(&name)),
                Err(error) => {
                    tracing::warn!("{} is dropped: {error}", self.directory.join(&name).display());
                    self.remove(&name).await;
                }
            }
        }
    }

    /// It waits no more.
    pub(super) async fn remove(&self, name: &Name) {
        let removed = self.waiting().remove(name);
        self.drop_all(removed.map(|body| (name.clone(), body)).into_iter().collect()).await;
    }

    /// Drops the oldest beyond the limits.
    async fn bound(&self) -> Dropped {
        let mut too_much = Vec::new();
        {
            let mut waiting = self.waiting();
            let mut bytes: u64 = waiting.values().map(Body::len).sum();
            while waiting.len() > MOST || bytes > MOST_BYTES {
                let Some((name, body)) = waiting.pop_first() else { break };
                bytes -= body.len();
                too_much.push((name, body));
            }
        }
        self.drop_all(too_much).await
    }

    async fn drop_all(&self, messages: Vec<(Name, Body)>) -> Dropped {
        let dropped = messages.len();
        let on_disk = messages.into_iter().filter(|(_, body)| matches!(body, Body::OnDisk(_)));
        let paths: Vec<PathBuf> = on_disk.map(|(name, _)| self.directory.join(name)).collect();
        if paths.is_empty() {
            return dropped;
        }
        let failed = blocking::run(move || -> Vec<_> {
            paths.into_iter().filter_map(|path| remove(&path).err().map(|error| (path, error))).collect()
        });
        for (path, error) in failed.await.unwrap_or_default() {
            tracing::warn!("{} cannot be removed, so that it is sent again: {error}", path.display());
        }
        dropped
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Name, Body>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many messages were dropped.
pub(super) type Dropped = usize;

fn list(directory: &Path) -> io::Result<BTreeMap<Name, Body>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().filter(|name| is_message(name)).map(str::to_owned) else { continue };
        // One that is gone was sent by another run.
        if let Ok(metadata) = entry.metadata() {
            found.insert(name, Body::OnDisk(metadata.len()));
        }
    }
    Ok(found)
}

fn is_message(name: &str) -> bool {
    let time = name.split('-').next().unwrap_or_default();
    time.len() == 13 && time.bytes().all(|byte| byte.is_ascii_digit()) && name.strip_suffix(".json").is_some()
}

fn write(path: &Path, body: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        files::create_private_dir(directory)?;
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(body).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(path);
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let opened = input::open(path).map_err(|error| match error {
        input::InputError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    });
    let mut body = Vec::new();
    opened?.0.take(MOST_BYTES).read_to_end(&mut body)?;
    serde_json::from_slice::<IgnoredAny>(&body).map_err(|_| io::Error::other("it is no whole message"))?;
    Ok(body)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use uuid::Uuid;

    use super::*;
    use crate::plan::test_events::at;

    async fn opened(directory: &Path, run: u128, now: DateTime<Utc>) -> (Outbox, Dropped) {
        let (outbox, dropped) = Outbox::open(directory.to_owned(), RunId::new(Uuid::from_u128(run)), now).await;
        (outbox, dropped.unwrap())
    }

    async fn texts(outbox: &Outbox) -> Vec<String> {
        let (mut texts, mut after) = (Vec::new(), None);
        while let Some((name, body)) = outbox.next(after.as_ref()).await {
            texts.push(String::from_utf8(body).unwrap());
            after = Some(name);
        }
        texts
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn messages_wait_in_their_order_for_later_runs_until_they_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("outbox/receiver");
        let (first, _) = opened(&directory, 9, at(0)).await;
        assert!(first.next(None).await.is_none() && !directory.exists(), "nothing is made before it is needed");
        for (number, second) in [(1, 0), (2, 0), (3, 5)] {
            first.add(number.to_string().into_bytes(), at(second)).await.1.unwrap();
        }
        let (second, dropped) = opened(&directory, 1, at(60)).await;
        second.add(b"4".to_vec(), at(60)).await.1.unwrap();
        assert_eq!((texts(&second).await.join(" ").as_str(), dropped), ("1 2 3 4", 0));
        let (name, _) = second.next(None).await.unwrap();
        second.remove(&name).await;
        assert_eq!((texts(&first).await.join(" ").as_str(), first.waiting().len()), ("2 3", 2), "another run has sent the first");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert!(names(&directory).iter().all(|name| mode(&directory.join(name)) == 0o600));
    }

    #[tokio::test]
    async fn what_is_too_old_or_too_much_is_dropped_and_what_is_torn_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let (early, _) = opened(dir.path(), 1, at(0)).await;
        for body in ["old", "torn {"] {
            early.add(body.as_bytes().to_vec(), at(0)).await.1.unwrap();
        }
        early.add(b"\"new\"".to_vec(), at(9)).await.1.unwrap();
        std::fs::write(dir.path().join("a file of somebody else"), "").unwrap();
        let (later, dropped) = opened(dir.path(), 2, at(0) + LONGEST).await;
        assert_eq!((dropped, texts(&later).await.as_slice(), later.waiting().len()), (0, &["\"new\"".to_owned()][..], 1));
        let (much_later, dropped) = opened(dir.path(), 3, at(10) + LONGEST).await;
        assert_eq!((dropped, much_later.waiting().len(), names(dir.path())), (1, 0, vec!["a file of somebody else".to_owned()]));

        let half = vec![b'1'; usize::try_from(MOST_BYTES / 2).unwrap()];
        for (body, dropped) in [(half.clone(), 0), (half, 0), (b"3".to_vec(), 1)] {
            assert_eq!(much_later.add(body, at(20)).await.0, dropped);
        }
        assert_eq!((much_later.waiting().len(), names(dir.path()).len()), (2, 3));
    }

    #[tokio::test]
    async fn what_the_disk_does_not_take_waits_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let (outbox, unread) = Outbox::open(dir.path().join("file"), RunId::new(Uuid::nil()), at(0)).await;
        assert!(unread.is_err());
        assert!(outbox.add(b"1".to_vec(), at(0)).await.1.is_err());
        assert_eq!(texts(&outbox).await, ["1"]);
    }
}
