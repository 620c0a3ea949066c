//! The collector of the quick start: every window once, whatever is repeated, and nothing half.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::world::Done;

struct Collector {
    root: TempDir,
}

impl Collector {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn run(&self, shell: &[&str], from: &Path, start: &str, end: &str) -> Done {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/collectors/collect.sh");
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(script).arg("--from").arg(from).arg("--start").arg(format!("{start}T00:00:00Z"));
        command.arg("--end").arg(format!("{end}T00:00:00Z")).arg("--into").arg(self.at("var/house.csv"));
        Done::of(
            &command.output().unwrap_or_else(|error| panic!("{shell:?} ({error}) is needed by this test; scripts/test.sh installs it")),
        )
    }

    fn collected(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("var/house.csv")).expect("collected");
        text.lines().filter(|line| line.starts_with("INV-")).map(|line| line[..8].to_owned()).collect()
    }
}

fn filed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/disclosures/house.csv")
}

#[test]
fn windows_are_half_open_and_may_be_repeated_and_overlap() {
    for shell in [&["sh"][..], &["dash"], &["busybox", "sh"]] {
        let collector = Collector::new();
        for (start, end, said, there) in [
            ("2025-01-01", "2025-01-14", 0, 0),
            ("2025-01-14", "2025-02-04", 3, 3),
            ("2025-01-14", "2025-02-04", 3, 3),
            ("2025-02-03", "2025-03-22", 3, 4),
            ("2025-01-01", "2026-01-01", 10, 10),
        ] {
            let done = collector.run(shell, &filed(), start, end);
            let expected = format!("Completed: {said} transactions from 1 file\n");
            assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, expected.as_str(), ""), "{shell:?} {start}");
            assert_eq!(collector.collected().len(), there, "{shell:?} {start}");
        }
        let mut ids = collector.collected();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }
}

#[test]
fn a_corrected_disclosure_takes_the_place_of_the_first() {
    let collector = Collector::new();
    let corrected = collector.at("corrected.csv");
    collector.run(&["sh"], &filed(), "2025-01-01", "2026-01-01");
    fs::write(&corrected, "id,filed,member,asset,kind,amount\nINV-0002,2025-02-03,B,X,sale,0-1\n").expect("a file");
    assert_eq!(collector.run(&["sh"], &corrected, "2025-01-01", "2026-01-01").code, 0);
    let text = fs::read_to_string(collector.at("var/house.csv")).expect("collected");
    assert!(text.contains("\nINV-0002,2025-02-03,B,X,sale,0-1\nINV-0003,"), "{text}");
    assert_eq!(collector.collected().len(), 10);
}

#[test]
fn what_is_malformed_or_missing_changes_nothing() {
    let collector = Collector::new();
    collector.run(&["sh"], &filed(), "2025-01-01", "2025-06-01");
    let before = fs::read_to_string(collector.at("var/house.csv")).expect("collected");
    let bad = collector.at("bad.csv");
    fs::write(&bad, "id,filed,member,asset,kind,amount\nINV-0099,14/01/2025,A,B,sale,1\n").expect("a file");
    for (from, code, said) in
        [(bad.as_path(), 65, "bad.csv:2: not a disclosure"), (Path::new("/nowhere.csv"), 66, "no file at /nowhere.csv")]
    {
        let done = collector.run(&["sh"], from, "2025-01-01", "2026-01-01");
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.stderr.contains(said) && done.stdout.is_empty(), "{done:?}");
    }
    assert_eq!(collector.run(&["sh"], &filed(), "2025-1-1", "2026-01-01").code, 64);
    assert_eq!(fs::read_to_string(collector.at("var/house.csv")).expect("collected"), before);
    assert!(!collector.at("var/house.csv.part").exists());
}
