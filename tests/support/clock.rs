//! A clock that is wrong, by libfaketime.

use std::fs;
use std::path::PathBuf;

/// The variables under which a process sees this time: `+3d` from now on, or `@2026-01-16 00:20:00` at its start.
pub(crate) fn clock(time: &str) -> [(&'static str, String); 4] {
    [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME", time.to_owned()),
        // A clock that is set does not change how long things take.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        // What stands after `@` is UTC.
        ("TZ", "UTC".to_owned()),
    ]
}

fn library() -> PathBuf {
    let directories = fs::read_dir("/usr/lib").expect("/usr/lib").flatten().map(|entry| entry.path());
    let mut found = directories.map(|directory| directory.join("faketime/libfaketime.so.1")).filter(|path| path.exists());
    found.next().expect("libfaketime is needed by this test: apt-get install faketime")
}
