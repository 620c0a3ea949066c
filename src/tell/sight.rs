//! What can be seen of the channels without sending or writing anything.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::outbox;
use crate::os::room;
use crate::plan::decide::checkup::{ChannelFacts, NotLooked, Sight};
use crate::plan::model::tell::{Configured, Medium, OUTBOX, TellSettings};

/// Looks at the channels that are configured. Blocks as long as the files do.
#[must_use]
pub fn look(settings: &TellSettings, state_dir: &Path) -> Vec<ChannelFacts> {
    let facts = |Configured { name, medium, shown }: Configured<'_>| {
        let file = |checked: io::Result<()>| Sight::File(checked.map_err(|error| error.to_string()));
        let sight = match medium {
            Medium::Network => Sight::Nothing,
            Medium::Outbox => {
                let waiting = outbox::waiting(&state_dir.join(OUTBOX).join(name));
                Sight::Outbox(waiting.map_err(|error| NotLooked::Because(error.to_string())))
            }
            Medium::Replaced(path) => file(can_replace(path, state_dir)),
            Medium::Appended(path) => file(can_append(path, state_dir)),
        };
        ChannelFacts { name, shown, sight, untold: None }
    };
    settings.channels().into_iter().map(facts).collect()
}

/// Whether a file can be made or replaced in its directory. A run makes none but `state_dir`.
pub(super) fn can_replace(path: &Path, state_dir: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    if directory != state_dir && !directory.try_exists()? {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("the directory {} does not exist", directory.display())));
    }
    room::check_file(path)
}

/// Whether a file can be appended to, or made.
pub(super) fn can_append(path: &Path, state_dir: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => can_replace(path, state_dir),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_can_be_written_where_a_run_could_write_them() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        let state_dir = at("var");
        can_append(&at("file"), &state_dir).unwrap();
        can_append(&at("new"), &state_dir).unwrap();
        can_append(&state_dir.join("events.jsonl"), &state_dir).unwrap();
        can_replace(&state_dir.join("x.prom"), &state_dir).unwrap();
        assert!(!state_dir.exists());
        for path in [at("none/x.prom"), state_dir.join("none/x.prom"), at("file/x.prom"), dir.path().to_owned()] {
            can_replace(&path, &state_dir).unwrap_err();
            can_append(&path, &state_dir).unwrap_err();
        }
    }
}
