//! The power is cut, on SQLite: at every point of a run the disk may hold less than was written, and the next run starts from that.
//!
//! One run is traced, from a directory without a database to reports that are there. What the disk may be left with at a point is computed
//! by a model (`storage`), put in place, and given to further runs. `ETL_ORCH_CHAOS_CUTS=all` cuts at every point; otherwise at some.

mod storage;
mod trace;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use self::storage::{Storage, Unsynced};
use self::trace::Act;
use crate::convergence::converges;
use crate::invocation::Invocation;
use crate::marks::{Mark, MarkKind};
use crate::printed::Printed;
use crate::scene::Scene;
use crate::seed::{Random, each};
use crate::support::Kind;

/// The variable that asks for a cut at every point.
const CUTS: &str = "ETL_ORCH_CHAOS_CUTS";

/// About as many points are tried for each seed, unless all are.
const USUAL_CUTS: usize = 8;

/// What happens outside of the machine, and is not taken back: ETLs that were started, and the locks that show whether they overlap.
const OUTSIDE: [&str; 3] = ["marks", "locks", "daemons"];

#[test]
fn nothing_that_was_acted_on_or_shown_is_forgotten() {
    each(concat!(module_path!(), "::nothing_that_was_acted_on_or_shown_is_forgotten"), Kind::Sqlite, |scene| {
        let traced = Traced::run(scene);
        let all = env::var(CUTS).is_ok_and(|cuts| cuts == "all");
        let step = if all { 1 } else { traced.acts.len().div_ceil(USUAL_CUTS) };
        // Another offset for each seed.
        let first = usize::try_from(scene.random.within(0..step as u64)).expect("an index");
        let mut storage = traced.before.clone();
        for (point, act) in traced.acts.iter().enumerate() {
            storage.apply(act);
            if point % step == first {
                for unsynced in [Unsynced::Lost, Unsynced::Torn] {
                    let mut random = Random::new(scene.random.within(0..u64::MAX));
                    storage.cut(unsynced, &mut random);
                    // What later runs printed is undone with what they did; below it is checked what this run had shown.
                    scene.printed = Printed::default();
                    scene.tally.faults += 1;
                    let shown = shown_as_success(&traced.acts[..=point]);
                    let before = starts(scene);
                    converges(scene);
                    assert_not_repeated(scene, &shown, before);
                }
            }
        }
    });
}

/// Without waiting for the disk, a start that was acted on is forgotten: the model finds it.
#[test]
fn a_relaxed_database_may_forget() {
    let mut scene = Scene::new(Kind::Sqlite, 1);
    let config = scene.world().read("etl-orch.yaml");
    scene.world().write("etl-orch.yaml", &config.replacen("database: {", "database: {durability: relaxed, ", 1));
    let traced = Traced::run(&mut scene);
    let mut storage = traced.before.clone();
    let (mut points, mut forgetful) = (0, 0);
    for act in &traced.acts {
        storage.apply(act);
        if matches!(act, Act::Write { path, .. } if path.ends_with("marks")) {
            storage.cut(Unsynced::Lost, &mut Random::new(1));
            (points, forgetful) = (points + 1, forgetful + u32::from(forgotten_starts(&scene) > 0));
        }
    }
    assert!(forgetful > 0, "nothing is forgotten at any of {points} points, so that the other test shows nothing");
}

/// A run from nothing to its end, and what it did to the disk.
struct Traced {
    before: Storage,
    acts: Vec<Act>,
}

impl Traced {
    fn run(scene: &mut Scene) -> Self {
        for directory in ["var", "state", "reports"] {
            fs::remove_dir_all(scene.world().path(directory)).expect("to be removed");
        }
        scene.work_from_files(1);
        let before = Storage::of(&scene.world().path(""), &OUTSIDE);
        let trace = scene.world().path("trace");
        let command = strace(&scene.world().command(&[]), &trace);
        let done = Invocation::start(command, format!("{}traced.", scene.tag())).wait();
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        let acts = trace::read(&fs::read_to_string(&trace).expect("strace wrote it"));
        assert!(acts.iter().any(|act| matches!(act, Act::Print(_))), "nothing was traced");
        Self { before, acts }
    }
}

/// The command, traced into a file.
fn strace(command: &Command, into: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-xx", "-s", "10000000", "-e", "signal=none", "-e", trace::CALLS, "-o"]).arg(into);
    strace.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().expect("a directory"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}

/// The gaps of which people were told that they are filled.
fn shown_as_success(acts: &[Act]) -> BTreeSet<String> {
    let shown: String = acts.iter().filter_map(|act| if let Act::Print(text) = act { Some(text.as_str()) } else { None }).collect();
    shown.lines().filter_map(|line| line.split_once("Success ")?.1.split_once(']').map(|(gap, _)| format!("{gap}]"))).collect()
}

fn marks(scene: &Scene) -> Vec<Mark> {
    Mark::read(&scene.world().read("marks"))
}

fn starts(scene: &Scene) -> usize {
    marks(scene).len()
}

/// What was shown as a success was not made once more after this many marks.
fn assert_not_repeated(scene: &Scene, shown: &BTreeSet<String>, before: usize) {
    for report in scene.reports() {
        let label = format!("{} {} Q{} [{}]", report.symbol(), report.year, report.quarter, report.etl);
        let again = marks(scene)[before..].iter().find(|mark| mark.kind == MarkKind::Start && mark.gap == report.gap()).cloned();
        assert!(!shown.contains(&label) || again.is_none(), "{label} was shown as a success, then: {}", again.expect("a mark"));
    }
}

/// Starts of which the database knows nothing, or has another fence.
fn forgotten_starts(scene: &Scene) -> usize {
    let known: BTreeSet<String> = if scene.sql("SELECT count(*) FROM sqlite_master WHERE name = 'etl_attempts'") == ["1"] {
        let known = "SELECT a.job_id, a.n, j.fence FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id";
        scene.sql(known).into_iter().collect()
    } else {
        BTreeSet::new()
    };
    let starts = marks(scene).into_iter().filter(|mark| mark.kind == MarkKind::Start);
    starts.filter(|mark| !known.contains(&format!("{}|{}|{}", mark.job, mark.attempt, mark.fence))).count()
}
