//! Who holds a lock on a file, as the kernel lists it: looking so takes nothing, not even for a moment.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

/// The pid that a `flock` on this file is listed under; `None` where no process that this one can see holds it. The process that took it
/// may have ended, while others go on holding it.
///
/// # Errors
/// When the kernel does not say.
pub(crate) fn holder(file: &Metadata) -> io::Result<Option<u32>> {
    Ok(holder_in(&std::fs::read_to_string("/proc/locks")?, file.dev(), file.ino()))
}

/// Reads lines like `1: FLOCK  ADVISORY  WRITE 12560 fe:00:10010907 0 EOF`. Those of processes that wait have an arrow.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let wanted = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields.as_slice() else { return None };
        (*file == wanted).then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 5 fe:00:7 0 EOF\n2: FLOCK  ADVISORY  WRITE 6 fe:01:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 1234 fe:00:7 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 9 fe:00:8 0 EOF\n";
        let device = rustix::fs::makedev(0xfe, 0);
        assert_eq!(holder_in(locks, device, 7), Some(1234));
        assert_eq!(holder_in(locks, device, 8), None, "it waits");
    }

    #[test]
    fn a_lock_of_ours_is_seen() {
        let file = tempfile::tempfile().unwrap();
        let holder = || holder(&file.metadata().unwrap()).unwrap();
        assert_eq!(holder(), None);
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(holder(), Some(std::process::id()));
    }
}
