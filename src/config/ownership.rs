//! Warns of files that other users may change: what stands in them decides which programs run.

use std::path::Path;

use crate::os::access::{Exposed, FileAccess};

/// What others may do with a file that was read, and with the directories that hold its name. `holds_secrets` says that not even
/// reading it is for everybody.
pub(super) fn warnings(path: &Path, access: FileAccess, holds_secrets: bool) -> Vec<String> {
    let shown = path.display();
    let mut warnings = Vec::new();
    if let Some(exposed) = access.exposed() {
        warnings.push(format!("{shown} {exposed}, who can decide in it what runs here; {}", remedy(exposed, path)));
    }
    for directory in directories(path) {
        let Some(exposed) = FileAccess::at(&directory).ok().and_then(FileAccess::exposed) else { continue };
        let remedy = remedy(exposed, &directory);
        warnings.push(format!("{} {exposed}, who can replace {shown}; {remedy}", directory.display()));
    }
    if holds_secrets && access.is_readable_by_all() {
        warnings.push(format!(
            "{shown} may hold secrets, and every user of this host can read it (mode {:04o}); chmod o-r {shown}",
            access.mode()
        ));
    }
    warnings
}

fn remedy(exposed: Exposed, path: &Path) -> String {
    match exposed {
        Exposed::Owner(_) => format!("give it to root, or to the user who runs etl-orch (chown {})", path.display()),
        Exposed::Mode(_) => format!("chmod go-w {}", path.display()),
    }
}

/// The directory of the path, and that of the file which it leads to.
fn directories(path: &Path) -> Vec<std::path::PathBuf> {
    let of_name = path.parent().map(Path::to_owned);
    let of_file = path.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    let mut directories: Vec<_> = of_name.into_iter().chain(of_file).collect();
    directories.dedup();
    directories
}
