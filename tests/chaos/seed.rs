//! The random numbers of a scenario, and the report of a failure with its seed.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::scene::Scene;
use crate::support::Kind;
use crate::tally::Tally;

/// The variable with the only seed to use.
const SEED: &str = "ETL_ORCH_CHAOS_SEED";

/// The variable with the number of processes to kill in all.
const KILLS: &str = "ETL_ORCH_CHAOS_KILLS";

const USUAL_KILLS: u64 = 300;

/// The variable with the calls that sweeps disturb: `all`, or their numbers with commas between them.
const CALLS: &str = "ETL_ORCH_CHAOS_CALLS";

/// Seeds of every test run; a random one is added.
const FIXED: [u64; 2] = [1, 2];

/// Runs a scenario with each seed. `test` is the full name of the test.
///
/// # Panics
/// When the scenario panics; the message has the seed and the command that repeats it.
pub(crate) fn each(test: &str, kind: Kind, play: impl Fn(&mut Scene)) {
    let test = test.split_once("::").map_or(test, |(_, name)| name);
    for seed in seeds() {
        let mut scene = Scene::new(kind, seed);
        let played = catch_unwind(AssertUnwindSafe(|| play(&mut scene)));
        if let Err(cause) = played {
            let kills = env::var(KILLS).map(|kills| format!("{KILLS}={kills} ")).unwrap_or_default();
            panic!(
                "{}\n\nseed {seed}; to repeat it: {kills}{SEED}={seed} cargo test --test chaos -- --include-ignored --exact {test}\nits files are in {}",
                message(&*cause),
                scene.keep(test).display()
            );
        }
        report(&format!("{test}: seed {seed}"), &scene.tally);
    }
}

/// Plays a scenario once for each call of a run: `play` disturbs the call with the number it gets in a new scene, and returns whether
/// the run made that call. `calls` says how many calls an undisturbed run makes, of which so many are disturbed by default.
///
/// # Panics
/// As [`each`], once all calls were tried.
pub(crate) fn sweep(
    test: &str,
    usual: u64,
    calls: impl Fn(u64) -> u64,
    scene: impl Fn(u64) -> Scene,
    play: impl Fn(&mut Scene, u64) -> bool,
) {
    let test = test.split_once("::").map_or(test, |(_, name)| name);
    let seed = env::var(SEED).map_or_else(|_| random(), |seed| seed.parse().expect("a number as the seed"));
    let calls = calls(seed);
    let (mut tally, mut failures, mut tried) = (Tally::new(), Vec::new(), 0);
    for call in chosen_calls(calls, usual, seed) {
        let mut scene = scene(seed + call);
        let played = catch_unwind(AssertUnwindSafe(|| play(&mut scene, call)));
        tally += &scene.tally;
        tried += 1;
        match played {
            // Runs differ in their number of calls.
            Ok(false) if call > calls => break,
            Ok(_) => {}
            Err(cause) => failures.push(format!(
                "{}\n\nto repeat it: {CALLS}={call} {SEED}={seed} cargo test --test chaos -- --exact {test}\nits files are in {}\n",
                message(&*cause),
                scene.keep(&format!("{test}-{call}")).display()
            )),
        }
    }
    report(&format!("{test}: seed {seed}: {tried} of {calls} calls, {} failures", failures.len()), &tally);
    assert!(failures.is_empty(), "{} of {tried} calls failed:\n\n{}", failures.len(), failures.join("\n"));
}

/// The calls to disturb: by default the usual number in equal distances, from an offset that the seed chooses.
fn chosen_calls(calls: u64, usual: u64, seed: u64) -> Box<dyn Iterator<Item = u64>> {
    match env::var(CALLS) {
        Ok(all) if all == "all" => Box::new(1..),
        Ok(numbers) => {
            Box::new(numbers.split(',').map(|number| number.parse().expect("a number of a call")).collect::<Vec<_>>().into_iter())
        }
        Err(_) => {
            let step = calls.div_ceil(usual).max(1);
            Box::new((1 + seed % step..=calls).step_by(usize::try_from(step).expect("few")))
        }
    }
}

/// Prints the counts, and those of all scenarios that have ended in this process.
fn report(what: &str, tally: &Tally) {
    static ALL: Mutex<Tally> = Mutex::new(Tally::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    *all += tally;
    print(&format!("{what}: {tally}\nso far in all: {all}"));
}

/// How many processes one of `scenarios` scenarios kills, for one seed on one database.
pub(crate) fn kills(scenarios: u64) -> u64 {
    let all = env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(USUAL_KILLS);
    let seeds = FIXED.len() as u64 + 1;
    all.div_ceil(scenarios * seeds * 2)
}

fn seeds() -> Vec<u64> {
    match env::var(SEED) {
        Ok(seed) => vec![seed.parse().expect("a number as the seed")],
        Err(_) => FIXED.into_iter().chain([random()]).collect(),
    }
}

/// A seed.
fn random() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000
}

/// What a panic says.
pub(crate) fn message(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[expect(clippy::print_stdout, reason = "the test harness shows it with --nocapture, and when a test fails")]
fn print(line: &str) {
    println!("{line}");
}

/// A small generator (splitmix64): the same seed gives the same numbers on every platform and version.
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

    /// True once in this many times, on average.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.within(0..times) == 0
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.within(0..of.len() as u64)).expect("an index");
        of[index]
    }

    /// A number of milliseconds in the range.
    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// The time from the start of a run to a fault: mostly while it works, now and then while it starts.
    pub(crate) fn moment(&mut self) -> Duration {
        if self.once_in(4) { self.millis(0..60) } else { self.millis(20..500) }
    }
}
