//! Learns from files what data is available (`availability.sync`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::plan::institution::Institutions;
use crate::plan::pattern::{Component, Found, PathPattern};
use crate::plan::period::Period;
use crate::plan::settings::SyncRule;
use crate::store::Available;

/// Symbols that nobody monitors are named up to this number, and counted.
const NAMED: usize = 10;

/// What the files tell.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// The data that is there.
    pub(super) available: Vec<Available>,
    /// Files that look like data and are not usable, each in a sentence.
    pub(super) warnings: Vec<String>,
    /// Symbols in the names of files that nobody monitors.
    unmonitored: BTreeSet<String>,
}

/// Looks for files of every rule's shape. Files of another shape are passed over.
///
/// # Errors
/// When a directory that exists cannot be read. One that does not exist holds nothing.
pub(super) fn learn(rules: &[SyncRule], institutions: &Institutions) -> io::Result<Learnt> {
    let mut learnt = Learnt::default();
    for rule in rules {
        let pattern = PathPattern::new(&rule.files);
        walk(Path::new("/"), pattern.components(), &Found::default(), &mut |path, found| {
            take(&mut learnt, rule, institutions, path, found)
        })
        .map_err(|(path, error)| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    // Directories have no order of their own, and several files may tell the same.
    learnt.available.sort_by(|one, other| key(one).cmp(&key(other)));
    learnt.available.dedup();
    learnt.warnings.sort_unstable();
    learnt.warnings.extend(unmonitored(&learnt.unmonitored));
    Ok(learnt)
}

fn key(one: &Available) -> (i64, Period, &str) {
    (one.bank_id, one.period, &one.tag)
}

fn unmonitored(symbols: &BTreeSet<String>) -> Option<String> {
    let named = symbols.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match symbols.len() {
        0 => None,
        1 => Some(format!("1 symbol in file names that nobody monitors: {named}")),
        all if all <= NAMED => Some(format!("{all} symbols in file names that nobody monitors: {named}")),
        all => Some(format!("{all} symbols in file names that nobody monitors: {named} and {} more", all - NAMED)),
    }
}

type WalkResult = Result<(), (PathBuf, io::Error)>;

fn walk(directory: &Path, components: &[Component], found: &Found, file: &mut impl FnMut(PathBuf, &Found) -> WalkResult) -> WalkResult {
    let Some((component, rest)) = components.split_first() else {
        return file(directory.to_owned(), found);
    };
    match component {
        Component::Literal(name) => walk(&directory.join(name), rest, found, file),
        Component::Shape(shape) => {
            let entries = match std::fs::read_dir(directory) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
                entries => entries.map_err(|error| (directory.to_owned(), error))?,
            };
            for entry in entries {
                let name = entry.map_err(|error| (directory.to_owned(), error))?.file_name();
                if let Some(found) = name.to_str().and_then(|name| shape.read(name, found)) {
                    walk(&directory.join(&name), rest, &found, file)?;
                }
            }
            Ok(())
        }
    }
}

fn take(learnt: &mut Learnt, rule: &SyncRule, institutions: &Institutions, path: PathBuf, found: &Found) -> WalkResult {
    let Some(symbol) = found.bank() else { return Ok(()) };
    let Some(bank) = institutions.by_data_symbol(symbol) else {
        if !learnt.unmonitored.contains(symbol) {
            learnt.unmonitored.insert(symbol.to_owned());
        }
        return Ok(());
    };
    let bank = institutions.get(bank);
    let period = match found.period() {
        Ok(period) => period,
        Err(problem) => {
            learnt.warnings.push(format!("{}: {problem}; the file is passed over", path.display()));
            return Ok(());
        }
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() && metadata.len() > 0 => learnt.available.push(Available {
            bank_id: bank.id,
            bank_name: bank.name.clone(),
            bank_symbol: institutions.data_symbol(bank).to_owned(),
            period,
            tag: rule.tag.clone(),
        }),
        Ok(metadata) if metadata.is_file() => learnt.warnings.push(format!("{} is empty; the file is passed over", path.display())),
        Ok(_) => {}
        // It went away while we looked, or is a dangling link: not there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err((path, error)),
    }
    Ok(())
}
