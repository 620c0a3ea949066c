//! What is shown on a terminal, how wide a page is, and what `-v` shows of children there and elsewhere.

use std::process::{Command, Stdio};

use crate::support::world::Done;
use crate::support::{Kind, World};

/// Runs the binary to its end on a terminal of this type, of 40 columns; everything that it writes there is in `stdout`.
fn on_a_terminal(world: &World, term: &str, args: &str) -> Done {
    run_there(world, term, "C.UTF-8", args)
}

/// The same on a common terminal in this locale.
fn in_locale(world: &World, locale: &str, args: &str) -> Done {
    run_there(world, "xterm", locale, args)
}

fn run_there(world: &World, term: &str, locale: &str, args: &str) -> Done {
    let inner = world.command(&[]);
    let binary = inner.get_program().to_str().expect("a path in UTF-8");
    let mut script = Command::new("script");
    let command = format!("stty rows 24 cols 40; {binary} {args} --config etl-orch.yaml");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.current_dir(world.path("")).env("TERM", term).env("LC_ALL", locale).env_remove("NO_COLOR").stdin(Stdio::null());
    Done::of(&script.output().expect("script is installed (bsdutils)"))
}

/// Runs this command to its end on a terminal of 120 columns; what it writes there is in `stdout`, and meanwhile in the file `screen` of its
/// directory.
pub(crate) fn on_a_wide_terminal(command: &Command) -> Done {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().expect("UTF-8"));
    let typed = format!("stty rows 24 cols 120; {}", words.collect::<Vec<_>>().join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--flush", "--command", &typed, "screen"]).stdin(Stdio::null());
    script.current_dir(command.get_current_dir().expect("the world's"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR").env_remove("COLUMNS");
    Done::of(&script.output().expect("script is installed (bsdutils)"))
}

#[test]
fn on_a_terminal_every_line_of_a_child_is_written_in_one_piece() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("for n in 1 2 3 4 5; do echo \"line $n\"; done\necho report > \"$4\"\n", &[]);

    let done = on_a_terminal(&world, "xterm", "run -v");

    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("0 made, 1 left"), "there is a live display: {:?}", done.stdout);
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

#[test]
fn no_line_of_the_display_is_wider_than_the_terminal() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(
        "[ -e first ] || { echo > first; exit 1; }\necho a line that is a good deal longer than forty columns are\necho report > \"$4\"\n",
        &[],
    );

    let done = on_a_terminal(&world, "xterm", "run --log-level off");

    assert!(done.stdout.contains("[call_summary] w"), "it waits for another attempt: {:?}", done.stdout);
    let display = done.stdout.split("====").next().unwrap_or_default();
    // `[2A` and the like are what is left of a sequence.
    let drawn = display.split(|c: char| c.is_control()).map(|text| match text.strip_prefix('[') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()).chars().count().saturating_sub(1),
        None => text.chars().count(),
    });
    let widest = drawn.max().unwrap_or_default();
    assert!((30..40).contains(&widest), "{widest}: {display:?}");
    let last_drawn = display.split("1 made, 0 left").nth(1).unwrap_or_default();
    assert!(last_drawn.contains("s\x1b[J\r"), "what the terminal echoes (^C) begins no line of its own: {display:?}");
    assert!(display.ends_with("\r\x1b[J\r"), "nothing of the display is left: {display:?}");
}

/// Without UTF-8 there is nothing but ASCII.
#[test]
fn a_terminal_that_shows_only_ascii_gets_nothing_else() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.available("BMO", 2, 2025, "Q2");
    world.single_etl("[ \"$2\" = RY ] || exit 65\necho report > \"$4\"\n", &[]);
    let done = in_locale(&world, "C", "-v");
    assert!(done.stdout.is_ascii(), "{}", done.stdout);
    assert!(done.stdout.contains("Successful: 1 [OK]") && done.stdout.contains("[FAIL] BMO 2025 Q2"), "{}", done.stdout);
}

#[test]
fn nothing_is_wider_than_what_it_is_printed_on() {
    let world = World::new(Kind::Sqlite);
    world.available("BMO", 2, 2025, "Q2");
    world.write("etl.sh", "[ \"$1\" != key_themes ] || { echo 'Connection timeout' >&2; exit 1; }\necho report > \"$4\"\n");
    for (columns, most) in [(Some("40"), 40), (None, 80)] {
        let mut command = world.command(&["--bank-symbol", "BMO", "--force"]);
        match columns {
            Some(columns) => command.env("COLUMNS", columns),
            None => command.env_remove("COLUMNS"),
        };
        let output = command.output().expect("the binary starts");
        let page = String::from_utf8(output.stdout).expect("UTF-8");
        let is_too_wide = |line: &&str| line.chars().count() > most && line.trim().contains(' ');
        assert_eq!(page.lines().find(is_too_wide), None, "{page}");
        assert!(page.contains("Failed Jobs:\n  ❌ BMO 2025 Q2 [key_themes]:"), "{page}");
        let status = page.split_once("\n\n").map(|(head, _)| head.replace("\n  ", " ")).unwrap_or_default();
        assert!(status.contains("3 banks · 1 of 2 reports · 1 failed · 1 cooling down · next try "), "{page}");
    }
}

#[test]
fn a_terminal_without_escape_sequences_gets_none() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    for term in ["dumb", ""] {
        let done = on_a_terminal(&world, term, "run -v --force --bank-symbol RY");
        assert_eq!(done.code, 0, "{}", done.stdout);
        assert!(done.stdout.contains("[INFO] Executing RY") && !done.stdout.contains("1 left"), "{:?}", done.stdout);
        assert!(done.stdout.chars().all(|c| !c.is_control() || "\r\n".contains(c)), "{:?}", done.stdout);
    }
}

#[test]
fn of_a_progress_bar_the_last_state_is_shown_and_kept() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let printed = "\rreading  0%\rreading 50%\rreading 99%\r\n\r 0/9 pages\r 7/9 pages";
    world.single_etl(&format!("printf '{}'\nexit 65\n", printed.replace('\r', "\\r").replace('\n', "\\n").replace('%', "%%")), &[]);

    let done = world.run_to(1, &["-v"]);

    let lines: Vec<&str> = done.stderr.lines().filter_map(|line| line.strip_prefix("RY 2025 Q2 [call_summary] | ")).collect();
    assert_eq!(lines, ["reading 99%", " 7/9 pages"]);
    assert!(done.stdout.contains("exit code 65 - 7/9 pages\n"), "{}", done.stdout);
    assert_eq!(world.sql("SELECT tail FROM etl_attempts").join("\n"), "reading 99%\n 7/9 pages");
    assert_eq!(world.read(&world.value("SELECT log FROM etl_attempts")), printed, "the program's own log has every byte");
}

#[test]
fn what_is_run_by_hand_prints_on_the_terminal_as_it_is() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo 'line one'; printf 'red \\033[31m\\n'\necho report > \"$4\"\n", &[]);

    let done = on_a_terminal(&world, "xterm", "run-one RY 2025 Q2 call_summary --color never");

    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("\nline one\r\nred \\u{1b}[31m\r\n"), "{:?}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "no display is drawn: {:?}", done.stdout);
}
