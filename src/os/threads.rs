//! The threads of the runtime for work that blocks, such as looking up the name of a host.
//!
//! The runtime panics when it has no such thread and the host refuses to make one (`ulimit -u`, `TasksMax=`). While it has one, work for
//! which no other can be made waits for it. So the first is made at the start, where a refusal is an error, and stays.

use std::io;
use std::panic;
use std::time::Duration;

/// How long the runtime keeps a thread that has nothing to do: longer than any run lasts.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Makes the first thread.
///
/// # Errors
/// When the host has no room for it.
pub(crate) async fn reserve() -> io::Result<()> {
    // What the runtime says of a refusal goes into the error, and not to stderr.
    let report = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let made = panic::catch_unwind(|| tokio::task::spawn_blocking(|| ()));
    panic::set_hook(report);
    let refused =
        || io::Error::new(io::ErrorKind::WouldBlock, "the host has no room for another thread (ulimit -u, TasksMax= of the unit)");
    made.map_err(|_| refused())?.await.map_err(|_| refused())
}
