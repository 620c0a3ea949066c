//! Daemons of ETLs, at the moments when it is hardest to end them.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::convergence::converges;
use crate::invocation::Invocation;
use crate::scene::Scene;
use crate::seed::each;
use crate::support::{Kind, until};

/// The run waits for the daemon before its end is recorded.
#[test]
fn the_guard_is_killed_while_a_daemon_has_its_grace() {
    each(concat!(module_path!(), "::the_guard_is_killed_while_a_daemon_has_its_grace"), Kind::Sqlite, |scene| {
        let mut invocation = start_with_daemon(scene, "trap '' TERM;");
        until("the ETL has ended", || scene.world().read("marks").contains("end "));
        assert!(invocation.signal("KILL"), "the guard is there");
        invocation.etls_end_soon();
        converges(scene);
    });
}

/// Nothing can be recorded, but processes can be ended.
#[test]
fn the_guard_is_killed_while_the_database_stands_still() {
    each(concat!(module_path!(), "::the_guard_is_killed_while_the_database_stands_still"), Kind::Sqlite, |scene| {
        let mut invocation = start_with_daemon(scene, "");
        until("the ETL has started", || scene.world().read("marks").contains("start"));
        let writer = Writer::hold(scene);
        assert!(invocation.signal("KILL"), "the guard is there");
        invocation.etls_end_soon();
        drop(writer);
        converges(scene);
    });
}

/// Starts an invocation of one ETL, which leaves a daemon at its start. ETLs of later invocations do not.
fn start_with_daemon(scene: &mut Scene, before: &str) -> Invocation {
    scene.world().write("etl.sh", &format!("eval \"$CHAOS_FIRST\"\n{}", scene.world().read("etl.sh")));
    scene.more_work(1);
    let first = format!("({before} setsid sh -c 'sleep 20 > /dev/null 2>&1 &')");
    scene.start_with(&["--bank-symbol", "RY", "--etl-type", "call_summary"], &[("CHAOS_FIRST", first)])
}

/// A process that holds the write lock of the database file.
struct Writer(Child);

impl Writer {
    fn hold(scene: &Scene) -> Self {
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-cmd", ".timeout 20000", "var/etl-orch.db"]).current_dir(scene.world().path(""));
        let mut child = sqlite.stdin(Stdio::piped()).spawn().expect("sqlite3 is installed");
        let stdin = child.stdin.as_mut().expect("piped");
        stdin.write_all(b"BEGIN IMMEDIATE;\n.shell touch held\n").expect("it reads");
        until("the file is locked", || scene.world().path("held").exists());
        Self(child)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
