//! `report`: the page, when it is asked for and after runs.

use std::fs::{FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use crate::on_both_databases;
use crate::support::{Kind, World};

/// RY is made, TD fails.
fn one_made_one_failed(world: &World) {
    world.single_etl("[ \"$2\" != TD ] || { echo 'no <b>model</b>'; exit 65; }\necho report > \"$4\"\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
}

on_both_databases! {
    fn the_page_says_what_was_made_what_failed_and_why(world: &World) {
        one_made_one_failed(world);
        world.also("sources:\n  daily:\n    every: 1d\n    command: [\"true\"]\n    freshness: {sql: \"select '2026-01-16'\"}");
        world.run_to(1, &["run"]);
        let done = world.run_to(0, &["report", "--html", "page.html"]);
        assert_eq!(done.stdout, "page.html: 3 banks, 1 of 2 reports made, 1 failure\n");
        let page = world.read("page.html");
        let log = world.value("SELECT a.log FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id WHERE j.bank_key = 'TD-CA'");
        for text in ["TD 2025 Q2 call_summary: quarantined", "exit code 65", &log, "no &lt;b&gt;model&lt;/b&gt;", "until 2026-01-16"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(world.run_to(0, &["report", "--html", "-"]).stdout.starts_with("<!DOCTYPE html>"));
        let object = world.run_to(0, &["report", "--format", "json"]).json();
        assert_eq!((&object["made"], &object["expected"], &object["file"]), (&1.into(), &2.into(), &serde_json::Value::Null), "{object}");
        assert_eq!(object["failures"][0]["gap"], "TD-CA/2025Q2/call_summary");
        assert_eq!(object["failures"][0]["last_lines"], "no <b>model</b>");
        let work: Vec<_> = object["work"].as_array().expect("a list").iter().map(|work| (&work["filled_by"], &work["succeeded"])).collect();
        assert_eq!(work, [(&"call_summary".into(), &1.into()), (&"daily".into(), &1.into())]);
        let without = world.run_to(2, &["report"]);
        assert!(without.stderr.contains("write --html FILE"), "{without:?}");
    }

    fn a_run_that_did_something_writes_the_page(world: &World) {
        one_made_one_failed(world);
        world.also("report: {html_file: pages/report.html}");
        let done = world.run_to(1, &["run"]);
        assert!(done.stdout.contains("report.html_file: ") && done.stdout.contains("No such file or directory"), "{done:?}");
        std::fs::create_dir(world.path("pages")).expect("a directory");
        world.available("BMO", 2, 2025, "Q2");
        let done = world.run_to(0, &["run", "--bank-symbol", "BMO"]);
        assert!(!done.stdout.contains("html_file"), "{done:?}");
        let page = world.read("pages/report.html");
        assert!(page.contains("TD 2025 Q2 call_summary: quarantined"), "of all banks, whatever the run selected: {page}");
    }
}

#[test]
fn a_run_that_did_nothing_writes_the_page_once_an_hour() {
    let world = World::new(Kind::Sqlite);
    one_made_one_failed(&world);
    world.also("report: {html_file: report.html}");
    world.run_to(1, &["run"]);
    let file = || std::fs::File::options().write(true).open(world.path("report.html")).expect("a page");
    let mode = || file().metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode() & 0o027, 0, "nobody else reads it, and the group does not write it");
    file().set_permissions(Permissions::from_mode(0o604)).expect("ours");
    world.write("report.html", "old");
    world.run_to(0, &["run"]);
    assert_eq!(world.read("report.html"), "old");
    file().set_times(FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3700))).expect("ours");
    world.run_to(0, &["run"]);
    assert!(world.read("report.html").starts_with("<!DOCTYPE html>"));
    assert_eq!(mode(), 0o604, "it is for those for whom it was");
}
