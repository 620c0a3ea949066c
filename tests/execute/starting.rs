//! How attempts start, and the errors when they cannot.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use etl_orch::execute::command::CommandExecutor;
use etl_orch::execute::stop::StopSender;
use etl_orch::execute::{End, Ended, Program};
use etl_orch::plan::model::said::Said;
use etl_orch::plan::run::stop::{StopLevel, StopReason};
use rustix::process::Signal;
use tokio::sync::mpsc;

use crate::bench::{Bench, run, within};

#[tokio::test]
async fn the_child_gets_its_environment_group_and_stdin() {
    let bench = Bench::new();
    let mut task = bench.sh("pwd; echo $A; cat; ps -o pgid= -p $$ | tr -d ' '; echo $$; trap; kill -PIPE $$; echo SIGPIPE is ignored");
    task.env = vec![("A".into(), "first".into()), ("A".into(), "last".into())];
    let ended = run(task).await;
    let lines: Vec<&str> = ended.tail.lines().collect();
    assert_eq!(lines[0], fs::canonicalize(bench.dir.path()).unwrap().to_str().unwrap());
    assert_eq!(lines[1], "last", "a later pair wins");
    assert_eq!(lines[2], lines[3], "it leads its own group; stdin was empty");
    assert_eq!(ended.end, End::Signalled(Signal::PIPE.as_raw()));
}

#[tokio::test]
async fn programs_that_cannot_be_started_are_named_with_what_to_do() {
    let bench = Bench::new();
    let path = bench.dir.path().display().to_string();
    let plain = bench.script("plain", "#!/bin/sh\n", 0o644);
    let orphan = bench.script("orphan", "#!/no/such/python3 -u\n", 0o755);
    let windows = bench.script("windows", "#!/bin/sh\r\nexit 0\r\n", 0o755);
    let bare = bench.script("bare", "echo hello\n", 0o755);
    let huge = "x".repeat(8 << 20);
    for (argv, words) in [
        (vec!["no-such-program-at-all"], "not found on its PATH"),
        (vec!["./not-here"], "not-here does not exist"),
        (vec![""], "the command is empty"),
        (vec![], "the command is empty"),
        (vec![plain.as_str()], "is not executable; chmod +x"),
        (vec![path.as_str()], "is a directory"),
        (vec![orphan.as_str()], "needs /no/such/python3"),
        (vec![windows.as_str()], "Windows line ends"),
        (vec![bare.as_str()], "nor a script with a #! line"),
        (vec!["true", huge.as_str()], "pass large values in a file"),
        (vec!["true", "secret\0secret"], "NUL byte"),
    ] {
        let ended = run(bench.task(&argv)).await;
        let End::SpawnFailed(why) = ended.end else { panic!("{argv:?}: {:?}", ended.end) };
        assert!(why.contains(words), "{why}");
        assert!(!why.contains("secret") && !why.contains("xxxx"), "the error has no arguments: {why}");
        assert_eq!((ended.pid, ended.tail.as_str()), (None, ""));
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let bench = Bench::new();
    bench.script("file", "", 0o644);
    for (cwd, words) in [("none", "none does not exist; make it"), ("file", "is not a directory; correct `cwd:`")] {
        for program in ["true", "./true"] {
            let task = Program { cwd: bench.path(cwd), ..bench.task(&[program]) };
            let End::SpawnFailed(why) = run(task).await.end else { panic!("it started") };
            assert!(why.contains(words), "{why}");
        }
    }
}

#[tokio::test]
async fn the_program_is_looked_up_on_the_path_of_the_etl() {
    let bench = Bench::new();
    fs::create_dir(bench.path("bin")).unwrap();
    bench.script("bin/only-here", "#!/bin/sh\necho \"found, $1\"\n", 0o755);
    let mut task = bench.task(&["only-here", "really"]);
    assert!(matches!(run(task.clone()).await.end, End::SpawnFailed(_)));
    task.env = vec![("PATH".into(), "/usr/bin".into()), ("PATH".into(), "/nowhere:bin".into())];
    let ended = run(task).await;
    assert_eq!((ended.end, ended.tail.as_str()), (End::Exited(0), "found, really"));
}

#[tokio::test]
async fn a_program_sees_the_name_it_was_called_by() {
    let bench = Bench::new();
    symlink("/bin/sh", bench.path("other-name")).unwrap();
    let ended = run(bench.task(&["./other-name", "-c", "echo $0"])).await;
    assert_eq!(ended.tail, "./other-name");
}

#[tokio::test]
async fn a_stop_before_the_start_starts_nothing() {
    let bench = Bench::new();
    for wish in [StopLevel::Graceful, StopLevel::Immediate] {
        let sender = StopSender::default();
        sender.raise(wish, StopReason::Signal(15));
        let stop = sender.signal();
        let (sender, mut events) = mpsc::channel(8);
        let ended = within(CommandExecutor::default().run(bench.sh("touch started"), stop, sender)).await;
        assert_eq!(
            ended,
            Ended {
                end: End::Stopped,
                duration: Duration::ZERO,
                tail: String::new(),
                pid: None,
                said: Said::default(),
                error: None,
                answer: None,
                service_job: None,
                remote_id: None
            }
        );
        assert_eq!(events.recv().await, None);
        assert!(!bench.path("started").exists());
    }
}
