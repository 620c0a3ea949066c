//! What brings etl-orch to a host: the package for Debian, installed and purged in a root of its own, the container's first process, and
//! the example for Kubernetes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::quickstart::QuickStart;
use crate::support::world::Done;
use crate::support::{Kind, World};

/// Packs the program, installs it in a copy of this root that is thrown away, makes a report as its user, and purges it.
const IN_A_ROOT_OF_ITS_OWN: &str = r#"
set -eu
package=$1 example=$2
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/changes /mnt/work /mnt/root
mount -t overlay none -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work /mnt/root
for directory in proc dev; do mount --rbind /$directory /mnt/root/$directory; done
mount -t tmpfs none /mnt/root/run
mkdir /mnt/root/example
cp "$package" /mnt/root/etl-orch.deb
cp -R "$example/." /mnt/root/example
cat >/mnt/root/steps <<'END'
set -eu
export DEBIAN_FRONTEND=noninteractive
rm -rf /etc/etl-orch /etc/systemd/system/etl-orch* /etc/cron.d/etl-orch
touch /before
dpkg -i /etl-orch.deb
etl-orch --version
man -w etl-orch
man -w 5 etl-orch.yaml
getent passwd etl-orch
stat -c '%n %a %U %G' /etc/etl-orch/.env /var/lib/etl-orch
etl-orch install systemd && { echo 'installed although nobody edited the configuration'; exit 1; }
test ! -e /etc/systemd/system/etl-orch.timer

sed 's|\.\./var|/var/lib/etl-orch|; s|\.\./examples|/example/examples|' /example/config/etl-orch.yaml >/etc/etl-orch/etl-orch.yaml
cp /example/config/monitored_institutions.yaml /etc/etl-orch/
chmod -R a+rX /example
etl-orch install systemd --yes
systemd-analyze verify /etc/systemd/system/etl-orch*
etl-orch install cron
grep '^\*/15 .* etl-orch /usr/bin/etl-orch run --quiet --config /etc/etl-orch/etl-orch.yaml$' /etc/cron.d/etl-orch
cd /
setpriv --reuid etl-orch --regid etl-orch --clear-groups env -i PATH=/usr/bin:/bin etl-orch run --quiet
find /var/lib/etl-orch/reports -name 'RY*'

dpkg --purge etl-orch
left=$(find /etc /usr /var -xdev -cnewer /before -name '*etl-orch*' -not -path '/var/cache/man/*')
echo "left: $left"
test -z "$left"
if getent passwd etl-orch; then exit 1; fi
END
chroot /mnt/root sh /steps
"#;

fn root(script: &str, args: &[&Path]) -> Output {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = if is_root { Command::new("unshare") } else { Command::new("sudo") };
    if !is_root {
        command.args(["-n", "unshare"]);
    }
    command.args(["--mount", "sh", "-c", script, "sh"]).args(args).stdin(Stdio::null());
    command.output().expect("unshare, or sudo, starts")
}

#[test]
fn the_package_is_installed_makes_a_report_and_is_purged_without_a_trace() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = Command::new(repository.join("scripts/package.sh")).args([env!("CARGO_BIN_EXE_etl-orch"), "--fast"]).output().expect("sh");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let package = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
    let example = QuickStart::new();
    let done = root(IN_A_ROOT_OF_ITS_OWN, &[Path::new(&package), &example.at("")]);
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{text}");
    for words in [
        "/etc/etl-orch/.env 640 root etl-orch",
        "/var/lib/etl-orch 700 etl-orch etl-orch",
        "nothing is started yet. Edit /etc/etl-orch/etl-orch.yaml",
        "or set the variables POSTGRES_HOST",
        "/etc/systemd/system/etl-orch-health.timer is created",
        "/var/lib/etl-orch/reports/2025Q2/RY_call_summary.md",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// As the first process of a container, which `docker stop` asks by one signal, and which what its ETL left has for its parent.
const AS_THE_FIRST_PROCESS: &str = r#"
"$@" > first.out 2>&1 &
run=$!
until [ -e pid ]; do sleep 0.01; done
kill -TERM "$(pgrep -P $run)"
wait $run
echo "exit code $?"
"#;

#[test]
fn as_the_first_process_it_stops_its_etls_and_records_that() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("(setsid sleep 98765 &)\necho $$ > pid\nexec sleep 98765\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    let binary = world.command(&["run"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", AS_THE_FIRST_PROCESS, "sh", "unshare"]);
    if !rustix::process::geteuid().is_root() {
        shell.arg("--map-root-user");
    }
    shell.args(["--pid", "--fork", "--mount-proc"]).arg(binary.get_program()).args(binary.get_args());
    shell.current_dir(world.path("")).envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    let done = Done::of(&shell.output().expect("sh starts"));
    assert_eq!(done.stdout, "exit code 143\n", "{done:?}\n{}", world.read("first.out"));
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled"]);
}

#[test]
fn the_example_for_kubernetes_is_what_its_schema_allows() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = repository.join("examples/kubernetes/cronjob.yaml");
    let mut validate = Command::new(repository.join("target/kubernetes/bin/kubernetes-validate"));
    let checked = validate.arg("--strict").arg(&example).output().expect("kubernetes-validate is installed; scripts/test.sh does it");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let text = fs::read_to_string(&example).expect("an example");
    for line in ["concurrencyPolicy: Forbid", "backoffLimit: 0", "restartPolicy: Never", "readOnlyRootFilesystem: true"] {
        assert!(text.contains(line), "{line}");
    }
}
