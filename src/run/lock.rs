//! The lock that lets one invocation work at a time (specification §6, step 2).
//!
//! `flock` on a file that is never removed: the kernel frees it when its holder dies, so there is no stale lock. A second
//! file, `<lock>.wait`, is held by the one invocation that waits to do everything, so that a third need not.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::sync::oneshot;

use crate::execute::stop::StopSignal;
use crate::os::files;
use crate::os::identity::this_process;
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

/// What became of the wish to hold the lock.
#[derive(Debug)]
pub enum Acquired {
    /// It is ours. `waited` says whether it was not at once.
    Yes {
        /// The lock.
        lock: Lock,
        /// Whether another invocation held it first.
        waited: bool,
    },
    /// It is held, another invocation waits for it already, and this one has nothing to add.
    NotNeeded {
        /// Who holds it.
        holder: String,
    },
    /// It is held, and the time to wait ran out.
    TimedOut {
        /// Who holds it.
        holder: String,
    },
    /// A signal ended the wait.
    Stopped,
}

/// The lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A symbolic link, directory or the like stands in its place.
    #[error("lock file {0} is {1}; remove it, or name another file as lock_file")]
    NotAFile(PathBuf, &'static str),
    /// It cannot be opened, made or locked.
    #[error("cannot use lock file {0}: {1}; name another as lock_file")]
    Io(PathBuf, io::Error),
}

/// Takes the lock at `path`, or waits for it. `has_selection` says whether this invocation asks for something that the
/// waiting one might not do; `on_wait` is told who holds the lock.
///
/// # Errors
/// When the file cannot be opened or is no regular file.
pub async fn acquire(
    path: &Path,
    wait: LockWait,
    has_selection: bool,
    stop: &StopSignal,
    on_wait: impl FnOnce(&str),
) -> Result<Acquired, LockError> {
    let file = open(path)?;
    if try_lock(path, &file)? {
        return Ok(Acquired::Yes { lock: Lock { file }, waited: false });
    }
    let holder = holder(&file);
    if wait == LockWait::None {
        return Ok(Acquired::TimedOut { holder });
    }
    // One that asks for something of its own does not wait in the place of those that ask for everything.
    let _place = if has_selection {
        None
    } else {
        let place = waiting_path(path);
        let file = open(&place)?;
        if !try_lock(&place, &file)? {
            return Ok(Acquired::NotNeeded { holder });
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
            Ok(file) => Ok(Acquired::Yes { lock: Lock { file }, waited: true }),
            Err(error) => Err(LockError::Io(path.to_owned(), error)),
        },
        () = limit => Ok(Acquired::TimedOut { holder }),
        _ = stop.reached(StopLevel::Graceful) => Ok(Acquired::Stopped),
    }
}

/// For the guard, which holds the lock with us.
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
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let text = format!("{} since {since}, run {}\n", this_process(), run.short());
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}

/// The next holder may not say who it is, and must not be taken for us.
impl Drop for Lock {
    fn drop(&mut self) {
        // The lock is freed all the same.
        let _ = self.file.set_len(0);
    }
}

/// Waits for the lock in a thread of its own, as `flock` blocks. A thread whose wait was given up ends with the process,
/// which then has nothing left to do.
async fn lock_in_thread(file: File) -> io::Result<File> {
    let (done, locked) = oneshot::channel();
    std::thread::spawn(move || {
        let result = loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.map(|()| file).map_err(io::Error::from),
            }
        };
        // Nobody listens any more when the wait was given up.
        let _ = done.send(result);
    });
    locked.await.unwrap_or_else(|_| Err(io::Error::other("the waiting thread ended")))
}

fn waiting_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wait");
    PathBuf::from(name)
}

fn open(path: &Path) -> Result<File, LockError> {
    let error = |error: io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => LockError::NotAFile(path.to_owned(), "a symbolic link"),
        Some(rustix::io::Errno::ISDIR) => LockError::NotAFile(path.to_owned(), "a directory"),
        _ => LockError::Io(path.to_owned(), error),
    };
    if let Some(directory) = path.parent() {
        files::create_private_dir(directory).map_err(error)?;
    }
    // Not O_CREAT at first: in a sticky directory such as /tmp it is refused for a file that another user made.
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
    if !file.metadata().map_err(error)?.is_file() {
        return Err(LockError::NotAFile(path.to_owned(), "no regular file"));
    }
    Ok(file)
}

/// `O_NONBLOCK` so that a FIFO in the lock's place cannot hold us up; it means nothing for a file.
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

/// Who holds the lock, in words, from what the holder wrote: `process 7 on host since 2026-…`. The script that this replaces
/// writes its own text there.
fn holder(mut file: &File) -> String {
    let mut text = String::new();
    // What cannot be read is said to be unknown below.
    let _ = file.by_ref().take(1024).read_to_string(&mut text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = words.chars().filter(|c| !c.is_control()).collect();
    if plain.is_empty() { "a process that did not say who it is".to_owned() } else { plain }
}
