//! Faults while programs and a service collect sources, beside the banks' reports.

use std::thread::sleep;

use crate::connections::{run_beside_a_writer, terminate};
use crate::convergence::converges;
use crate::frontiers;
use crate::invocation::Invocation;
use crate::kills::{kill_both, kill_guard, kill_orchestrator};
use crate::scene::Scene;
use crate::seed::each;
use crate::server;
use crate::sources::Sources;
use crate::stops::stop_one;
use crate::support::service::Course;
use crate::support::{Kind, until};

/// Runs with faults, for each seed.
const RUNS: u64 = 3;

/// How often all connections are closed in one run.
const TERMINATIONS: u64 = 4;

/// Invocations at the same time.
const TOGETHER: i64 = 4;

/// Offsets of the clock in hours, used in turn.
const STEPS: [i64; 5] = [30, -80, 7, 60, -500];

chaos! {
    fn by_runs_that_are_killed(scene: &mut Scene) {
        open(scene);
        for _ in 0..RUNS {
            hours_pass(scene);
            run_and_kill(scene);
        }
        converges(scene);
    }

    /// The record of a service's job is enough for the next run to follow it.
    fn by_a_run_that_is_killed_while_the_service_works(scene: &mut Scene) {
        open(scene);
        sources(scene).service.goes(Course::Stuck);
        let invocation = scene.start(&[]);
        let on_record = "SELECT DISTINCT remote_id FROM disclosure_queue WHERE remote_id IS NOT NULL";
        until("the service's job is on record", || scene.sql(on_record).len() == 1);
        kill(scene, invocation);
        let service = &sources(scene).service;
        service.goes(Course::Completes { running: 1 });
        service.finish(&service.jobs()[0]);
        hours_pass(scene);
        converges(scene);
        assert_eq!(sources(scene).service.triggers(), 2, "once for what was due, and once for what became due");
    }

    fn by_runs_that_are_stopped(scene: &mut Scene) {
        open(scene);
        for _ in 0..RUNS {
            hours_pass(scene);
            stop_one(scene);
            frontiers::advance(scene);
        }
        converges(scene);
    }

    fn by_several_runs_at_once(scene: &mut Scene) {
        open(scene);
        for _ in 0..2 {
            hours_pass(scene);
            together(scene, 0);
        }
        converges(scene);
        assert_eq!(scene.tally.lost, 0, "no run died");
    }

    /// Each of the runs sees another hour.
    fn by_several_runs_with_clocks_that_differ(scene: &mut Scene) {
        open(scene);
        for _ in 0..2 {
            hours_pass(scene);
            together(scene, 1);
        }
        converges(scene);
        assert_eq!(scene.tally.lost, 0, "no run died");
    }

    /// A clock that steps back makes no run collect again; windows collected under a clock ahead stay collected.
    fn while_the_clock_steps_back_and_forth(scene: &mut Scene) {
        open(scene);
        let begin = sources(scene).hour;
        let mut furthest = begin;
        for step in STEPS {
            sources(scene).hour = begin + step;
            furthest = furthest.max(begin + step);
            if scene.random.once_in(3) {
                run_and_kill(scene);
            } else {
                let invocation = scene.start(&[]);
                scene.expect_normal_end(invocation);
                frontiers::advance(scene);
            }
        }
        sources(scene).hour = furthest;
        converges(scene);
    }
}

#[test]
fn while_all_connections_end() {
    let _server = server::shared();
    each(concat!(module_path!(), "::while_all_connections_end"), Kind::Postgres, |scene| {
        open(scene);
        for _ in 0..RUNS {
            hours_pass(scene);
            scene.run_with_faults(scene.tally.faults + TERMINATIONS, terminate);
            frontiers::advance(scene);
        }
        converges(scene);
    });
}

#[test]
fn while_somebody_else_writes_to_the_file() {
    each(concat!(module_path!(), "::while_somebody_else_writes_to_the_file"), Kind::Sqlite, |scene| {
        open(scene);
        for _ in 0..RUNS {
            hours_pass(scene);
            run_beside_a_writer(scene);
            frontiers::advance(scene);
        }
        converges(scene);
    });
}

/// Adds the sources, and data for the reports of one quarter.
fn open(scene: &mut Scene) {
    Sources::open(scene);
    scene.more_work(1);
}

fn sources(scene: &mut Scene) -> &mut Sources {
    scene.sources.as_mut().expect("a scene with sources")
}

/// Lets windows become due.
fn hours_pass(scene: &mut Scene) {
    let hours = scene.random.within(1..7);
    sources(scene).hour += i64::try_from(hours).expect("few");
}

fn run_and_kill(scene: &mut Scene) {
    let invocation = scene.start(&[]);
    sleep(scene.random.moment());
    kill(scene, invocation);
    frontiers::advance(scene);
}

fn kill(scene: &mut Scene, invocation: Invocation) {
    match scene.random.within(0..3) {
        0 => kill_orchestrator(scene, invocation),
        1 => kill_guard(scene, invocation),
        _ => kill_both(scene, invocation),
    }
}

/// Runs at the same time, each this many hours ahead of the one before.
fn together(scene: &mut Scene, ahead: i64) {
    let runs: Vec<_> = (0..TOGETHER)
        .map(|_| {
            sources(scene).hour += ahead;
            scene.start_with(&["--no-lock"], &[("CHAOS_TOGETHER", ".yes".to_owned())])
        })
        .collect();
    for run in runs {
        let done = run.wait();
        assert_eq!(done.code, 0, "{done:?}");
        scene.note(&done);
    }
    frontiers::advance(scene);
}
