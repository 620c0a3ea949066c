//! How long an operation of the database is waited for. Every operation passes here, so that no silent server holds up a run that is
//! to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::store::{Result, StoreError};

/// How long an operation may take once the caller is in a hurry. An operation that is under way then gets as long from that moment.
const IN_A_HURRY: Duration = Duration::from_millis(1200);

/// The patience of one store.
#[derive(Debug)]
pub(in crate::store) struct Patience {
    /// The database as messages name it.
    target: String,
    /// Since when the caller is in a hurry.
    hurried: watch::Sender<Option<Instant>>,
    /// Whether an operation had no answer since then: no other is begun.
    is_used_up: AtomicBool,
}

impl Patience {
    pub(in crate::store) fn new(target: String) -> Self {
        Self { target, hurried: watch::Sender::new(None), is_used_up: AtomicBool::new(false) }
    }

    /// From now on no operation is waited for longer than [`IN_A_HURRY`], and after the first without an answer no other is begun.
    pub(in crate::store) fn hurry(&self) {
        self.hurried.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
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
        let began = Instant::now();
        if self.is_used_up.load(Ordering::Relaxed) {
            return Err(self.silent("it did not answer before"));
        }
        let usual = async {
            match at_most {
                Some(at_most) => timeout(at_most, operation).await.map_err(|_| at_most),
                None => Ok(operation.await),
            }
        };
        tokio::select! {
            biased;
            answer = usual => answer.unwrap_or_else(|at_most| Err(self.silent(&format!("no answer within {} s", at_most.as_secs())))),
            () = self.used_up(began) => {
                self.is_used_up.store(true, Ordering::Relaxed);
                Err(self.silent("no answer, and the run is to stop"))
            }
        }
    }

    /// Resolves when an operation that began at `began` has been waited for long enough by a caller in a hurry.
    async fn used_up(&self, began: Instant) {
        let mut hurried = self.hurried.subscribe();
        // The sender is `self`, and does not go.
        let since = hurried.wait_for(Option::is_some).await.ok().and_then(|since| *since).unwrap_or(began);
        sleep_until(since.max(began) + IN_A_HURRY).await;
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
        let (one, other, ()) =
            tokio::join!(patience.limit(None, pending::<Result<()>>()), patience.limit(Some(PATIENT), pending::<Result<()>>()), hurry);
        assert!(one.is_err() && other.is_err());
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

    const PATIENT: Duration = Duration::from_secs(60);
}
