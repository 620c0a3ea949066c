//! Takes the lock of a run, and tells people about the wait for it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::exit::{Exit, Failure};
use super::request::RunRequest;
use super::stopped;
use crate::plan::text::span::{brief, seconds};
use crate::run::lock::{self, Acquisition, Lock};
use crate::run::signals::Signals;
use crate::show::outcome::RedundantView;

/// How long a quiet run waits for the lock without a word.
const UNTIL_SAID: Duration = Duration::from_secs(5);

/// The lock, or how the process ends without it. After a wait the configuration is read again: it may have changed.
pub(super) async fn take_lock(request: &mut RunRequest<'_>, signals: &Signals) -> Result<ControlFlow<Exit, Lock>, Failure> {
    loop {
        let path = request.context.config.lock_file.clone();
        let began = Instant::now();
        let acquiring = lock::acquire(&path, request.args.lock_wait, request.is_special(), signals.stop(), |holder| {
            tracing::info!("Waiting for the lock {}, held by {holder}", path.display());
        });
        let acquired = if request.is_quiet() { naming_a_stranger(&path, acquiring).await? } else { acquiring.await? };
        return Ok(match acquired {
            Acquisition::Locked { lock, waited: false } => {
                tracing::debug!("Took the lock {}", path.display());
                ControlFlow::Continue(lock)
            }
            Acquisition::Locked { lock, waited: true } => {
                let waited = began.elapsed();
                tracing::debug!(waited_seconds = seconds(waited), "Took the lock {} after {}", path.display(), brief(waited));
                *request = request.reload()?;
                if request.context.config.lock_file != path {
                    continue; // the configuration names another lock now
                }
                ControlFlow::Continue(lock)
            }
            Acquisition::NotNeeded { holder } => {
                tracing::info!("A run is active ({holder}) and another waits for it; this one has nothing to add");
                request.context.print(&RedundantView::new(Exit::Success.code(), &holder))?;
                ControlFlow::Break(Exit::Success)
            }
            Acquisition::TimedOut { holder } => {
                return Err(Failure::LockHeld(format!("the lock {} is held by {holder}", path.display())));
            }
            Acquisition::Stopped => return Err(stopped(signals)),
        });
    }
}

/// Waits for the lock. A quiet run says after some time who holds it, unless that is another run: those end.
async fn naming_a_stranger<T>(path: &Path, acquiring: impl Future<Output = T>) -> T {
    tokio::pin!(acquiring);
    tokio::select! {
        biased;
        acquired = &mut acquiring => return acquired,
        () = tokio::time::sleep(UNTIL_SAID) => {}
    }
    if let Some(holder) = lock::stranger(path) {
        tracing::warn!("Waiting for the lock {}, held by {holder}", path.display());
    }
    acquiring.await
}
