//! Two users of one host on one PostgreSQL. Neither sees the processes of the other, as `/proc` is mounted with `hidepid`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::convergence::converges;
use crate::hosts::{FEW, RUNNING, WAITS, no_etl_was_killed, prepare};
use crate::invocation::Invocation;
use crate::mount_namespace::MountNamespace;
use crate::scene::Scene;
use crate::seed::each;
use crate::server;
use crate::support::{Kind, until};

/// The users, by their numbers.
const USERS: [u32; 2] = [1001, 1002];

#[test]
fn what_one_user_works_on_is_left_alone_by_another() {
    let _server = server::shared();
    each(concat!(module_path!(), "::what_one_user_works_on_is_left_alone_by_another"), Kind::Postgres, |scene| {
        prepare(scene);
        let host = open_to_users(scene);
        let run = start(scene, &host, USERS[0], WAITS);
        until("jobs run", || scene.sql(RUNNING).len() == 2);
        let before = scene.sql(RUNNING);
        let done = start(scene, &host, USERS[1], "").wait();
        assert_eq!(done.code, 0, "{done:?}");
        scene.note(&done);
        assert_eq!(scene.sql(RUNNING), before, "the first user's run is alive: {done:?}");
        scene.world().write("go", "");
        scene.expect_normal_end(run);
        no_etl_was_killed(scene);
        converges(scene);
        assert_eq!(scene.tally.lost, 0, "no run died");
        clean_up(scene, &host);
    });
}

/// Gives each user a state directory, and lets both write what ETLs and tests write.
fn open_to_users(scene: &Scene) -> MountNamespace {
    let world = scene.world();
    // The server's socket is closed to other users; its port is not.
    let (socket, port) = (world.url(), world.url().split('?').next().expect("a URL"));
    for file in ["etl-orch.yaml", "sql.sh"] {
        world.write(file, &world.read(file).replace(socket, port));
    }
    world.write("etl-orch", "");
    fs::create_dir_all(world.path("reports/2000Q1")).expect("a directory");
    let open = |name: &str, mode| fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).expect("permissions");
    for name in ["reports", "reports/2000Q1", "locks", "daemons"] {
        open(name, 0o777);
    }
    open("", 0o755);
    open("marks", 0o666);
    let script: Vec<_> = USERS.iter().map(|user| format!("mkdir state.{user}\nchown {user}:{user} state.{user}")).collect();
    MountNamespace::with_users(&world.path(""), &script.join("\n"))
}

/// A run of this user. Each of its ETLs does this first.
fn start(scene: &mut Scene, host: &MountNamespace, user: u32, first: &str) -> Invocation {
    let directory = scene.world().path("");
    scene.start_below(FEW, &[("CHAOS_FIRST", first.to_owned())], |command| host.inside_as(user, &directory, &command))
}

/// The present user may not remove what others have left.
fn clean_up(scene: &Scene, host: &MountNamespace) {
    let mut rm = Command::new("rm");
    rm.arg("-rf").args(USERS.map(|user| format!("state.{user}"))).args(["marks", "reports", "locks", "daemons"]);
    let removed = host.inside(&scene.world().path(""), &rm).status();
    assert!(removed.is_ok_and(|status| status.success()), "files of the users");
}
