//! What a program gets from etl-orch: arguments, environment, workspace.

use std::collections::BTreeMap;

use crate::on_both_databases;
use crate::support::{Kind, World};

/// Prints the environment to `env.N`, N being the attempt.
const SHOWS_ENVIRONMENT: &str = "env > \"env.$ETL_ORCH_ATTEMPT\"\necho report > \"$4\"\n";

fn environment(world: &World, attempt: u32) -> BTreeMap<String, String> {
    let text = world.read(&format!("env.{attempt}"));
    text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

on_both_databases! {
    fn a_program_is_told_what_it_is_to_do(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl(SHOWS_ENVIRONMENT, &[]);
        world.run_to(0, &[]);

        let told = environment(world, 1);
        let (run, job) = (world.value("SELECT id FROM etl_runs"), world.value("SELECT id FROM etl_jobs"));
        for (name, value) in [
            ("BANK_SYMBOL", "RY"),
            ("BANK_KEY", "RY-CA"),
            ("BANK_ID", "1"),
            ("BANK_NAME", "Royal Bank of Canada"),
            ("FISCAL_YEAR", "2025"),
            ("QUARTER", "Q2"),
            ("PERIOD", "2025Q2"),
            ("ETL", "call_summary"),
            ("REPORT_TYPE", "Call Summary"),
            ("ATTEMPT", "1"),
            ("RUN_ID", &run),
            ("JOB_ID", &job),
            ("FENCE", &world.value("SELECT fence FROM etl_jobs")),
        ] {
            assert_eq!(told.get(&format!("ETL_ORCH_{name}")).map(String::as_str), Some(value), "{name}: {told:#?}");
        }
        let work_dir = &told["ETL_ORCH_WORK_DIR"];
        assert!(work_dir.ends_with("/var/work/RY-CA.2025Q2.call_summary"), "{work_dir}");
        assert!(told["ETL_ORCH_OUTPUT"].starts_with(&format!("{work_dir}/output-")), "{told:#?}");
        assert!(!told.contains_key("ETL_ORCH_FORCE"));
        assert_eq!(told["PYTHONUNBUFFERED"], "1");
        assert!(told["TRACEPARENT"].starts_with(&format!("00-{}-", run.replace('-', ""))), "{}", told["TRACEPARENT"]);
        assert_eq!(told["PWD"], world.path("").canonicalize().expect("a path").to_string_lossy());
    }

    fn a_workspace_is_the_gaps_own_until_its_report_exists(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let script = "echo \"$ETL_ORCH_WORK_DIR\" >> places\necho \"$ETL_ORCH_OUTPUT\" >> outputs\n\
             echo step >> \"$ETL_ORCH_WORK_DIR/steps\"\n\
             [ \"$(grep -c . \"$ETL_ORCH_WORK_DIR/steps\")\" -ge 5 ] || exit 1\necho report > \"$4\"\n";
        world.single_etl(script, &[]);

        world.run_to(1, &[]);
        assert_eq!(world.read("var/work/RY-CA.2025Q2.call_summary/steps").lines().count(), 3, "three attempts, and it stays");
        world.run_to(0, &[]);

        let places = world.read("places");
        let mut places: Vec<&str> = places.lines().collect();
        assert_eq!(places.len(), 5);
        places.dedup();
        assert_eq!(places.len(), 1, "one workspace: {places:?}");
        let outputs = world.read("outputs");
        let mut outputs: Vec<&str> = outputs.lines().collect();
        outputs.sort_unstable();
        outputs.dedup();
        assert_eq!(outputs.len(), 5, "a fresh output for every attempt: {outputs:?}");
        assert!(!world.path("var/work/RY-CA.2025Q2.call_summary").exists(), "nothing is left of it");
    }
}

#[test]
fn values_arrive_as_one_argument_each_and_unharmed() {
    let world = World::new(Kind::Sqlite);
    let name = r#"R&B; $(touch pwned) `touch pwned` 'x' "y" | * \ {etl} ${HOME}"#;
    world.institutions(&format!("RY-CA: {{id: 1, name: '{}'}}\n", name.replace('\'', "''")));
    world.available("RY", 1, 2025, "Q2");
    let command = "command: [sh, etl.sh, \"{bank_name}\", \"--name={bank_name}\", \"{{{quarter}}}\", \"{output}\"]";
    let script = "printf '%s\\n' $# \"$1\" \"$2\" \"$3\" \"$ETL_ORCH_BANK_NAME\" > arguments\necho report > \"$4\"\n";
    world.single_etl(script, &[command]);

    world.run_to(0, &[]);
    assert_eq!(world.read("arguments"), format!("4\n{name}\n--name={name}\n{{Q2}}\n{name}\n"));
    assert!(!world.path("pwned").exists());
}

#[test]
fn an_etl_has_variables_of_its_own() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.write("secrets.env", "TOKEN=from-file\nMODEL=from-file\n# a comment\nQUOTED=\"two words\"\n");
    let env = "env: {MODEL: from-env, WHAT: \"{bank_key} {attempt}\", PYTHONUNBUFFERED: \"\"}";
    world.single_etl(SHOWS_ENVIRONMENT, &["env_file: secrets.env", env]);

    let mut command = world.command(&[]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-";
    command.env("TOKEN", "inherited").env("INHERITED", "yes").env("TRACEPARENT", format!("{trace}00f067aa0ba902b7-01"));
    assert!(command.status().expect("the binary starts").success());
    let told = environment(&world, 1);
    assert_eq!(told["TOKEN"], "from-file");
    assert_eq!(told["MODEL"], "from-env");
    assert_eq!(told["QUOTED"], "two words");
    assert_eq!(told["WHAT"], "RY-CA 1");
    assert_eq!(told["INHERITED"], "yes");
    assert!(told["TRACEPARENT"].starts_with(trace) && !told["TRACEPARENT"].contains("00f067aa0ba902b7"), "{}", told["TRACEPARENT"]);
    assert_eq!(told["PYTHONUNBUFFERED"], "", "what the user says counts");
}

#[test]
fn an_env_file_that_is_missing_is_an_error_before_anything_starts() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(SHOWS_ENVIRONMENT, &["env_file: none.env"]);
    let done = world.run_to(2, &[]);
    assert!(done.stderr.contains("none.env") && done.stderr.contains("etls.call_summary.env_file"), "{}", done.stderr);
    assert!(!world.path("env.1").exists());
}

#[test]
fn a_program_is_looked_for_on_its_own_path_and_in_its_own_directory() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.write("tools/make-report", "#!/bin/sh\npwd > ../where\necho report > \"$1\"\n");
    let tool = world.path("tools/make-report");
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let path = format!("env: {{PATH: \"{}:/usr/bin:/bin\"}}", world.path("tools").display());
    world.single_etl("", &["command: [make-report, \"{output}\"]", &path, "cwd: tools"]);

    world.run_to(0, &[]);
    assert!(world.read("where").trim_end().ends_with("/tools"));
}

#[test]
fn a_program_has_nothing_to_read_and_no_handles_of_ours() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("cat > input\nls -l /proc/self/fd | sed 's/.*[0-9] -> //' > handles\necho report > \"$4\"\n", &[]);
    world.run_to(0, &[]);
    assert_eq!(world.read("input"), "");
    let handles = world.read("handles");
    assert!(!handles.contains(".db") && !handles.contains(".lock") && !handles.contains("socket:"), "{handles}");
}
