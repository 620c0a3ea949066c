//! Work that may block for long, such as on a slow disk, in threads that are kept for more of it.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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

/// Runs `work` in another thread: one that has nothing to do, or else a new one, so that work never waits for other work. It goes on when
/// the future is dropped, but does not hold up the end of the process. Its panic is the caller's.
///
/// # Errors
/// When there is no room for another thread. Nothing was done then.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    THREADS.start(Box::new(move || {
        // Nobody may want the result any more.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    }))?;
    match receiver.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => resume_unwind(panic),
        // It was never taken, as work that is taken always sends.
        Err(_) => Err(io::Error::other("its thread has ended")),
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// The threads. They stay until the process ends: there are never more than there was work at the same time.
static THREADS: Threads = Threads { waiting: Mutex::new(Waiting { work: VecDeque::new(), threads: 0 }), has_come: Condvar::new() };

struct Threads {
    waiting: Mutex<Waiting>,
    has_come: Condvar,
}

struct Waiting {
    /// Work that a waiting thread is about to take.
    work: VecDeque<Work>,
    /// Threads that wait and have no work on its way.
    threads: usize,
}

impl Threads {
    fn start(&'static self, work: Work) -> io::Result<()> {
        let mut waiting = self.waiting();
        if let Some(others) = waiting.threads.checked_sub(1) {
            waiting.threads = others;
            waiting.work.push_back(work);
            drop(waiting);
            self.has_come.notify_one();
            return Ok(());
        }
        drop(waiting);
        let go_on = move || {
            let mut work = work;
            loop {
                work();
                work = self.next();
            }
        };
        std::thread::Builder::new().name("etl-orch-files".to_owned()).stack_size(STACK).spawn(go_on).map(drop)
    }

    fn next(&self) -> Work {
        let mut waiting = self.waiting();
        waiting.threads += 1;
        loop {
            match waiting.work.pop_front() {
                Some(work) => return work,
                None => waiting = self.has_come.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn work_never_waits_for_other_work_and_a_panic_costs_only_itself() {
        let (first, of_first) = mpsc::channel();
        let (second, of_second) = mpsc::channel();
        // Each needs the other to run at the same time.
        let one = run(move || {
            first.send(()).unwrap();
            of_second.recv().unwrap();
        });
        let other = run(move || {
            second.send(()).unwrap();
            of_first.recv().unwrap();
        });
        tokio::try_join!(one, other).unwrap();
        let failed = AssertUnwindSafe(run(|| resume_unwind(Box::new("a bug")))).catch_unwind().await;
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"a bug"));
        for n in 0..100 {
            assert_eq!(run(move || n).await.unwrap(), n);
        }
    }
}
