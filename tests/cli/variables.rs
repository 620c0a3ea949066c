//! What stands in `.env`, in an `env_file` and in the environment is taken as its users mean it.

use std::process::Command;

use crate::support::world::Done;
use crate::support::{Kind, World};

/// Values as users write them, and what they mean.
const VALUES: &[(&str, &str)] = &[
    ("pa$word123", "pa$word123"),
    ("pa$$word", "pa$$word"),
    ("password$", "password$"),
    (r#"{"a":1}"#, r#"{"a":1}"#),
    ("two words # comment", "two words"),
    ("it's", "it's"),
    (r"C:\new", r"C:\new"),
    ("'${HOME}'", "${HOME}"),
    ("${V0}-${NONE:-x}", "pa$word123-x"),
    (r#""a\tb""#, "a\tb"),
];

#[test]
fn values_of_both_files_arrive_as_python_dotenv_reads_them() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let lines: Vec<String> = VALUES.iter().enumerate().map(|(n, (written, _))| format!("V{n}={written}\n")).collect();
    // The first value of a name does not count, and what cannot be read stops nothing.
    let text = format!("V1=first\nexport my-name = 'x'\nSECRET_TOKEN: s3cret\n{}", lines.concat());
    world.write(".env", &text);
    world.write("etl.env", &text.replace('V', "F"));
    let env: Vec<String> = (0..VALUES.len()).map(|n| format!("E{n}: \"${{V{n}}}\"")).collect();
    let env = format!("env: {{{}}}", env.join(", "));
    // As it was handed over: a shell drops names that it cannot use.
    world.single_etl("cat /proc/$$/environ > environment\necho report > \"$4\"\n", &["env_file: etl.env", &env]);

    let mut command = world.command(&[]);
    command.env("ETL_ORCH_FORCE", "1").env("ETL_ORCH_FENCE", "99").env("ETL_ORCH_OF_ANOTHER", "x").env("ETL_ORCH_CONFIG", "etl-orch.yaml");
    let done = Done::of(&command.output().expect("the binary starts"));
    assert_eq!(done.code, 0, "{done:?}");
    let environment = world.read("environment");
    let told: Vec<&str> = environment.split('\0').collect();
    for (n, (written, meant)) in VALUES.iter().enumerate() {
        for name in ["E", "F"] {
            let meant = meant.replace('V', name);
            assert!(told.contains(&format!("{name}{n}={meant}").as_str()), "{name}{n} {written}: {told:?}");
        }
    }
    assert!(told.contains(&"my-name=x"), "{told:?}");
    for file in [".env", "etl.env"] {
        assert!(done.stdout.contains(&format!("{file}:3:1: this line is ignored, as it is not NAME=value")), "{}", done.stdout);
    }
    assert!(!done.stdout.contains("s3cret") && !done.stderr.contains("s3cret"), "{done:?}");

    let own: Vec<&&str> = told.iter().filter(|variable| variable.starts_with("ETL_ORCH_F") || variable.starts_with("ETL_ORCH_O")).collect();
    assert!(own.iter().any(|variable| variable.starts_with("ETL_ORCH_FENCE=") && **variable != "ETL_ORCH_FENCE=99"), "{own:?}");
    assert!(own.iter().any(|variable| variable.starts_with("ETL_ORCH_FISCAL_YEAR=")), "{own:?}");
    assert!(!own.iter().any(|variable| variable.starts_with("ETL_ORCH_FORCE") || variable.starts_with("ETL_ORCH_OF")), "{own:?}");
    assert!(told.contains(&"ETL_ORCH_CONFIG=etl-orch.yaml"), "an etl-orch that it calls finds the configuration");
}

#[test]
fn an_ignored_line_stands_beside_the_mistake_that_it_may_explain() {
    let world = World::new(Kind::Sqlite);
    world.write(".env", "A=1\nREPORTS_DIR: reports\n");
    world.single_etl("", &["env: {DIR: \"${REPORTS_DIR}\"}"]);
    let done = world.run_to(2, &["config", "check"]);
    for words in ["variable REPORTS_DIR is not set", ".env:2:1: this line is ignored, as it is not NAME=value"] {
        assert!(done.stderr.contains(words), "{done:?}");
    }
}

/// A password with every character that means something in an address.
const PASSWORD: &str = "p@s/s3:c?r#e&t%41 x";

#[test]
fn a_password_from_a_variable_may_hold_any_character_and_nobody_sees_it() {
    let world = World::new(Kind::Postgres);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo report > \"$4\"\n", &[]);
    let (config, (_, server)) = (world.read("etl-orch.yaml"), world.url().split_once('@').expect("a user"));
    let is_hidden = |done: &Done| {
        for part in ["p@s", "s3:c", "c?r", "r#e", "e&t", "%41", "p%40s", "postgres@"] {
            assert!(!done.stdout.contains(part) && !done.stderr.contains(part), "{part}: {done:?}");
        }
    };
    for (address, variable, value) in [
        ("postgres://postgres:${DB_PASSWORD}@", "DB_PASSWORD", PASSWORD.to_owned()),
        ("postgres://${DB_LOGIN}@", "DB_LOGIN", format!("postgres:{PASSWORD}")),
        ("${DB_BEGIN}@", "DB_BEGIN", format!("postgres://postgres:{}", PASSWORD.replace('/', "%2F"))),
    ] {
        world.write("etl-orch.yaml", &config.replace(world.url(), &format!("{address}{server}")));
        world.write(".env", &format!("{variable}='{value}'\n"));
        for args in [&["config", "check"][..], &["--dry-run"], &["--dry-run", "--format", "json"], &["--log-level", "debug"], &["sources"]]
        {
            is_hidden(&world.run_to(0, args));
        }
        let page = world.run_to(0, &["config", "check"]).stdout;
        assert!(page.contains("  database      postgres://localhost:"), "{page}");
        assert_eq!(page.contains("is taken as it is, and so are %40"), variable != "DB_BEGIN", "{page}");
    }
    // One that cannot be told apart from the rest is refused, and so is a host that would bring a user with it.
    for (address, variable, value) in [
        ("${DATABASE_URL}", "DATABASE_URL", format!("postgres://postgres:{PASSWORD}@{server}")),
        ("postgres://postgres:x@${DB_HOST}/d", "DB_HOST", format!("{PASSWORD}@h")),
    ] {
        world.write("etl-orch.yaml", &config.replace(world.url(), address));
        world.write(".env", &format!("{variable}='{value}'\n"));
        for args in [&["config", "check"][..], &["--dry-run"], &["init"]] {
            let done = world.run_to(2, args);
            assert!(done.stderr.contains("database.url") && done.stderr.contains(variable), "{done:?}");
            is_hidden(&done);
        }
    }
}

#[test]
fn whoever_gives_an_order_has_a_name() {
    let world = World::new(Kind::Sqlite);
    let mut command = world.command(&["skip", "RY", "2025Q2", "--reason", "later"]);
    for variable in ["SUDO_USER", "USER", "LOGNAME"] {
        command.env_remove(variable);
    }
    assert!(command.status().expect("the binary starts").success());
    let id = Command::new("id").arg("-un").output().expect("id");
    let name = String::from_utf8_lossy(&id.stdout).trim().to_owned();
    assert!(world.sql("SELECT DISTINCT actor FROM overrides") == [name.as_str()], "{name}");
}

/// As a user who may not enter a directory; root may enter every one.
#[test]
fn a_directory_that_may_not_be_entered_is_passed_over_or_named() {
    let world = World::new(Kind::Sqlite);
    for name in ["closed/.config/etl-orch/etl-orch.yaml", "open/closed.yaml"] {
        world.write(name, &world.read("etl-orch.yaml").replace("state_dir: var", "state_dir: ../closed/var"));
    }
    world.write("open/monitored_institutions.yaml", &world.read("monitored_institutions.yaml"));
    let program = world.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_etl-orch"), &program).expect("a copy");
    let user = rustix::process::geteuid().is_root().then_some("65534");
    let before: Vec<&str> = user.map(|user| vec!["--reuid", user, "--regid", user, "--clear-groups", "--"]).unwrap_or_default();
    let script = "chmod a+x . && chmod -R a+rX open program && chmod 0 closed && cd open && shift && exec \"$@\"";
    let with = |args: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", "-"]);
        if user.is_some() {
            command.arg("setpriv").args(&before);
        }
        command.arg(&program).args(args).current_dir(world.path("")).env_remove("ETL_ORCH_CONFIG").env_remove("XDG_CONFIG_HOME");
        Done::of(&command.env("HOME", world.path("closed")).output().expect("sh starts"))
    };
    let none = with(&["config", "check"]);
    let named = with(&["--config", "../closed/.config/etl-orch/etl-orch.yaml", "config", "check"]);
    let state_dir = with(&["--config", "closed.yaml", "run"]);
    let open = Command::new("chmod").args(["700", "closed"]).current_dir(world.path("")).status();
    assert!(open.expect("chmod starts").success());

    let barred = "/closed may not be entered by th";
    for (done, words) in [
        (&none, "/closed/.config/etl-orch/etl-orch.yaml is passed over, as it cannot be read: "),
        (&named, "../closed/.config/etl-orch/etl-orch.yaml: cannot be read: "),
    ] {
        assert!(done.code == 2 && done.stderr.contains(words) && done.stderr.contains(barred), "{done:?}");
    }
    assert!(state_dir.code == 1 && state_dir.stderr.contains(barred), "{state_dir:?}");
}
