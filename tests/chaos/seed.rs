//! Where the randomness of a scenario comes from, and how a failure tells it.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::scene::Scene;
use crate::support::Kind;

/// Names the only seed to play.
const SEED: &str = "ETL_ORCH_CHAOS_SEED";

/// How many processes are killed in all.
const KILLS: &str = "ETL_ORCH_CHAOS_KILLS";

const USUAL_KILLS: u64 = 300;

/// Played every time; one that nobody has seen before comes with them.
const FIXED: [u64; 2] = [1, 2];

/// Plays a scenario with each seed. `test` is the full name of the test.
///
/// # Panics
/// When the scenario does: with the seed, and how to play it again.
pub(crate) fn each(test: &str, kind: Kind, play: impl Fn(&mut Scene)) {
    let test = test.split_once("::").map_or(test, |(_, name)| name);
    for seed in seeds() {
        let mut scene = Scene::new(kind, seed);
        let played = catch_unwind(AssertUnwindSafe(|| play(&mut scene)));
        if let Err(cause) = played {
            let kills = env::var(KILLS).map(|kills| format!("{KILLS}={kills} ")).unwrap_or_default();
            panic!(
                "{}\n\nseed {seed}; to play it again: {kills}{SEED}={seed} cargo test --test chaos -- --include-ignored --exact {test}\nwhat it left is in {}",
                words(&*cause),
                scene.keep(test).display()
            );
        }
        say(&format!("{test}: seed {seed}: {}", scene.tally));
    }
}

/// The share of one scenario of `scenarios` in the kills, for one seed on one database.
pub(crate) fn kills(scenarios: u64) -> u64 {
    let all = env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(USUAL_KILLS);
    let seeds = FIXED.len() as u64 + 1;
    all.div_ceil(scenarios * seeds * 2)
}

fn seeds() -> Vec<u64> {
    match env::var(SEED) {
        Ok(seed) => vec![seed.parse().expect("a number as the seed")],
        Err(_) => FIXED.into_iter().chain([RandomState::new().build_hasher().finish() % 1_000_000]).collect(),
    }
}

fn words(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[expect(clippy::print_stdout, reason = "the harness of the tests shows it with --nocapture, and when a test fails")]
fn say(line: &str) {
    println!("{line}");
}

/// A small generator (splitmix64): the same numbers for the same seed, in every version of everything.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in the range.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Yes, once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.within(0..times) == 0
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.within(0..of.len() as u64)).expect("an index");
        of[index]
    }

    /// That many milliseconds.
    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// How long after the start of a run a fault comes: often while it works, now and then while it starts.
    pub(crate) fn moment(&mut self) -> Duration {
        if self.once_in(4) { self.millis(0..60) } else { self.millis(20..500) }
    }
}
