//! A pool bounds what is under way at once, over all invocations on one database, and holds up nobody else.

use crate::on_both_databases;
use crate::support::world::WAITS;
use crate::support::{Kind, World, etl, until};

const BANKS: usize = 8;

/// Banks B1 to B8, and these pools and ETLs.
fn set_up(world: &World, pools: &str, etls: &[String]) {
    let lines: Vec<String> = (1..=BANKS).map(|id| format!("B{id}-US: {{id: {id}, name: Bank {id}}}\n")).collect();
    world.institutions(&lines.concat());
    world.configure(&format!("pools: {{{pools}}}\n"), &format!("etls:\n{}", etls.concat()));
}

/// `call_summary` uses the pool, `key_themes` does not.
fn pooled_and_not() -> [String; 2] {
    [etl("call_summary", "Call Summary", &["pool: llm"]), etl("key_themes", "Key Themes", &[])]
}

/// A bank whose call summary is to be made by an ETL of the pool.
fn pooled(world: &World, id: i64) {
    world.available(&format!("B{id}"), id, 2025, "Q2");
    world.report(&format!("B{id}"), id, 2025, "Q2", "Key Themes");
}

/// A bank of which only that is missing which needs no pool.
fn free(world: &World, id: i64) {
    world.available(&format!("B{id}"), id, 2025, "Q2");
    world.report(&format!("B{id}"), id, 2025, "Q2", "Call Summary");
}

fn made(world: &World, report_type: &str) -> usize {
    world.sql(&format!("SELECT id FROM aegis_reports WHERE report_type = '{report_type}' AND markdown_content <> 'old'")).len()
}

/// A job of another host that uses the pool, on a gap that nobody else is after; the lease of its run ends this far from now.
fn elsewhere(world: &World, lease: &str) {
    world.run_to(0, &["init"]);
    world.sql(&format!(
        "INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
         VALUES ('11111111-1111-4111-8111-111111111111', 'elsewhere', 'boot', 7, 7, '1', '{{}}', 'running',
                 '2026-01-01T00:00:00.000000Z', {})",
        ends(world, lease)
    ));
    world.sql(
        "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, fence, queued_at,
                               started_at, pool)
         VALUES ('22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'B8-US/2020Q1/call_summary',
                 'call_summary', 'B8-US', 8, 2020, 'Q1', 0, FALSE, 'running', 1, '2026-01-01T00:00:00.000000Z',
                 '2026-01-01T00:00:00.000000Z', 'llm')",
    );
}

fn ends(world: &World, lease: &str) -> String {
    match world.kind() {
        Kind::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{lease}')"),
        Kind::Postgres => format!("now() + interval '{lease}'"),
    }
}

on_both_databases! {
    /// One of them needs a second attempt: that has to find its place in the pool too.
    fn two_invocations_share_a_pool_of_one(world: &World) {
        let work = "[ \"$1\" = call_summary ] || { echo report > \"$4\"; exit 0; }\nmkdir busy || touch overlap\n";
        let done = "sleep 0.1\nrmdir busy\n[ \"$2.$ETL_ORCH_ATTEMPT\" != B3.1 ] || exit 1\necho \"$2\" >> made\necho report > \"$4\"\n";
        world.write("etl.sh", &format!("{work}{WAITS}{done}"));
        set_up(world, "llm: 1", &pooled_and_not());
        for id in 1..=7 {
            pooled(world, id);
        }
        let first = world.spawn(&["--no-lock", "--max-parallel", "4"]);
        until("the first is at work", || world.path("waiting").exists());
        // Only the second knows of this one, and comes to it after it has asked for the pool.
        free(world, 8);
        let second = world.spawn(&["--no-lock", "--max-parallel", "4"]);
        until("the second is at work", || made(world, "Key Themes") == 1);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'running' AND pool = 'llm'"), "1");
        assert_eq!(world.value("SELECT count(DISTINCT run_id) FROM etl_jobs WHERE etl = 'call_summary'"), "2");
        world.write("go", "");
        let (first, second) = (first.wait(), second.wait());
        assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
        assert!(!world.path("overlap").exists(), "two attempts were under way at once");
        let mut once: Vec<String> = world.read("made").lines().map(str::to_owned).collect();
        once.sort();
        assert_eq!(once, (1..=7).map(|id| format!("B{id}")).collect::<Vec<_>>(), "each once");
        assert_eq!(made(world, "Call Summary"), 7);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE pool IS NOT NULL"), "0");
    }

    fn a_pool_of_two_is_filled_and_never_exceeded_and_others_pass(world: &World) {
        let at = "[ \"$1\" = call_summary ] || { echo report > \"$4\"; exit 0; }\nmkdir -p at\nmkdir \"at/$2\"\n\
            [ $(ls at | wc -l) -le 2 ] || touch three\n";
        world.write("etl.sh", &format!("{at}{WAITS}rmdir \"at/$2\"\necho report > \"$4\"\n"));
        set_up(world, "llm: 2", &pooled_and_not());
        for id in 1..=5 {
            pooled(world, id);
        }
        free(world, 6);
        free(world, 7);
        let running = world.spawn(&["--max-parallel", "8"]);
        let under_way = || std::fs::read_dir(world.path("at")).map_or(0, Iterator::count);
        until("those without a pool are done", || made(world, "Key Themes") == 2);
        until("two of the pool are under way", || under_way() == 2);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'running' AND pool = 'llm'"), "2");
        world.write("go", "");
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!world.path("three").exists(), "three were under way at once");
        assert_eq!(made(world, "Call Summary"), 5);
    }

    /// What waits for another invocation's use of a pool holds no slot meanwhile.
    fn a_pool_that_another_invocation_fills_takes_no_slot(world: &World) {
        world.write("etl.sh", &format!("[ \"$2\" = B1 ] && {{ {WAITS}}}\necho report > \"$4\"\n"));
        set_up(world, "llm: 1", &pooled_and_not());
        pooled(world, 1);
        let first = world.spawn(&[]);
        until("the first uses the pool", || world.path("waiting").exists());
        pooled(world, 2);
        free(world, 3);
        let second = world.spawn(&["--no-lock", "--max-parallel", "1"]);
        until("what needs no pool is made", || made(world, "Key Themes") == 1);
        assert_eq!(world.value("SELECT state FROM etl_jobs WHERE gap_key = 'B2-US/2025Q2/call_summary'"), "queued");
        world.write("go", "");
        let (first, second) = (first.wait(), second.wait());
        assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
        assert_eq!(made(world, "Call Summary"), 2);
    }

    fn a_dead_host_holds_no_pool(world: &World) {
        world.write("etl.sh", "echo report > \"$4\"\n");
        set_up(world, "llm: 1", &pooled_and_not());
        pooled(world, 1);
        elsewhere(world, "-1 seconds");
        world.run_to(0, &[]);
        assert_eq!(made(world, "Call Summary"), 1);
    }

    fn a_host_that_dies_meanwhile_holds_the_pool_until_its_lease_ends(world: &World) {
        world.write("etl.sh", "echo report > \"$4\"\n");
        set_up(world, "llm: 1", &pooled_and_not());
        pooled(world, 1);
        free(world, 2);
        elsewhere(world, "+600 seconds");
        let running = world.spawn(&[]);
        until("what needs no pool is made", || made(world, "Key Themes") == 1);
        assert_eq!(world.value("SELECT state FROM etl_jobs WHERE gap_key = 'B1-US/2025Q2/call_summary'"), "queued");
        world.sql(&format!("UPDATE etl_runs SET lease_until = {} WHERE host = 'elsewhere'", ends(world, "-1 seconds")));
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(made(world, "Call Summary"), 1);
        world.run_to(0, &[]);
        assert_eq!(world.value("SELECT state FROM etl_jobs WHERE gap_key = 'B8-US/2020Q1/call_summary'"), "lost");
    }
}
