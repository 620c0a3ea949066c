//! Gives each request to a host its turn, over all calls. It sends none itself.
//!
//! Waiting requests get their turns in the order in which they began to wait; those whose route is paused wait beside that order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::neighbours::Neighbours;
use super::rates::{Rates, Reason, Room};
use crate::plan::model::work::Rate;

/// The hosts of all requests so far.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

impl Hosts {
    /// The host of an address. From now on `rate` limits it as well.
    pub(super) fn of(&self, url: &Url, rate: Option<Rate>) -> Arc<Host> {
        let host = lock(&self.0).entry(url.origin().ascii_serialization()).or_default().clone();
        if let Some(rate) = rate {
            lock(&host.rates).add(rate);
        }
        host
    }
}

/// A host, and the requests that it got.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The holder gets the next turn. The lock is fair, so turns come in order.
    queue: tokio::sync::Mutex<()>,
    rates: Mutex<Rates>,
    /// Notified when the next turn may have become possible.
    changed: Notify,
    /// The jobs under way there.
    pub(super) neighbours: Arc<Neighbours>,
}

/// The right to one request, for as long as it is held.
#[derive(Debug)]
pub(super) struct Turn(Arc<Host>);

/// A request that waits for its turn, for as long as this is held.
struct Waiting<'a>(&'a Host);

impl Host {
    /// Waits for a turn.
    ///
    /// # Errors
    /// The end of the pause that the host asked for, if that is later than `deadline`.
    pub(super) async fn turn(self: &Arc<Self>, route: &str, deadline: Instant) -> Result<Turn, Instant> {
        lock(&self.rates).begin_waiting();
        let _waiting = Waiting(self);
        loop {
            let route_paused = lock(&self.rates).route_paused_until(route, Instant::now());
            match route_paused {
                Some(until) if until > deadline => return Err(until),
                Some(until) => sleep_until(until).await,
                None => {
                    if let Some(turn) = self.turn_unless_paused(route, deadline).await? {
                        return Ok(turn);
                    }
                }
            }
        }
    }

    /// Waits for a turn in the queue; `None` when the route was paused meanwhile.
    async fn turn_unless_paused(self: &Arc<Self>, route: &str, deadline: Instant) -> Result<Option<Turn>, Instant> {
        let _first = self.queue.lock().await;
        loop {
            let room = {
                let (mut rates, now) = (lock(&self.rates), Instant::now());
                if rates.route_paused_until(route, now).is_some() {
                    return Ok(None);
                }
                if let Some(until) = rates.paused_until(now).filter(|until| *until > deadline) {
                    return Err(until);
                }
                let room = rates.room(now);
                if let Room::Now = room {
                    rates.sent();
                }
                room
            };
            match room {
                Room::Now => return Ok(Some(Turn(self.clone()))),
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
        lock(&self.rates).sent();
        Turn(self.clone())
    }

    /// How long a request of this route is going to wait for its turn, as far as that is known, and why.
    pub(super) fn expected_wait(&self, route: &str) -> (Duration, Reason) {
        lock(&self.rates).expected_wait(route, Instant::now())
    }

    /// The host asked for a pause in the answer to a request of this route.
    pub(super) fn pause(&self, route: &str, wait: Duration) {
        lock(&self.rates).pause(route, wait, Instant::now());
        self.changed.notify_one();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.0.rates).over(Instant::now());
        self.0.changed.notify_one();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.rates).end_waiting();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ROUTE: &str = "GET /status";

    fn host(rates: &[(u32, u64)]) -> Arc<Host> {
        let hosts = Hosts::default();
        let url = Url::parse("http://localhost:8000/etl").unwrap();
        for (requests, per) in rates {
            hosts.of(&url, Some(Rate { requests: *requests, per: Duration::from_secs(*per) }));
        }
        hosts.of(
            &Url::parse("http://LOCALHOST:8000/other?x").unwrap(),
            Some(Rate { requests: rates[0].0, per: SECOND * u32::try_from(rates[0].1).unwrap() }),
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
            drop(host.turn(ROUTE, far()).await.unwrap());
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
        let slow = host.turn(ROUTE, far()).await.unwrap();
        let next = async { drop(host.turn(ROUTE, far()).await.unwrap()) };
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
        drop(host.turn(ROUTE, far()).await.unwrap());
        let order = Mutex::new(Vec::new());
        let ask = async |name: &'static str| {
            drop(host.turn(ROUTE, far()).await.unwrap());
            lock(&order).push(name);
        };
        let gives_up = tokio::time::timeout(SECOND, ask("gave up"));
        let (gave_up, (), ()) = tokio::join!(biased; gives_up, ask("first"), ask("second"));
        assert!(gave_up.is_err());
        assert_eq!(*lock(&order), ["first", "second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_wants_to_be_left_alone_is_by_everybody() {
        let host = host(&[(5, 60)]);
        let until = Instant::now() + SECOND * 37;
        let soon = Instant::now() + SECOND * 30;
        host.pause("POST /trigger", SECOND * 37);
        host.pause("POST /trigger", SECOND * 30);
        assert_eq!(host.turn(ROUTE, soon).await.unwrap_err(), until, "who has no time for that is told at once");
        drop(host.turn(ROUTE, far()).await.unwrap());
        assert_eq!(Instant::now(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_routes_of_a_host_go_on_after_a_span_of_its_rate() {
        let host = host(&[(5, 10)]);
        let began = Instant::now();
        host.pause("POST /train", SECOND * 3000);
        let paused = host.turn("POST /train", far());
        let other = async {
            drop(host.turn(ROUTE, far()).await.unwrap());
            Instant::now() - began
        };
        let (paused, other) = tokio::join!(paused, other);
        assert_eq!((paused.is_ok(), Instant::now() - began, other), (true, SECOND * 3000, SECOND * 10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_learns_that_the_wait_became_too_long() {
        let host = host(&[(1, 200)]);
        drop(host.turn(ROUTE, far()).await.unwrap());
        let until = Instant::now() + SECOND * 100;
        let waits = host.turn(ROUTE, Instant::now() + SECOND * 20);
        let blocks = async { host.pause("POST /trigger", SECOND * 100) };
        let (turn, ()) = tokio::join!(biased; waits, blocks);
        assert_eq!(turn.unwrap_err(), until);
        assert_eq!(until - Instant::now(), SECOND * 100);
    }
}
