//! A dry run leaves everything that is remembered as it is, whatever that is.

use crate::on_both_databases;
use crate::support::world::{Running, is_alive, kill, pid_in};
use crate::support::{World, etl, until};

/// RY cannot succeed, BMO fails, the key themes fail for everyone; what is forced is held up.
const SCRIPT: &str = "[ \"$1\" = call_summary ] || exit 1\n\
    case \"$2\" in\nRY) exit 65 ;;\nBMO) exit 1 ;;\nCM) exit 66 ;;\nesac\n\
    [ \"$ETL_ORCH_FORCE\" != 1 ] || { echo $$ > pid; while :; do sleep 0.01; done; }\necho report > \"$4\"\n";

/// Every state that a gap or an ETL can be in, and a run that died.
fn all_states(world: &World) {
    world.institutions(
        "RY-CA: {id: 1, name: A}\nBMO-CA: {id: 2, name: B}\nTD-CA: {id: 6, name: C}\nNA-CA: {id: 7, name: D}\nCM-CA: {id: 8, name: E}\n",
    );
    world.write("etl.sh", SCRIPT);
    let etls = [etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &[])];
    world.configure("cooldown: {initial: 1h, max: 12h}\nbreaker: {banks: 2}\n", &format!("etls:\n{}", etls.concat()));
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6), ("NA", 7), ("CM", 8)] {
        world.available(symbol, id, 2025, "Q2");
    }
    world.run_to(0, &["skip", "TD", "2025Q2", "call_summary", "--reason", "leave it"]);
    world.run_to(1, &["--max-parallel", "1"]);
    let running: Running = world.spawn(&["--force", "--bank-symbol", "NA", "--etl-type", "call_summary"]);
    let etl = pid_in(&world.path("pid"));
    kill("KILL", running.orchestrator());
    running.wait();
    until("the ETL is gone", || !is_alive(etl));
    for (what, condition) in [
        ("quarantined", "quarantined_at IS NOT NULL"),
        ("resting", "rest_reason = 'failed' AND quarantined_at IS NULL"),
        ("not ready", "rest_reason = 'not_ready'"),
        ("skipped", "skipped_at IS NOT NULL"),
        ("forced", "forced_at IS NOT NULL"),
    ] {
        assert_eq!(world.value(&format!("SELECT count(*) FROM gap_states WHERE {condition}")), "1", "{what}");
    }
    assert_eq!(world.value("SELECT etl FROM breakers"), "key_themes");
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'running'"), "1");
}

fn everything(world: &World) -> Vec<(&'static str, Vec<String>)> {
    let tables = [
        ("gap_states", "gap_key"),
        ("breakers", "etl"),
        ("overrides", "id"),
        ("etl_runs", "id"),
        ("etl_jobs", "id"),
        ("etl_attempts", "job_id, n"),
        ("aegis_reports", "id"),
        ("aegis_data_availability", "id"),
    ];
    tables.map(|(table, order)| (table, world.sql(&format!("SELECT * FROM {table} ORDER BY {order}")))).to_vec()
}

on_both_databases! {
    fn nothing_that_is_remembered_changes(world: &World) {
        all_states(world);
        let before = everything(world);
        let files = [world.bytes_below("var/logs"), world.bytes_below("var/work"), world.bytes_below("var/spool"), world.bytes_below("reports")];
        for args in [
            &[][..],
            &["--format", "json"],
            &["--force", "--etl-type", "call_summary"],
            &["--force", "--bank-symbol", "RY"],
            &["--max-jobs", "1"],
            &["--no-lock", "-v"],
            &["-q"],
            &["--etl-type", "key_themes"],
        ] {
            let done = world.run_to(0, &[&["--dry-run"], args].concat());
            for ((table, before), (_, after)) in before.iter().zip(everything(world)) {
                assert_eq!(*before, after, "{args:?} changed {table}: {}", done.stdout);
            }
        }
        let after = [world.bytes_below("var/logs"), world.bytes_below("var/work"), world.bytes_below("var/spool"), world.bytes_below("reports")];
        assert!(files == after, "files have changed");

        let dry = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        let gaps = &dry["gaps"];
        assert_eq!((&gaps["quarantined"], &gaps["cooling_down"], &gaps["skipped"]), (&1.into(), &2.into(), &1.into()), "{dry}");
        assert_eq!(dry["breakers"][0]["etl"], "key_themes");
        assert_eq!(dry["lost"], serde_json::json!(["NA-CA/2025Q2/call_summary"]));
    }
}
