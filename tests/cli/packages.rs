//! What brings etl-orch to a host: the package for Debian, installed and purged in a root of its own, the container's first process, and
//! the example for Kubernetes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::manual::blocks;
use crate::quickstart::QuickStart;
use crate::support::world::Done;
use crate::support::{Kind, World};

/// Carries out the file `steps` of a directory in a copy of this root that is thrown away. The directory is `/given` there.
const IN_A_ROOT_OF_ITS_OWN: &str = r"
set -eu
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/changes /mnt/work /mnt/root
mount -t overlay none -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work /mnt/root
for directory in proc dev; do mount --rbind /$directory /mnt/root/$directory; done
mount -t tmpfs none /mnt/root/run
rm -rf /mnt/root/etc/etl-orch /mnt/root/etc/systemd/system/etl-orch* /mnt/root/etc/cron.d/etl-orch
cp -R $1 /mnt/root/given
chmod -R a+rX /mnt/root/given
chroot /mnt/root sh /given/steps
";

/// Packs the program, installs it, makes a report as its user, and purges it.
const BY_THE_PACKAGE: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
touch /before
dpkg -i /given/etl-orch.deb
etl-orch --version
man -w etl-orch
man -w 5 etl-orch.yaml
getent passwd etl-orch
stat -c '%n %a %U %G' /etc/etl-orch/.env /var/lib/etl-orch
etl-orch install systemd && { echo 'installed although nobody edited the configuration'; exit 1; }
test ! -e /etc/systemd/system/etl-orch.timer

sed 's|\.\./var|/var/lib/etl-orch|; s|\.\./examples|/given/examples|' /given/config/etl-orch.yaml >/etc/etl-orch/etl-orch.yaml
cp /given/config/monitored_institutions.yaml /etc/etl-orch/
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
"#;

/// What somebody has who follows the manual: the program, a database of two banks, and `sudo`, whose part is played by what follows. The
/// editor puts a program into the configuration.
const BY_THE_MANUAL: &str = r#"
set -u
userdel etl-orch 2>/dev/null
cp /given/etl-orch /usr/bin/etl-orch
mkdir -m 777 /data
sqlite3 /data/aegis.db </given/data.sql
chmod 666 /data/aegis.db
cat >/usr/local/bin/sudo <<'END'
#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2
shift 2
exec setpriv --reuid "$user" --regid "$user" --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"
END
cat >/usr/local/bin/sudoedit <<'END'
#!/bin/sh
sed -i 's|state_dir: var|state_dir: /var/lib/etl-orch|; s|by: etl |by: orchestrator |
s|command: \[sh, -c.*|command: [cp, /etc/debian_version, "{output}"]\n    output: "/var/lib/etl-orch/reports/{period}/{bank_symbol}.md"|' "$1"
echo 'tell: {textfile: /var/lib/etl-orch/etl-orch.prom}' >>"$1"
END
chmod +x /usr/local/bin/sudo /usr/local/bin/sudoedit
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
"#;

/// What the timer would do, and what `health` says of it.
const AFTER_THE_MANUAL: &str = r#"
systemd-analyze verify --man=no /etc/systemd/system/etl-orch*
echo "$? = units"
sudo -u etl-orch etl-orch run --quiet
echo "$? = run"
sudo -u etl-orch etl-orch health
echo "$? = health after it"
find /var/lib/etl-orch/reports -type f
"#;

const TWO_BANKS: &str = r#"
CREATE TABLE aegis_data_availability (
    bank_id integer NOT NULL, bank_name text NOT NULL, bank_symbol text NOT NULL, fiscal_year integer NOT NULL, quarter text NOT NULL,
    database_names text, UNIQUE (bank_id, fiscal_year, quarter));
CREATE TABLE aegis_reports (
    id integer PRIMARY KEY, report_name text, report_description text, report_type text NOT NULL, bank_id integer, bank_name text,
    bank_symbol text, fiscal_year integer NOT NULL, quarter text NOT NULL, local_filepath text, markdown_content text,
    generation_date text, generated_by text, execution_id text, metadata text);
INSERT INTO aegis_data_availability VALUES (1, 'Royal Bank', 'RY-CA', 2025, 'Q2', '["transcripts"]'),
    (1, 'Royal Bank', 'RY-CA', 2025, 'Q1', '["transcripts"]'), (2, 'Bank of Montreal', 'BMO-CA', 2025, 'Q2', '["transcripts"]');
INSERT INTO aegis_reports (report_type, bank_id, bank_symbol, fiscal_year, quarter) VALUES ('Call Summary', 1, 'RY-CA', 2025, 'Q1');
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

/// What these steps print, carried out in a root of its own with this directory.
fn in_a_root_of_its_own(given: &Path, steps: &str) -> String {
    fs::write(given.join("steps"), steps).expect("a file");
    let done = root(IN_A_ROOT_OF_ITS_OWN, &[given]);
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{text}");
    text
}

#[test]
fn the_package_is_installed_makes_a_report_and_is_purged_without_a_trace() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = Command::new(repository.join("scripts/package.sh")).args([env!("CARGO_BIN_EXE_etl-orch"), "--fast"]).output().expect("sh");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let example = QuickStart::new();
    fs::copy(String::from_utf8_lossy(&packed.stdout).trim(), example.at("etl-orch.deb")).expect("a package");
    let text = in_a_root_of_its_own(&example.at(""), BY_THE_PACKAGE);
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

/// The commands of the manual, in their order, each with the code that it exits with.
#[test]
fn what_the_manual_says_of_production_leads_to_a_timer_and_reports() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manual = fs::read_to_string(repository.join("README.md")).expect("README.md");
    let production = manual.split("## Production").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let step = |line: &str| {
        let command = line.split("  #").next().unwrap_or_default().trim().replace("postgres://etl@db/aegis", "sqlite:///data/aegis.db");
        format!("{command}\necho \"$? = {command}\"\n")
    };
    let commands: String = blocks(production, "sh parse").iter().flat_map(|block| block.lines()).map(step).collect();
    let steps = [BY_THE_MANUAL, &commands, AFTER_THE_MANUAL].concat();
    let given = tempfile::tempdir().expect("a directory");
    fs::copy(env!("CARGO_BIN_EXE_etl-orch"), given.path().join("etl-orch")).expect("a binary");
    fs::write(given.path().join("data.sql"), TWO_BANKS).expect("a file");
    let text = in_a_root_of_its_own(given.path(), &steps);
    let ends: Vec<&str> = text.lines().filter(|line| line.get(1..4) == Some(" = ")).collect();
    // Before the first run nothing is known.
    let is_good = |line: &&str| line.starts_with('0') || *line == "3 = sudo -u etl-orch etl-orch health";
    assert!(ends.len() > 12 && ends.iter().all(is_good), "{ends:#?}\n{text}");
    for words in ["/var/lib/etl-orch/reports/2025Q2/RY.md", "/etc/systemd/system/etl-orch.timer is created"] {
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
