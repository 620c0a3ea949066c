//! stdout is data, stderr is diagnostics.

use std::io::{self, Write};

use super::escape::escaped;
use super::logs;
use super::terminal::{for_stderr, for_stdout};

/// Writes data to stdout. A reader that went away is no error.
///
/// # Errors
/// When stdout cannot be written for another reason, such as a full disk.
pub fn out(text: &str) -> io::Result<()> {
    let text = for_stdout(text);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes bytes to stdout as they are. Returns whether somebody still reads.
///
/// # Errors
/// When stdout cannot be written for another reason, such as a full disk.
pub(super) fn out_bytes(bytes: &[u8]) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Says on stderr what belongs to the data on stdout, in one line, or as a diagnostic where diagnostics are for programs.
pub fn note(text: &str) {
    if logs::are_for_programs() {
        tracing::info!("{text}");
        return;
    }
    // There is nowhere left to say that stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{}", for_stderr(&escaped(text)));
}

/// Says on stderr what went wrong, in one line, or as a diagnostic where diagnostics are for programs. What is in it from outside cannot control
/// the terminal, and begins no line.
pub fn diagnose(text: &str) {
    if logs::are_for_programs() {
        tracing::error!("{text}");
        return;
    }
    // There is nowhere left to say that stderr is gone.
    let _ = write!(io::stderr().lock(), "{}{}", for_stderr(&escaped(text)), logs::line_end());
}
