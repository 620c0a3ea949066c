//! How attempts end, by themselves or because we end them, and what they leave behind.

use std::fs;
use std::time::Duration;

use etl_orch::execute::command::CommandExecutor;
use etl_orch::execute::stop::StopSender;
use etl_orch::execute::{End, Ended, Program};
use etl_orch::plan::run::stop::{StopLevel, StopReason};
use rustix::process::{Pid, Signal};
use tokio::sync::mpsc;

use crate::bench::{Bench, Running, is_alive, run, until, within};

#[tokio::test]
async fn exit_codes_are_reported() {
    let bench = Bench::new();
    for code in [0, 1, 65, 255] {
        let ended = run(bench.sh(&format!("exit {code}"))).await;
        assert_eq!(ended.end, End::Exited(code));
        assert!(ended.pid.is_some());
    }
    assert!(!bench.path("logs").exists(), "a child that prints nothing leaves no log");
}

#[tokio::test]
async fn a_signal_that_we_did_not_send_is_reported() {
    let bench = Bench::new();
    for signal in [Signal::KILL, Signal::TERM, Signal::SEGV] {
        let ended = run(bench.sh(&format!("kill -{} $$", signal.as_raw()))).await;
        assert_eq!(ended.end, End::Signalled(signal.as_raw()));
    }
}

/// Runs into the timeout after the child has printed something. On a slow machine the timeout is extended until it has.
async fn run_out_of_time(mut task: Program) -> Ended {
    task.timeout = Duration::from_millis(100);
    loop {
        let ended = run(task.clone()).await;
        assert_eq!(ended.end, End::TimedOut);
        if !ended.tail.is_empty() {
            return ended;
        }
        task.timeout *= 2;
    }
}

#[tokio::test]
async fn a_timeout_ends_even_a_group_that_ignores_sigterm() {
    let bench = Bench::new();
    let mut task = bench.sh("trap '' TERM; sh -c 'echo $$; while :; do sleep 1000; done' & while :; do sleep 1000; done");
    task.grace = Duration::from_millis(100);
    let ended = run_out_of_time(task).await;
    assert!(!is_alive(ended.tail.parse().unwrap()));
    assert!(!is_alive(i32::try_from(ended.pid.unwrap()).unwrap()));
}

#[tokio::test]
async fn a_timeout_sends_sigterm_first() {
    let bench = Bench::new();
    let ended = run_out_of_time(bench.sh("trap 'echo tidied up; exit 0' TERM; echo ready; while :; do sleep 0.01; done")).await;
    assert!(ended.tail.contains("tidied up"), "{}", ended.tail);
}

#[tokio::test]
async fn a_suspended_child_gets_sigterm_too() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo tidied up; exit 0' TERM; echo $$; kill -STOP $$; sleep 1000"));
    let pid = running.pid().await;
    until(|| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")).await;
    running.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.contains("tidied up")), (End::Stopped, true));
}

#[tokio::test]
async fn processes_left_in_the_group_are_ended() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sleep 1000 & echo $!; exit 3"));
    let left = running.pid().await;
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(3), "its own end stays its end");
    assert!(!is_alive(left));
}

#[tokio::test]
async fn a_process_left_in_the_group_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let bench = Bench::new();
    let mut task = bench.sh("sh -c 'trap \"\" TERM; echo $$; exec >/dev/null 2>&1; while :; do sleep 1000; done' & read x < fifo; exit 0");
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    task.grace = Duration::from_millis(100);
    let mut running = Running::start(task);
    let left = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(!is_alive(left));
}

#[tokio::test]
async fn an_immediate_stop_ends_the_grace_period_of_the_group() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sh -c 'trap \"echo SIGTERM\" TERM; echo $$; while :; do sleep 0.01; done' & exit 0"));
    let left = running.pid().await;
    running.wait_for_line("SIGTERM").await; // SIGTERM came without a stop
    running.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(!is_alive(left));
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_delay_the_end() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("setsid sh -c 'echo $$; exec sleep 1000' & read x < fifo; echo done; exit 0"));
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let daemon = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    let ended = running.end().await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(ended.tail.ends_with("done"), "what was printed before is kept");
    assert!(is_alive(daemon), "it has left the group; the guard ends it");
    rustix::process::kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_daemon_that_floods_the_output_does_not_delay_the_end() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("setsid sh -c 'echo $$; exec yes' & read x < fifo; exit 0"));
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let daemon = running.pid().await;
    fs::write(bench.path("fifo"), "go\n").unwrap();
    assert_eq!(running.end().await.end, End::Exited(0));
    until(|| !is_alive(daemon)).await; // by SIGPIPE, as its output is closed
}

#[tokio::test]
async fn a_graceful_stop_sends_sigterm_and_waits() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo tidied up; exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.contains("tidied up")), (End::Stopped, true));
}

#[tokio::test]
async fn an_immediate_stop_sends_no_sigterm() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo SIGTERM' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    let ended = running.end().await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Stopped, "ready"));
}

#[tokio::test]
async fn an_immediate_stop_ends_the_grace_period() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("trap 'echo SIGTERM' TERM; echo ready; while :; do sleep 0.01; done"));
    running.line().await;
    running.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    running.wait_for_line("SIGTERM").await;
    running.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    assert_eq!(running.end().await.end, End::Stopped);
}

#[tokio::test]
async fn an_attempt_goes_on_when_nobody_is_left_to_stop_it() {
    let bench = Bench::new();
    let sender = StopSender::default();
    let stop = sender.signal();
    drop(sender);
    let (sender, _events) = mpsc::channel(8);
    assert_eq!(within(CommandExecutor::default().run(bench.sh("exit 6"), stop, sender)).await.end, End::Exited(6));
}

#[tokio::test]
async fn a_child_that_ended_before_the_timeout_keeps_its_exit_code() {
    let bench = Bench::new();
    let mut task = bench.sh("exit 9");
    task.timeout = Duration::ZERO;
    let ended = run(task).await;
    assert!(matches!(ended.end, End::Exited(9) | End::TimedOut), "{:?}", ended.end);
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("sh -c 'echo $$; sleep 1000' & sleep 1000"));
    let grandchild = running.pid().await;
    running.ended.abort();
    until(|| !is_alive(grandchild)).await;
}
