//! systemd's journal, in its native protocol: each line is an entry with fields, whose names are those of JSON in capitals.
//!
//! `systemd.io/JOURNAL_NATIVE_PROTOCOL` describes it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::fs::fstat;
use tracing::Level;

use super::super::escape::escaped;
use super::line::{Line, text_of};

const SOCKET: &str = "/run/systemd/journal/socket";

/// How long a journal that takes nothing holds up a line, which then goes to stderr.
const PATIENCE: Duration = Duration::from_secs(1);

/// The journal of this host.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// # Errors
    /// When nobody listens there.
    pub(super) fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // It ignores an empty entry.
        socket.send_to(&[], SOCKET)?;
        Ok(Self(socket))
    }

    /// # Errors
    /// When it does not take the line.
    pub(super) fn send(&self, line: &Line) -> io::Result<()> {
        // By its path, as the journal may have been started anew.
        self.0.send_to(&entry(line), SOCKET).map(drop)
    }
}

/// Whether the journal reads stderr, by the variable `JOURNAL_STREAM` of systemd, which names its device and inode.
pub fn reads_stderr(journal_stream: &str) -> bool {
    fstat(io::stderr()).is_ok_and(|stderr| journal_stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

fn entry(line: &Line) -> Vec<u8> {
    let mut entry = Vec::new();
    let mut add = |name: &str, value: &str| {
        // A value of one line; what is escaped has no others.
        entry.extend_from_slice(format!("{name}={}\n", escaped(value)).as_bytes());
    };
    add("MESSAGE", &line.message());
    add("PRIORITY", priority(line.level()));
    add("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
    for (name, value) in line.fields() {
        add(&name.to_ascii_uppercase().replace('.', "_"), &text_of(value));
    }
    entry
}

/// As in syslog.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}
