//! A simulated clock, by libfaketime.

use std::fs;
use std::path::{Path, PathBuf};

/// Variables that make a process see another time: `+3d` is an offset, `@2026-01-16 00:20:00` the time at its start.
pub(crate) fn clock(time: &str) -> [(&'static str, String); 4] {
    [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME", time.to_owned()),
        // Durations stay real.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        // The time after `@` is UTC.
        ("TZ", "UTC".to_owned()),
    ]
}

/// Variables with which all processes see the time that stands in this file, such as `2026-01-16 00:20:00`: it stands still until a
/// test, or a script, writes another there.
pub(crate) fn clock_in(file: &Path) -> [(&'static str, String); 5] {
    [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("TZ", "UTC".to_owned()),
    ]
}

fn library() -> PathBuf {
    let directories = fs::read_dir("/usr/lib").expect("/usr/lib").flatten().map(|entry| entry.path());
    let mut found = directories.map(|directory| directory.join("faketime/libfaketime.so.1")).filter(|path| path.exists());
    found.next().expect("libfaketime is needed by this test: apt-get install faketime")
}
