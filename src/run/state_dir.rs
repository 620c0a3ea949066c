//! The directory for logs, workspaces and the spool: whose it is, and that it can be used.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD};

use super::error::RunError;
use crate::os::access::{self, FileAccess};
use crate::os::files;
use crate::plan::model::tell::OUTBOX;

/// What a run needs in the state directory.
const OWN: [&str; 3] = ["logs", "work", "spool"];

/// Looks whose the state directory is, before anything in it is made or read: what another user has put there would be taken for our
/// own records. Returns warnings.
///
/// # Errors
/// When it, or a directory that etl-orch makes in it, belongs to another user than root or the one of this process.
pub fn check_state_dir(state_dir: &Path) -> Result<Vec<String>, RunError> {
    for path in [state_dir.to_owned(), state_dir.join(OUTBOX)].into_iter().chain(own_directories(state_dir)) {
        // A link is checked as well as what it leads to. What cannot be looked at is no matter of whose it is.
        for access in [FileAccess::of_link(&path), FileAccess::at(&path)].into_iter().flatten() {
            if let Some(uid) = access.foreign_owner() {
                return Err(RunError::ForeignStateDir { path, uid });
            }
        }
    }
    let exposed = FileAccess::at(state_dir).ok().and_then(FileAccess::exposed);
    let shown = state_dir.display();
    Ok(exposed
        .map(|exposed| format!("{shown} {exposed}, who can replace logs and records in it; chmod go-w {shown}"))
        .into_iter()
        .collect())
}

/// Makes the directories for logs, workspaces and the spool, and checks that they can be written to. Without this check every job would
/// fail on its own. They are for the user of this process alone, also where they were made in another way.
///
/// # Errors
/// When they cannot.
pub fn prepare_state_dir(state_dir: &Path) -> Result<(), RunError> {
    for directory in own_directories(state_dir) {
        prepare(&directory).map_err(|error| RunError::StateDir(directory.clone(), access::named(&directory, error)))?;
    }
    Ok(())
}

fn prepare(directory: &Path) -> io::Result<()> {
    files::create_durable_dir(directory)?;
    if FileAccess::at(directory)?.exposed().is_some() {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(rustix::fs::accessat(CWD, directory, rustix::fs::Access::WRITE_OK, AtFlags::EACCESS)?)
}

fn own_directories(state_dir: &Path) -> impl Iterator<Item = PathBuf> {
    OWN.map(|name| state_dir.join(name)).into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_others_could_write_to_is_warned_of_and_closed() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("var");
        assert_eq!(check_state_dir(&state_dir).unwrap(), [""; 0], "there is none yet");
        fs::create_dir_all(state_dir.join("spool")).unwrap();
        for open in [&state_dir, &state_dir.join("spool")] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let warnings = check_state_dir(&state_dir).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("lets other users write to it (mode 0777)"), "{warnings:?}");
        prepare_state_dir(&state_dir).unwrap();
        assert_eq!((mode(&state_dir), mode(&state_dir.join("spool")), mode(&state_dir.join("logs"))), (0o777, 0o700, 0o700));
    }
}
