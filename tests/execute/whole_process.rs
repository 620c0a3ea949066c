//! What attempts cost the process that runs them: memory, children, descriptors, signals.
//!
//! Each test runs alone: it starts this binary again with only that test.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;

use etl_orch::execute::command::MAX_LOG_BYTES;
use etl_orch::execute::{End, Program};
use etl_orch::plan::model::outcome::Fault;
use rustix::process::{Pid, test_kill_process};

use crate::bench::{Bench, Running, is_alive, run};
use crate::http::Rig;

/// True in the process that runs `test` alone. Otherwise starts that process, by the command `through`, checks its success, and returns
/// false.
fn alone(test: &str, through: &[&str]) -> bool {
    const MARK: &str = "ETL_ORCH_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let binary = std::env::current_exe().unwrap();
    let mut argv: Vec<&str> = through.to_vec();
    let test = format!("whole_process::{test}");
    argv.extend([binary.to_str().unwrap(), "--exact", &test, "--nocapture"]);
    let status = std::process::Command::new(argv[0]).args(&argv[1..]).env(MARK, "1").status().unwrap();
    assert!(status.success(), "{test}, run alone: {status}");
    false
}

/// Runs on the runtime that the product uses.
fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn children() -> Vec<String> {
    let me = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&me)).collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_flood_costs_neither_memory_nor_disk() {
    if !alone("a_flood_costs_neither_memory_nor_disk", &[]) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        run(bench.sh("true")).await;
        let before = peak_kib();
        let ended = run(bench.sh("yes 'a line of some fifty bytes, over and over again..' | head -c 100000000; echo; echo THE END")).await;
        assert_eq!(ended.end, End::Exited(0));
        let growth = peak_kib() - before;
        assert!(growth < 32 * 1024, "peak memory grew by {growth} KiB");
        let log = bench.log();
        assert!(log.len() as u64 <= MAX_LOG_BYTES && log.len() as u64 > MAX_LOG_BYTES / 2, "{}", log.len());
        assert!(log.ends_with(b"\nTHE END\n"));
        let end = String::from_utf8_lossy(&log[log.len() - 80 * 1024..]).into_owned();
        assert!(end.contains("bytes left out here"), "the omission is noted");
        assert!(ended.tail.ends_with("THE END"));
    });
}

#[test]
fn two_hundred_attempts_leave_nothing_behind() {
    if !alone("two_hundred_attempts_leave_nothing_behind", &[]) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        run(bench.sh("true")).await;
        let before = descriptors();
        let mut pids = BTreeSet::new();
        for batch in 0..25 {
            let attempts: Vec<Running> = (0..8)
                .map(|n| {
                    let script = match n % 4 {
                        0 => "echo x; exit 0",
                        1 => "sleep 1000 & echo $!; exit 1",
                        2 => "kill -9 $$",
                        _ => "exec true",
                    };
                    let log = bench.path(&format!("logs/{batch}/{n}.log"));
                    Running::start(Program { log, ..bench.sh(script) })
                })
                .collect();
            for attempt in attempts {
                let ended = attempt.end().await;
                pids.insert(ended.pid.unwrap());
                if let Ok(left) = ended.tail.parse::<i32>() {
                    assert!(!is_alive(left));
                }
            }
        }
        assert_eq!(children(), Vec::<String>::new(), "no child, not even a zombie");
        assert_eq!(descriptors(), before);
        let gone = |pid: u32| test_kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).is_err();
        assert!(pids.into_iter().all(gone));
    });
}

#[test]
fn running_out_of_open_files_is_reported_and_passes() {
    let few = ["sh", "-c", "ulimit -n 40; exec \"$@\"", "sh"];
    if !alone("running_out_of_open_files_is_reported_and_passes", &few) {
        return;
    }
    block_on(async {
        let bench = Bench::new();
        let held: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let End::HostShort(why) = run(bench.sh("exit 0")).await.end else { panic!("it started") };
        assert!(why.contains("too many open files"), "{why}");
        drop(held);
        assert_eq!(run(bench.sh("exit 8")).await.end, End::Exited(8));
    });
}

#[test]
fn a_request_without_a_file_for_its_connection_is_the_hosts_fault() {
    let few = ["sh", "-c", "ulimit -n 60; exec \"$@\"", "sh"];
    if !alone("a_request_without_a_file_for_its_connection_is_the_hosts_fault", &few) {
        return;
    }
    block_on(async {
        let rig = Rig::new();
        let held: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let ended = rig.run(rig.call()).await;
        drop(held);
        let End::Reported { why, fault: Fault::HostShort } = ended.end else { panic!("{:?}", ended.end) };
        assert!(why.contains("Too many open files") && why.contains("ulimit -n"), "{why}");
    });
}
