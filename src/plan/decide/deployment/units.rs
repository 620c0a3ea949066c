//! Units of systemd.

use std::time::Duration;

use super::{Deployment, LOCK_WAIT};
use crate::plan::text::span::exact;

const RUN: &str = include_str!("../../../../systemd/etl-orch.service");
const RUN_TIMER: &str = include_str!("../../../../systemd/etl-orch.timer");
const HEALTH: &str = include_str!("../../../../systemd/etl-orch-health.service");
const HEALTH_TIMER: &str = include_str!("../../../../systemd/etl-orch-health.timer");
const FAILED: &str = include_str!("../../../../systemd/etl-orch-failed@.service");

/// The names of all units.
pub const UNITS: [&str; 5] =
    ["etl-orch.service", "etl-orch.timer", "etl-orch-health.service", "etl-orch-health.timer", "etl-orch-failed@.service"];
/// Those that are enabled; they start the others.
pub const TIMERS: [&str; 2] = ["etl-orch.timer", "etl-orch-health.timer"];

/// What only the manager of the host can give a service, or what means another thing to a user's own.
const OF_HOST: [&str; 24] = [
    "After",
    "Wants",
    "User",
    "DynamicUser",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "ProtectSystem",
    "ProtectHome",
    "PrivateDevices",
    "PrivateUsers",
    "PrivateTmp",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectControlGroups",
    "ProtectProc",
    "ReadWritePaths",
    "RemoveIPC",
    "KeyringMode",
    "DevicePolicy",
    "StateDirectory",
    "StateDirectoryMode",
];

/// The text of each unit of [`UNITS`].
#[must_use]
pub fn units(deployment: &Deployment) -> [(&'static str, String); 5] {
    let written = deployment.written.iter().map(|path| word(&path.display().to_string())).collect::<Vec<_>>().join(" ");
    let service = |text: &str, arguments: &str| {
        let command = format!("{} {arguments} --config {}", command_word(&deployment.program), command_word(&deployment.config));
        let settings = [
            ("User", deployment.user.clone().unwrap_or_default()),
            ("ExecStart", command),
            ("ProtectHome", if deployment.needs_home { "read-only" } else { "yes" }.to_owned()),
            ("ReadWritePaths", written.clone()),
            ("PrivateTmp", if deployment.shares_tmp() { "no" } else { "yes" }.to_owned()),
        ];
        settings.iter().fold(text.to_owned(), |text, (key, value)| with(&text, key, value))
    };
    let run = service(RUN, &format!("run --quiet --detailed-exit-code --lock-wait {}", exact(LOCK_WAIT)));
    let texts = [
        with(&run, "TimeoutStartSec", &exact(longest(deployment.longest_run))),
        RUN_TIMER.to_owned(),
        service(HEALTH, "health"),
        HEALTH_TIMER.to_owned(),
        FAILED.to_owned(),
    ];
    let mut texts = texts.map(|text| if deployment.user.is_some() { text } else { of_user(&text) }).into_iter();
    UNITS.map(|name| (name, texts.next().unwrap_or_default()))
}

/// systemd knows no longer span than some hundred thousand years.
fn longest(span: Duration) -> Duration {
    span.min(Duration::from_secs(36_500 * 86_400))
}

/// The unit with another value of a key that it has.
fn with(unit: &str, key: &str, value: &str) -> String {
    let is_it = |line: &str| line.split_once('=').is_some_and(|(name, _)| name == key);
    lines(unit.lines().map(|line| if is_it(line) { format!("{key}={value}") } else { line.to_owned() }))
}

/// The unit without what a user's own manager cannot do, and without the comments on it.
fn of_user(unit: &str) -> String {
    let is_of_host = |line: &&str| {
        let key = line.split_once('=').map(|(key, _)| key);
        key.is_some_and(|key| OF_HOST.contains(&key))
    };
    let mut kept: Vec<&str> = Vec::new();
    for line in unit.lines() {
        if is_of_host(&line) {
            while kept.last().is_some_and(|line| line.starts_with('#')) {
                kept.pop();
            }
        } else {
            kept.push(line);
        }
    }
    lines(kept.into_iter().map(str::to_owned))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

/// A path as a word of a setting.
fn word(text: &str) -> String {
    let text = text.replace('%', "%%");
    if text.contains([' ', '"', '\'', '\\']) { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) } else { text }
}

/// A path as a word of a command.
fn command_word(text: &str) -> String {
    word(text).replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_shipped_units_are_those_of_the_shipped_layout() {
        let units = units(&example());
        for ((name, text), shipped) in units.iter().zip([RUN, RUN_TIMER, HEALTH, HEALTH_TIMER, FAILED]) {
            let expected = if *name == "etl-orch-health.service" { with(shipped, "ReadWritePaths", "/tmp") } else { shipped.to_owned() };
            assert_eq!(*text, expected, "{name}");
        }
    }

    #[test]
    fn what_differs_is_filled_in_and_quoted() {
        let deployment = Deployment {
            program: "/opt/my tools/etl-orch".to_owned(),
            config: "/home/ann/100%/$x.yaml".to_owned(),
            user: Some("ann".to_owned()),
            written: vec!["/srv/reports".into(), "/srv/my \"data\"".into()],
            needs_home: true,
            longest_run: Duration::from_secs(5400),
        };
        let [(_, run), _, (_, health), ..] = units(&deployment);
        for line in [
            "ExecStart=\"/opt/my tools/etl-orch\" run --quiet --detailed-exit-code --lock-wait 10m --config /home/ann/100%%/$$x.yaml",
            "User=ann",
            "TimeoutStartSec=1h 30m",
            "ProtectHome=read-only",
            "PrivateTmp=yes",
            "ReadWritePaths=/srv/reports \"/srv/my \\\"data\\\"\"",
        ] {
            assert!(run.lines().any(|one| one == line), "{line}: {run}");
        }
        assert!(health.contains("\nExecStart=\"/opt/my tools/etl-orch\" health --config /home/ann/100%%/$$x.yaml\n"), "{health}");
    }

    #[test]
    fn a_users_own_manager_gets_what_it_can_do() {
        let units = units(&Deployment { user: None, ..example() });
        let keys = |text: &str| -> Vec<String> {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .filter(|(key, _)| !key.contains('#'))
                .map(|(key, _)| key.to_owned())
                .collect()
        };
        let [(_, run), ..] = &units;
        insta::assert_snapshot!(keys(run).join(" "), @"Description Documentation OnFailure Type ExecStart SuccessExitStatus KillMode TimeoutStopSec TimeoutStartSec OOMPolicy NoNewPrivileges UMask RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality SystemCallArchitectures SystemCallFilter SystemCallFilter SystemCallErrorNumber RestrictAddressFamilies");
        for (name, text) in &units {
            assert!(keys(text).iter().all(|key| !OF_HOST.contains(&key.as_str())), "{name}: {text}");
        }
    }
}
