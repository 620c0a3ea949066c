//! Work that may block for long, such as on a slow disk, in a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

/// Bytes of stack that such work gets.
const STACK: usize = 512 * 1024;

/// Asks work in another thread to give up.
#[derive(Debug, Clone, Default)]
pub(crate) struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `work` in a thread of its own. It goes on when the future is dropped, but does not hold up the end of the process.
///
/// # Errors
/// When there is no room for another thread.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    let done = move || {
        // Nobody may want the result any more.
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name("etl-orch-files".to_owned()).stack_size(STACK).spawn(done)?;
    receiver.await.map_err(|_| io::Error::other("its thread ended without a result"))
}
