//! What starts etl-orch every 15 minutes: the shipped systemd units, as systemd's own checkers see them, and a real cron.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::quickstart::{POOR_PATH, QuickStart};
use crate::support::world::within;

/// Two ticks of a minute each, and what a loaded machine adds.
const TICK: Duration = Duration::from_secs(4 * 60);

const UNITS: [&str; 5] =
    ["etl-orch.service", "etl-orch.timer", "etl-orch-health.service", "etl-orch-health.timer", "etl-orch-failed@.service"];

/// The units, with the program and its manual where the checkers find them.
struct Units {
    root: TempDir,
}

impl Units {
    fn install() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let binary = env!("CARGO_BIN_EXE_etl-orch");
        for name in UNITS {
            let unit = shipped(&format!("systemd/{name}"));
            let here = unit.replace("ExecStart=/usr/bin/etl-orch ", &format!("ExecStart={binary} "));
            assert_eq!(unit == here, name.ends_with("timer") || name.contains("failed"), "{name}");
            fs::write(root.path().join(name), here).expect("a file");
        }
        let page = Command::new(binary).arg("man").output().expect("the binary starts").stdout;
        fs::create_dir(root.path().join("man1")).expect("a directory");
        fs::write(root.path().join("man1/etl-orch.1"), page).expect("a file");
        Self { root }
    }

    fn analyze(&self, args: &[&str]) -> (bool, String) {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(args).current_dir(self.root.path()).env("MANPATH", self.root.path()).env("TZ", "UTC").env("SYSTEMD_PAGER", "");
        let output = analyze.output().expect("systemd-analyze is installed; scripts/test.sh does it");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a shipped file")
}

/// The values of a key in a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    let units = UNITS.map(|name| format!("./{name}"));
    let checked = Units::install().analyze(&[&["verify"], &units.each_ref().map(String::as_str)[..]].concat());
    assert_eq!(checked, (true, String::new()));
}

#[test]
fn the_services_are_hardened() {
    let units = Units::install();
    for service in UNITS.iter().filter(|name| name.ends_with(".service")) {
        let (passed, text) = units.analyze(&["security", "--offline=true", "--threshold=25", &format!("./{service}")]);
        assert!(passed, "{text}");
    }
}

#[test]
fn the_timer_starts_a_run_on_every_quarter_of_an_hour_and_makes_up_for_missed_ones() {
    let timer = shipped("systemd/etl-orch.timer");
    let [calendar] = values(&timer, "OnCalendar")[..] else { panic!("{timer}") };
    let base = "--base-time=2026-01-01 00:00:01";
    let (passed, text) = Units::install().analyze(&["calendar", "--iterations=5", base, calendar]);
    assert!(passed, "{text}");
    let of_health = shipped("systemd/etl-orch-health.timer");
    for timer in [&timer, &of_health] {
        assert_eq!((values(timer, "Persistent"), values(timer, "Unit")), (vec!["true"], vec![]), "{timer}");
    }
    for time in ["00:15:00", "00:30:00", "00:45:00", "01:00:00", "01:15:00"] {
        assert!(text.contains(&format!("2026-01-01 {time} UTC")), "{text}");
    }
}

#[test]
fn the_service_is_one_run_that_can_stop_its_children_and_cannot_hang() {
    let service = shipped("systemd/etl-orch.service");
    assert_eq!(values(&service, "Type"), ["oneshot"]);
    assert_eq!(values(&service, "KillMode"), ["mixed"]);
    assert_eq!(values(&service, "OOMPolicy"), ["continue"]);
    assert_eq!(values(&service, "SuccessExitStatus"), ["3 5 75 143"]);
    for service in [&service, &shipped("systemd/etl-orch-health.service")] {
        assert_eq!(values(service, "OnFailure"), ["etl-orch-failed@%n.service"]);
    }
    let duration = |text: &str| humantime::parse_duration(text).unwrap_or_else(|error| panic!("{text:?} is not finite: {error}"));
    let only = |key: &str| values(&service, key).first().copied().map(duration).expect("a value");

    // Longer than any run of the shipped configuration takes, with three attempts of its slowest job, and than its ETLs may take to end.
    let config = shipped("config/production.example.yaml");
    let setting = |key: &str| {
        let values = config.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        values.map(|value| duration(value.split('#').next().unwrap_or_default().trim())).max().expect("a setting")
    };
    assert!(only("TimeoutStartSec") > setting("deadline") + setting("timeout") * 3);
    assert!(only("TimeoutStopSec") > Duration::from_secs(10));
}

/// A cron daemon that sees one crontab only, and ends with this process.
struct Cron {
    root: TempDir,
    supervisor: Child,
}

/// Runs until its stdin ends. Debian's cron knows no other places than its own, so it gets its own view of them;
/// where that is not permitted (as in some containers), busybox's takes its directory as an option.
const SUPERVISOR: &str = r#"
cd "$1" || exit
if unshare --mount true 2>/dev/null; then
    exec unshare --mount --pid --fork --kill-child --mount-proc sh -c '
        mount --bind spool /var/spool/cron && mount --bind cron.d /etc/cron.d && mount --bind crontab /etc/crontab &&
            mount --bind run /run && { cron -f & cat >/dev/null; }'
fi
busybox crond -f -c spool/crontabs &
cat >/dev/null
kill $!
"#;

impl Cron {
    fn start(crontab: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let id = |option: &str| {
            let output = Command::new("id").arg(option).output().expect("id");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        for directory in ["spool/crontabs", "cron.d", "run"] {
            fs::create_dir_all(root.path().join(directory)).expect("a directory");
        }
        fs::write(root.path().join("crontab"), "").expect("a file");
        let mine = root.path().join("spool/crontabs").join(id("-un"));
        fs::write(&mine, crontab).expect("a file");
        fs::set_permissions(&mine, fs::Permissions::from_mode(0o600)).expect("a mode");

        // A cron daemon needs root.
        let mut command = if id("-u") == "0" { Command::new("sh") } else { Command::new("sudo") };
        if id("-u") != "0" {
            command.args(["-n", "sh"]);
        }
        command.args(["-c", SUPERVISOR, "cron"]).arg(root.path()).stdin(Stdio::piped());
        command.env_clear().env("PATH", format!("/usr/sbin:/sbin:{POOR_PATH}"));
        let log = fs::File::create(root.path().join("log")).expect("a file");
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
        let supervisor = command.spawn().expect("sh, or sudo, starts");
        Self { root, supervisor }
    }

    /// Fails at once when the daemon has ended.
    fn check(&mut self) {
        let ended = self.supervisor.try_wait().expect("a child");
        let log = || fs::read_to_string(self.root.path().join("log")).unwrap_or_default();
        assert!(ended.is_none(), "cron does not run (it needs root or sudo; scripts/test.sh installs it): {}", log());
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The shipped line, for the directory of a quick start and every minute, in a crontab of a user.
fn crontab(quick_start: &QuickStart) -> String {
    let here = quick_start.at("");
    let here = here.to_str().expect("a name in UTF-8").trim_end_matches('/');
    let mut crontab = shipped("examples/crontab");
    for (shipped, instead) in [
        ("*/15 * * * * etl-orch ", format!("* * * * * cd {here} && env > cron.env && ")),
        ("/usr/bin/etl-orch run ", format!("{} run ", env!("CARGO_BIN_EXE_etl-orch"))),
        ("--config /etc/etl-orch/etl-orch.yaml", "--config config/etl-orch.yaml >> cron.log 2>&1".to_owned()),
        ("MAILTO=root", "MAILTO=\"\"".to_owned()),
        ("\nPATH=/usr/local/bin:/usr/bin:/bin", String::new()),
    ] {
        assert!(crontab.contains(shipped), "{crontab}");
        crontab = crontab.replacen(shipped, &instead, 1);
    }
    crontab
}

#[test]
fn two_ticks_of_a_real_cron_make_the_reports_and_then_those_of_what_arrived() {
    let quick_start = QuickStart::new();
    let mut cron = Cron::start(&crontab(&quick_start));
    let mut succeeded = |runs: &[&str]| {
        within(TICK, "cron has started a run, and it has ended", || {
            cron.check();
            quick_start.at("var/etl-orch.db").exists()
                && quick_start.tables().contains(&"etl_runs".to_owned())
                && quick_start.sql("SELECT succeeded FROM etl_runs WHERE state = 'succeeded' ORDER BY started_at") == runs
        });
    };
    succeeded(&["21"]);
    assert_eq!(quick_start.reports().len(), 20);
    let environment = fs::read_to_string(quick_start.at("cron.env")).expect("written by the job");
    let poor = environment.lines().find_map(|line| line.strip_prefix("PATH=")).expect("a PATH");
    assert!(!poor.contains("cargo") && !environment.contains("CARGO"), "{environment}");

    quick_start.let_a_transcript_arrive();
    succeeded(&["21", "2"]);
    assert_eq!(quick_start.reports().len(), 22);
    // A run prints its summary after its end is on record.
    within(TICK, "both summaries are in the log", || {
        let log = fs::read_to_string(quick_start.at("cron.log")).expect("written by the job");
        log.contains("Successful: 21 ✅") && log.contains("Successful: 2 ✅")
    });
}
