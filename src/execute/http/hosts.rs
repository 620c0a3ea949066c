//! Keeps the requests to each host within the configured rates, over all calls. It sends none itself.
//!
//! Waiting requests get their turns in the order in which they began to wait. A request counts from its turn until the span `per` has
//! passed after its answer, because the moment at which the host received it is unknown.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::plan::model::work::Rate;

/// Longer spans are cut to this, so that adding one to a time never overflows.
const LONGEST_SPAN: Duration = Duration::from_secs(30 * 24 * 3600);

/// The hosts of all requests so far.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

impl Hosts {
    /// The host of an address. From now on `rate` limits it as well.
    pub(super) fn of(&self, url: &Url, rate: Rate) -> Arc<Host> {
        let host = lock(&self.0).entry(url.origin().ascii_serialization()).or_default().clone();
        let mut state = lock(&host.state);
        let rate = Rate { per: rate.per.min(LONGEST_SPAN), ..rate };
        if !state.rates.contains(&rate) {
            state.rates.push(rate);
        }
        drop(state);
        host
    }
}

/// A host, and the requests that it got.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The holder gets the next turn. The lock is fair, so turns come in order.
    queue: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Notified when the state has changed, so that the next turn may be possible.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    rates: Vec<Rate>,
    /// Requests without an answer.
    under_way: usize,
    /// The times of answers that still count, oldest first.
    answered: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

/// When the next request is allowed.
enum Room {
    Now,
    At(Instant),
    AfterAnAnswer,
}

/// The right to one request, for as long as it is held.
#[derive(Debug)]
pub(super) struct Turn(Arc<Host>);

impl Host {
    /// Waits for a turn.
    ///
    /// # Errors
    /// The end of the pause that the host asked for, if that is later than `deadline`.
    pub(super) async fn turn(self: &Arc<Self>, deadline: Instant) -> Result<Turn, Instant> {
        let _first = self.queue.lock().await;
        loop {
            let room = {
                let mut state = lock(&self.state);
                if let Some(until) = state.paused_until.filter(|until| *until > deadline) {
                    return Err(until);
                }
                let room = state.room(Instant::now());
                if let Room::Now = room {
                    state.under_way += 1;
                }
                room
            };
            match room {
                Room::Now => return Ok(Turn(self.clone())),
                Room::AfterAnAnswer => self.changed.notified().await,
                Room::At(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// A turn without waiting, for a request that cannot wait. It counts like any other.
    pub(super) fn turn_now(self: &Arc<Self>) -> Turn {
        lock(&self.state).under_way += 1;
        Turn(self.clone())
    }

    /// Gives no turn until then.
    pub(super) fn pause_until(&self, until: Instant) {
        let mut state = lock(&self.state);
        state.paused_until = state.paused_until.max(Some(until));
        drop(state);
        self.changed.notify_one();
    }
}

impl State {
    fn room(&mut self, now: Instant) -> Room {
        let longest = self.rates.iter().map(|rate| rate.per).max().unwrap_or_default();
        while self.answered.front().is_some_and(|at| *at + longest <= now) {
            self.answered.pop_front();
        }
        let mut at = self.paused_until.filter(|until| *until > now);
        for rate in &self.rates {
            let most = usize::try_from(rate.requests).unwrap_or(usize::MAX).max(1);
            let over = self.answered.partition_point(|at| *at + rate.per <= now);
            let counted = self.under_way + self.answered.len() - over;
            if counted < most {
                continue;
            }
            let Some(first_to_go) = self.answered.get(over + counted - most) else { return Room::AfterAnAnswer };
            at = at.max(Some(*first_to_go + rate.per));
        }
        at.map_or(Room::Now, Room::At)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.under_way -= 1;
        state.answered.push_back(Instant::now());
        drop(state);
        self.0.changed.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn host(rates: &[(u32, u64)]) -> Arc<Host> {
        let hosts = Hosts::default();
        let url = Url::parse("http://localhost:8000/etl").unwrap();
        for (requests, per) in rates {
            hosts.of(&url, Rate { requests: *requests, per: Duration::from_secs(*per) });
        }
        hosts.of(
            &Url::parse("http://LOCALHOST:8000/other?x").unwrap(),
            Rate { requests: rates[0].0, per: SECOND * u32::try_from(rates[0].1).unwrap() },
        )
    }

    fn far() -> Instant {
        Instant::now() + SECOND * 3600
    }

    #[tokio::test(start_paused = true)]
    async fn no_span_has_more_requests_than_any_rate_allows() {
        let host = host(&[(10, 60), (3, 5)]);
        let began = Instant::now();
        let mut at = Vec::new();
        for _ in 0..25 {
            drop(host.turn(far()).await.unwrap());
            at.push((Instant::now() - began).as_secs());
        }
        assert_eq!(at[..12], [0, 0, 0, 5, 5, 5, 10, 10, 10, 15, 60, 60]);
        for (most, per) in [(10, 60), (3, 5)] {
            assert!(at.windows(most + 1).all(|span| span[most] - span[0] >= per), "{at:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_counts_until_one_span_after_its_answer() {
        let host = host(&[(1, 10)]);
        let began = Instant::now();
        let slow = host.turn(far()).await.unwrap();
        let next = async { drop(host.turn(far()).await.unwrap()) };
        let answer = async {
            tokio::time::sleep(SECOND * 7).await;
            drop(slow);
        };
        tokio::join!(next, answer);
        assert_eq!(Instant::now() - began, SECOND * 17);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_asking_and_who_gives_up_is_passed_over() {
        let host = host(&[(1, 10)]);
        drop(host.turn(far()).await.unwrap());
        let order = Mutex::new(Vec::new());
        let ask = async |name: &'static str| {
            drop(host.turn(far()).await.unwrap());
            lock(&order).push(name);
        };
        let gives_up = tokio::time::timeout(SECOND, ask("gave up"));
        let (gave_up, (), ()) = tokio::join!(biased; gives_up, ask("first"), ask("second"));
        assert!(gave_up.is_err());
        assert_eq!(*lock(&order), ["first", "second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_wants_to_be_left_alone_is_by_everybody() {
        let host = host(&[(5, 10)]);
        let until = Instant::now() + SECOND * 37;
        let soon = Instant::now() + SECOND * 30;
        host.pause_until(until);
        host.pause_until(soon);
        assert_eq!(host.turn(soon).await.unwrap_err(), until, "who has no time for that is told at once");
        drop(host.turn(far()).await.unwrap());
        assert_eq!(Instant::now(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_learns_that_the_wait_became_too_long() {
        let host = host(&[(1, 10)]);
        drop(host.turn(far()).await.unwrap());
        let until = Instant::now() + SECOND * 100;
        let waits = host.turn(Instant::now() + SECOND * 20);
        let blocks = async { host.pause_until(until) };
        let (turn, ()) = tokio::join!(biased; waits, blocks);
        assert_eq!(turn.unwrap_err(), until);
        assert_eq!(until - Instant::now(), SECOND * 100);
    }
}
