//! `tell.textfile`.

use std::path::PathBuf;

use super::super::check::Check;

pub(super) fn textfile(check: &mut Check, written: Option<String>) -> Option<PathBuf> {
    let path = ["tell", "textfile"];
    let file = check.path(&path, written)?;
    if file.extension().is_none_or(|extension| extension != "prom") {
        check.wrong(&path, "tell.textfile must end in .prom: node_exporter reads no other files");
    }
    Some(file)
}
