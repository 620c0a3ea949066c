//! Files that survive a power cut, and directories that only their owner may enter.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocking::GiveUp;
use super::directory::Directory;

/// Bytes that are copied before it is looked whether the copy is still wanted.
const PIECE: u64 = 1024 * 1024;
/// Pieces that are copied before they are written to disk, so that the end of a large copy does not take long.
const PIECES_UNSYNCED: u64 = 32;

/// Files that this process has staged to replace others.
static STAGED: AtomicU64 = AtomicU64::new(0);

/// Makes a directory, and those above it, with mode 0700. One that exists is left as it is. A power cut may take new ones back.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// As [`create_private_dir`]. When this returns, a power cut does not take back what it made.
///
/// # Errors
/// As there, and when the disk refuses.
pub(crate) fn create_durable_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        create_durable_dir(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process made it just now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    sync_directory_of(path)
}

/// Renames `file`, which is at `from`, to `to` on the same file system, replacing what was there. When this returns, a power cut does
/// not take it back; whenever the power is cut, `to` is the old file or the whole new one.
///
/// # Errors
/// When the disk refuses. `to` is then the old file or the whole new one.
pub(crate) fn rename_durably(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_directory_of(to)
}

/// Writes a file of text for others to read, in one step: whoever opens `path` finds the old text or the whole new one. A file that is
/// there keeps its mode; a new one is for its user and its group. A symbolic link is followed.
///
/// # Errors
/// When it cannot be written, or when `path` is no file. What was there stays then.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    replace_by(path, text, None, rename_durably)
}

/// The same for what is written again soon: a power cut may take it back. A new file is for its user alone.
///
/// # Errors
/// As there.
pub(crate) fn replace_soon(path: &Path, text: &str) -> io::Result<()> {
    replace_by(path, text, Some(Permissions::from_mode(0o600)), rename_soon)
}

/// As [`replace_soon`], and everybody may read a new file, whatever the umask.
///
/// # Errors
/// As there.
pub(crate) fn replace_for_everybody(path: &Path, text: &str) -> io::Result<()> {
    replace_by(path, text, Some(Permissions::from_mode(0o644)), rename_soon)
}

fn rename_soon(_: &File, from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn replace_by(path: &Path, text: &str, new: Option<Permissions>, rename: impl Fn(&File, &Path, &Path) -> io::Result<()>) -> io::Result<()> {
    let (path, mode) = match fs::metadata(path) {
        Ok(found) if found.is_file() => (fs::canonicalize(path)?, Some(found.permissions())),
        Ok(_) => return Err(io::Error::other("it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (std::path::absolute(path)?, new),
        Err(error) => return Err(error),
    };
    // Of living processes only this one has the name, and uses it once.
    let number = STAGED.fetch_add(1, Ordering::Relaxed);
    let staged = staged_path(&path, &format!("{}-{number}", std::process::id()));
    let flags = (rustix::fs::OFlags::NOFOLLOW.bits()).cast_signed();
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o640).custom_flags(flags).open(&staged)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
        rename(&file, &staged, &path)
    };
    write().inspect_err(|_| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&staged);
    })
}

/// Makes a file of text that only its user may read, where there is none.
///
/// # Errors
/// When it is there already, or cannot be written.
pub(crate) fn create_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}

/// A new name is on disk once its directory is.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    Directory::open(path.parent().unwrap_or(Path::new("/")))?.sync()
}

/// Copies `length` bytes of a file, from its beginning. When this returns, a power cut does not take them back. Returns whether the copy
/// is whole: the file had just so many bytes, and nobody asked to give up.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn copy_durably(mut from: &File, length: u64, mut to: &File, give_up: &GiveUp) -> io::Result<bool> {
    io::Seek::rewind(&mut from)?;
    let mut copied = 0;
    for piece in 1_u64.. {
        if give_up.is_asked() {
            return Ok(false);
        }
        // One byte more than there should be shows that the file grows.
        let wanted = PIECE.min(length + 1 - copied);
        let got = io::copy(&mut from.take(wanted), &mut to)?;
        copied += got;
        if got < wanted || copied > length {
            break;
        }
        if piece % PIECES_UNSYNCED == 0 {
            to.sync_data()?;
        }
    }
    to.sync_all()?;
    Ok(copied == length)
}

/// A path for a file that is to take the place of `path`: hidden, in the same directory, and `owner`'s alone.
pub(crate) fn staged_path(path: &Path, owner: &impl std::fmt::Display) -> PathBuf {
    path.with_file_name(format!(".etl-orch-{owner}.part"))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_renamed_file_replaces_the_old_one_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("new"), dir.path().join("report.md"));
        fs::write(&from, "new").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(&to, "old").unwrap();
        rename_durably(&File::open(&from).unwrap(), &from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_replaced_in_one_step_and_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("page.html"), dir.path().join("link.html"));
        let mode = || file.metadata().unwrap().permissions().mode() & 0o777;
        replace(&file, "one").unwrap();
        assert_eq!(mode() & 0o137, 0, "neither others nor the group may write, nor others read");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let before = File::open(&file).unwrap();
        replace(&link, "two").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode()), ("two", 0o644));
        assert_eq!(io::read_to_string(before).unwrap(), "one");
        assert!(link.is_symlink());
        assert_eq!(replace(dir.path(), "three").unwrap_err().to_string(), "it is not a file");
        assert!(replace(&dir.path().join("none/page.html"), "three").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let soon = dir.path().join("health.json");
        replace_soon(&soon, "four").unwrap();
        assert_eq!((fs::read_to_string(&soon).unwrap().as_str(), soon.metadata().unwrap().permissions().mode() & 0o777), ("four", 0o600));
    }

    #[test]
    fn a_copy_is_whole_or_says_that_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let length = PIECE * 2 + 7;
        let text = "x".repeat(usize::try_from(length).unwrap());
        fs::write(dir.path().join("from"), &text).unwrap();
        let copy = |length, give_up: &GiveUp| {
            let to = File::create(dir.path().join("to")).unwrap();
            copy_durably(&File::open(dir.path().join("from")).unwrap(), length, &to, give_up).unwrap()
        };
        assert!(copy(length, &GiveUp::default()));
        assert_eq!(fs::read_to_string(dir.path().join("to")).unwrap(), text);
        for other in [length - 1, length + 1, PIECE, PIECE * 3] {
            assert!(!copy(other, &GiveUp::default()), "{other}");
        }
        let give_up = GiveUp::default();
        give_up.ask();
        assert!(!copy(length, &give_up));
    }

    #[test]
    fn directories_are_made_as_deep_as_needed() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_durable_dir(&deep).unwrap();
        create_durable_dir(&deep).unwrap();
        assert_eq!(deep.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
