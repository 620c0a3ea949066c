//! When a host may get its next request: by the configured rates, and by what the host asked for. Sends nothing and waits for nothing.
//!
//! A request counts from its turn until the span `per` has passed after its answer, because the moment at which the host received it is
//! unknown.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::model::work::Rate;

/// Longer spans are cut to this, so that adding one to a time never overflows.
const LONGEST_SPAN: Duration = Duration::from_secs(30 * 24 * 3600);

/// A host without a configured rate that asks for a pause is left alone on its other routes for no longer than this.
const REACH: Duration = Duration::from_secs(60);

/// When the next request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Now,
    At(Instant),
    AfterAnAnswer,
}

/// Why a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The configured rate.
    Rate,
    /// The host asked for a pause.
    Asked,
}

/// The requests to a host that count, and its pauses.
#[derive(Debug, Default)]
pub(super) struct Rates {
    limits: Vec<Rate>,
    /// Requests without an answer.
    under_way: usize,
    /// Requests that wait for their turn.
    waiting: usize,
    /// The times of answers that still count, oldest first.
    answered: VecDeque<Instant>,
    /// No request before.
    paused_until: Option<Instant>,
    /// No request of these routes before.
    routes: HashMap<String, Instant>,
}

impl Rates {
    /// From now on this rate holds as well.
    pub(super) fn add(&mut self, rate: Rate) {
        let rate = Rate { per: rate.per.min(LONGEST_SPAN), ..rate };
        if !self.limits.contains(&rate) {
            self.limits.push(rate);
        }
    }

    pub(super) fn begin_waiting(&mut self) {
        self.waiting += 1;
    }

    pub(super) fn end_waiting(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A request is sent.
    pub(super) fn sent(&mut self) {
        self.under_way += 1;
    }

    /// Its answer came, or none will come.
    pub(super) fn over(&mut self, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.answered.push_back(now);
    }

    /// The host asked for a pause on this route. Its other routes may have limits of their own, so they are left alone for no longer than
    /// a span of the rate.
    pub(super) fn pause(&mut self, route: &str, wait: Duration, now: Instant) {
        let longest = self.limits.iter().map(|rate| rate.per).max().unwrap_or(REACH);
        self.paused_until = self.paused_until.max(Some(now + wait.min(longest)));
        let until = self.routes.entry(route.to_owned()).or_insert(now);
        *until = (*until).max(now + wait.min(LONGEST_SPAN));
    }

    /// The end of the pause of a route, if it is not over.
    pub(super) fn route_paused_until(&self, route: &str, now: Instant) -> Option<Instant> {
        self.routes.get(route).copied().filter(|until| *until > now)
    }

    /// The end of the pause of the host, if it is not over.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    /// When the request whose turn is next is allowed.
    pub(super) fn room(&mut self, now: Instant) -> Room {
        let longest = self.limits.iter().map(|rate| rate.per).max().unwrap_or_default();
        while self.answered.front().is_some_and(|at| *at + longest <= now) {
            self.answered.pop_front();
        }
        self.room_behind(0, now)
    }

    /// How long a request of this route that begins to wait now is going to wait, as far as that is known, and why. Requests under way may
    /// make it longer.
    pub(super) fn expected_wait(&mut self, route: &str, now: Instant) -> (Duration, Reason) {
        let asked = self.paused_until(now).max(self.route_paused_until(route, now));
        let by_rate = match self.room_behind(self.waiting, now) {
            Room::Now => now,
            Room::At(at) => at,
            Room::AfterAnAnswer => now + self.limits.iter().map(|rate| rate.per).max().unwrap_or_default(),
        };
        match asked {
            Some(asked) if asked >= by_rate => (asked - now, Reason::Asked),
            Some(_) | None => (by_rate - now, Reason::Rate),
        }
    }

    /// When a request is allowed before which so many others get their turns.
    fn room_behind(&self, others: usize, now: Instant) -> Room {
        let mut at = self.paused_until(now);
        for rate in &self.limits {
            let most = usize::try_from(rate.requests).unwrap_or(usize::MAX).max(1);
            let over = self.answered.partition_point(|at| *at + rate.per <= now);
            let counted = self.under_way + others + self.answered.len() - over;
            if counted < most {
                continue;
            }
            let Some(first_to_go) = self.answered.get(over + counted - most) else { return Room::AfterAnAnswer };
            at = at.max(Some(*first_to_go + rate.per));
        }
        at.map_or(Room::Now, Room::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pause_of_one_route_reaches_over_its_host_for_a_span_of_the_rate() {
        for (per, reach) in [(Some(30), 30), (None, 60)] {
            let (mut rates, now) = (Rates::default(), Instant::now());
            if let Some(per) = per {
                rates.add(Rate { requests: 10, per: SECOND * per });
            }
            rates.pause("POST /train", SECOND * 3599, now);
            assert_eq!(rates.route_paused_until("POST /train", now), Some(now + SECOND * 3599));
            assert_eq!(rates.route_paused_until("GET /status", now), None);
            assert_eq!(rates.room(now), Room::At(now + SECOND * reach));
            assert_eq!(rates.expected_wait("POST /train", now), (SECOND * 3599, Reason::Asked));
            assert_eq!(rates.expected_wait("GET /status", now), (SECOND * reach, Reason::Asked));
            rates.pause("POST /train", SECOND, now);
            assert_eq!(rates.route_paused_until("POST /train", now), Some(now + SECOND * 3599), "a later wish shortens none");
            assert_eq!(rates.room(now + SECOND * reach), Room::Now);
        }
    }

    #[test]
    fn without_a_rate_nothing_waits_and_nothing_is_kept() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(rates.room(now), Room::Now);
            rates.sent();
            rates.over(now);
        }
        assert_eq!(rates.room(now), Room::Now);
        assert!(rates.answered.is_empty());
    }

    #[test]
    fn the_expected_wait_counts_those_who_wait_already() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        rates.add(Rate { requests: 2, per: SECOND * 60 });
        for at in [now, now + SECOND * 10] {
            rates.sent();
            rates.over(at);
        }
        let now = now + SECOND * 18;
        assert_eq!(rates.expected_wait("x", now), (SECOND * 42, Reason::Rate));
        rates.begin_waiting();
        assert_eq!(rates.expected_wait("x", now), (SECOND * 52, Reason::Rate));
        rates.end_waiting();
        assert_eq!(rates.expected_wait("x", now), (SECOND * 42, Reason::Rate));
    }
}
