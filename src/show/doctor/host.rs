//! What was found of the host, in sentences.

use std::path::{Path, PathBuf};

use super::super::words::{bytes, count};
use super::finding::{Finding, fault};
use crate::plan::decide::checkup::{
    Fault, Faults, HostFacts, LockState, Looked, NotLooked, OwnProcess, Spooled, Status, Subject, TimeZone, Volume,
};

pub(super) fn findings(facts: &HostFacts) -> Vec<Finding> {
    let programs = match facts.programs_found {
        0 => "none is configured".to_owned(),
        found => format!("{} found, with all that is named beside", count(found as u64, "program")),
    };
    let mut findings = vec![
        Finding::of_faults(Subject::Programs, &facts.programs, programs),
        state_dir(facts),
        Finding::of(Subject::Spool, &facts.spool, |spooled| spool(*spooled, &facts.state_dir_path)),
        lock(&facts.lock, &facts.lock_path),
    ];
    if facts.outputs_named > 0 {
        findings.push(Finding::of_faults(Subject::Outputs, &facts.outputs, "each can be written"));
    }
    if facts.files_named > 0 {
        findings.push(Finding::of_faults(Subject::Files, &facts.files, "each directory of availability.sync can be read"));
    }
    findings.extend(disk(&facts.volumes));
    findings
}

fn state_dir(facts: &HostFacts) -> Finding {
    let path = facts.state_dir_path.display();
    let mut faults = facts.state_dir.clone();
    let of_state_dir = facts.volumes.iter().find(|(of, _)| *of == facts.state_dir_path);
    if of_state_dir.is_some_and(|(_, volume)| volume.as_ref().is_ok_and(|volume| volume.is_remote)) {
        let found = format!("{path} is on a file system of another host, where locks may not exclude and syncs may not last");
        faults.warnings.push(fault(found, "let state_dir name a directory of this host"));
    }
    Finding::of_faults(Subject::StateDir, &faults, format!("{path} can be written"))
}

fn spool(spooled: Spooled, state_dir: &Path) -> Finding {
    let Spooled { waiting, refused } = spooled;
    let directory = state_dir.join("spool");
    let mut parts: Vec<Fault> = Vec::new();
    if waiting > 0 {
        let found = format!("{} of jobs in {} that the database did not take", count(waiting as u64, "end"), directory.display());
        parts.push(fault(found, "the next run records what waits there: start one once the database answers"));
    }
    if refused > 0 {
        let found = format!("{} of jobs in {} that cannot be recorded", count(refused as u64, "end"), directory.display());
        parts.push(fault(found, "read the files .why there; `etl-orch cancel JOB` gives such an end up"));
    }
    if parts.is_empty() {
        parts.push("empty: the database has the ends of all jobs".to_owned().into());
    }
    Finding::of_parts(Subject::Spool, spooled.status(), parts)
}

fn disk(volumes: &[(PathBuf, Looked<Volume>)]) -> Option<Finding> {
    let part = |(path, volume): &(PathBuf, Looked<Volume>)| match volume {
        Ok(volume) => {
            let found = format!("{} of {} free for {}", bytes(volume.free), bytes(volume.total), path.display());
            let mend = (volume.status() != Status::Ok).then(|| "make room there, or let `retention` keep less".to_owned());
            (volume.status(), Fault { found, mend })
        }
        Err(NotLooked::Because(reason)) => (Status::Unknown, format!("{} could not be looked at: {reason}", path.display()).into()),
        Err(why @ NotLooked::Needs(_)) => (Status::Unknown, Finding::not_looked(Subject::Disk, why).parts.remove(0)),
    };
    let (statuses, parts): (Vec<Status>, Vec<Fault>) = volumes.iter().map(part).unzip();
    Some(Finding::of_parts(Subject::Disk, statuses.into_iter().max()?, parts))
}

fn lock(state: &LockState, path: &Path) -> Finding {
    let path = path.display();
    let found = match state {
        LockState::Absent => format!("{path}: no run has taken it yet"),
        LockState::Free => format!("{path} is free"),
        LockState::Held { holder, .. } => format!("{path} is held by {holder}"),
        LockState::Named { holder } => format!("{path} is free as far as this host shows, but names {holder}"),
        LockState::Unusable(found) => found.clone(),
        LockState::Unknown(reason) => format!("{path} could not be looked at: {reason}"),
    };
    let finding = Finding::new(Subject::Lock, state.status(), found);
    match state {
        LockState::Named { .. } => finding.mended_by("run `etl-orch doctor` there"),
        LockState::Absent | LockState::Free | LockState::Held { .. } | LockState::Unusable(_) | LockState::Unknown(_) => finding,
    }
}

pub(super) fn processes(processes: &Looked<Vec<OwnProcess>>) -> Finding {
    Finding::of(Subject::Processes, processes, |processes| {
        let part = |process: &OwnProcess| format!("process {}: {}", process.pid, process.command).into();
        let parts: Vec<Fault> = processes.iter().map(part).collect();
        if parts.is_empty() {
            return Finding::new(Subject::Processes, Status::Ok, "no other of etl-orch is seen");
        }
        Finding::of_parts(Subject::Processes, Status::Ok, parts)
    })
}

pub(super) fn time_zone(zone: &TimeZone) -> Finding {
    let faults = match &zone.named {
        Some(named) if zone.status() != Status::Ok => Faults {
            warnings: vec![fault(
                format!("this host does not know TZ={named}, so local times may be those of UTC"),
                "correct TZ, or install the time zones (tzdata)",
            )],
            ..Faults::default()
        },
        Some(_) | None => Faults::default(),
    };
    let named = zone.named.as_deref().unwrap_or("the host's");
    Finding::of_faults(Subject::TimeZone, &faults, format!("{named}, now UTC{}", zone.offset))
}
