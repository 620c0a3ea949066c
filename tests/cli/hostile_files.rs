//! Input files that hang a reader, fill the memory, or that other users can change.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::world::Done;
use crate::support::{Kind, World, etl};

/// An SQLite world with data and one ETL, whose variables are in a file.
fn world() -> World {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo report > \"$4\"\n", &["env_file: etl.env"]);
    world.write("etl.env", "A=1\n");
    world.write(".env", "B=2\n");
    for name in ["etl.env", ".env"] {
        set_mode(&world.path(name), 0o600);
    }
    set_mode(&world.path("etl-orch.yaml"), 0o644);
    world
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

const COMMANDS: [&[&str]; 3] = [&["run"], &["run", "--dry-run"], &["config", "check"]];

#[test]
fn what_is_no_regular_file_is_refused_and_not_read() {
    for name in ["etl-orch.yaml", "monitored_institutions.yaml", ".env", "etl.env"] {
        let world = world();
        let path = world.path(name);
        for (what, make) in [
            (
                "is a pipe, and only a regular file is read here",
                (|path| mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a FIFO")) as fn(&Path),
            ),
            ("is a device, and only a regular file is read here", |path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link")),
            ("is a directory; name a file", |path| fs::create_dir(path).expect("a directory")),
        ] {
            fs::remove_file(&path).expect("a file");
            make(&path);
            for args in COMMANDS {
                let done = world.run_to(2, args);
                assert!(done.stderr.contains(name) && done.stderr.contains(what), "{done:?}");
            }
        }
    }
}

#[test]
fn values_that_double_line_by_line_are_refused_at_their_line() {
    let world = world();
    let lines = (1..64).map(|n| format!("A{n}=${{A{0}}}${{A{0}}}\n", n - 1)).collect::<Vec<_>>().concat();
    for name in [".env", "etl.env"] {
        world.write(name, &format!("A0=xx\n{lines}"));
        let done = world.run_to(2, &["config", "check"]);
        assert!(done.stderr.contains(&format!("{name}:20:1: the values of this file have more than 1,048,576 bytes")), "{}", done.stderr);
        world.write(name, "");
    }
}

#[test]
fn files_that_others_can_change_or_read_are_warned_of() {
    let world = world();
    for args in COMMANDS {
        let done = world.run_to(0, args);
        assert!(!done.stdout.contains("(mode 0"), "{}", done.stdout);
    }
    set_mode(&world.path("etl-orch.yaml"), 0o666);
    set_mode(&world.path(".env"), 0o644);
    set_mode(&world.path("etl.env"), 0o606);
    set_mode(&world.path("var"), 0o777);
    for args in COMMANDS {
        let done = world.run_to(0, args);
        for words in [
            "/etl-orch.yaml lets other users write to it (mode 0666), who can decide in it what runs here; chmod go-w ",
            "/.env may hold secrets, and every user of this host can read it (mode 0644); chmod o-r ",
            "/etl.env lets other users write to it (mode 0606)",
            "/var lets other users write to it (mode 0777)",
        ] {
            assert!(done.stdout.contains(words), "{args:?}: {words}: {}", done.stdout);
        }
    }
    set_mode(&world.path("etl-orch.yaml"), 0o600);
    set_mode(&world.path(""), 0o777);
    let done = world.run_to(0, &["config", "check", "--format", "json"]);
    let warnings = done.json()["warnings"].to_string();
    assert!(
        warnings.contains("lets other users write to it (mode 0777), who can replace") && warnings.contains("/etl-orch.yaml"),
        "{warnings}"
    );
    assert!(world.run_to(0, &["-q"]).stdout.contains("/var lets other users write to it"));
    assert_eq!(world.run_to(0, &["-q"]).stdout, "", "nothing was done, and what lasts was said");
}

#[test]
fn a_state_dir_of_another_user_is_refused_before_anything_is_made_or_read() {
    let world = world();
    let is_root = rustix::process::geteuid().is_root();
    // A plain user has no directory of another one. In a user namespace those of root are such.
    let state_dir = if is_root { "theirs" } else { "/etc" };
    let config = world.read("etl-orch.yaml").replace("state_dir: var", &format!("state_dir: {state_dir}"));
    world.write("etl-orch.yaml", &config);
    if is_root {
        fs::create_dir_all(world.path("theirs/spool")).expect("a directory");
        chown(world.path("theirs"), Some(65534), Some(65534)).expect("root can give it away");
    }
    for args in [&["run"][..], &["run", "--dry-run"], &["sources"]] {
        let run = world.command(args);
        let mut command = Command::new(if is_root { "env" } else { "unshare" });
        command.args(if is_root { None } else { Some("-r") }).arg(run.get_program()).args(run.get_args());
        let done = Done::of(&command.current_dir(world.path("")).stdin(Stdio::null()).output().expect("it starts"));
        assert_eq!(done.code, 1, "needs root, or user namespaces: {done:?}");
        assert!(
            done.stderr.contains("belongs to another user (uid 65534)") && done.stderr.contains("run etl-orch as that user"),
            "{done:?}"
        );
    }
    if is_root {
        let made: Vec<_> = fs::read_dir(world.path("theirs")).expect("a directory").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(made, ["spool"]);
        chown(world.path("theirs"), Some(0), Some(0)).expect("root can take it back");
        chown(world.path("theirs/spool"), Some(65534), None).expect("root can give it away");
        for args in [&["run"][..], &["config", "check"]] {
            let done = world.run_to(1, args);
            assert!(done.stderr.contains("/theirs/spool belongs to another user (uid 65534)"), "{done:?}");
        }
    }
}

#[test]
fn what_a_run_makes_is_for_its_user_alone_whatever_the_umask() {
    let world = world();
    fs::remove_dir_all(world.path("var")).expect("what init made");
    world.etls("echo printed; echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &[])]);
    let open = |args: &[&str]| {
        let run = world.command(args);
        let mut command = Command::new("sh");
        command.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
        let done = Done::of(&command.current_dir(world.path("")).stdin(Stdio::null()).output().expect("sh starts"));
        assert_eq!(done.code, 0, "{done:?}");
    };
    open(&["init"]);
    world.available("RY", 1, 2025, "Q2");
    open(&["run"]);
    let made = world.bytes_below("var");
    assert!(made.iter().any(|(path, _)| path.to_string_lossy().ends_with(".log")), "it printed something");
    for (path, _) in made {
        let bits = path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(bits & 0o077, 0, "{} has mode {bits:o}", path.display());
    }
}

#[test]
fn a_lock_that_is_another_name_of_some_file_is_refused() {
    let world = world();
    world.write("precious", "must stay\n");
    fs::hard_link(world.path("precious"), world.path("var/etl-orch.lock")).expect("a link");
    let done = world.run_to(1, &[]);
    assert!(done.stderr.contains("etl-orch.lock is another name of some other file (a hard link)"), "{done:?}");
    assert_eq!(world.read("precious"), "must stay\n");
}
