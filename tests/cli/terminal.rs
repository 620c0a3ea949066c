//! What `-v` shows of children, on a terminal and elsewhere.

use std::process::{Command, Stdio};

use crate::support::world::Done;
use crate::support::{Kind, World};

/// Runs the binary to its end on a terminal of its own; everything that it writes there is in `stdout`.
fn on_a_terminal(world: &World, args: &str) -> Done {
    let inner = world.command(&[]);
    let binary = inner.get_program().to_str().expect("a path in UTF-8");
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("{binary} run {args} --config etl-orch.yaml"), "/dev/null"]);
    script.current_dir(world.path("")).env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
    Done::of(&script.output().expect("script is installed (bsdutils)"))
}

#[test]
fn on_a_terminal_every_line_of_a_child_is_written_in_one_piece() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("for n in 1 2 3 4 5; do echo \"line $n\"; done\necho report > \"$4\"\n", &[]);

    let done = on_a_terminal(&world, "-v");

    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("/1 jobs"), "there is a live display: {:?}", done.stdout);
    for n in 1..=5 {
        let line = format!("RY 2025 Q2 [call_summary] | line {n}\r\n");
        assert!(done.stdout.contains(&line), "{n}: {:?}", done.stdout);
    }
}

#[test]
fn lines_that_are_not_shown_are_counted() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("seq 30000\necho report > \"$4\"\n", &[]);

    let done = world.run_to(0, &["-v"]);

    let lines: Vec<&str> = done.stderr.lines().filter_map(|line| line.strip_prefix("RY 2025 Q2 [call_summary] | ")).collect();
    let omitted = |line: &&str| line.strip_prefix("… ")?.split_once(" line").map(|(number, _)| number.replace(',', ""));
    let counts: Vec<usize> = lines.iter().filter_map(omitted).map(|number| number.parse().expect("a number")).collect();
    assert!(!counts.is_empty(), "so many lines at once are more than are passed on");
    assert_eq!(lines.len() - counts.len() + counts.iter().sum::<usize>(), 30_000, "{counts:?}");
}
