//! The invariants of `ARCHITECTURE.md` that source text can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::collections::{BTreeMap, BTreeSet};
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
        ("tell", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store", "crate::execute"][..]),
        ("os", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store", "crate::execute"]),
        (
            "store",
            &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::execute", "os::identity", "os::process", "os::survivors"],
        ),
        ("execute", &["crate::run", "crate::cli", "crate::config", "crate::show", "crate::store"]),
        ("run", &["crate::cli", "crate::config", "crate::show"]),
        ("show", &["crate::cli", "crate::config", "crate::run", "crate::store", "crate::execute", "crate::os"]),
        ("config", &["crate::cli", "crate::run", "crate::show", "crate::store", "crate::execute", "crate::tell"]),
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

/// Each of these panics where the host refuses a thread. `std::thread::Builder` says so instead; of the runtime's own threads one is
/// always there (`os::threads`).
#[test]
fn a_host_that_refuses_threads_is_no_reason_to_panic() {
    let panicking = ["thread::spawn(", "thread::scope(", "block_in_place", "enable_steady_tick", "new_multi_thread"];
    for room in ["cli", "config", "execute", "os", "plan", "run", "show", "store", "tell"] {
        assert_eq!(lines_with(room, &panicking), [""; 0], "in {room}");
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for room in ["cli", "config", "execute", "os", "plan", "run", "show", "store", "tell"] {
        for (path, text) in sources(room) {
            let lines = text.lines().count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn the_rooms_of_plan_point_one_way() {
    let rooms = ["text", "model", "remember", "decide", "run", "health"];
    for (level, room) in rooms.iter().enumerate() {
        let above: Vec<String> = rooms[level + 1..].iter().map(|above| format!("crate::plan::{above}")).collect();
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        let hits: Vec<String> =
            lines_with(&format!("plan/{room}"), &above).into_iter().filter(|line| !above.is_empty() && !line.contains("tests")).collect();
        assert_eq!(hits, [""; 0], "in plan/{room}");
    }
}

/// The modules right below a room that a module of it uses; `mod` for what stands in the room's own file.
fn uses_of(module: &Path, text: &str, room: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let depth = module.components().count() - usize::from(module.ends_with("mod.rs"));
    let code: String =
        text.split("#[cfg(test)]").next().unwrap_or_default().lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let prefixes = [format!("crate::{}::", room.replace('/', "::")), "super::".repeat(depth)];
    let prefixes = prefixes.iter().filter(|prefix| !prefix.is_empty());
    let starts = prefixes.flat_map(|prefix| code.match_indices(prefix.as_str()).map(|(at, _)| (at, at + prefix.len())));
    let used = starts.filter(|(at, _)| !code[..*at].ends_with([':', '_']) && !code[..*at].ends_with(char::is_alphanumeric));
    let mut found = BTreeSet::new();
    for (_, end) in used {
        let rest = &code[end..];
        let names = rest
            .strip_prefix('{')
            .and_then(|list| list.split(';').next())
            .unwrap_or_else(|| rest.split([':', ';', ',', ' ', '(', '<', '>']).next().unwrap());
        for name in names.split(',').map(|name| name.trim().split([':', ' ', '}', '{', ')']).next().unwrap_or_default()) {
            match name {
                "" | "super" | "self" => {}
                name if modules.contains(name) => drop(found.insert(name.to_owned())),
                name if name.starts_with(char::is_alphabetic) && !rest.starts_with('{') => drop(found.insert("mod".to_owned())),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn no_module_depends_on_itself_through_others() {
    for room in ["execute", "os", "run", "plan/text", "plan/model", "plan/remember", "plan/decide", "plan/run", "plan/health"] {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
        let files: Vec<(PathBuf, String)> = sources(room)
            .into_iter()
            .map(|(path, text)| (path.strip_prefix(&base).unwrap().to_owned(), text))
            .filter(|(path, _)| !path.to_string_lossy().contains("tests") && path != Path::new("mod.rs"))
            .collect();
        let name = |path: &Path| path.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        let modules: BTreeSet<String> = files.iter().map(|(path, _)| name(path)).collect();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, text) in &files {
            uses.entry(name(path)).or_default().extend(uses_of(path, text, room, &modules));
        }
        for module in &modules {
            let mut reached: BTreeSet<&String> = BTreeSet::new();
            let mut open: Vec<&String> = uses[module].iter().filter(|used| *used != module).collect();
            while let Some(next) = open.pop() {
                assert!(next != "mod", "{room}/{module} uses what stands in its room's mod.rs");
                if reached.insert(next) {
                    open.extend(uses.get(next).into_iter().flatten().filter(|used| *used != next));
                }
            }
            assert!(!reached.contains(module), "{room}/{module} depends on itself through {reached:?}");
        }
    }
}
