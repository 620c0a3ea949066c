//! Claims of another host are good for as long as it renews its lease.

use crate::on_both_databases;
use crate::support::{Kind, World};

/// Records a run of another host that works on RY's call summary; its lease ends this far from now.
fn elsewhere(world: &World, lease: &str) {
    world.available("RY", 1, 2025, "Q2");
    assert_eq!(world.run(&["--etl-type", "key_themes"]).code, 0);
    let until = match world.kind() {
        Kind::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{lease}')"),
        Kind::Postgres => format!("now() + interval '{lease}'"),
    };
    world.sql(&format!(
        "INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
         SELECT '11111111-1111-4111-8111-111111111111', 'elsewhere', 'boot', 7, 7, version, options, 'running', started_at, {until}
         FROM etl_runs"
    ));
    world.sql(
        "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, queued_at, started_at)
         SELECT '22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'RY-CA/2025Q2/call_summary',
                'call_summary', bank_key, bank_id, fiscal_year, quarter, 0, forced, 'running', 1, queued_at, started_at
         FROM etl_jobs",
    );
}

on_both_databases! {
    fn what_another_host_works_on_is_left_to_it(world: &World) {
        elsewhere(world, "+600 seconds");
        let done = world.run(&["-q"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains("Running elsewhere: 1\n  • RY-CA/2025Q2/call_summary: process 7 on elsewhere"), "{done:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|running", "RY-CA/2025Q2/key_themes|succeeded"]);
    }

    fn what_it_no_longer_renews_is_taken_over(world: &World) {
        elsewhere(world, "-1 seconds");
        let dry = world.run(&["--dry-run", "--format", "json"]);
        assert_eq!(dry.json()["lost"][0], "RY-CA/2025Q2/call_summary", "{dry:?}");
        let done = world.run(&[]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(
            world.jobs(),
            ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded", "RY-CA/2025Q2/key_themes|succeeded"]
        );
        assert_eq!(world.value("SELECT state FROM etl_runs WHERE host = 'elsewhere'"), "lost");
    }
}
