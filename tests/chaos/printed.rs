//! Successes that were printed: what they are of is not started again.

use std::collections::BTreeMap;
use std::fs;

use crate::marks::{Mark, MarkKind};
use crate::support::World;
use crate::support::world::Done;

/// What a run prints before the name of a report or window.
const SUCCESS: &str = "✅ Success ";

/// By the name as it was printed, `RY 2025 Q2 [call_summary]` or `archive START/END`: the starts until then.
#[derive(Debug, Default)]
pub(crate) struct Printed(BTreeMap<String, usize>);

impl Printed {
    /// Takes the successes from the output of a run that has ended.
    pub(crate) fn read(&mut self, world: &World, done: &Done) {
        for line in done.stderr.lines() {
            if let Some((name, _)) = line.split_once(SUCCESS).and_then(|(_, rest)| rest.rsplit_once(" in ")) {
                self.0.entry(name.to_owned()).or_insert_with(|| starts(world, name));
            }
        }
    }

    /// Takes as a success, too, what ETLs and collectors have written that they made.
    pub(crate) fn made(&mut self, world: &World) {
        let marks = Mark::read(&world.read("marks"));
        for mark in marks.iter().filter(|mark| mark.kind == MarkKind::End) {
            let name = |gap: &str| {
                let [bank, period, etl] = gap.split('/').collect::<Vec<_>>().try_into().ok()?;
                let (year, quarter) = period.split_at_checked(4)?;
                Some(format!("{} {year} {quarter} [{etl}]", bank.split('-').next()?))
            };
            if let Some(name) = name(&mark.gap) {
                let starts = starts(world, &name);
                self.0.insert(name, starts);
            }
        }
    }

    /// Checks that nothing was started again.
    pub(crate) fn hold(&self, world: &World) {
        for (name, before) in &self.0 {
            assert_eq!(starts(world, name), *before, "{name} was started again after its success had been printed");
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// How often an ETL or collector wrote that it had started on this.
fn starts(world: &World, name: &str) -> usize {
    let words: Vec<_> = name.split([' ', '/', '[', ']']).filter(|word| !word.is_empty()).collect();
    let (file, line) = match words[..] {
        [bank, year, quarter, etl] => ("marks", format!("start {bank}-../{year}{quarter}/{etl} ")),
        [source, start, end] => ("collected", format!("begin {source} {start} {end} ")),
        _ => panic!("the name of a report or window: {name:?}"),
    };
    let text = fs::read_to_string(world.path(file)).unwrap_or_default();
    text.lines().filter(|text| matches(text, &line)).count()
}

/// Whether the text begins so, where a dot is any character.
fn matches(text: &str, start: &str) -> bool {
    let same = |(byte, pattern): (u8, u8)| pattern == b'.' || byte == pattern;
    text.len() >= start.len() && text.bytes().zip(start.bytes()).all(same)
}
