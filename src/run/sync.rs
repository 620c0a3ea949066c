//! Learns from files what data is available (`availability.sync`).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::plan::decide::path_pattern::{Component, Found, PathPattern};
use crate::plan::model::institution::Institutions;
use crate::plan::model::period::Period;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::SyncRule;
use crate::store::Available;

/// A warning names at most this many symbols; it counts the others.
const MOST_NAMED: usize = 10;

/// By `bank_id` and period, one text for each file. It has the tag, size and modification time, so that it changes when the file does.
pub(super) type Stamps = HashMap<(i64, Period), Vec<String>>;

/// What was learnt from the files of `availability.sync`.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// Data for which there is a file; sorted, without duplicates.
    pub(super) available: Vec<Available>,
    /// The versions of the files.
    pub(super) stamps: Stamps,
    /// Files and directories that cannot be used, each in a sentence.
    pub(super) warnings: Vec<String>,
    /// Symbols in the names of files that nobody monitors.
    unmonitored: BTreeSet<String>,
}

/// Finds the files whose path matches a rule. A path that cannot be read is a warning; a file of a bank that is not selected gives none.
///
/// # Errors
/// When the directory that holds all files of a rule cannot be read. One that does not exist is only a warning.
pub(super) fn learn(rules: &[SyncRule], institutions: &Institutions, selection: &Selection) -> io::Result<Learnt> {
    let mut learnt = Learnt::default();
    for rule in rules {
        let pattern = PathPattern::new(&rule.files);
        let (fixed, varying) = pattern.split();
        match std::fs::read_dir(&fixed) {
            Ok(_) => Search { rule, institutions, selection, learnt: &mut learnt }.descend(&fixed, varying, &Found::default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                learnt.warnings.push(format!("{} does not exist, so nothing is learnt from it", fixed.display()));
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", fixed.display()))),
        }
    }
    // `read_dir` returns entries in any order, and several files may stand for the same data.
    learnt.available.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    learnt.available.dedup();
    for stamps in learnt.stamps.values_mut() {
        stamps.sort_unstable();
    }
    learnt.warnings.sort_unstable();
    learnt.warnings.extend(unmonitored_warning(&learnt.unmonitored));
    Ok(learnt)
}

/// The search for the files of one rule.
struct Search<'a> {
    rule: &'a SyncRule,
    institutions: &'a Institutions,
    selection: &'a Selection,
    learnt: &'a mut Learnt,
}

fn sort_key(one: &Available) -> (i64, Period, &str) {
    (one.bank_id, one.period, &one.tag)
}

fn unmonitored_warning(symbols: &BTreeSet<String>) -> Option<String> {
    let named = symbols.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match symbols.len() {
        0 => None,
        1 => Some(format!("1 symbol in file names that nobody monitors: {named}")),
        all if all <= MOST_NAMED => Some(format!("{all} symbols in file names that nobody monitors: {named}")),
        all => Some(format!("{all} symbols in file names that nobody monitors: {named} and {} more", all - MOST_NAMED)),
    }
}

impl Search<'_> {
    /// Takes every file below `path` that matches `components`. `found` are the values that the path so far has for placeholders.
    fn descend(&mut self, path: &Path, components: &[Component], found: &Found) {
        let done = match components.split_first() {
            None => self.take_file(path, found),
            Some((Component::Literal(name), rest)) => {
                self.descend(&path.join(name), rest, found);
                Ok(())
            }
            Some((Component::Shape(shape), rest)) => std::fs::read_dir(path).and_then(|entries| {
                for entry in entries {
                    let name = entry?.file_name();
                    if let Some(found) = name.to_str().and_then(|name| shape.read(name, found)) {
                        self.descend(&path.join(&name), rest, &found);
                    }
                }
                Ok(())
            }),
        };
        match done {
            // A file in the place of a directory, or a path that was removed during the search: it holds no data.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => self.learnt.warnings.push(format!("{}: {error}; it is passed over", path.display())),
            Ok(()) => {}
        }
    }

    /// Learns from the file at `path`, whose whole path matches the rule.
    fn take_file(&mut self, path: &Path, found: &Found) -> io::Result<()> {
        let Some(symbol) = found.bank() else { return Ok(()) };
        let Some(bank) = self.institutions.by_data_symbol(symbol) else {
            if self.selection.has_rows_of(None) {
                self.learnt.unmonitored.insert(symbol.to_owned());
            }
            return Ok(());
        };
        let is_selected = self.selection.has_bank(bank);
        let bank = self.institutions.get(bank);
        let period = match found.period() {
            Ok(period) => period,
            Err(problem) => {
                let warning = is_selected.then(|| format!("{}: {problem}; the file is passed over", path.display()));
                self.learnt.warnings.extend(warning);
                return Ok(());
            }
        };
        let metadata = std::fs::metadata(path)?;
        if metadata.is_file() && metadata.len() > 0 {
            let stamp = format!("{} {} {}.{:09}", self.rule.tag, metadata.len(), metadata.mtime(), metadata.mtime_nsec());
            self.learnt.stamps.entry((bank.id, period)).or_default().push(stamp);
            self.learnt.available.push(Available {
                bank_id: bank.id,
                bank_name: bank.name.clone(),
                bank_symbol: self.institutions.data_symbol(bank).to_owned(),
                period,
                tag: self.rule.tag.clone(),
            });
        } else if is_selected {
            let what = if metadata.is_file() { "empty" } else { "no regular file" };
            self.learnt.warnings.push(format!("{} is {what}; it is passed over", path.display()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::institution::Institution;
    use crate::plan::text::placeholder::Scope;
    use crate::plan::text::template::Template;

    fn learn_from(files: &str) -> io::Result<Learnt> {
        let bank =
            Institution { key: "RY-CA".to_owned(), id: 1, name: "Royal Bank".to_owned(), kind: None, priority: 0, place: String::new() };
        let files = Template::parse(files, Scope::ALL).unwrap();
        learn(&[SyncRule { tag: "transcripts".to_owned(), files }], &Institutions::new(vec![bank]), &Selection::default())
    }

    #[test]
    fn odd_paths_are_passed_over_and_stop_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("RY/2025Q1")).unwrap();
        std::fs::write(root.join("RY/2025Q1/call.txt"), "text").unwrap();
        std::fs::create_dir_all(root.join("RY/2025Q2")).unwrap();
        std::os::unix::fs::symlink("call.txt", root.join("RY/2025Q2/call.txt")).unwrap();
        std::fs::write(root.join("RY/2025Q3"), "a file where a directory might be").unwrap();
        std::fs::create_dir_all(root.join("RY/2025Q5")).unwrap();
        std::fs::write(root.join("RY/2025Q5/call.txt"), "text").unwrap();
        let learnt = learn_from(&format!("{}/{{bank_symbol}}/{{period}}/call.txt", root.display())).unwrap();
        let periods: Vec<String> = learnt.available.iter().map(|one| one.period.compact()).collect();
        assert_eq!(periods, ["2025Q1"]);
        assert_eq!(learnt.warnings.len(), 2, "the link to itself and Q5: {:?}", learnt.warnings);
    }

    #[test]
    fn a_directory_that_is_not_there_is_said() {
        let learnt = learn_from("/nowhere/at/all/{bank_symbol}_{period}.txt").unwrap();
        assert_eq!(learnt.warnings, ["/nowhere/at/all does not exist, so nothing is learnt from it"]);
        assert!(learn_from("/dev/null/{bank_symbol}_{period}.txt").is_err());
    }
}
