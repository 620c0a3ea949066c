//! The PostgreSQL server that the tests of this target share. A test that crashes it must use it alone.

use std::fs;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::processes::Process;
use crate::scene::Scene;
use crate::support::until;

static USERS: RwLock<()> = RwLock::new(());

/// Use of the server; as long as it is held no other test crashes the server.
pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    USERS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Sole use of the server. Waits until no other test uses it.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    USERS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Stops the server as `pg_ctl stop -m immediate` does, and waits until its supervisor has started it again.
pub(crate) fn crash(scene: &mut Scene) {
    let directory = scene.sql("SHOW data_directory")[0].clone();
    let pid_file = format!("{directory}/postmaster.pid");
    let postmaster = || fs::read_to_string(&pid_file).ok()?.lines().next()?.parse::<u32>().ok();
    let before = postmaster().expect("a server runs");
    assert!(Process::open(before).is_some_and(|server| server.quit()), "the server ran");
    scene.tally.faults += 1;
    let answers = || scene.world().psql().args(["-c", "SELECT 1"]).output().is_ok_and(|output| output.status.success());
    until("the server answers again", || postmaster().is_some_and(|now| now != before) && answers());
}
