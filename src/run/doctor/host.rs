//! Looks at directories, the lock, and processes.

use std::path::{Path, PathBuf};

use chrono::Local;

use super::super::lock;
use super::super::spool;
use super::super::state_dir::check_state_dir;
use crate::os::{process, room};
use crate::plan::decide::checkup::{Faults, HostFacts, LockState, Looked, NotLooked, OwnProcess, Spooled, TimeZone, Volume};

/// Where this host knows time zones.
const ZONES: &str = "/usr/share/zoneinfo";

/// What was found while the configuration was read, and where to look further.
#[derive(Debug)]
pub struct HostInput {
    pub programs: Faults,
    pub programs_found: usize,
    pub outputs: Faults,
    pub outputs_named: usize,
    pub files: Faults,
    pub files_named: usize,
    pub state_dir: Faults,
    /// Why the lock cannot be made.
    pub lock: Faults,
    pub paths: HostPaths,
}

/// What is written to.
#[derive(Debug)]
pub struct HostPaths {
    pub state_dir: PathBuf,
    pub lock_file: PathBuf,
    /// Other directories and files that need room.
    pub others: Vec<PathBuf>,
}

/// Looks at the host. Blocks as long as its files do.
pub fn look_at_host(input: HostInput) -> HostFacts {
    let HostInput { programs, programs_found, outputs, outputs_named, files, files_named, mut state_dir, lock: of_lock, paths } = input;
    let HostPaths { state_dir: path, lock_file, others } = paths;
    match check_state_dir(&path) {
        Ok(warnings) => state_dir.warnings.extend(warnings.into_iter().map(Into::into)),
        Err(error) => state_dir.faults.push(error.to_string().into()),
    }
    // That a directory of the lock is not writable is of no matter once its file is there.
    let lock = match (lock::look(&lock_file), of_lock.faults.into_iter().next()) {
        (LockState::Absent, Some(fault)) => LockState::Unusable(fault.found),
        (found, _) => found,
    };
    HostFacts {
        programs,
        programs_found,
        outputs,
        outputs_named,
        files,
        files_named,
        spool: spooled(&path),
        volumes: volumes(std::iter::once(path.clone()).chain(others)),
        state_dir,
        state_dir_path: path,
        lock_path: lock_file,
        lock,
    }
}

fn spooled(state_dir: &Path) -> Looked<Spooled> {
    let entries = spool::entries(state_dir).map_err(|error| NotLooked::Because(error.to_string()))?;
    let refused = entries.iter().filter(|entry| entry.record.is_err() || entry.refusal.is_some()).count();
    Ok(Spooled { waiting: entries.len() - refused, refused })
}

/// Each file system once, by the first of these paths that is on it.
fn volumes(paths: impl Iterator<Item = PathBuf>) -> Vec<(PathBuf, Looked<Volume>)> {
    let mut volumes: Vec<(PathBuf, Looked<Volume>)> = Vec::new();
    for path in paths {
        let found = room::volume(&path).map_err(|error| NotLooked::Because(error.to_string()));
        let device = found.as_ref().ok().map(|volume| volume.device);
        let is_known = volumes.iter().any(|(_, known)| known.as_ref().ok().map(|known| known.device) == device && device.is_some());
        if !is_known {
            volumes.push((path, found));
        }
    }
    volumes
}

/// The other processes of etl-orch that this user sees.
pub fn own_processes() -> Looked<Vec<OwnProcess>> {
    let found = process::named(&["etl-orch"]).map_err(|error| NotLooked::Because(error.to_string()))?;
    let mut found: Vec<OwnProcess> = found
        .into_iter()
        .filter_map(|(pid, command)| Some(OwnProcess { pid: u32::try_from(pid.as_raw_pid()).ok()?, command: without_addresses(&command) }))
        .filter(|process| process.pid != std::process::id())
        .collect();
    found.sort_by_key(|process| process.pid);
    Ok(found)
}

/// A command line without addresses, which may have passwords in them.
fn without_addresses(command: &str) -> String {
    let words = command.split(' ').map(|word| if word.contains("://") { "..." } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// The zone of this process, and whether the host knows it. `named` is `TZ`. One that is not known counts as UTC.
pub fn look_at_time_zone(named: Option<&str>) -> TimeZone {
    let named = named.filter(|name| !name.is_empty());
    let is_known = named.is_none_or(|name| {
        let zone = name.trim_start_matches(':');
        // A zone may also be written out, as `CET-1CEST`.
        zone.contains(|c: char| c.is_ascii_digit()) || Path::new(ZONES).join(zone).is_file()
    });
    TimeZone { named: named.map(str::to_owned), is_known, offset: Local::now().format("%:z").to_string() }
}
