//! Files that survive a power cut, and directories that only their owner may enter.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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

/// As [`rename_durably`], also to another file system. There the file is copied under a hidden name beside `to` first.
///
/// # Errors
/// As there.
pub(crate) fn move_durably(file: &mut File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_then_rename(file, from, to)?,
        renamed => renamed?,
    }
    // An earlier copy may have been cut short by the end of its process.
    let _ = fs::remove_file(copy_path(to));
    sync_directory_of(to)
}

fn copy_then_rename(file: &mut File, from: &Path, to: &Path) -> io::Result<()> {
    let copy = copy_path(to);
    let result = copy_durably(file, &copy).and_then(|()| fs::rename(&copy, to));
    if result.is_err() {
        // The copy is of no use, and the error that is reported says why.
        let _ = fs::remove_file(&copy);
    }
    result.and_then(|()| fs::remove_file(from))
}

fn copy_durably(file: &mut File, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    file.rewind()?;
    // Made anew: a symbolic link that somebody put there is not followed.
    let mut copy = File::create_new(to)?;
    copy.set_permissions(file.metadata()?.permissions())?;
    io::copy(file, &mut copy)?;
    copy.sync_all()
}

/// The same hidden name for every copy to `path`, so that copies that were cut short do not pile up.
fn copy_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

/// Writes the directory that `path` is in to disk: only then is a new name in it there.
///
/// # Errors
/// When it cannot be opened, or the disk refuses.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    type Mover = fn(&mut File, &Path, &Path) -> io::Result<()>;

    #[test]
    fn a_moved_file_replaces_the_old_one_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("new"), dir.path().join("report.md"));
        let rename: Mover = |file, from, to| rename_durably(file, from, to);
        for mover in [rename, move_durably, copy_then_rename] {
            fs::write(&from, "new").unwrap();
            fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();
            fs::write(&to, "old").unwrap();
            mover(&mut File::open(&from).unwrap(), &from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), "new");
            assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o640);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_copy_does_not_write_through_a_link_and_a_failed_one_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to, elsewhere) = (dir.path().join("new"), dir.path().join("report.md"), dir.path().join("elsewhere"));
        fs::write(&from, "new").unwrap();
        fs::write(&elsewhere, "untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, copy_path(&to)).unwrap();
        fs::create_dir_all(to.join("in the way")).unwrap();
        copy_then_rename(&mut File::open(&from).unwrap(), &from, &to).unwrap_err();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert!(from.exists() && fs::symlink_metadata(copy_path(&to)).is_err());
    }
}
