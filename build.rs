//! Tells the binary its version: of a release with the commit that it is built from and its day, where they are known. Only a release looks
//! for them, as otherwise each commit would build the library anew. Packs the relocations of the profile `dist`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let is_release = variable("PROFILE").as_deref() == Some("release");
    let commit = is_release.then(|| commit_of_repository().or_else(commit_of_archive)).flatten();
    let build = commit.map(|(commit, seconds)| {
        let seconds = variable("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok()).unwrap_or(seconds);
        format!(" ({commit} {})", day(seconds))
    });
    println!("cargo::rustc-env=ETL_ORCH_VERSION={}{}", variable("CARGO_PKG_VERSION").unwrap_or_default(), build.unwrap_or_default());
    // Only the profile `dist` has this level.
    if variable("OPT_LEVEL").as_deref() == Some("z") && reads_packed_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether the C library of the host, for which the binary is, reads packed relocations, which take a megabyte less: glibc 2.36 and later.
fn reads_packed_relocations() -> bool {
    let is_native = variable("HOST") == variable("TARGET") && variable("CARGO_CFG_TARGET_ENV").as_deref() == Some("gnu");
    let version = || {
        let version = output_of("getconf", &["GNU_LIBC_VERSION"])?;
        let (major, minor) = version.strip_prefix("glibc ")?.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    is_native && version().is_some_and(|version| version >= (2, 36))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The commit and its time, where this directory is a repository of its own. A commit that was changed since has a `+`.
fn commit_of_repository() -> Option<(String, i64)> {
    let here = variable("CARGO_MANIFEST_DIR")?;
    let root = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&root).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    for path in ["HEAD", "logs/HEAD"] {
        rerun_if_changed(&git(&["rev-parse", "--git-path", path])?);
    }
    ["src", "migrations", "Cargo.toml", "Cargo.lock"].into_iter().for_each(rerun_if_changed);
    let (commit, seconds) = git(&["log", "-1", "--abbrev=9", "--format=%h %ct"])?.split_once(' ').map(owned)?;
    let is_changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some((if is_changed { format!("{commit}+") } else { commit }, seconds.parse().ok()?))
}

/// A path that is not there would have the script run at each build.
fn rerun_if_changed(path: &str) {
    if Path::new(path).exists() {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// The commit and its time as `git archive` wrote them into a file.
fn commit_of_archive() -> Option<(String, i64)> {
    println!("cargo::rerun-if-changed=.git-archive");
    let text = std::fs::read_to_string(".git-archive").ok()?;
    let (commit, seconds) = text.trim().split_once(' ').map(owned)?;
    Some((commit.get(..9)?.to_owned(), seconds.parse().ok()?))
}

fn owned((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

/// What git says, if it can.
fn git(args: &[&str]) -> Option<String> {
    output_of("git", args)
}

fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The day in UTC of so many seconds since 1970. Eras have 400 years, and years begin with March.
fn day(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{:02}", of_year - (153 * shifted + 2) / 5 + 1)
}
