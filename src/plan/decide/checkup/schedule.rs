//! What starts etl-orch: timers of systemd and lines of crontabs, as `systemctl` and `crontab` print them.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{Looked, Status, status_of};

/// The name by which a command is known to start etl-orch.
const PROGRAM: &str = "etl-orch";
/// Programs that start the one among their arguments.
const STARTERS: [&str; 15] = [
    "env", "flock", "timeout", "nice", "ionice", "chrt", "taskset", "sudo", "runuser", "exec", "nohup", "setsid", "time", "chronic",
    "cronic",
];

/// What starts etl-orch on this host, as far as this user can see.
#[derive(Debug)]
pub struct Schedule {
    pub timers: Looked<Vec<Timer>>,
    pub cron_lines: Looked<Vec<CronLine>>,
    /// Whether a cron daemon runs.
    pub cron_runs: Looked<bool>,
}

/// A timer of systemd whose service starts etl-orch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    pub unit: String,
    /// Whether it belongs to this user's own manager.
    pub is_users: bool,
    /// Whether it waits for its next time, or its service runs.
    pub is_active: bool,
    /// Whether it is started at boot.
    pub is_enabled: bool,
    pub last: Option<DateTime<Utc>>,
    pub next: Option<DateTime<Utc>>,
    pub service: String,
    /// The command of the service.
    pub command: String,
    /// What the last start of the service came to, where that is not success: `exit-code`, `timeout`.
    pub trouble: Option<String>,
}

impl Timer {
    #[must_use]
    pub fn status(&self) -> Status {
        if !self.is_active {
            Status::Failed
        } else if self.trouble.is_some() || !self.is_enabled {
            Status::Warning
        } else {
            Status::Ok
        }
    }
}

/// A line of a crontab that starts etl-orch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronLine {
    /// `crontab -l`, `/etc/cron.d/etl-orch`.
    pub place: String,
    pub line: String,
}

impl Schedule {
    #[must_use]
    pub fn status_of_timers(&self) -> Status {
        let is_in_use = |timer: &&Timer| timer.is_active || timer.is_enabled || !self.has_cron();
        // An old timer that was switched off is no fault where cron does its work.
        status_of(&self.timers, |timers| match timers.iter().filter(is_in_use).map(Timer::status).max() {
            Some(Status::Failed) if self.has_cron() => Status::Warning,
            Some(worst) => worst,
            None => without(self.has_cron()),
        })
    }

    #[must_use]
    pub fn status_of_cron(&self) -> Status {
        status_of(&self.cron_lines, |lines| match (lines.is_empty(), &self.cron_runs) {
            (true, _) => without(self.has_timer()),
            (false, Ok(true)) => Status::Ok,
            (false, Ok(false)) if self.has_timer() => Status::Warning,
            (false, Ok(false)) => Status::Failed,
            (false, Err(_)) => Status::Unknown,
        })
    }

    /// Whether nothing that was looked at starts etl-orch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_timer() && !self.has_cron()
    }

    fn has_timer(&self) -> bool {
        self.timers.as_ref().is_ok_and(|timers| timers.iter().any(|timer| timer.is_active))
    }

    #[must_use]
    pub fn has_cron(&self) -> bool {
        self.cron_lines.as_ref().is_ok_and(|lines| !lines.is_empty())
    }
}

/// One of the two is enough.
fn without(has_other: bool) -> Status {
    if has_other { Status::Ok } else { Status::Warning }
}

/// The lines of a crontab that start etl-orch: when, and what. What a line does beside that is left out: it may hold a password.
#[must_use]
pub fn cron_lines(place: &str, text: &str, names_users: bool) -> Vec<CronLine> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !is_assignment(line));
    let shortened = lines.filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let times = if line.starts_with('@') { 1 } else { 5 };
        let command = words.get(times + usize::from(names_users)..)?.join(" ");
        Some(format!("{} ... {}", words.get(..times)?.join(" "), start_in(&command)?))
    });
    shortened.map(|line| CronLine { place: place.to_owned(), line }).collect()
}

/// The part of a command that starts etl-orch by its name, up to where a shell ends it.
fn start_in(command: &str) -> Option<String> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let ends = |c: char| matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>' | '"' | '\'');
    command.split(ends).find_map(|part| {
        let words: Vec<&str> = part.split_whitespace().skip_while(|word| is_assignment(word)).collect();
        let at = words.iter().position(|word| base(word) == PROGRAM)?;
        // Elsewhere it is a directory or file of that name.
        let is_started = at == 0 || STARTERS.contains(&base(words.first()?).as_str());
        // An address may have a password.
        let shown = words.get(at..)?.iter().map(|word| if word.contains("://") { "..." } else { word });
        is_started.then(|| shown.collect::<Vec<_>>().join(" "))
    })
}

/// Whether a line sets a variable, as `PATH=/opt/etl-orch` does.
fn is_assignment(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, _)| name.trim_end().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// The names in what `systemctl list-unit-files --type=timer --no-legend` prints. A template has no times of its own.
#[must_use]
pub fn timers_in_list(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.strip_suffix(".timer").is_some()));
    names.filter(|name| !name.contains("@.")).map(str::to_owned).collect()
}

/// What `systemctl show` prints of some units.
#[derive(Debug, Default)]
pub struct UnitText(Vec<BTreeMap<String, String>>);

impl UnitText {
    /// Reads blocks of `NAME=VALUE`, with an empty line between two units.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let block =
            |block: &str| block.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Self(text.split("\n\n").map(block).filter(|block: &BTreeMap<_, _>| !block.is_empty()).collect())
    }

    /// The values of a property, of each unit that has it.
    pub fn values<'a>(&'a self, property: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |unit| unit.get(property)).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The timers whose services start etl-orch.
#[must_use]
pub fn timers(timers: &UnitText, services: &UnitText, is_users: bool) -> Vec<Timer> {
    let timer = |unit: &BTreeMap<String, String>| {
        let get = |name: &str| unit.get(name).map(String::as_str).unwrap_or_default();
        let service = services.0.iter().find(|service| service.get("Id").is_some_and(|id| id == get("Unit")))?;
        let command = command(service.get("ExecStart")?)?;
        let result = service.get("Result").map(String::as_str).unwrap_or_default();
        Some(Timer {
            unit: get("Id").to_owned(),
            is_users,
            is_active: get("ActiveState") == "active",
            is_enabled: get("UnitFileState").starts_with("enabled") || get("UnitFileState") == "static",
            last: time(get("LastTriggerUSec")),
            next: time(get("NextElapseUSecRealtime")),
            service: get("Unit").to_owned(),
            command,
            trouble: (!result.is_empty() && result != "success").then(|| result.to_owned()),
        })
    };
    timers.0.iter().filter_map(timer).collect()
}

/// The start of etl-orch in `{ path=/usr/bin/etl-orch ; argv[]=/usr/bin/etl-orch run -q ; ... }`.
fn command(exec: &str) -> Option<String> {
    start_in(exec.split_once("argv[]=")?.1.split(" ; ").next()?)
}

/// A time as systemd prints it where `TZ` is UTC: `Sun 2026-11-29 02:00:00 UTC`. Never is `n/a` or nothing.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.strip_suffix(" UTC")?.split_once(' ')?.1;
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::super::NotLooked;
    use super::*;

    #[test]
    fn only_lines_that_start_etl_orch_are_found() {
        let text = "# */5 * * * * etl-orch\nPATH=/opt/etl-orch/bin/etl-orch\nMAILTO = ops\n\
                    */15 * * * * cd /opt/etl-orch && PGPASSWORD=s3cret flock -n /tmp/l ./etl-orch run -q >> log 2>&1\n\
                    0 3 * * * tar czf b.tgz /opt/etl-orch\n@hourly \"/usr/bin/etl-orch\" health; curl -u u:s3cret x\n@daily\n";
        let found = |text, names_users| cron_lines("", text, names_users).into_iter().map(|one| one.line).collect::<Vec<_>>();
        assert_eq!(found(text, false), ["*/15 * * * * ... ./etl-orch run -q", "@hourly ... /usr/bin/etl-orch"]);
        assert_eq!(found("5 * * * * etl-orch /usr/bin/true\n* * * * * root etl-orch run", true), ["* * * * * ... etl-orch run"]);
    }

    #[test]
    fn timers_are_read_as_systemctl_prints_them() {
        let list = "etl-orch.timer enabled enabled\n\u{25cf} broken.timer static -\nbackup@.timer disabled enabled\n";
        assert_eq!(timers_in_list(list), ["etl-orch.timer", "broken.timer"]);
        let units = UnitText::read(
            "Id=etl-orch.timer\nUnit=etl-orch.service\nActiveState=active\nUnitFileState=enabled\n\
             LastTriggerUSec=Sun 2026-11-29 02:00:01 UTC\nNextElapseUSecRealtime=\n\n\
             Id=backup.timer\nUnit=backup.service\nActiveState=active\nLastTriggerUSec=n/a\n",
        );
        assert_eq!(units.values("Unit").collect::<Vec<_>>(), ["etl-orch.service", "backup.service"]);
        let services = UnitText::read(
            "Id=backup.service\nExecStart={ path=/bin/cp ; argv[]=/bin/cp /opt/etl-orch y ; ignore_errors=no }\nResult=success\n\n\
             Id=etl-orch.service\nExecStart={ path=/usr/bin/etl-orch ; argv[]=/usr/bin/etl-orch run -q ; ignore_errors=no }\n\
             Result=exit-code\n",
        );
        let found = timers(&units, &services, false);
        let [timer] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((timer.command.as_str(), timer.trouble.as_deref()), ("/usr/bin/etl-orch run -q", Some("exit-code")));
        assert_eq!(timer.last.map(|last| last.to_rfc3339()), Some("2026-11-29T02:00:01+00:00".to_owned()));
        assert_eq!((timer.next, timer.status()), (None, Status::Warning));
    }

    #[test]
    fn one_of_both_is_enough_and_what_was_not_seen_is_unknown() {
        let timer = |is_active| Timer {
            unit: String::new(),
            is_users: false,
            is_active,
            is_enabled: true,
            last: None,
            next: None,
            service: String::new(),
            command: String::new(),
            trouble: None,
        };
        let line = || CronLine { place: String::new(), line: String::new() };
        let unknown = || NotLooked::Because(String::new());
        let (ok, warning, failed, not_known) = (Status::Ok, Status::Warning, Status::Failed, Status::Unknown);
        for (timers, cron_lines, cron_runs, expected) in [
            (Ok(vec![timer(true)]), Ok(vec![]), Ok(false), (ok, ok)),
            (Ok(vec![]), Ok(vec![line()]), Ok(true), (ok, ok)),
            (Ok(vec![]), Ok(vec![]), Ok(true), (warning, warning)),
            (Ok(vec![timer(false)]), Ok(vec![]), Ok(true), (failed, warning)),
            (Ok(vec![timer(false)]), Ok(vec![line()]), Ok(true), (warning, ok)),
            (Ok(vec![]), Ok(vec![line()]), Ok(false), (ok, failed)),
            (Err(unknown()), Ok(vec![]), Ok(true), (not_known, warning)),
            (Err(unknown()), Ok(vec![line()]), Err(unknown()), (not_known, not_known)),
        ] {
            let schedule = Schedule { timers, cron_lines, cron_runs };
            assert_eq!((schedule.status_of_timers(), schedule.status_of_cron()), expected, "{schedule:?}");
        }
    }
}
