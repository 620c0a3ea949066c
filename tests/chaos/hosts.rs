//! Several hosts on one PostgreSQL, each with its own name, machine id, boot id, processes, network, state directory and clock.

use crate::convergence::converges;
use crate::invocation::Invocation;
use crate::mount_namespace::{FOR_CLOCKS, MountNamespace};
use crate::scene::Scene;
use crate::seed::each;
use crate::server;
use crate::support::clock::clock;
use crate::support::{Kind, until};

/// ETLs wait for the file `go` before they do anything.
pub(crate) const WAITS: &str = "until [ -e go ]; do sleep 0.02; done";

/// The banks of which a job waits.
pub(crate) const FEW: &[&str] = &["--bank-symbol", "RY", "--bank-symbol", "BMO"];

/// A day ahead and a day behind.
const CLOCKS: [&str; 2] = ["+1d", "-1d"];

#[test]
fn two_hosts_share_the_work() {
    let _server = server::shared();
    each(concat!(module_path!(), "::two_hosts_share_the_work"), Kind::Postgres, |scene| {
        prepare(scene);
        let hosts = [host(scene, "alpha"), host(scene, "beta")];
        let mut runs = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            runs.push(start(scene, host, CLOCKS[index], &[], WAITS));
            let at_work = format!("{} hosts have a job that runs", index + 1);
            until(&at_work, || scene.sql(OWNERS).len() == index + 1);
        }
        scene.world().write("go", "");
        for run in runs {
            let done = run.wait();
            assert!(matches!(done.code, 0 | 1), "{done:?}");
            scene.note(&done);
        }
        converges(scene);
        assert_eq!(scene.tally.lost, 0, "no host died: {:?}", scene.sql(LOST));
        assert_eq!(left_in_state(scene), "", "left in the state directories of the hosts");
    });
}

/// The other host's clock is a day ahead, but leases end by the database's clock.
#[test]
fn the_jobs_of_a_host_that_died_are_taken_over_when_its_lease_has_ended() {
    let _server = server::shared();
    let name = concat!(module_path!(), "::the_jobs_of_a_host_that_died_are_taken_over_when_its_lease_has_ended");
    each(name, Kind::Postgres, |scene| {
        prepare(scene);
        let (alpha, beta) = (host(scene, "alpha"), host(scene, "beta"));
        let run = start(scene, &alpha, CLOCKS[1], FEW, WAITS);
        until("jobs run", || scene.sql(RUNNING).len() == 2);
        let before = scene.sql(RUNNING);
        alpha.power_off();
        scene.tally.kills += 1;
        scene.tally.cuts += 1;
        scene.note(&run.wait());
        for _ in 0..2 {
            let done = start(scene, &beta, CLOCKS[0], &[], "").wait();
            assert!(matches!(done.code, 0 | 1), "{done:?}");
            scene.note(&done);
            assert_eq!(scene.sql(RUNNING), before, "the lease of the host that died has not ended: {done:?}");
        }
        scene.sql("UPDATE etl_runs SET lease_until = now() - interval '1 millisecond' WHERE state = 'running'");
        let done = start(scene, &beta, CLOCKS[1], &[], "").wait();
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        scene.note(&done);
        let states = scene.sql(LOST);
        assert_eq!(states, before, "its jobs are lost once the lease has ended: {done:?}");
        converges(scene);
    });
}

/// Copies of one machine, each started by itself: they share a name, and a pid says nothing.
#[test]
fn a_host_of_the_same_name_is_another_host() {
    let _server = server::shared();
    each(concat!(module_path!(), "::a_host_of_the_same_name_is_another_host"), Kind::Postgres, |scene| {
        prepare(scene);
        let (first, second) = (twin(scene, "first"), twin(scene, "second"));
        let run = start(scene, &first, CLOCKS[0], FEW, WAITS);
        until("jobs run", || scene.sql(RUNNING).len() == 2);
        let before = scene.sql(RUNNING);
        let done = start(scene, &second, CLOCKS[1], FEW, "").wait();
        assert_eq!(done.code, 0, "{done:?}");
        scene.note(&done);
        assert_eq!(scene.sql(RUNNING), before, "the first host is alive: {done:?}");
        scene.world().write("go", "");
        scene.expect_normal_end(run);
        no_etl_was_killed(scene);
        converges(scene);
        assert_eq!(scene.tally.lost, 0, "no host died");
    });
}

/// Jobs that run.
pub(crate) const RUNNING: &str = "SELECT id FROM etl_jobs WHERE state = 'running' ORDER BY id";

/// Runs with a job that runs.
const OWNERS: &str = "SELECT DISTINCT run_id FROM etl_jobs WHERE state = 'running'";

const LOST: &str = "SELECT id FROM etl_jobs WHERE state = 'lost' ORDER BY id";

/// Tables, a quarter with data, and ETLs that first do what the variable says.
pub(crate) fn prepare(scene: &mut Scene) {
    scene.make_tables();
    scene.world().write("etl.sh", &format!("eval \"$CHAOS_FIRST\"\n{}", scene.world().read("etl.sh")));
    scene.more_work(1);
}

/// A host that sees only its own processes.
fn host(scene: &Scene, name: &str) -> MountNamespace {
    MountNamespace::host(&scene.world().path(""), &format!("hostname {name}\n{}", facts(scene, name)))
}

/// A host with the name of its twin. Its pids look like those of a machine of its own.
fn twin(scene: &Scene, name: &str) -> MountNamespace {
    MountNamespace::with_host_name(&scene.world().path(""), &format!("hostname twin\n{}", facts(scene, name)))
}

/// The script that gives a host its ids, its state directory, and what a simulated clock needs.
fn facts(scene: &Scene, name: &str) -> String {
    let number = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    scene.world().write(&format!("hosts/{name}.machine"), &format!("{number:032x}\n"));
    scene.world().write(&format!("hosts/{name}.boot"), &format!("{number:08x}-0000-4000-8000-000000000000\n"));
    format!(
        "mkdir -p state.{name}\nmount --bind state.{name} state\n\
         mount --bind hosts/{name}.boot /proc/sys/kernel/random/boot_id\n\
         [ ! -e /etc/machine-id ] || mount --bind hosts/{name}.machine /etc/machine-id\n{FOR_CLOCKS}"
    )
}

/// A run on the host, by its clock. Each of its ETLs does this first.
fn start(scene: &mut Scene, host: &MountNamespace, time: &str, args: &[&str], first: &str) -> Invocation {
    let mut variables = clock(time).to_vec();
    variables.push(("CHAOS_FIRST", first.to_owned()));
    let directory = scene.world().path("");
    scene.start_below(args, &variables, |command| host.inside(&directory, &command))
}

/// Nobody took the run that its ETLs are of for dead.
pub(crate) fn no_etl_was_killed(scene: &Scene) {
    let killed = scene.sql("SELECT job_id, outcome FROM etl_attempts WHERE outcome IN ('signal', 'lost')");
    assert_eq!(killed, [""; 0], "ETLs that somebody ended");
}

fn left_in_state(scene: &Scene) -> String {
    scene.shell("find state.*/work state.*/spool ! -type d 2> /dev/null || true")
}
