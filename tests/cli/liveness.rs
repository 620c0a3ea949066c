//! Whose run is not seen to be gone keeps its claims until its lease ends.

use std::process::{Command, Stdio};

use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// Records a run that works on RY's call summary, on a host with this one's name. The values are SQL; `machine_id` may use the one that
/// this host has.
fn same_name(world: &World, machine_id: &str, boot_id: &str) {
    world.available("RY", 1, 2025, "Q2");
    world.run_to(0, &["--etl-type", "key_themes"]);
    let until = match world.kind() {
        Kind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+600 seconds')",
        Kind::Postgres => "now() + interval '600 seconds'",
    };
    world.sql(&format!(
        "INSERT INTO etl_runs (id, host, machine_id, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
         SELECT '11111111-1111-4111-8111-111111111111', host, {machine_id}, {boot_id}, 4194304, 7, 'other', options, 'running', started_at,
                {until}
         FROM etl_runs"
    ));
    world.sql(
        "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, queued_at, started_at)
         SELECT '22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'RY-CA/2025Q2/call_summary',
                'call_summary', bank_key, bank_id, fiscal_year, quarter, 0, forced, 'running', 1, queued_at, started_at
         FROM etl_jobs",
    );
}

fn is_left_alone(world: &World) {
    for args in [&["--dry-run", "--format", "json"][..], &["--format", "json"]] {
        let told = world.run_to(0, args).json();
        assert_eq!((&told["lost"], &told["gaps"]["planned"]), (&serde_json::json!([]), &0.into()), "{told}");
    }
    assert_eq!(world.jobs(), [format!("{GAP}|running"), "RY-CA/2025Q2/key_themes|succeeded".to_owned()]);
}

fn is_lost_and_made_again(world: &World) {
    let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
    assert_eq!(dry["lost"], serde_json::json!([GAP]), "{dry}");
    world.run_to(0, &[]);
    assert_eq!(world.jobs(), [format!("{GAP}|lost"), format!("{GAP}|succeeded"), "RY-CA/2025Q2/key_themes|succeeded".to_owned()]);
}

on_both_databases! {
    fn a_machine_of_the_same_name_is_left_its_lease(world: &World) {
        same_name(world, "'another machine'", "'another boot'");
        is_left_alone(world);
    }

    /// Its record does not say on which machine it was made.
    fn what_an_earlier_version_began_before_a_boot_is_left_its_lease(world: &World) {
        same_name(world, "NULL", "'another boot'");
        is_left_alone(world);
    }

    /// In a container another boot may be that of another machine.
    fn what_this_machine_began_before_it_was_booted_is_lost_at_once(world: &World) {
        same_name(world, "machine_id", "'another boot'");
        if world.value("SELECT count(machine_id) FROM etl_runs") == "0" {
            is_left_alone(world);
        } else {
            is_lost_and_made_again(world);
        }
    }

    fn a_process_that_is_gone_is_lost_at_once_whether_or_not_the_machine_is_known(world: &World) {
        same_name(world, "NULL", "boot_id");
        is_lost_and_made_again(world);
    }
}

/// Runs `$@` as two users that do not see each other's processes: the one fills the gap while the other looks for work. They keep root's
/// rights to files, so that they can share this world.
const TWO_USERS: &str = r#"
set -e
mount -t proc -o hidepid=2 proc /proc
shared='setpriv --regid 65534 --clear-groups --inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override --bounding-set=-all,+dac_override'
$shared --reuid 65534 "$@" > first.out 2> first.err &
first=$!
left=1200
until [ -e waiting ]; do left=$((left - 1)); [ $left -gt 0 ] || exit 99; sleep 0.05; done
$shared --reuid 65533 sh -c '[ ! -e /proc/$1 ]' sh "$first" || { echo "hidepid has no effect here" >&2; exit 98; }
sed 's/state_dir:.*/state_dir: second/' etl-orch.yaml > second.yaml
code=0
$shared --reuid 65533 "$@" --format json --config second.yaml || code=$?
touch go
wait $first
exit $code
"#;

fn as_two_users(world: &World) -> Done {
    let binary = world.command(&[]);
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--map-root-user", "--map-auto"]);
    }
    unshare.args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", TWO_USERS, "sh"]).arg(binary.get_program());
    unshare.current_dir(world.path("")).stdin(Stdio::null()).env_remove("ETL_ORCH_CONFIG");
    Done::of(&unshare.output().expect("unshare is installed"))
}

/// As with our own unit, which hides other users' processes (`ProtectProc=invisible`).
#[test]
fn a_process_that_another_user_cannot_see_is_not_taken_for_dead() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo x >> started; touch waiting\nuntil [ -e go ]; do sleep 0.01; done\necho report > \"$4\"\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    let second = as_two_users(&world);
    let why = "this test needs two users and a /proc of its own: run it as root, or allow user namespaces and install uidmap";
    assert_eq!(second.code, 0, "{why}: {second:?}\nthe first run: {}", world.notes("first.").concat());
    let told = second.json();
    assert_eq!((&told["lost"], &told["gaps"]["planned"]), (&serde_json::json!([]), &0.into()), "{told}");
    assert_eq!(told["claimed"][0]["gap"], GAP, "{told}");
    assert_eq!(world.read("started"), "x\n", "it was started once");
    assert_eq!(world.jobs(), [format!("{GAP}|succeeded")]);
}
