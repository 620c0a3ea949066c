//! The invariants of `ARCHITECTURE.md` that source text can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "no sources in src/{room}");
    found
}

/// The lines of a room, without comments and strings' worth of prose, that have one of these words.
fn lines_with(room: &str, words: &[&str]) -> Vec<String> {
    let mut hits = Vec::new();
    for (path, text) in sources(room) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default().replace("clap::Command", "clap::Cmd");
            if words.iter().any(|word| code.contains(word)) {
                hits.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    hits
}

#[test]
fn plan_is_pure() {
    let impure = [
        "tokio",
        "sqlx",
        "clap::",
        "tracing",
        "std::fs",
        "fs::",
        "std::env",
        "env::",
        "Utc::now",
        "Local::now",
        "Instant::now",
        "SystemTime",
        "std::process",
        "std::net",
        "Uuid::new_v4",
        "crate::store",
        "crate::run",
        "crate::cli",
        "crate::config",
        "crate::show",
        "crate::execute",
        "crate::os",
        "crate::tell",
        "rustix::",
    ];
    assert_eq!(lines_with("plan", &impure), [""; 0]);
}

#[test]
fn arrows_point_one_way() {
    for (room, forbidden) in [
        ("tell", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store", "crate::execute", "crate::os"][..]),
        ("os", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store", "crate::execute"]),
        ("store", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::execute", "crate::os"]),
        ("execute", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store"]),
        ("run", &["crate::cli", "crate::config", "crate::show"]),
        ("show", &["crate::cli", "crate::config", "crate::run", "crate::store", "crate::execute", "crate::os"]),
        ("config", &["crate::cli", "crate::run", "crate::show", "crate::store", "crate::execute", "crate::os"]),
    ] {
        assert_eq!(lines_with(room, forbidden), [""; 0], "in {room}");
    }
}

#[test]
fn only_the_store_knows_sql_and_only_execute_starts_processes() {
    for room in ["cli", "config", "plan", "run", "show", "execute", "os", "tell"] {
        assert_eq!(lines_with(room, &["sqlx"]), [""; 0], "in {room}");
    }
    for room in ["cli", "config", "plan", "show", "store", "tell"] {
        assert_eq!(lines_with(room, &["process::Command", "Command::new("]), [""; 0], "in {room}");
    }
    let guard = |line: &String| !line.contains("/run/guard.rs:") && !line.contains("tests");
    let starting: Vec<String> = lines_with("run", &["Command::new("]).into_iter().filter(guard).collect();
    assert_eq!(starting, [""; 0], "only the guard starts a process in run");
    for (path, text) in sources("os") {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!code.contains("Command::new("), "{} starts a process", path.display());
    }
}

#[test]
fn only_os_reads_what_the_host_says_of_processes() {
    for room in ["cli", "config", "execute", "plan", "run", "show", "store", "tell"] {
        assert_eq!(lines_with(room, &["\"/proc\"", "/stat\"", "/environ\"", "target_os"]), [""; 0], "in {room}");
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for room in ["cli", "config", "execute", "os", "plan", "run", "show", "store", "tell"] {
        for (path, text) in sources(room) {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
            assert!(code <= 600, "{} has {code} lines", path.display());
        }
    }
}
