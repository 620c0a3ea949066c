//! A job whose claim another host takes is stopped, it alone, and nothing is recorded as its success.

use std::time::Duration;

use crate::on_both_databases;
use crate::support::world::{Running, is_alive, within};
use crate::support::{World, etl, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// Ends well however it ends: also when it is asked to.
const STUBBORN: &str = "trap 'touch \"asked.$2\"; echo late > \"$4\"; exit 0' TERM\n\
    echo $$ > \"pid.$2\"\nuntil [ -e go ]; do sleep 0.01; done\necho report > \"$4\"\n";

fn at_work(world: &World) -> Running {
    world.write("etl.sh", STUBBORN);
    world.configure("", &format!("etls:\n{}", etl("call_summary", "Call Summary", &["grace: 1m"])));
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
    let running = world.spawn(&[]);
    world.pids("pid.", 3);
    running
}

/// Takes RY's claim once the run has looked at what others want of its jobs: it does so once a second, and has when it
/// heeds that BMO's is cancelled.
fn taken_after_a_look(world: &World, take: &[&str]) {
    let running = at_work(world);
    let (ry, td) = (world.read("pid.RY"), world.read("pid.TD"));
    let pid = |text: &str| text.trim().parse().expect("a pid");
    let bmo = world.value("SELECT id FROM etl_jobs WHERE bank_key = 'BMO-CA'");
    world.run_to(0, &["cancel", &bmo, "--reason", "for the test"]);
    for statement in take {
        world.sql(statement);
    }
    within(Duration::from_secs(10), "RY's ETL is asked to end", || world.path("asked.RY").exists());
    within(Duration::from_secs(10), "RY's ETL has ended", || !is_alive(pid(&ry)));
    assert!(is_alive(pid(&td)) && !world.path("asked.TD").exists(), "the others go on");
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("its claim was taken by another invocation"), "{}", done.stdout);
    nothing_is_recorded(world);
    assert_eq!(world.value("SELECT state FROM etl_jobs WHERE bank_key = 'TD-CA'"), "succeeded");
}

fn nothing_is_recorded(world: &World) {
    assert_eq!(world.reports(), ["TD 2025 Q2 Call Summary"]);
    assert_eq!(world.value(&format!("SELECT state FROM etl_jobs WHERE gap_key = '{GAP}'")), "lost");
    let succeeded =
        "SELECT count(*) FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id WHERE j.bank_key = 'RY-CA' AND outcome = 'succeeded'";
    assert_eq!(world.value(succeeded), "0");
    assert!(!world.path("reports/2025Q2/RY_call_summary.md").exists(), "what it wrote is not taken for a report");
}

const LOSE: &str = "UPDATE etl_jobs SET state = 'lost', ended_at = started_at, pool = NULL WHERE bank_key = 'RY-CA'";

on_both_databases! {
    fn a_job_that_was_taken_for_lost_is_stopped_alone(world: &World) {
        taken_after_a_look(world, &[LOSE]);
    }

    fn a_job_whose_gap_was_claimed_anew_is_stopped_alone(world: &World) {
        taken_after_a_look(world, &[LOSE, "UPDATE gap_states SET fence = fence + 1 WHERE gap_key = 'RY-CA/2025Q2/call_summary'"]);
    }

    /// The next run makes it, whatever the one that lost it has left.
    fn what_was_taken_is_made_by_who_comes_next(world: &World) {
        taken_after_a_look(world, &[LOSE]);
        world.run_to(0, &["retry", "BMO", "--reason", "for the test"]);
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 3);
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "report\n");
    }

    /// Whether it was asked to end before it ended by itself makes no difference.
    fn a_report_that_is_made_after_the_claim_was_taken_is_not_recorded(world: &World) {
        let running = at_work(world);
        world.sql(LOSE);
        world.write("go", "");
        let done = running.wait();
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("its claim was taken by another invocation"), "{}", done.stdout);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
        assert_eq!(world.jobs()[1], format!("{GAP}|lost"));
    }

    fn the_report_of_who_took_the_claim_is_not_overwritten(world: &World) {
        let running = at_work(world);
        let on_record = format!(
            "SELECT count(*) FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id WHERE j.gap_key = '{GAP}' AND a.pid IS NOT NULL"
        );
        until("its process is on record, which is when it has run for a second", || world.value(&on_record) == "1");
        world.sql(LOSE);
        world.write("reports/2025Q2/RY_call_summary.md", "theirs");
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        world.write("go", "");
        assert_eq!(running.wait().code, 1);
        assert_eq!(world.value("SELECT markdown_content FROM aegis_reports WHERE bank_symbol = 'RY'"), "old");
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "theirs");
    }

    /// Taken in the first moment, before anybody has looked at it.
    fn a_job_that_was_taken_at_once_is_stopped_too(world: &World) {
        let running = at_work(world);
        world.sql(LOSE);
        within(Duration::from_secs(10), "RY's ETL is asked to end", || world.path("asked.RY").exists());
        world.write("go", "");
        assert_eq!(running.wait().code, 1);
    }
}
