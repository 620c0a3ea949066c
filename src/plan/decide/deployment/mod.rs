//! What starts etl-orch every 15 minutes, as files: units of systemd, or a line of a crontab. The texts are those that are shipped in
//! `systemd/` and `examples/crontab`, with what differs at a place filled in.

mod change;
mod crontab;
mod longest_run;
mod units;

pub use change::{Change, Effect};
pub use crontab::{cron_file, with_line, without_line};
pub use longest_run::{LOCK_WAIT, longest_run};
pub use units::{TIMERS, UNITS, units};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What differs from place to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The program; absolute.
    pub program: String,
    /// The configuration; absolute.
    pub config: String,
    /// Who runs it, by name; `None` in a user's own schedule.
    pub user: Option<String>,
    /// Directories that runs and their ETLs write to; absolute.
    pub written: Vec<PathBuf>,
    /// Whether a run needs what is in a home directory.
    pub needs_home: bool,
    /// How long a run may take.
    pub longest_run: Duration,
}

/// Where the host keeps what every user writes to.
const TMP: &str = "/tmp";

impl Deployment {
    /// Whether it shares files in `/tmp` with others.
    fn shares_tmp(&self) -> bool {
        self.written.iter().any(|path| path.starts_with(TMP))
    }
}

/// Whether a path is in a home directory, which `ProtectHome=yes` hides.
#[must_use]
pub fn is_in_home(path: &Path) -> bool {
    ["/home", "/root", "/run/user"].iter().any(|home| path.starts_with(home))
}

/// A character that no line of a unit or a crontab can have in a path or name.
#[must_use]
pub fn has_control_characters(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
pub(super) fn example() -> Deployment {
    Deployment {
        program: "/usr/bin/etl-orch".to_owned(),
        config: "/etc/etl-orch/etl-orch.yaml".to_owned(),
        user: Some("etl-orch".to_owned()),
        written: vec!["/tmp".into()],
        needs_home: false,
        longest_run: Duration::from_secs(8 * 3600),
    }
}
