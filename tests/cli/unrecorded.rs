//! The database refuses how a job ended: the end waits in the spool, and its gap with it, until the database takes it or somebody gives
//! it up.

use std::fs;

use crate::database_away::spooled;
use crate::on_both_databases;
use crate::support::world::{Done, WAITS};
use crate::support::{Kind, World, etl, until};

/// Writes a mark for each time it runs.
const MARKS: &str = "echo \"$2\" >> marks\necho report > \"$4\"\n";

fn marks(world: &World) -> Vec<String> {
    let mut marks: Vec<String> = world.read("marks").lines().map(str::to_owned).collect();
    marks.sort();
    marks
}

/// RY and TD, for which an ETL is to run.
fn two_banks(world: &World, script: &str) {
    world.single_etl(script, &["retry: {max_attempts: 2}"]);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
}

/// Has the reports table refuse rows of RY.
pub(crate) fn refuse_ry(world: &World) {
    world.sql(match world.kind() {
        Kind::Sqlite => {
            "CREATE TRIGGER refuses BEFORE INSERT ON aegis_reports WHEN NEW.bank_symbol = 'RY'
             BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        }
        Kind::Postgres => {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.bank_symbol = 'RY' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuses BEFORE INSERT ON aegis_reports FOR EACH ROW EXECUTE FUNCTION refuse()"
        }
    });
}

pub(crate) fn refuse_no_longer(world: &World) {
    world.sql(match world.kind() {
        Kind::Sqlite => "DROP TRIGGER refuses",
        Kind::Postgres => "DROP TRIGGER refuses ON aegis_reports",
    });
}

/// That a run said what waits and why, and that nothing of it was started or called lost.
fn waits(world: &World, done: &Done, why: &str) {
    let page = &done.stdout;
    assert!(page.contains("RY-CA/2025Q2/call_summary: its end waits in the spool (job ") && page.contains(why), "{page}");
    assert!(!page.contains("died"), "{page}");
    assert_eq!(world.value("SELECT state FROM etl_jobs WHERE gap_key = 'RY-CA/2025Q2/call_summary'"), "running");
    assert_eq!(marks(world).iter().filter(|mark| *mark == "RY").count(), 1, "{page}");
}

on_both_databases! {
    fn a_row_that_is_refused_waits_alone_and_is_recorded_once(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        let first = world.run_to(1, &[]);
        assert!(first.stdout.contains("Successful: 1") && first.stdout.contains("not this one"), "{}", first.stdout);
        assert_eq!(spooled(world).len(), 1);

        let dry = world.run_to(0, &["--dry-run"]);
        waits(world, &dry, "not this one");
        world.available("BMO", 2, 2025, "Q2");
        let second = world.run_to(1, &[]);
        waits(world, &second, "not this one");
        assert!(second.stdout.contains("etl-orch retry GAP --reason TEXT"), "{}", second.stdout);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"], "the others go on");
        let third = world.run_to(1, &["--format", "json", "-q"]);
        let json = third.json();
        assert_eq!((&json["gaps"]["unrecorded"], &json["gaps"]["total"]), (&1.into(), &1.into()), "{json}");
        assert_eq!(json["unrecorded"][0]["gap"], "RY-CA/2025Q2/call_summary");

        refuse_no_longer(world);
        let last = world.run_to(0, &[]);
        assert!(last.stdout.contains("Recorded from the spool: 1 attempt"), "{}", last.stdout);
        assert_eq!(world.reports().len(), 3);
        assert_eq!(marks(world), ["BMO", "RY", "TD"]);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state <> 'succeeded'"), "0");
        assert!(fs::read_dir(world.path("var/spool")).expect("a directory").next().is_none());
        world.run_to(0, &[]);
        assert_eq!(world.value("SELECT count(*) FROM aegis_reports"), "3");
    }

    fn what_waits_for_a_record_in_vain_says_so_and_the_run_has_not_done_its_work(world: &World) {
        let script = format!("echo \"$1 $2\" >> marks\n[ \"$1 $2\" != 'call_summary TD' ] || {{ {WAITS} }}\necho report > \"$4\"\n");
        let etls = [etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &["needs: [call_summary]"])];
        world.etls(&script, &etls);
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        refuse_ry(world);
        let running = world.spawn(&["--max-parallel", "2"]);
        running.until_it_says("is kept in the spool");
        until("TD is at work", || world.path("waiting").exists());
        refuse_no_longer(world);
        world.write("go", "");
        let done = running.wait();
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("Successful: 3") && done.stdout.contains("Not run: 1"), "it is on record at last: {}", done.stdout);
        assert!(done.stdout.contains("1 job: it needs call_summary, and how that ended is not on record yet"), "{}", done.stdout);
        assert!(done.stdout.contains("not this one") && done.stdout.contains("; 1 job was not done because of that"), "{}", done.stdout);
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 4);
        assert_eq!(marks(world), ["call_summary RY", "call_summary TD", "key_themes RY", "key_themes TD"]);
    }

    fn retry_gives_an_end_up_and_has_the_work_done_again(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        let given_up = world.run_to(0, &["retry", "RY", "2025Q2", "call_summary", "--reason", "not as it should be"]);
        assert!(given_up.stdout.contains("its end was given up"), "{}", given_up.stdout);
        assert!(spooled(world).is_empty());
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled", "TD-CA/2025Q2/call_summary|succeeded"]);
        refuse_no_longer(world);
        world.run_to(0, &[]);
        assert_eq!(marks(world), ["RY", "RY", "TD"]);
        assert_eq!(world.reports().len(), 2);
    }

    fn cancel_gives_an_end_up_and_leaves_the_gap_alone(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        let job = world.value("SELECT id FROM etl_jobs WHERE state = 'running'");
        let cancelled = world.run_to(0, &["cancel", &job, "--reason", "nobody wants it"]);
        assert!(cancelled.stdout.contains("is cancelled"), "{}", cancelled.stdout);
        assert!(spooled(world).is_empty());
        let next = world.run_to(0, &[]);
        assert!(next.stdout.contains("1 is skipped"), "{}", next.stdout);
        assert_eq!(marks(world), ["RY", "TD"]);
    }

    fn an_entry_that_cannot_be_read_keeps_its_gap_too(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        let entry = spooled(world).remove(0);
        let text = fs::read_to_string(&entry).expect("an entry");
        fs::write(&entry, &text[..text.len() / 2]).expect("an entry");
        refuse_no_longer(world);
        let next = world.run_to(1, &[]);
        waits(world, &next, "cannot be read");
        let dry = world.run_to(0, &["--dry-run"]);
        waits(world, &dry, "cannot be read");

        world.run_to(0, &["retry", "RY", "2025Q2", "call_summary", "--reason", "it is broken"]);
        world.run_to(0, &[]);
        assert_eq!(marks(world), ["RY", "RY", "TD"]);
        assert_eq!(world.jobs()[..2], ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
        assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE lost > 0"), "0", "nobody is charged");
    }

    fn no_success_is_recorded_for_a_report_that_is_not_there(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        refuse_no_longer(world);
        // As when its file system is not mounted.
        fs::rename(world.path("reports"), world.path("away")).expect("a directory");
        for (args, code) in [(&[][..], 1), (&["--dry-run"], 0)] {
            waits(world, &world.run_to(code, args), "the report that it made is not at ");
        }
        // The run may have made the directory.
        let _ = fs::remove_dir_all(world.path("reports"));
        fs::rename(world.path("away"), world.path("reports")).expect("a directory");
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
        assert_eq!(world.value("SELECT markdown_content FROM aegis_reports WHERE bank_symbol = 'RY'"), "report");
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "report\n");
        assert_eq!(marks(world), ["RY", "TD"], "each ran once");
    }

    fn another_host_leaves_an_end_to_the_host_that_has_it(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        refuse_no_longer(world);
        // As another host sees it, and as a run with another state directory does: without this spool.
        world.sql("UPDATE etl_runs SET host = 'elsewhere', state_dir = '/elsewhere'");
        fs::rename(world.path("var/spool"), world.path("spool")).expect("a directory");
        for (args, code) in [(&["--dry-run"][..], 0), (&[], 1)] {
            waits(world, &world.run_to(code, args), "host elsewhere has it in /elsewhere, and could not record it yet");
        }
        let this_host = world.value("SELECT host FROM etl_runs WHERE host <> 'elsewhere' LIMIT 1");
        world.sql(&format!("UPDATE etl_runs SET host = '{this_host}'"));
        waits(world, &world.run_to(1, &[]), " has it in /elsewhere, and could not record it yet");
        fs::remove_dir_all(world.path("var/spool")).expect("a directory");
        fs::rename(world.path("spool"), world.path("var/spool")).expect("a directory");
        world.run_to(0, &[]);
        assert_eq!(marks(world), ["RY", "TD"], "each ran once");
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
    }

    fn a_dry_run_that_cannot_read_the_spool_calls_nothing_lost(world: &World) {
        two_banks(world, MARKS);
        refuse_ry(world);
        world.run_to(1, &[]);
        fs::rename(world.path("var/spool"), world.path("var/hidden")).expect("a directory");
        world.write("var/spool", "");
        let dry = world.run_to(0, &["--dry-run"]);
        waits(world, &dry, "cannot be read");
    }
}

/// Has the trigger that refuses RY raise an error with this code.
fn refuse_with(world: &World, code: &str) {
    world.sql(&format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.bank_symbol = 'RY' THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$"
    ));
}

#[test]
fn whatever_the_error_is_the_gap_waits() {
    let world = World::new(Kind::Postgres);
    two_banks(&world, MARKS);
    world.sql("ALTER TABLE aegis_reports ADD CONSTRAINT no_ry CHECK (bank_symbol <> 'RY')");
    world.run_to(1, &[]);
    waits(&world, &world.run_to(1, &[]), "violates check constraint");
    world.sql("ALTER TABLE aegis_reports DROP CONSTRAINT no_ry");
    refuse_ry(&world);
    // No room, a right, a statement that took too long, a lock, text that the server cannot hold, and a bug of the server.
    for code in ["53100", "42501", "57014", "55P03", "22P05", "XX000"] {
        refuse_with(&world, code);
        waits(&world, &world.run_to(1, &[]), "recording the end of a job");
    }
    assert_eq!(world.reports(), ["TD 2025 Q2 Call Summary"]);
    refuse_no_longer(&world);
    world.run_to(0, &[]);
    assert_eq!(world.reports().len(), 2);
    assert_eq!(marks(&world), ["RY", "TD"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state <> 'succeeded'"), "0");
    assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE lost > 0 OR failed_runs > 0"), "0", "nobody is charged");
}

/// A user that has no more rights than it needs. Returns its name.
fn restricted(world: &World) -> String {
    let role = format!("{}_etl", world.value("SELECT current_database()"));
    world.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role};
         GRANT SELECT ON aegis_data_availability TO {role}; GRANT SELECT, INSERT, UPDATE ON aegis_reports TO {role};
         GRANT USAGE ON SEQUENCE aegis_reports_id_seq TO {role}",
        world.value("SELECT current_database()")
    ));
    let config = world.read("etl-orch.yaml").replace("postgres://postgres@", &format!("postgres://{role}@"));
    world.write("etl-orch.yaml", &config);
    role
}

#[test]
fn ends_wait_for_a_right_that_was_taken_in_mid_run() {
    let world = World::new(Kind::Postgres);
    two_banks(&world, &format!("echo \"$2\" >> marks\n[ \"$2\" = TD ] || {{ {WAITS} }}\necho report > \"$4\"\n"));
    let role = restricted(&world);
    let running = world.spawn(&[]);
    until("both run", || world.path("waiting").exists() && world.read("marks").lines().count() == 2);
    until("one is done", || world.reports().len() == 1);
    world.sql(&format!("REVOKE INSERT, UPDATE ON aegis_reports FROM {role}"));
    world.write("go", "");
    let first = running.wait();
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(spooled(&world).len(), 1);
    for _ in 0..2 {
        let next = world.run_to(1, &[]);
        assert!(next.stderr.contains(&format!("GRANT INSERT, UPDATE ON aegis_reports TO {role}")), "{}", next.stderr);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'running'"), "1");
    }
    let dry = world.run_to(0, &["--dry-run"]);
    waits(&world, &dry, "permission denied");
    assert!(dry.stdout.contains("GRANT INSERT, UPDATE ON aegis_reports"), "{}", dry.stdout);

    world.sql(&format!("GRANT INSERT, UPDATE ON aegis_reports TO {role}"));
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
    assert_eq!(marks(&world), ["RY", "TD"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state <> 'succeeded'"), "0");
}
