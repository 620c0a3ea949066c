//! What `config check` finds beside the mistakes in the files: what this host lacks.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::world::{Kind, World, etl};

#[test]
fn everything_that_cannot_run_is_named_at_once_by_its_line() {
    let world = World::new(Kind::Sqlite);
    let sections = [
        etl("call_summary", "Call Summary", &["command: [no-such-program]"]),
        etl("key_themes", "Key Themes", &["cwd: nowhere", "env_file: none.env", "timeout: soon"]),
        etl("outlook", "Outlook", &["cwd: nowhere"]),
    ];
    world.configure("", &format!("etls:\n{}", sections.concat()));
    let line = |of: &str| world.read("etl-orch.yaml").lines().position(|line| line.contains(of)).expect("a line") + 1;
    for args in [&["config", "check"][..], &["config", "check", "--format", "json"]] {
        let done = world.run_to(2, args);
        for (of, words) in [
            ("no-such-program", "etls.call_summary.command: no-such-program is not found on its PATH"),
            ("timeout: soon", "etls.key_themes.timeout: not a duration"),
            ("cwd: nowhere", "etls.key_themes.cwd: the directory"),
            ("none.env", "none.env: there is no such file"),
        ] {
            let line = line(of);
            let found = done.stderr.lines().any(|said| said.starts_with(&format!("etl-orch.yaml:{line}:")) && said.contains(words));
            assert!(found, "{line}: {words}: {}", done.stderr);
        }
        assert!(done.stderr.contains("etls.outlook.cwd: the directory"), "{}", done.stderr);
    }
    assert!(!world.path("var/logs").exists(), "nothing was made");
}

#[test]
fn the_program_of_an_etl_is_shown_as_it_is_found_on_its_path() {
    let world = World::new(Kind::Sqlite);
    world.write("venv/bin/python", "#!/bin/sh\n");
    fs::set_permissions(world.path("venv/bin/python"), fs::Permissions::from_mode(0o755)).expect("a mode");
    world.write("aegis.env", "PATH=venv/bin:/usr/bin:/bin\n");
    fs::set_permissions(world.path("aegis.env"), fs::Permissions::from_mode(0o600)).expect("a mode");
    world.etls("", &[etl("call_summary", "Call Summary", &["command: [python, -m, aegis]", "env_file: aegis.env"])]);
    let found = world.path("venv/bin/python").canonicalize().expect("it is there").display().to_string();
    let done = world.run_to(0, &["config", "check"]);
    assert!(done.stdout.contains(&format!("    program     {found}\n")), "{}", done.stdout);
    assert_eq!(world.run_to(0, &["config", "check", "--format", "json"]).json()["etls"][0]["program"], found.as_str());
}
