//! The lock that lets one invocation work at a time.
//!
//! It is a `flock` on a file that is never removed: the kernel frees it when its holder dies, so there is no stale lock. An invocation
//! without a selection that waits for it holds a second file, `<lock>.wait`; another one without a selection then has nothing to add.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::sync::oneshot;

use crate::execute::stop::StopSignal;
use crate::os::access;
use crate::os::files;
use crate::os::identity::this_process;
use crate::os::{locks, process};
use crate::plan::decide::checkup::LockState;
use crate::plan::model::ids::RunId;
use crate::plan::run::stop::StopLevel;

/// How long to wait for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockWait {
    /// Until it is free.
    Forever,
    /// Not at all.
    None,
    /// At most this long.
    AtMost(Duration),
}

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The outcome of [`acquire`].
#[derive(Debug)]
pub enum Acquisition {
    /// The lock is ours.
    Locked {
        lock: Lock,
        /// Whether another invocation held it first.
        waited: bool,
    },
    /// The lock is held, another invocation waits for it already, and this one has nothing to add.
    NotNeeded {
        /// The holder, in words; not yet escaped.
        holder: String,
    },
    /// The lock is held, and [`LockWait`] ran out.
    TimedOut {
        /// The holder, in words; not yet escaped.
        holder: String,
    },
    /// A stop ended the wait.
    Stopped,
}

/// The lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Its path names a symbolic link, a directory or the like.
    #[error("lock file {0} is {1}; remove it, or name another file as lock_file")]
    NotAFile(PathBuf, &'static str),
    /// It cannot be created, opened or locked.
    #[error("cannot use lock file {0}: {1}; name another as lock_file")]
    Io(PathBuf, io::Error),
}

/// Takes the lock at `path`, or waits for it. `has_selection` says whether this invocation does something that one without a selection
/// might not do; `on_wait` is called with the holder before a wait begins.
///
/// # Errors
/// When the file cannot be opened or is no regular file.
pub async fn acquire(
    path: &Path,
    wait: LockWait,
    has_selection: bool,
    stop: &StopSignal,
    on_wait: impl FnOnce(&str),
) -> Result<Acquisition, LockError> {
    let file = open(path)?;
    if try_lock(path, &file)? {
        return Ok(Acquisition::Locked { lock: Lock { file }, waited: false });
    }
    let holder = holder(&file);
    if wait == LockWait::None {
        return Ok(Acquisition::TimedOut { holder });
    }
    // Held while this function waits. An invocation with a selection does not hold it: it would not do the work of one without.
    let _waiting_lock = if has_selection {
        None
    } else {
        let path = waiting_path(path);
        let file = open(&path)?;
        if !try_lock(&path, &file)? {
            return Ok(Acquisition::NotNeeded { holder });
        }
        Some(file)
    };
    on_wait(&holder);
    let limit = async {
        match wait {
            LockWait::AtMost(limit) => tokio::time::sleep(limit).await,
            LockWait::Forever | LockWait::None => std::future::pending().await,
        }
    };
    tokio::select! {
        locked = lock_in_thread(file) => match locked {
            Ok(file) => Ok(Acquisition::Locked { lock: Lock { file }, waited: true }),
            Err(error) => Err(LockError::Io(path.to_owned(), error)),
        },
        () = limit => Ok(Acquisition::TimedOut { holder }),
        _ = stop.reached(StopLevel::Graceful) => Ok(Acquisition::Stopped),
    }
}

/// Looks at the lock without taking it, and without making its file.
#[must_use]
pub fn look(path: &Path) -> LockState {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return LockState::Absent,
        Err(error) => return LockState::Unknown(access::named(path, error).to_string()),
        Ok(metadata) => metadata,
    };
    if let Some(problem) = not_a_lock(&metadata) {
        return LockState::Unusable(LockError::NotAFile(path.to_owned(), problem).to_string());
    }
    let named = || match OpenOptions::new().read(true).custom_flags(flags()).open(path) {
        Ok(file) if file.metadata().is_ok_and(|found| found.len() > 0) => Some(holder(&file)),
        Ok(_) | Err(_) => None,
    };
    match locks::holder(&metadata) {
        Ok(Some(pid)) => LockState::Held { holder: named().unwrap_or_else(|| unnamed(pid)), pid },
        Ok(None) => named().filter(|holder| !is_ours(holder)).map_or(LockState::Free, |holder| LockState::Named { holder }),
        Err(error) => LockState::Unknown(error.to_string()),
    }
}

/// Who holds the lock, where this host shows that it is no run of etl-orch: a script that shares it, or whatever else has taken it.
#[must_use]
pub fn stranger(path: &Path) -> Option<String> {
    let LockState::Held { holder, pid } = look(path) else { return None };
    let name = process::name_of(pid).unwrap_or_default();
    if name.starts_with("etl-orch") {
        return None;
    }
    // A run that was killed may have left its name there.
    let named_itself = !holder.starts_with("process ");
    Some(if named_itself { holder } else { unnamed(pid) })
}

fn unnamed(pid: u32) -> String {
    process::name_of(pid).map_or_else(|| format!("process {pid}"), |name| format!("process {pid} ({name})"))
}

/// Whether a holder named itself on this host, which shows that it holds the lock no more: it was killed.
fn is_ours(holder: &str) -> bool {
    let here = this_process();
    holder.split(" since ").next().is_some_and(|who| who.ends_with(&format!(" on {}", here.host)))
}

/// Why what is at the path of a lock cannot be one.
fn not_a_lock(found: &Metadata) -> Option<&'static str> {
    if found.is_symlink() {
        Some("a symbolic link")
    } else if found.is_dir() {
        Some("a directory")
    } else if !found.is_file() {
        Some("no regular file")
    } else if found.nlink() > 1 {
        // What is written into the lock would be written into that other file.
        Some("another name of some other file (a hard link)")
    } else {
        None
    }
}

/// The guard holds the lock too: it gets this descriptor.
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// Writes that this process holds the lock for a run, for those who wait. It writes over the old text and then cuts off the
    /// rest, so that a reader never finds the file empty.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, run: RunId, since: DateTime<Utc>) -> io::Result<()> {
        self.write_name(since, &format!("run {}", run.short()))
    }

    /// The same for who removes what is old.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce_pruning(&self, since: DateTime<Utc>) -> io::Result<()> {
        self.write_name(since, "pruning")
    }

    fn write_name(&self, since: DateTime<Utc>, what: &str) -> io::Result<()> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let text = format!("{} since {since}, {what}\n", this_process());
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}

/// Removes our name: the next holder may not write its own, and must not be taken for us.
impl Drop for Lock {
    fn drop(&mut self) {
        // An error changes nothing: the lock is freed when the file is closed.
        let _ = self.file.set_len(0);
    }
}

/// Waits for the lock in a thread of its own, as `flock` blocks. When the future is dropped the thread goes on; it ends with the
/// process, which exits soon as it has nothing left to do.
async fn lock_in_thread(file: File) -> io::Result<File> {
    let (done, locked) = oneshot::channel();
    let waiting = file.try_clone()?;
    let started = std::thread::Builder::new().spawn(move || {
        let result = loop {
            match flock(&waiting, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.map_err(io::Error::from),
            }
        };
        // The receiver is gone when the wait was given up.
        let _ = done.send(result);
    });
    match started {
        Ok(_) => locked.await.unwrap_or_else(|_| Err(io::Error::other("the waiting thread ended")))?,
        Err(_) => lock_without_thread(&file).await?,
    }
    Ok(file)
}

/// Looks again and again whether the lock is free: the host has no room for a thread.
async fn lock_without_thread(file: &File) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => tokio::time::sleep(LOOK_AGAIN).await,
            other => return other.map_err(io::Error::from),
        }
    }
}

/// The pause between two looks at a lock.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The file that a waiting invocation without a selection holds.
fn waiting_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wait");
    PathBuf::from(name)
}

/// Opens the file, and creates it and its directory where they are missing.
fn open(path: &Path) -> Result<File, LockError> {
    let error = |error: io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => LockError::NotAFile(path.to_owned(), "a symbolic link"),
        Some(rustix::io::Errno::ISDIR) => LockError::NotAFile(path.to_owned(), "a directory"),
        _ => LockError::Io(path.to_owned(), access::named(path, error)),
    };
    if let Some(directory) = path.parent() {
        files::create_durable_dir(directory).map_err(error)?;
    }
    // First without O_CREAT: in a sticky directory such as /tmp the kernel refuses it for a file that another user made.
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(flags());
    let file = match options.open(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => match options.clone().create_new(true).open(path) {
            Err(raced) if raced.kind() == io::ErrorKind::AlreadyExists => options.open(path),
            created => created,
        },
        opened => opened,
    }
    .map_err(error)?;
    match not_a_lock(&file.metadata().map_err(error)?) {
        Some(problem) => Err(LockError::NotAFile(path.to_owned(), problem)),
        None => Ok(file),
    }
}

/// `O_NONBLOCK` has no effect on a file; without it opening a FIFO would block.
fn flags() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

fn try_lock(path: &Path, file: &File) -> Result<bool, LockError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(LockError::Io(path.to_owned(), errno.into())),
    }
}

/// The holder in words, as it wrote them: `process 7 on host since 2026-…`. A script that shares the lock writes a text of its own.
fn holder(mut file: &File) -> String {
    let mut text = String::new();
    // A file that cannot be read counts as an empty one.
    let _ = file.by_ref().take(1024).read_to_string(&mut text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = words.chars().filter(|c| !c.is_control()).collect();
    if plain.is_empty() { "a process that did not say who it is".to_owned() } else { plain }
}
