//! How long an operation of the database is waited for. Every operation passes here, so that no silent server holds up a run that is
//! to stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::store::{Result, StoreError};

/// How long an operation may take once the caller is in a hurry. An operation that is under way then gets as long from that moment.
const IN_A_HURRY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hurry {
    None,
    /// Since this moment.
    Since(Instant),
    /// An operation had no answer since then.
    UsedUp,
}

/// The patience of one store.
#[derive(Debug)]
pub(in crate::store) struct Patience {
    /// The database as messages name it.
    target: String,
    hurry: watch::Sender<Hurry>,
}

impl Patience {
    pub(in crate::store) fn new(target: String) -> Self {
        Self { target, hurry: watch::Sender::new(Hurry::None) }
    }

    /// From now on no operation is waited for longer than [`IN_A_HURRY`]. Once one had no answer, no other is waited for at all.
    pub(in crate::store) fn hurry(&self) {
        self.hurry.send_if_modified(|hurry| {
            let is_first = *hurry == Hurry::None;
            if is_first {
                *hurry = Hurry::Since(Instant::now());
            }
            is_first
        });
    }

    /// The answer of an operation, or an error when there is none in time. `at_most` is how long it may take without a hurry; `None`:
    /// as long as it takes. An operation without an answer is dropped.
    pub(in crate::store) async fn limit<T>(
        &self,
        at_most: Option<Duration>,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let usual = async {
            match at_most {
                Some(at_most) => timeout(at_most, operation).await.map_err(|_| at_most),
                None => Ok(operation.await),
            }
        };
        tokio::select! {
            biased;
            () = self.used_up() => {
                self.hurry.send_replace(Hurry::UsedUp);
                Err(self.silent("no answer, and the run is to stop"))
            }
            answer = usual => answer.unwrap_or_else(|at_most| Err(self.silent(&format!("no answer within {} s", at_most.as_secs())))),
        }
    }

    /// Resolves when an operation that begins now has been waited for long enough by a caller in a hurry, or another one was.
    async fn used_up(&self) {
        let (began, mut hurry) = (Instant::now(), self.hurry.subscribe());
        loop {
            let state = *hurry.borrow_and_update();
            let deadline = match state {
                Hurry::None => None,
                Hurry::Since(since) => Some(since.max(began) + IN_A_HURRY),
                Hurry::UsedUp => return,
            };
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                // The sender is `self`, and does not go.
                _ = hurry.changed() => {}
            }
        }
    }

    fn silent(&self, reason: &str) -> StoreError {
        StoreError::Unreachable { target: self.target.clone(), reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_operation_without_an_answer_is_given_up_in_time() {
        let patience = Patience::new("db".to_owned());
        let began = Instant::now();
        let error = patience.limit(Some(Duration::from_secs(60)), pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(60));
        assert!(error.may_pass() && error.to_string().contains("no answer within 60 s"), "{error}");
        patience.limit(None, async { Ok(()) }).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hurry_counts_for_operations_under_way_and_ends_all_of_them_at_once() {
        let patience = Patience::new("db".to_owned());
        let began = Instant::now();
        let hurry = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            patience.hurry();
        };
        let later = async {
            tokio::time::sleep(Duration::from_millis(5500)).await;
            patience.limit(None, pending::<Result<()>>()).await
        };
        let silent = || patience.limit(Some(Duration::from_secs(60)), pending::<Result<()>>());
        let (one, other, later, ()) = tokio::join!(patience.limit(None, pending::<Result<()>>()), silent(), later, hurry);
        assert!(one.is_err() && other.is_err() && later.is_err());
        assert_eq!(began.elapsed(), Duration::from_secs(5) + IN_A_HURRY);
        assert!(patience.limit(None, ready(Ok(()))).await.is_err(), "nothing is begun after that");
        assert_eq!(began.elapsed(), Duration::from_secs(5) + IN_A_HURRY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_answers_works_on_in_a_hurry() {
        let patience = Patience::new("db".to_owned());
        patience.hurry();
        for _ in 0..10 {
            let slow = async {
                tokio::time::sleep(IN_A_HURRY / 2).await;
                Ok(())
            };
            patience.limit(None, slow).await.unwrap();
            patience.hurry();
        }
    }
}
