//! What starts etl-orch, in sentences.

use super::super::words::Time;
use super::finding::{Finding, fault};
use crate::plan::decide::checkup::{CronLine, Fault, Schedule, Subject, Timer};

pub(super) fn findings(schedule: &Schedule) -> [Finding; 2] {
    let timers = Finding::of(Subject::SystemdTimer, &schedule.timers, |timers| {
        let mut parts: Vec<Fault> = timers.iter().flat_map(|one| timer(one, schedule.has_cron())).collect();
        if parts.is_empty() {
            parts.push("no timer starts etl-orch".to_owned().into());
        }
        Finding::of_parts(Subject::SystemdTimer, schedule.status_of_timers(), parts)
    });
    let cron = Finding::of(Subject::Cron, &schedule.cron_lines, |lines| {
        let mut parts: Vec<Fault> = lines.iter().map(|CronLine { place, line }| format!("{place}: {line}").into()).collect();
        if parts.is_empty() {
            parts.push("no crontab that this user may read has a line that starts etl-orch".to_owned().into());
        } else {
            parts.extend(match &schedule.cron_runs {
                Ok(true) => None,
                Ok(false) => Some(fault("no cron daemon runs", "start it: systemctl enable --now cron (or crond)")),
                Err(why) => Some(fault_of_daemon(why)),
            });
        }
        Finding::of_parts(Subject::Cron, schedule.status_of_cron(), parts)
    });
    let cron = if schedule.is_empty() {
        cron.mended_by("let it start every 15 minutes: etl-orch install systemd, or etl-orch install cron; docs/deployment.md says more")
    } else {
        cron
    };
    [timers, cron]
}

fn fault_of_daemon(why: &crate::plan::decide::checkup::NotLooked) -> Fault {
    let Finding { mut parts, .. } = Finding::not_looked(Subject::Cron, why);
    let found = parts.pop().map(|part| part.found).unwrap_or_default();
    format!("whether a cron daemon runs {found}").into()
}

/// A timer, and what is wrong with it. One that was switched off is not missed where cron does its work.
fn timer(timer: &Timer, has_cron: bool) -> Vec<Fault> {
    let Timer { unit, service, command, .. } = timer;
    let of_user = if timer.is_users { " --user" } else { "" };
    let whose = if timer.is_users { " of this user" } else { "" };
    let state = if timer.is_active { "is active" } else { "is not active" };
    let last = timer.last.map_or_else(|| "has not fired yet".to_owned(), |last| format!("last fired {}", Time(last)));
    let next = timer.next.map(|next| format!(", fires next {}", Time(next))).unwrap_or_default();
    let found = format!("{unit}{whose} {state}, {last}{next}; it starts {command}");
    let mut faults = vec![if timer.is_active || (has_cron && !timer.is_enabled) {
        found.into()
    } else {
        fault(found, format!("systemctl{of_user} enable --now {unit}"))
    }];
    if timer.is_active && !timer.is_enabled {
        faults.push(fault(format!("{unit} is not enabled: after a boot it is not active"), format!("systemctl{of_user} enable {unit}")));
    }
    if let Some(trouble) = &timer.trouble {
        faults.push(fault(format!("the last start of {service} failed ({trouble})"), format!("journalctl{of_user} -u {service}")));
    }
    faults
}
