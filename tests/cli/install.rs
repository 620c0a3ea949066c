//! `install` and `uninstall`: what starts a run every 15 minutes, in a user's own account. (`packages.rs` installs for a host.)

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::world::Done;
use crate::support::{Kind, World};

/// A `systemctl` that notes its arguments, and a `crontab` that keeps a file.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$*\" >> \"$HOME/systemctl\"\n";
const CRONTAB: &str = "#!/bin/sh\ncd \"$HOME\"\ncase $1 in\n-l) cat tab 2>/dev/null || { echo 'no crontab for ann' >&2; exit 1; };;\n\
                       -r) rm tab;;\n-) cat > tab;;\nesac\n";

fn world() -> World {
    let world = World::new(Kind::Sqlite);
    for (name, script) in [("systemctl", SYSTEMCTL), ("crontab", CRONTAB)] {
        world.write(&format!("bin/{name}"), script);
        fs::set_permissions(world.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    world.write("home/run/systemd/private", "");
    world
}

fn call(world: &World, args: &str) -> Done {
    let mut command = world.command(&args.split(' ').collect::<Vec<_>>());
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("HOME", world.path("home")).env_remove("XDG_CONFIG_HOME").env("XDG_RUNTIME_DIR", world.path("home/run"));
    Done::of(&command.output().expect("the binary starts"))
}

fn changes(done: &Done) -> Vec<String> {
    let json = done.json();
    let changes = json["changes"].as_array().unwrap_or_else(|| panic!("{done:?}"));
    changes.iter().map(|change| change["change"].as_str().expect("a text").to_owned()).collect()
}

const SERVICE: &str = "home/.config/systemd/user/etl-orch.service";
const ENABLE: &str = "--user enable --now etl-orch.timer etl-orch-health.timer";

#[test]
fn units_are_written_once_and_nothing_of_somebody_is_lost_unasked() {
    let world = world();
    let dry = call(&world, "install systemd --user --dry-run");
    assert!(dry.code == 0 && dry.stdout.contains("etl-orch.timer would be created:\n    # Starts"), "{dry:?}");
    assert!(!world.path("home/.config").exists());

    let first = call(&world, "install systemd --user");
    assert!(first.code == 0 && first.stdout.contains(&format!("systemctl {ENABLE}: done\n")), "{first:?}");
    assert_eq!(world.read("home/systemctl"), format!("--user daemon-reload\n{ENABLE}\n"));
    let written = world.read(SERVICE);
    let config = world.path("etl-orch.yaml").canonicalize().expect("a file");
    let command =
        format!("{} run --quiet --detailed-exit-code --lock-wait 10m --config {}", env!("CARGO_BIN_EXE_etl-orch"), config.display());
    assert!(written.contains(&format!("\nExecStart={command}\n")) && !written.contains("\nUser="), "{written}");
    assert_eq!(changes(&call(&world, "install systemd --user --format json")), ["unchanged"; 5]);

    world.write(SERVICE, &written.replace("KillMode=mixed", "KillMode=process"));
    let refused = call(&world, "install systemd --user");
    assert!(refused.code == 2 && refused.stderr.contains("  - KillMode=process\n  + KillMode=mixed\n"), "{refused:?}");
    assert!(refused.stderr.contains("say --yes"), "{refused:?}");
    assert!(world.read(SERVICE).contains("KillMode=process"));
    let agreed = call(&world, "install systemd --user --yes --format json");
    assert_eq!(changes(&agreed), ["replaced", "unchanged", "unchanged", "unchanged", "unchanged"]);
    assert_eq!(world.read(SERVICE), written);

    assert_eq!(call(&world, "uninstall systemd --user").code, 2);
    assert_eq!(changes(&call(&world, "uninstall systemd --user --yes --format json")), ["removed"; 5]);
    assert!(world.read("home/systemctl").ends_with("--user disable --now etl-orch.timer etl-orch-health.timer\n--user daemon-reload\n"));
    assert_eq!(changes(&call(&world, "uninstall systemd --user --format json")), ["unchanged"; 5]);
}

#[test]
fn where_systemd_does_not_run_the_units_are_written_and_that_is_said() {
    let world = world();
    fs::remove_file(world.path("home/run/systemd/private")).expect("a file");
    let done = call(&world, "install systemd --user");
    assert!(done.code == 0 && done.stdout.contains(&format!("not done: systemctl {ENABLE}\nsystemd does not run here")), "{done:?}");
    assert!(world.path(SERVICE).exists() && !world.path("home/systemctl").exists());
    world.write("bin/systemctl", "#!/bin/sh\necho 'no bus' >&2\nexit 1\n");
    world.write("home/run/systemd/private", "");
    let done = call(&world, "install systemd --user --format json");
    assert_eq!((done.code, &done.json()["steps"][0]["result"]), (1, &Value::from("failed: no bus")), "{done:?}");
    assert_eq!(done.json()["steps"][1]["result"], "not_done");
}

#[test]
fn a_users_crontab_gets_one_line_and_keeps_all_others() {
    let world = world();
    let others = "MAILTO=ann\n0 3 * * * backup --password s3cret\n";
    for before in [None, Some(others)] {
        if let Some(text) = before {
            world.write("home/tab", text);
        }
        for change in ["created", "unchanged"] {
            let done = call(&world, "install cron --user --format json");
            let expected = if change == "created" && before.is_some() { "replaced" } else { change };
            assert_eq!(changes(&done), [expected], "{done:?}");
            assert!(!done.stdout.contains("s3cret"), "{done:?}");
        }
        let tab = world.read("home/tab");
        let line = format!("\n*/15 * * * * {} run --quiet --config ", env!("CARGO_BIN_EXE_etl-orch"));
        assert!(tab.starts_with(before.unwrap_or_default()) && tab.contains(&line) && tab.lines().count() <= 5, "{tab}");
        assert_eq!(call(&world, "uninstall cron --user").code, 2);
        assert_eq!(call(&world, "uninstall cron --user --yes").code, 0);
        assert_eq!(world.path("home/tab").exists().then(|| world.read("home/tab")).as_deref(), before);
    }
}

#[test]
fn what_only_this_shell_knows_is_not_enough() {
    let world = world();
    world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("var/etl-orch.db", "${ONLY_HERE}/etl-orch.db"));
    let mut command = world.command(&["install", "systemd", "--dry-run"]);
    let refused = Done::of(&command.env("ONLY_HERE", "var").output().expect("the binary starts"));
    assert!(refused.code == 2 && refused.stderr.contains("variable ONLY_HERE is not set"), "{refused:?}");
    world.write(".env", "ONLY_HERE=var\n");
    fs::set_permissions(world.path(".env"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let shown = world.run_to(0, &["install", "systemd", "--dry-run", "--run-as", "ann", "--writable", "/srv/more"]).stdout;
    let here = world.path("var").canonicalize().unwrap_or_else(|_| world.path("var"));
    for line in [
        "User=ann",
        &format!("ReadWritePaths=/srv/more {}/reports {}", world.path("").display().to_string().trim_end_matches('/'), here.display()),
    ] {
        assert!(shown.lines().any(|one| one.trim().starts_with(line)), "{line}: {shown}");
    }
}
