//! The database refuses to record the ends of jobs, for each kind of reason: they wait in the spool, later runs start nothing again, and
//! each end is recorded once when it can be.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::scene::Scene;
use crate::seed::message;
use crate::server;
use crate::support::{Kind, until};

/// An ETL that says that it started, waits for the file `go`, and makes its report. `key_themes` needs `call_summary`, and writes its row.
const ETL: &str = r#"echo "$2 $1" >>starts
until [ -e go ]; do sleep 0.02; done
case $1 in
    call_summary) echo "$2" >"$4" ;;
    key_themes)
        . ./sql.sh
        sql "INSERT INTO aegis_reports (report_name, report_description, report_type, bank_id, bank_name, bank_symbol, fiscal_year, quarter)
            VALUES ('Name', 'Description', 'Key Themes', $4, 'Bank', '${2%-*}', ${3%Q*}, 'Q${3#*Q}')"
        ;;
esac
"#;

const COLLECT: &str = "echo \"$1\" >>starts\nuntil [ -e go ]; do sleep 0.02; done\n";

/// What starts in the first run. Those that need them start once these are recorded.
const FIRST: [&str; 3] = ["BMO-CA call_summary", "RY-CA call_summary", "archive"];

const ALL: [&str; 5] = ["BMO-CA call_summary", "BMO-CA key_themes", "RY-CA call_summary", "RY-CA key_themes", "archive"];

/// Why the database refuses.
struct Refusal {
    name: &'static str,
    how: How,
}

enum How {
    /// These statements make it refuse; these mend it. `<role>` is the user of etl-orch.
    Sql(&'static str, &'static str),
    /// On PostgreSQL: the same, after which connections are made anew.
    Session(&'static str, &'static str),
    /// A client executes the statement in a transaction, which stays open.
    Held(&'static str),
    /// The database lets nobody in.
    Closed,
}

const POSTGRES: &[Refusal] = &[
    Refusal {
        name: "rights on reports are revoked",
        how: How::Sql("REVOKE INSERT, UPDATE ON aegis_reports FROM <role>", "GRANT INSERT, UPDATE ON aegis_reports TO <role>"),
    },
    Refusal {
        name: "rights on jobs are revoked",
        how: How::Sql("REVOKE UPDATE ON etl_orch.etl_jobs FROM <role>", "GRANT UPDATE ON etl_orch.etl_jobs TO <role>"),
    },
    Refusal {
        name: "a check of reports",
        how: How::Sql(
            "ALTER TABLE aegis_reports ADD CONSTRAINT refused CHECK (report_type <> 'Call Summary')",
            "ALTER TABLE aegis_reports DROP CONSTRAINT refused",
        ),
    },
    Refusal {
        name: "a trigger of reports raises",
        how: How::Sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON aegis_reports FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON aegis_reports",
        ),
    },
    Refusal {
        name: "a trigger of jobs raises",
        how: How::Sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$; \
             CREATE TRIGGER refuse BEFORE UPDATE ON etl_orch.etl_jobs FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON etl_orch.etl_jobs",
        ),
    },
    Refusal {
        name: "a column is gone",
        how: How::Sql(
            "ALTER TABLE aegis_reports RENAME COLUMN report_description TO gone",
            "ALTER TABLE aegis_reports RENAME COLUMN gone TO report_description",
        ),
    },
    Refusal {
        name: "a column is new and must not be empty",
        how: How::Sql("ALTER TABLE aegis_reports ADD COLUMN new TEXT NOT NULL", "ALTER TABLE aegis_reports DROP COLUMN new"),
    },
    Refusal {
        name: "statements are cancelled, as when they take too long",
        how: How::Sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused' USING ERRCODE = 'query_canceled'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON aegis_reports FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON aegis_reports",
        ),
    },
    Refusal {
        name: "transactions are read-only",
        how: How::Session(
            "ALTER ROLE <role> SET default_transaction_read_only = on",
            "ALTER ROLE <role> RESET default_transaction_read_only",
        ),
    },
    Refusal { name: "the user may not log in", how: How::Session("ALTER ROLE <role> NOLOGIN", "ALTER ROLE <role> LOGIN") },
    Refusal { name: "a lock of reports is held", how: How::Held("LOCK TABLE aegis_reports IN SHARE ROW EXCLUSIVE MODE") },
    Refusal { name: "the database is closed", how: How::Closed },
];

const SQLITE: &[Refusal] = &[
    Refusal {
        name: "a trigger of reports raises",
        how: How::Sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON aegis_reports BEGIN SELECT RAISE(ABORT, 'refused'); END",
            "DROP TRIGGER refuse",
        ),
    },
    Refusal {
        name: "a trigger of reports rolls back",
        how: How::Sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON aegis_reports BEGIN SELECT RAISE(ROLLBACK, 'refused'); END",
            "DROP TRIGGER refuse",
        ),
    },
    Refusal {
        name: "a trigger of jobs raises",
        how: How::Sql("CREATE TRIGGER refuse BEFORE UPDATE ON etl_jobs BEGIN SELECT RAISE(ABORT, 'refused'); END", "DROP TRIGGER refuse"),
    },
    Refusal {
        name: "a column is gone",
        how: How::Sql(
            "ALTER TABLE aegis_reports RENAME COLUMN report_description TO gone",
            "ALTER TABLE aegis_reports RENAME COLUMN gone TO report_description",
        ),
    },
    Refusal { name: "the write lock is held", how: How::Held("SELECT 1") },
];

#[test]
fn ends_wait_and_are_recorded_once_on_sqlite() {
    all_at_once(Kind::Sqlite, SQLITE);
}

#[test]
fn ends_wait_and_are_recorded_once_on_postgres() {
    let _server = server::shared();
    all_at_once(Kind::Postgres, POSTGRES);
}

/// They mostly wait.
fn all_at_once(kind: Kind, refusals: &'static [Refusal]) {
    let failures: Vec<_> = thread::scope(|threads| {
        let play = |refusal: &'static Refusal| {
            let mut scene = Scene::small(kind, 1);
            let played = catch_unwind(AssertUnwindSafe(|| one(&mut scene, refusal)));
            let place = |cause: &str| format!("{}: {cause}\nits files are in {}\n", refusal.name, scene.keep(refusal.name).display());
            played.err().map(|cause| place(message(&*cause)))
        };
        let running: Vec<_> = refusals.iter().map(|refusal| threads.spawn(move || play(refusal))).collect();
        running.into_iter().filter_map(|thread| thread.join().expect("its panics are caught")).collect()
    });
    assert!(failures.is_empty(), "{} of {} failed:\n\n{}", failures.len(), refusals.len(), failures.join("\n"));
}

fn one(scene: &mut Scene, refusal: &Refusal) {
    prepare(scene, refusal);
    let run = scene.start(&[]);
    until("the first ETLs have started", || starts(scene).len() == FIRST.len());
    let held = refuse(scene, refusal);
    scene.world().write("go", "");
    // A run waits for a minute when it cannot write at all.
    let is_short = scene.kind() == Kind::Sqlite && held.is_some();
    if is_short {
        until("the ends are in the spool", || scene.shell("find state/spool -name '*.json'").lines().count() == FIRST.len());
        mend(scene, refusal, held);
        assert_eq!(run.wait().code, 1);
    } else {
        assert_eq!(run.wait().code, 1);
        later_runs_start_nothing(scene);
        mend(scene, refusal, held);
    }
    let lost = scene.sql("SELECT gap_key, state FROM etl_jobs WHERE state IN ('lost', 'failed')");
    assert_eq!(lost, [""; 0], "an end that waits is no loss and no failure");
    for _ in 0..2 {
        let done = scene.start(&[]).wait();
        assert_eq!(done.code, 0, "after the mending: {done:?}");
        assert_eq!(starts(scene), ALL, "each was started once: {done:?}");
    }
    let jobs = scene.sql("SELECT gap_key, state FROM etl_jobs WHERE state <> 'skipped' AND state <> 'cancelled' ORDER BY gap_key");
    let gaps = [
        "BMO-CA/2000Q1/call_summary",
        "BMO-CA/2000Q1/key_themes",
        "RY-CA/2000Q1/call_summary",
        "RY-CA/2000Q1/key_themes",
        "source:archive",
    ];
    assert_eq!(jobs, gaps.map(|gap| format!("{gap}|succeeded")));
    assert_eq!(scene.missing(), 0);
    assert_eq!(scene.shell("find state/spool -type f"), "", "left in the spool");
    assert_eq!(scene.sql("SELECT gap_key FROM gap_states WHERE quarantined_at IS NOT NULL OR failed_runs > 0"), [""; 0], "charged");
}

fn later_runs_start_nothing(scene: &mut Scene) {
    for _ in 0..2 {
        let done = scene.start(&[]).wait();
        // Exit code 2: the tables are not as they must be, and nothing was started.
        assert!(matches!(done.code, 1 | 2), "a later run: {done:?}");
        assert_eq!(starts(scene), FIRST, "nothing is started again: {done:?}");
    }
}

/// What ETLs wrote at their start, sorted.
fn starts(scene: &Scene) -> Vec<String> {
    let mut starts: Vec<_> = scene.world().read("starts").lines().map(str::to_owned).collect();
    starts.sort();
    starts
}

/// Our own tables, the scripts, and the user of etl-orch on PostgreSQL, who may do only what it needs.
fn prepare(scene: &mut Scene, refusal: &Refusal) {
    scene.world().write("starts", "");
    scene.world().write("etl.sh", ETL);
    scene.world().write("collect.sh", COLLECT);
    if scene.kind() == Kind::Postgres {
        let role = role(scene);
        scene.sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; \
             GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
            database(scene)
        ));
        if matches!(refusal.how, How::Held(_)) {
            scene.sql(&format!("ALTER ROLE {role} SET lock_timeout = '100ms'"));
        }
        let config = scene.world().read("etl-orch.yaml").replace("postgres://postgres@", &format!("postgres://{role}@"));
        scene.world().write("etl-orch.yaml", &config);
    }
    scene.make_tables();
}

fn database(scene: &Scene) -> String {
    scene.sql("SELECT current_database()").remove(0)
}

fn role(scene: &Scene) -> String {
    format!("user_of_{}", database(scene))
}

/// A client that holds a lock until its stdin ends.
type Holder = Child;

fn refuse(scene: &Scene, refusal: &Refusal) -> Option<Holder> {
    match refusal.how {
        How::Sql(refuse, _) => execute(scene, refuse),
        How::Session(refuse, _) => {
            execute(scene, refuse);
            let role = role(scene);
            scene.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"));
        }
        How::Held(statement) => return Some(hold(scene, statement)),
        How::Closed => {
            let name = database(scene);
            let terminate = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            outside(scene, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
            outside(scene, &terminate);
            scene.world().write("name", &name);
        }
    }
    None
}

fn mend(scene: &Scene, refusal: &Refusal, held: Option<Holder>) {
    match refusal.how {
        How::Sql(_, mend) | How::Session(_, mend) => execute(scene, mend),
        How::Held(_) => {
            let mut holder = held.expect("a client");
            drop(holder.stdin.take());
            assert!(holder.wait().is_ok_and(|status| status.success()), "the client that held the lock");
        }
        How::Closed => outside(scene, &format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", scene.world().read("name"))),
    }
}

fn execute(scene: &Scene, statements: &str) {
    let statements = if statements.contains("<role>") { statements.replace("<role>", &role(scene)) } else { statements.to_owned() };
    scene.sql(&statements);
}

/// Executes a statement in another database of the server.
fn outside(scene: &Scene, statement: &str) {
    let output = scene.world().psql().args(["-d", "postgres", "-c", statement]).output().expect("psql");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A client in an open transaction: on SQLite it holds the write lock.
fn hold(scene: &Scene, statement: &str) -> Holder {
    let (mut client, begin, say) = match scene.kind() {
        Kind::Sqlite => {
            let mut sqlite = Command::new("sqlite3");
            sqlite.args(["-cmd", ".timeout 20000", "var/etl-orch.db"]);
            (sqlite, "BEGIN IMMEDIATE", ".shell touch held")
        }
        Kind::Postgres => (scene.world().psql(), "BEGIN", "\\! touch held"),
    };
    let mut client = client.current_dir(scene.world().path("")).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a client");
    let stdin = client.stdin.as_mut().expect("piped");
    stdin.write_all(format!("{begin};\n{statement};\n{say}\n").as_bytes()).expect("it reads");
    until("the lock is held", || scene.world().path("held").exists());
    client
}
