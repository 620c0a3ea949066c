//! A world with sources that a script collects, and runs at any time.

use std::fs;

use crate::support::World;
use crate::support::clock::clock;
use crate::support::world::Done;

/// Says in the file `collected` what it was asked for: `SOURCE START END`. The lines of the file `plan` come first.
const COLLECT: &str = "[ ! -e before.sh ] || . ./before.sh\necho \"$1 $2 $3\" >> collected\necho \"collected 3 records\"\n";

/// Sources in a world without banks' data; each is collected by a script.
pub(crate) struct Desk<'a> {
    pub(crate) world: &'a World,
}

impl<'a> Desk<'a> {
    /// One source, `us_house`, of which these are further keys.
    pub(crate) fn new(world: &'a World, keys: &[&str]) -> Self {
        Self::with(world, &[("us_house", keys)])
    }

    /// These sources, each with further keys. `every` is 6h where they do not say it.
    pub(crate) fn with(world: &'a World, sources: &[(&str, &[&str])]) -> Self {
        world.write("collect.sh", COLLECT);
        let sections: Vec<String> = sources.iter().map(|(id, keys)| section(id, keys)).collect();
        world.configure("", &format!("sources:\n{}", sections.concat()));
        Self { world }
    }

    /// Lines of a script that every collector begins with; `$1` is the source, `$2` and `$3` its window.
    pub(crate) fn before(&self, script: &str) {
        self.world.write("before.sh", script);
    }

    /// Runs the binary at this time of 2026, `01-16 00:20:00` in UTC, to its end, which must have this exit code.
    pub(crate) fn run_to(&self, code: i32, time: &str, args: &[&str]) -> Done {
        let done = Done::of(&self.command(time, args).output().expect("the binary starts"));
        assert_eq!(done.code, code, "{args:?}: {}\n{}", done.stdout, done.stderr);
        done
    }

    fn command(&self, time: &str, args: &[&str]) -> std::process::Command {
        let mut command = self.world.command(args);
        command.envs(clock(&format!("@2026-{time}")));
        command
    }

    /// What was collected since this was asked last: `us_house 01-15T18:00 01-16T00:00`, times in 2026.
    pub(crate) fn collected(&self) -> Vec<String> {
        let path = self.world.path("collected");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(|line| line.replace("2026-", "").replace(":00Z", "")).collect()
    }

    /// How far a source was collected without a hole, `2026-01-16T00:00`; empty where it never was.
    pub(crate) fn frontier(&self, id: &str) -> String {
        let text = self.world.sql(&format!("SELECT frontier FROM sources WHERE source = '{id}'")).concat();
        text.replace(' ', "T").chars().take(16).collect()
    }
}

fn section(id: &str, keys: &[&str]) -> String {
    let has = |key: &str| keys.iter().any(|line| line.starts_with(key));
    let mut lines = vec![format!("  {id}:")];
    if !has("every:") {
        lines.push("    every: 6h".to_owned());
    }
    if !has("command:") && !has("http:") {
        lines.push("    command: [sh, collect.sh, \"{source}\", \"{window_start}\", \"{window_end}\"]".to_owned());
    }
    lines.extend(keys.iter().map(|key| format!("    {key}")));
    lines.join("\n") + "\n"
}
