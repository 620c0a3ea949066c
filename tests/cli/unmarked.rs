//! What an ETL starts is ended with its run, whatever it does to its environment, its session and its user.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::world::{Done, Running, is_alive, kill, pid_in, within};
use crate::support::{Kind, World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// An ETL without an environment, with a daemon that has none either. `$1` to `$4` are as ever. Once `calm` exists it just writes its report.
const HIDDEN: &str = r#"
[ -e calm ] && { echo report > "$4"; exit 0; }
echo x >> started
setsid sh -c 'env -i PATH="$PATH" sh -c "echo \$\$ > daemon.new; mv daemon.new daemon.pid; exec sleep 1000" > /dev/null 2>&1 &'
until [ -e daemon.pid ]; do sleep 0.01; done
exec env -i PATH="$PATH" sh -c "trap '' TERM; echo \$\$ > etl.new; mv etl.new etl.pid; while :; do sleep 1000; done"
"#;

/// As [`HIDDEN`], but the daemon is another user's.
const OTHER_USER: &str = r#"
[ -e calm ] && { echo report > "$4"; exit 0; }
echo x >> started
setsid sh -c 'sh -c "echo \$\$ > daemon.new; exec setpriv --reuid 65534 --clear-groups env -i PATH=\"\$PATH\" sleep 1000" > /dev/null 2>&1 &'
until grep -q "^Uid:.65534" "/proc/$(cat daemon.new)/status"; do sleep 0.01; done
mv daemon.new daemon.pid
echo $$ > etl.new; mv etl.new etl.pid
while :; do sleep 1000; done
"#;

fn start(world: &World, etl: &str) -> (Running, Vec<u32>) {
    world.single_etl(etl, &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    let family = ["daemon.pid", "etl.pid"].map(|name| pid_in(&world.path(name)));
    assert!(family.iter().all(|pid| is_alive(*pid)));
    (running, family.to_vec())
}

fn gone(family: &[u32]) {
    until("everything that the ETL started is gone", || !family.iter().any(|pid| is_alive(*pid)));
}

/// The gap is filled by the next run, with nothing beside it.
fn converges(world: &World, family: &[u32]) {
    world.write("calm", "");
    world.run_to(0, &[]);
    gone(family);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
}

/// The guard is stopped, so that it does nothing about the end of the orchestrator before it is killed too.
fn kill_both(running: Running) {
    let orchestrator = running.orchestrator();
    running.signal("STOP");
    until("the guard has stopped", || fs::read_to_string(format!("/proc/{}/stat", running.pid())).expect("a process").contains(") T "));
    kill("KILL", orchestrator);
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
}

fn ends_with_its_guard(etl: &str) {
    let world = World::new(Kind::Sqlite);
    let (running, family) = start(&world, etl);
    let orchestrator = running.orchestrator();
    running.signal("KILL");
    gone(&family);
    until("the orchestrator is gone", || !is_alive(orchestrator));
    converges(&world, &family);
}

fn ends_with_its_orchestrator(etl: &str) {
    let world = World::new(Kind::Sqlite);
    let (running, family) = start(&world, etl);
    kill("KILL", running.orchestrator());
    assert_eq!(running.wait().code, 137);
    assert!(!family.iter().any(|pid| is_alive(*pid)), "the guard ends only after them");
    converges(&world, &family);
}

fn is_ended_by_the_next_run(etl: &str) {
    let world = World::new(Kind::Sqlite);
    let (running, family) = start(&world, etl);
    kill_both(running);
    assert!(family.iter().all(|pid| is_alive(*pid)), "nobody is left to end them");
    world.write("calm", "");
    let next = world.run_to(0, &[]);
    assert!(next.stderr.contains("processes that outlived run "), "{}", next.stderr);
    assert!(!family.iter().any(|pid| is_alive(*pid)), "before its gap is filled");
    converges(&world, &family);
}

#[test]
fn what_hides_ends_with_its_guard() {
    ends_with_its_guard(HIDDEN);
}

#[test]
fn what_hides_ends_with_its_orchestrator() {
    ends_with_its_orchestrator(HIDDEN);
}

#[test]
fn what_hides_from_the_loss_of_both_is_ended_by_the_next_run() {
    is_ended_by_the_next_run(HIDDEN);
}

#[test]
fn another_users_process_ends_with_its_guard() {
    as_root();
    ends_with_its_guard(OTHER_USER);
}

#[test]
fn another_users_process_ends_with_its_orchestrator() {
    as_root();
    ends_with_its_orchestrator(OTHER_USER);
}

#[test]
fn another_users_process_is_ended_by_the_next_run() {
    as_root();
    is_ended_by_the_next_run(OTHER_USER);
}

fn as_root() {
    assert!(rustix::process::geteuid().is_root(), "this test starts a process as another user: run it as root");
}

/// Runs the binary as a user who may do to files what root may, and nothing to others' processes.
fn run_as_another_user(world: &World, args: &[&str]) -> Done {
    let binary = world.command(args);
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all,+dac_override"]);
    setpriv.args(["--ambient-caps=-all,+dac_override", "--bounding-set=-all,+dac_override"]);
    setpriv.arg(binary.get_program()).args(binary.get_args()).current_dir(world.path("")).stdin(Stdio::null());
    Done::of(&setpriv.output().expect("setpriv is installed"))
}

/// The next run may be another user's. It says what is in its way, and fills other gaps.
#[test]
fn beside_a_process_that_cannot_be_ended_nothing_is_started() {
    as_root();
    let world = World::new(Kind::Sqlite);
    let (running, family) = start(&world, HIDDEN);
    kill_both(running);
    world.write("calm", "");
    world.available("BMO", 2, 2025, "Q2");
    let dry = run_as_another_user(&world, &["--dry-run", "--format", "json"]);
    assert_eq!((dry.code, &dry.json()["claimed"][0]["gap"]), (0, &GAP.into()), "{dry:?}");
    let next = run_as_another_user(&world, &["--format", "json"]);
    assert_eq!((next.code, &next.json()["claimed"][0]["gap"]), (0, &GAP.into()), "{next:?}");
    for told in [dry, next] {
        assert!(told.json()["warnings"].to_string().contains("cannot be ended by this user, or hang; its gaps wait"), "{told:?}");
    }
    assert_eq!((world.read("started").as_str(), world.reports()), ("x\n", vec!["BMO 2025 Q2 Call Summary".to_owned()]));
    assert!(family.iter().all(|pid| is_alive(*pid)));
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "RY 2025 Q2 Call Summary"], "root may end them");
    gone(&family);
}

/// Each generation starts the next and ends: whoever looks for it comes too late.
#[test]
fn a_daemon_that_starts_itself_anew_all_the_time_is_caught() {
    let world = World::new(Kind::Sqlite);
    world.write("comet.sh", "sh comet.sh < /dev/null > /dev/null 2>&1 &\necho x >> generations\n");
    world.single_etl("env -i PATH=\"$PATH\" setsid sh comet.sh\nwhile :; do sleep 1000; done", &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    let generations = || fs::metadata(world.path("generations")).map_or(0, |file| file.len());
    until("it has started itself anew", || generations() > 20);
    kill("KILL", running.orchestrator());
    assert_eq!(running.wait().code, 137);
    assert_eq!(living_in(&world), Vec::<String>::new());
}

/// Daemons are adopted by the orchestrator, which reaps them while it works.
#[test]
fn daemons_that_have_ended_do_not_pile_up() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(
        "for i in 1 2 3 4 5 6 7 8 9; do (setsid true &); done\ntouch ready\nuntil [ -e go ]; do sleep 0.01; done\necho report > \"$4\"",
        &[],
    );
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    until("they are started", || world.path("ready").exists());
    // A child is that of the thread that started it.
    let threads = format!("/proc/{}/task", running.orchestrator());
    let children = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default().split_whitespace().count();
    let left = || fs::read_dir(&threads).into_iter().flatten().flatten().map(children).sum::<usize>();
    within(std::time::Duration::from_secs(20), "only the ETL is left", || left() == 1);
    world.write("go", "");
    assert_eq!(running.wait().code, 0);
}

/// The pids in `/proc` are those of other processes then.
#[test]
fn without_a_proc_of_its_own_pid_namespace_nothing_is_started() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let binary = world.command(&[]);
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--pid", "--fork"]).arg(binary.get_program()).args(binary.get_args()).current_dir(world.path("")).stdin(Stdio::null());
    let done = Done::of(&unshare.output().expect("unshare is installed"));
    assert_eq!(done.code, 1, "namespaces must be permitted: {done:?}");
    assert!(done.stderr.contains("/proc does not show the processes of this pid namespace"), "{done:?}");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs"), "0");
}

/// The command lines of processes that work in the world's directory.
fn living_in(world: &World) -> Vec<String> {
    let root = fs::canonicalize(world.path("")).expect("a directory");
    let pids = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == root) && is_alive(*pid))
        .map(|pid| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " "))
        .collect()
}
