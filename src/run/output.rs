//! Publishes a report file: checks what the ETL wrote and moves it to its destination (`reports.by: orchestrator`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::os::files;

/// The size in bytes above which a report is not copied into `markdown_content`.
pub(super) const MAX_CONTENT: u64 = 16 * 1024 * 1024;

/// A report that was moved to its destination and is safely on disk.
#[derive(Debug)]
pub(super) struct Published {
    /// Its text; `None` when it is not UTF-8, contains NUL, or is larger than [`MAX_CONTENT`].
    pub(super) content: Option<String>,
}

/// Why a report was not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// The ETL wrote no file, an empty one, or something that is not a regular file.
    #[error("exit 0, but {0}")]
    NotThere(&'static str),
    /// The file could not be read or moved to this destination.
    #[error("exit 0, but the report cannot be put at {0}: {1}")]
    NotPlaced(PathBuf, io::Error),
}

/// Checks the file that an attempt wrote and renames it to its destination, replacing what was there. Its bytes are on disk before the
/// rename, so that a crash never leaves an empty report.
///
/// # Errors
/// When there is no usable file, or it cannot be moved. The destination then stays as it was.
pub(super) fn publish(written: &Path, destination: &Path) -> Result<Published, Unusable> {
    let not_placed = |error| Unusable::NotPlaced(destination.to_owned(), error);
    match fs::symlink_metadata(written) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::NotThere("no file at {output}")),
        Err(error) => return Err(not_placed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(Unusable::NotThere("{output} is no regular file")),
        Ok(metadata) if metadata.len() == 0 => return Err(Unusable::NotThere("the file at {output} is empty")),
        Ok(_) => {}
    }
    let mut file = File::open(written).map_err(not_placed)?;
    let content = read_text(&mut file).map_err(not_placed)?;
    files::create_durable_dir(destination.parent().unwrap_or(Path::new("/"))).map_err(not_placed)?;
    files::move_durably(&mut file, written, destination).map_err(not_placed)?;
    Ok(Published { content })
}

/// The text of a published report, as in [`Published::content`]; also `None` when it cannot be read.
pub(super) fn content(destination: &Path) -> Option<String> {
    File::open(destination).and_then(|mut file| read_text(&mut file)).ok().flatten()
}

fn read_text(file: &mut File) -> io::Result<Option<String>> {
    if file.metadata()?.len() > MAX_CONTENT {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_CONTENT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_takes_the_place_of_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (written, place) = (dir.path().join("out.md"), dir.path().join("reports/2025Q2/RY.md"));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, "old").unwrap();
        fs::write(&written, "new").unwrap();
        let published = publish(&written, &place).unwrap();
        assert_eq!(published.content.as_deref(), Some("new"));
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert!(!written.exists());
    }

    #[test]
    fn what_is_no_report_leaves_the_old_one_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (written, place) = (dir.path().join("out.md"), dir.path().join("RY.md"));
        fs::write(&place, "old").unwrap();
        assert_eq!(publish(&written, &place).unwrap_err().to_string(), "exit 0, but no file at {output}");
        fs::write(&written, "").unwrap();
        assert_eq!(publish(&written, &place).unwrap_err().to_string(), "exit 0, but the file at {output} is empty");
        fs::remove_file(&written).unwrap();
        std::os::unix::fs::symlink(&place, &written).unwrap();
        assert_eq!(publish(&written, &place).unwrap_err().to_string(), "exit 0, but {output} is no regular file");
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
    }

    #[test]
    fn a_file_that_is_no_text_has_no_content() {
        let dir = tempfile::tempdir().unwrap();
        let (written, place) = (dir.path().join("out"), dir.path().join("place"));
        fs::write(&written, [0xff, 0xfe]).unwrap();
        assert_eq!(publish(&written, &place).unwrap().content, None);
    }
}
