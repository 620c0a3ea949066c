//! Why a report or a source is made or is not: each decision, reached by real steps.

use crate::on_both_databases;
use crate::support::world::{WAITS, etl, until};
use crate::support::{Kind, World};
use crate::unrecorded::{refuse_no_longer, refuse_ry};

/// The page of `why` with these words.
fn why(world: &World, words: &str) -> String {
    world.run_to(0, &[&["why"], words.split(' ').collect::<Vec<_>>().as_slice()].concat()).stdout
}

/// The decision on a single gap, and the fact that decides, for programs.
fn decision(world: &World, words: &str) -> (String, String) {
    let args = [&["why"], words.split(' ').collect::<Vec<_>>().as_slice(), &["--format", "json"]].concat();
    let object = world.run_to(0, &args).json();
    assert_eq!(object["kind"], "why");
    let gap = &object["gaps"][0];
    let decides = gap["facts"].as_array().expect("a list").iter().filter(|fact| fact["verdict"] == "decides");
    let names: Vec<_> = decides.map(|fact| fact["name"].as_str().unwrap_or_default()).collect();
    (gap["decision"].as_str().unwrap_or_default().to_owned(), names.join(","))
}

/// The decision on a single gap at a time, and its page.
fn then(world: &World, words: &str, at: &str) -> (String, String) {
    let words: Vec<&str> = words.split(' ').collect();
    let args = [&["why"], words.as_slice(), &["--at", at]].concat();
    let object = world.run_to(0, &[args.as_slice(), &["--format", "json"]].concat()).json();
    (object["gaps"][0]["decision"].as_str().unwrap_or_default().to_owned(), world.run_to(0, &args).stdout)
}

fn is(decision: &str, fact: &str) -> (String, String) {
    (decision.to_owned(), fact.to_owned())
}

/// Two ETLs, the second of which needs the first; it fails for TD, and for good where a file says so.
const FAILS_FOR_TD: &str =
    "[ \"$2\" != TD ] || { echo 'no such model' >&2; [ ! -e for_good ] || exit 65; exit 3; }\necho report > \"$4\"\n";

fn world_with_needs(world: &World) {
    world.etls(
        FAILS_FOR_TD,
        &[etl("call_summary", "Call Summary", &["retry: {max_attempts: 1}"]), etl("key_themes", "Key Themes", &["needs: [call_summary]"])],
    );
    world.also("run: {from_year: 2024}");
    let config = world.read("etl-orch.yaml").replace("cooldown: {initial: 1ms, max: 1ms}", "cooldown: {initial: 10m, max: 12h}");
    world.write("etl-orch.yaml", &config);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
}

on_both_databases! {
    fn each_decision_on_a_report_is_explained_by_the_fact_that_decides(world: &World) {
        world_with_needs(world);
        world.available("RY", 1, 2023, "Q4");
        world.available("RY", 9, 2025, "Q1");
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("run", "turn"));
        assert_eq!(decision(world, "RY 2023Q4 call_summary"), is("filtered", "selected"));
        assert_eq!(decision(world, "RY-CA/2025Q1/call_summary"), is("invalid", "data"));
        assert_eq!(decision(world, "RY 2024 Q1 call_summary"), is("no_data", "data"));
        world.run_to(1, &["run"]);
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("done", "report"));
        assert_eq!(decision(world, "TD 2025 Q2 call_summary"), is("cooling_down", "failures"));
        assert_eq!(decision(world, "TD 2025 Q2 key_themes"), is("waiting", "needs"));
        world.run_to(0, &["skip", "TD", "2025", "Q2", "key_themes", "--reason", "not now"]);
        assert_eq!(decision(world, "TD 2025 Q2 key_themes"), is("skipped", "skip"));
        world.run_to(0, &["retry", "TD", "--reason", "x"]);
        world.write("for_good", "");
        world.run_to(1, &["run"]);
        assert_eq!(decision(world, "TD 2025 Q2 call_summary"), is("quarantined", "failures"));

        let page = why(world, "TD 2025 Q2 call_summary");
        let log = world.value("SELECT a.log FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id WHERE j.bank_key = 'TD-CA' ORDER BY a.started_at DESC LIMIT 1");
        assert!(page.contains("last error: exit code 65 - no such model") && page.contains(&log), "{page}");
        assert!(page.ends_with("\n  etl-orch retry TD-CA 2025 Q2 call_summary --reason \"...\" --config etl-orch.yaml\n"), "{page}");
        let is_whole = |line: &str| line.contains(&log) || line.starts_with("  etl-orch ");
        assert!(page.lines().all(|line| line.chars().count() <= 80 || is_whole(line)) && page.lines().count() <= 24, "{page}");
        let id = world.value("SELECT id FROM etl_jobs WHERE bank_key = 'TD-CA' AND etl = 'call_summary' ORDER BY queued_at DESC LIMIT 1");
        assert_eq!(why(world, &id[..8]).lines().next(), page.lines().next(), "by the id of its job");
        let bank = why(world, "TD");
        assert!(bank.contains("TD-CA/2025Q2/key_themes") && bank.contains("it waits for call_summary"), "{bank}");
        let all = world.run_to(0, &["why"]).stdout;
        assert!(all.contains("TD-CA 2025 Q2 call_summary") && all.contains("quarantined"), "{all}");
    }

    fn what_the_data_spells_otherwise_is_named_on_both_sides(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &["requires: [transcript]"]);
        world.institutions("RY-CA: {id: 1, name: R}\nNA-CA: {id: 7, name: N}\n");
        world.available("RY", 1, 2025, "Q2");
        world.available("NAT", 7, 2025, "Q2");
        world.available("XX", 9, 2025, "Q2");
        let tag = why(world, "RY 2025 Q2 call_summary");
        assert!(tag.contains("missing: transcript, which no row of any bank has; the data has\n        transcripts"), "{tag}");
        let period = why(world, "RY 2025 Q3 call_summary");
        assert!(period.contains("> [no]  data: no row of this period; there is data of 2025 Q2\n"), "{period}");
        let bank = why(world, "NA 2025 Q2 call_summary");
        assert!(bank.contains("in the data, and monitored by nobody: NAT (1 row)") && bank.contains("Once the names"), "{bank}");
        world.institutions("RY-CA: {id: 1, name: R}\nZQ-CA: {id: 8, name: Z}\nNA-CA: {id: 7, name: N}\n");
        let nothing = why(world, "ZQ 2025 Q2 call_summary");
        assert!(nothing.contains("no row of this bank") && nothing.contains("Once there is data of it"), "{nothing}");
        let nobody = why(world, "XX 2025 Q2");
        assert!(nobody.starts_with("XX: nobody monitors it") && nobody.contains("data: XX (1 row)"), "{nobody}");
        let neither = world.run_to(2, &["why", "XY"]);
        assert!(neither.stderr.contains("unknown bank \"XY\"") && neither.stderr.contains("the data has XX"), "{neither:?}");
        world.sql("ALTER TABLE aegis_data_availability RENAME TO elsewhere");
        let unseen = world.run_to(2, &["why", "XX"]);
        assert!(unseen.stderr.contains("unknown bank \"XX\"") && unseen.stderr.contains("the data could not be looked at: "), "{unseen:?}");
    }

    fn several_etls_of_a_bank_are_all_explained(world: &World) {
        world_with_needs(world);
        let both = |words: &str| {
            let page = why(world, words);
            assert!(page.contains("call_summary") && page.contains("key_themes") && !page.contains("TD"), "{page}");
        };
        both("RY --etl-type call_summary,key_themes");
        world.run_to(0, &["skip", "RY", "--reason", "later"]);
        world.run_to(1, &[]);
        both("RY --etl-type call_summary,key_themes --at 0s");
    }

    fn what_is_running_is_said_with_its_job_while_it_runs(world: &World) {
        world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let run = world.spawn(&["run"]);
        until("the ETL runs", || world.path("waiting").exists());
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("claimed", "running"));
        let page = why(world, "RY 2025 Q2 call_summary");
        let id = world.value("SELECT id FROM etl_jobs");
        assert!(page.contains(&format!("job {} since", &id[..8])) && page.contains(&format!("etl-orch cancel {} ", &id[..8])), "{page}");
        world.write("go", "");
        run.wait();
        assert_eq!(world.run_to(0, &["why"]).stdout.lines().next(), Some("NOTHING IS HELD UP"));
    }

    fn what_waits_for_others_says_for_what(world: &World) {
        world.single_etl("exit 3\n", &["retry: {max_attempts: 1}"]);
        world.also("breaker: {banks: 2}");
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.run_to(1, &["run", "--max-parallel", "1"]);
        let of_all = ["RY", "BMO", "TD"].map(|bank| decision(world, &format!("{bank} 2025 Q2 call_summary")));
        assert_eq!(of_all, [is("deferred", "breaker"), is("deferred", "breaker"), is("deferred", "breaker")]);
        let page = why(world, "TD 2025 Q2 call_summary");
        assert!(page.contains("breaker of its ETL: open since 20"), "{page}");
        let list = world.run_to(0, &["why"]).stdout;
        assert!(list.contains("call_summary: 2 banks, 2025 Q2"), "{list}");

        let (decision, page) = then(world, "TD 2025 Q2 call_summary", "0s");
        assert!(decision == "cancelled" && page.contains("started: call_summary has failed for one bank after"), "{page}");
        world.run_to(1, &["run", "--max-parallel", "1"]);
        let mut of_all = ["RY", "BMO", "TD"].map(|bank| then(world, &format!("{bank} 2025 Q2 call_summary"), "0s").0);
        of_all.sort();
        assert_eq!(of_all, ["deferred", "deferred", "failed"], "one was the probe");
    }

    fn what_no_run_came_to_says_why_it_was_not_started(world: &World) {
        world.single_etl("exit 3\n", &["retry: {max_attempts: 1}"]);
        world.also("run: {deadline: 1ms}");
        world.available("RY", 1, 2025, "Q2");
        world.run(&["run"]);
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("run", "turn"));
        let page = why(world, "RY 2025 Q2 call_summary");
        assert!(page.contains("the run's deadline was past"), "{page}");
        let (decision, page) = then(world, "RY 2025 Q2 call_summary", "0s");
        assert!(decision == "cancelled" && page.contains("started: the run's deadline was past\n"), "{page}");
        let jobs = world.run_to(0, &["jobs"]).stdout;
        let row = jobs.lines().nth(1).expect("a job");
        assert_eq!(row.split_whitespace().collect::<Vec<_>>()[1..], ["cancelled", "RY-CA/2025Q2/call_summary"], "no time: it never started");
        assert!(jobs.contains("\n          the run's deadline was past\n"), "{jobs}");

        world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("deadline: 1ms", "max_parallel: 1"));
        world.available("TD", 6, 2025, "Q2");
        world.run_to(1, &["run", "--fail-fast"]);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE error = 'another job failed, and --fail-fast was given'"), "1");
    }

    fn a_wrong_row_and_an_end_that_is_not_on_record_are_told_now_and_later(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &[]);
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 9, 2025, "Q1");
        refuse_ry(world);
        world.run_to(1, &["run"]);
        assert_eq!(then(world, "RY 2025 Q1 call_summary", "0s").0, "invalid");
        let (decided, page) = then(world, "RY 2025 Q2 call_summary", "0s");
        assert!(decided == "unrecorded" && page.contains("how is not on record"), "{page}");
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("unrecorded", "spool"));
        world.run_to(1, &["run"]);
        let (decided, page) = then(world, "RY 2025 Q2 call_summary", "0s");
        assert!(decided == "unrecorded" && page.contains("was not in the database: ") && page.contains("not this one"), "{page}");
        refuse_no_longer(world);
        world.run(&["run"]);
        assert_eq!(then(world, "RY 2025 Q2 call_summary", "0s").0, "done");
    }

    fn what_another_run_makes_is_told_of_the_time_in_which_it_did(world: &World) {
        world.single_etl(&format!("{WAITS}exit 65\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let one = world.spawn(&["run-one", "RY", "2025", "Q2", "call_summary"]);
        until("the ETL runs", || world.path("waiting").exists());
        world.run_to(0, &["run"]);
        let claimed = "SELECT gap_key, decision, until IS NULL FROM decisions";
        assert!(world.value(claimed).starts_with("RY-CA/2025Q2/call_summary|claimed|"));
        let (decided, page) = then(world, "RY 2025 Q2 call_summary", "0s");
        assert!(decided == "running" && page.contains("it was being made by job") && page.contains(" was under way, begun at"), "{page}");
        world.write("go", "");
        assert_eq!(one.wait().code, 1);
        assert_eq!(then(world, "RY 2025 Q2 call_summary", "0s").0, "failed", "nobody is at it any more");
        world.run_to(0, &["run"]);
        assert_eq!(then(world, "RY 2025 Q2 call_summary", "0s").0, "quarantined");
    }

    fn what_max_jobs_cuts_off_is_said_to_wait_for_a_later_run(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &[]);
        world.also("run: {max_jobs: 1}");
        for quarter in ["Q1", "Q2"] {
            world.available("RY", 1, 2025, quarter);
        }
        assert_eq!(decision(world, "RY 2025 Q2 call_summary"), is("run", "turn"));
        assert_eq!(decision(world, "RY 2025 Q1 call_summary"), is("capped", "turn"));
        assert!(world.run_to(0, &["why"]).stdout.contains("1 more gap wait"), "it is counted");
    }

    fn a_source_is_explained_like_a_report(world: &World) {
        world.also("sources:\n  daily:\n    every: 1d\n    command: [sh, -c, \"exit 65\"]");
        assert_eq!(decision(world, "daily"), is("run", "due"));
        world.run_to(0, &["sources", "pause", "daily", "--reason", "vendor is down"]);
        assert_eq!(decision(world, "daily"), is("paused", "paused"));
        let page = why(world, "daily");
        assert!(page.contains("vendor is down") && page.ends_with("  etl-orch sources resume daily --reason \"...\" --config etl-orch.yaml\n"), "{page}");
        world.run_to(0, &["sources", "resume", "daily", "--reason", "x"]);
        world.run_to(1, &["run"]);
        assert_eq!(decision(world, "source:daily"), is("quarantined", "failures"));
        assert!(world.run_to(0, &["why"]).stdout.contains("daily"), "it is listed");
        world.run_to(2, &["why", "dayly"]);
    }

    fn what_was_decided_is_told_of_any_later_time_from_the_record_alone(world: &World) {
        world_with_needs(world);
        let empty = then(world, "TD 2025 Q2 call_summary", "1h");
        assert!(empty.0 == "unknown" && empty.1.contains("no run had ever begun; none has begun since"), "{empty:?}");
        world.run_to(1, &["run", "--bank-symbol", "TD"]);
        world.run_to(0, &["run", "--bank-symbol", "RY"]);
        // Nothing was decided against the gap when its job was planned; the next run is the first that finds it cooling down.
        assert_eq!(then(world, "TD 2025 Q2 call_summary", "0s").0, "failed");
        world.run_to(0, &["run", "--from-year", "2025"]);
        let decisions = "SELECT gap_key, decision, coalesce(CAST(until AS text), 'now') FROM decisions ORDER BY gap_key, since";
        let recorded = world.sql(decisions);
        assert_eq!(recorded, ["TD-CA/2025Q2/call_summary|cooling_down|now", "TD-CA/2025Q2/key_themes|waiting|now"]);
        world.run_to(0, &["run"]);
        assert_eq!(world.sql(decisions), recorded, "what does not change is not written again");
        let (decision, page) = then(world, "TD 2025 Q2 call_summary", "0s");
        assert_eq!(decision, "cooling_down");
        assert!(page.contains("that run was started as run --from-year 2025") && page.contains("last job: "), "{page}");
        let since = match world.kind() {
            Kind::Sqlite => "since",
            Kind::Postgres => "to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        };
        let at = world.value(&format!("SELECT {since} FROM decisions WHERE decision = 'cooling_down'"));

        world.run_to(0, &["skip", "TD", "2025", "Q2", "key_themes", "--reason", "not now"]);
        assert!(then(world, "TD 2025 Q2 key_themes", "0s").1.contains("order in force: skip TD-CA/2025Q2/key_themes"));
        world.run_to(0, &["run"]);
        assert_eq!(then(world, "TD 2025 Q2 key_themes", "0s").0, "skipped");
        world.run_to(0, &["retry", "TD", "--reason", "x"]);
        world.write("for_good", "");
        world.run_to(1, &["run"]);
        world.run_to(0, &["run"]);
        assert_eq!(then(world, "TD-CA/2025Q2/call_summary", "0s").0, "quarantined");
        assert_eq!(then(world, "TD-CA/2025Q2/call_summary", &at).0, "cooling_down", "as it was then");
        let page = world.run_to(0, &["why", "TD", "--at", "0s"]).stdout;
        assert!(page.contains("TD-CA/2025Q2/call_summary") && page.contains("quarantined since"), "{page}");
        let page = world.run_to(0, &["why", "--at", "0s"]).stdout;
        assert!(page.contains("it waited for call_summary"), "{page}");
        world.run_to(2, &["why", "TD", "--at", "2126-01-01"]);
    }

    fn a_run_that_is_idle_or_dry_records_no_decision(world: &World) {
        world.single_etl("exit 65\n", &[]);
        world.available("RY", 1, 2025, "Q2");
        world.run_to(1, &["run"]);
        world.run_to(0, &["--dry-run"]);
        assert_eq!(world.value("SELECT count(*) FROM decisions"), "0");
        world.run_to(0, &["run"]);
        world.run_to(0, &["run"]);
        assert_eq!(world.sql("SELECT gap_key, decision FROM decisions"), ["RY-CA/2025Q2/call_summary|quarantined"]);
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        world.run_to(0, &["run"]);
        assert_eq!(world.value("SELECT count(*) FROM decisions WHERE until IS NULL"), "0", "somebody else made it");
    }

    fn what_max_jobs_left_is_counted_with_its_run(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &[]);
        world.also("run: {max_jobs: 1}");
        for quarter in ["Q1", "Q2", "Q3"] {
            world.available("RY", 1, 2025, quarter);
        }
        world.run_to(0, &["run"]);
        let (decision, page) = then(world, "RY 2025 Q1 call_summary", "0s");
        assert!(decision == "unknown" && page.contains("the last run left 2\n  gaps for later ones by max_jobs"), "{page}");
        assert_eq!(then(world, "RY 2025 Q3 call_summary", "0s").0, "done");
    }
}
