//! Where the output of a child goes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use etl_orch::execute::command::{CommandExecutor, MAX_LINE, TAIL_BYTES, TAIL_LINES};
use etl_orch::execute::stop::StopSender;
use etl_orch::execute::{AttemptEvent, End};
use etl_orch::plan::run::stop::{StopLevel, StopReason};
use etl_orch::plan::text::secrets::Secrets;
use tokio::sync::mpsc;

use crate::bench::{Bench, Running, run, within};

#[tokio::test]
async fn output_reaches_log_tail_and_events() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("echo one; echo two >&2; printf three"));
    assert!(matches!(within(running.events.recv()).await, Some(AttemptEvent::Spawned(_))), "the pid comes first");
    let lines = BTreeSet::from([running.line().await, running.line().await, running.line().await]);
    assert_eq!(lines, BTreeSet::from(["one".into(), "two".into(), "three".into()]));
    let ended = running.end().await;
    assert_eq!(ended.tail.lines().map(str::to_owned).collect::<BTreeSet<_>>(), lines);
    assert_eq!(bench.log().len(), "one\ntwo\nthree".len());
    let mode = fs::metadata(bench.path("logs/2025-01-01/job/1.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn lines_of_the_two_streams_do_not_mix() {
    let bench = Bench::new();
    let ended =
        run(bench.sh("i=0; while [ $i -lt 10 ]; do printf out; printf err >&2; printf 'put\n'; printf 'or\n' >&2; i=$((i+1)); done")).await;
    assert_eq!(ended.tail.lines().filter(|line| *line == "output").count(), 10, "{}", ended.tail);
    assert_eq!(ended.tail.lines().filter(|line| *line == "error").count(), 10, "{}", ended.tail);
}

#[tokio::test]
async fn a_helper_may_finish_what_it_writes_after_the_child() {
    let bench = Bench::new();
    let ended = run(bench.sh("(sleep 0.02; echo last words) & exit 0")).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(0), "last words"));
}

#[tokio::test]
async fn a_burst_right_before_the_exit_is_kept_whole() {
    let bench = Bench::new();
    for _ in 0..5 {
        fs::remove_dir_all(bench.path("logs")).ok();
        let ended = run(bench.sh("head -c 1000000 /dev/zero | tr '\\0' x; exit 7")).await;
        assert_eq!(ended.end, End::Exited(7));
        assert_eq!(bench.log().len(), 1_000_000);
    }
}

#[tokio::test]
async fn a_child_may_close_its_output_and_work_on() {
    let bench = Bench::new();
    let ended = run(bench.sh("echo before; exec >&- 2>&-; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit 4")).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(4), "before"));
}

#[tokio::test]
async fn output_need_not_be_text() {
    let bench = Bench::new();
    let ended = run(bench.sh("printf 'a\\377b\\000c\\033[31m\\r\\n'")).await;
    assert_eq!(ended.tail, "a\u{FFFD}b\u{FFFD}c\u{1b}[31m");
    assert_eq!(bench.log(), b"a\xffb\0c\x1b[31m\r\n", "the log has the bytes unchanged");
}

#[tokio::test]
async fn an_endless_line_comes_in_pieces() {
    let bench = Bench::new();
    let mut running = Running::start(bench.sh("exec tr '\\0' x < /dev/zero"));
    let line = running.line().await;
    assert_eq!(line.len(), MAX_LINE);
    running.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    let ended = running.end().await;
    assert_eq!(ended.end, End::Stopped);
    assert!((1..=TAIL_BYTES).contains(&ended.tail.len()));
}

#[tokio::test]
async fn the_tail_has_the_last_lines() {
    let bench = Bench::new();
    let ended = run(bench.sh("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done")).await;
    assert_eq!(ended.tail.lines().count(), TAIL_LINES);
    assert!(ended.tail.ends_with("line 499"));
}

#[tokio::test]
async fn a_full_event_channel_delays_nothing() {
    let bench = Bench::new();
    let sender = StopSender::default();
    let stop = sender.signal();
    let (sender, events) = mpsc::channel(1);
    let ended =
        within(CommandExecutor::default().run(bench.sh("i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done"), stop.clone(), sender))
            .await;
    assert_eq!(ended.end, End::Exited(0));
    assert_eq!(String::from_utf8(bench.log()).unwrap().lines().count(), 5000, "nothing is missing in the log");
    drop(events);
    fs::remove_dir_all(bench.path("logs")).unwrap();
    let (sender, _) = mpsc::channel(1);
    assert_eq!(within(CommandExecutor::default().run(bench.sh("echo x"), stop, sender)).await.end, End::Exited(0));
}

#[tokio::test]
async fn lines_that_the_event_channel_cannot_take_are_counted() {
    let bench = Bench::new();
    let stop = StopSender::default();
    let (sender, mut events) = mpsc::channel(10);
    let script = bench.sh("i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done");
    within(CommandExecutor::default().run(script, stop.signal(), sender)).await;
    let (mut lines, mut omitted) = (0, 0);
    while let Some(event) = events.recv().await {
        match event {
            AttemptEvent::Spawned(_)
            | AttemptEvent::Triggered(_)
            | AttemptEvent::Said(_)
            | AttemptEvent::Waits(_)
            | AttemptEvent::Progress(_) => {}
            AttemptEvent::Line(line) => {
                assert_eq!((line, omitted), (lines.to_string(), 0), "the count comes where lines are missing");
                lines += 1;
            }
            AttemptEvent::LinesOmitted(count) => omitted += count,
        }
    }
    assert_eq!((lines, lines + omitted), (8, 5000));
}

#[tokio::test]
async fn a_progress_bar_is_told_before_its_line_ends_and_without_secrets() {
    let bench = Bench::new();
    let script = bench.sh(r"printf 'loading hunter2  43%%\r'; until [ -e go ]; do sleep 0.05; done; printf '\rdone\n'");
    let (sender, mut events) = mpsc::channel(100);
    let executor = CommandExecutor::new(Secrets::new(["hunter2".to_owned()]));
    let stop = StopSender::default();
    let (work, told) = tokio::join!(within(executor.run(script, stop.signal(), sender)), async {
        let mut told = Vec::new();
        while let Some(event) = events.recv().await {
            match event {
                AttemptEvent::Progress(state) => {
                    told.push(format!("bar: {state}"));
                    fs::write(bench.path("go"), "").unwrap();
                }
                AttemptEvent::Line(line) => told.push(line),
                AttemptEvent::Spawned(_)
                | AttemptEvent::Triggered(_)
                | AttemptEvent::Said(_)
                | AttemptEvent::Waits(_)
                | AttemptEvent::LinesOmitted(_) => {}
            }
        }
        told
    });
    assert_eq!((work.end, told), (End::Exited(0), vec!["bar: loading [redacted]  43%".to_owned(), "done".to_owned()]));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_noted_and_stops_nothing() {
    let bench = Bench::new();
    fs::write(bench.path("logs"), "a file where a directory should be").unwrap();
    let ended = run(bench.sh("echo one; echo two")).await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(ended.tail.starts_with("one\ntwo\n[etl-orch: the log "), "{}", ended.tail);
    assert!(ended.tail.lines().last().unwrap().contains("could not be written"));
}

#[tokio::test]
async fn an_existing_log_is_neither_followed_nor_overwritten() {
    let bench = Bench::new();
    let log = bench.task(&[]).log;
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(bench.path("precious"), "precious").unwrap();
    for target in ["precious", "not-yet-there"] {
        symlink(bench.path(target), &log).unwrap();
        let ended = run(bench.sh("echo one")).await;
        assert_eq!(ended.end, End::Exited(0));
        assert!(ended.tail.contains("could not be written"), "{}", ended.tail);
        fs::remove_file(&log).unwrap();
    }
    assert_eq!(fs::read(bench.path("precious")).unwrap(), b"precious");
    assert!(!bench.path("not-yet-there").exists());
}
