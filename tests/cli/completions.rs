//! Completion of words: asked for by real shells, with the scripts that are printed for them.

use std::net::TcpListener;
use std::process::Command;

use crate::on_both_databases;
use crate::support::world::{Done, etl};
use crate::support::{Kind, World};

const BINARY: &str = env!("CARGO_BIN_EXE_etl-orch");

/// Sources the script, and completes as bash does. Its arguments: the program, the line, the word at the cursor, and all words.
const IN_BASH: &str = r#"
source <("$1" completions bash)
COMP_LINE="$1 $2" COMP_WORDS=("$1" "${@:4}") COMP_TYPE=9
COMP_POINT=${#COMP_LINE} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_etl_orch "$1" "$3" ""
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
"#;

fn shell(world: &World, shell: &str, args: &[&str]) -> Command {
    let mut command = Command::new(shell);
    command.args(args).current_dir(world.path("")).env_remove("ETL_ORCH_CONFIG").env("TZ", "UTC").env("COLUMNS", "0");
    command
}

fn lines(mut command: Command) -> Vec<String> {
    let done = Done::of(&command.output().unwrap_or_else(|error| panic!("{error}; scripts/test.sh installs what tests need")));
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    done.stdout.lines().map(str::to_owned).collect()
}

/// What bash offers at the end of this line. `|` stands for the other places at which bash divides words.
fn in_bash(world: &World, line: &str) -> Vec<String> {
    lines(bash(world, line))
}

fn bash(world: &World, line: &str) -> Command {
    let words: Vec<&str> = line.split([' ', '|']).collect();
    let current = words.last().copied().filter(|word| ![":", "=", "@"].contains(word)).unwrap_or_default();
    let typed = line.replace('|', "");
    shell(world, "bash", &[&["-c", IN_BASH, "bash", BINARY, &typed, current], words.as_slice()].concat())
}

/// One report was made, one failed and rests, and so does a window of a source.
fn world_after_a_run(world: &World) {
    let sources = "sources:\n  us_house: {every: 1d, independent: true, name: U.S. House, command: [\"false\"]}\n";
    let rests = "cooldown: {initial: 1h, max: 1h}\nretry: {max_attempts: 1}\n";
    world.write("etl.sh", "[ \"$2\" != RY ] || exit 1\necho x > \"$4\"\n");
    let etls = etl("call_summary", "Call Summary", &["description: What was said"]);
    world.configure(&format!("{sources}{rests}"), &format!("etls:\n{etls}"));
    for (symbol, id, year, quarter) in [("RY", 1, 2025, "Q2"), ("TD", 6, 2025, "Q1"), ("TD", 6, 2023, "Q1")] {
        world.available(symbol, id, year, quarter);
    }
    world.run_to(1, &[]);
}

on_both_databases! {
    fn bash_is_offered_what_can_be_named(world: &World) {
        world_after_a_run(world);
        let offered = |line: &str| in_bash(world, line);
        let id = |sql: &str| world.value(sql)[..8].to_owned();
        let failed = id("SELECT id FROM etl_jobs WHERE bank_key = 'RY-CA'");
        let run = id("SELECT id FROM etl_runs");
        let window = world.value("SELECT gap_key FROM gap_states WHERE gap_key LIKE 'source:%'");
        let (_, after_at) = window.split_once('@').expect("a window");

        assert_eq!(offered("wh"), ["why"]);
        assert_eq!(offered("why "), ["RY", "BMO", "TD", "us_house", "call_summary", "RY-CA/2025Q2/call_summary", &window]);
        assert_eq!(offered("why t"), ["TD"], "banks are known in any case");
        assert_eq!(offered("why RY "), ["2025"]);
        assert_eq!(offered("why TD "), ["2025", "2024", "2023"], "from the first to the last of which there is data");
        assert_eq!(offered("why TD 2025"), ["2025Q1"]);
        assert_eq!(offered("why TD 2025 "), ["Q1", "Q2", "Q3", "Q4"]);
        assert_eq!(offered("run-one TD 2025 Q1 "), ["call_summary"]);
        assert_eq!(offered("why RY-CA/2025Q2/"), ["RY-CA/2025Q2/call_summary"]);
        assert_eq!(offered("retry RY-"), ["RY-CA", "RY-CA/2025Q2/call_summary"]);
        assert_eq!(offered(&format!("retry {}", window.replace(':', "|:|").replace('@', "|@|").trim_end_matches("00Z"))), ["00Z"]);
        assert_eq!(offered("why source|:|us_"), ["us_house", &format!("us_house@{after_at}")]);
        assert_eq!(offered("run --period|=|20"), ["2025Q2", "2025Q1", "2024Q1", "2023Q1"]);
        assert_eq!(offered("--bank-symbol RY,"), ["RY,BMO", "RY,TD"], "RY is in the list already");
        assert_eq!(offered(&format!("logs {}", &failed[..7])), [failed.as_str()]);
        assert!(offered("trace ").contains(&run) && !offered("logs ").contains(&run));
        assert_eq!(offered("runs "), [run.as_str()]);
        assert_eq!(offered("sources give-up us_house --window "), [after_at]);
        assert_eq!(offered("unskip RY-CA/"), ["RY-CA/2025Q2"]);

        let list = lines({ let mut command = bash(world, "retry RY-CA"); command.env("COLUMNS", "80"); command });
        assert_eq!(list[0], "RY-CA                      (Royal Bank of Canada)");
        assert!(list[1].starts_with("RY-CA/2025Q2/call_summary  (cooling down until "), "{list:?}");
    }
}

#[test]
fn other_shells_are_offered_the_same_with_help() {
    let world = World::new(Kind::Sqlite);
    world_after_a_run(&world);
    let zsh = "compdef() { }; _describe() { print -rl -- $offers }; compset() { }; _files() { print files }
        source <($1 completions zsh); words=($1 ${@:2}) CURRENT=$#; PREFIX=${@[-1]}; _etl-orch";
    let in_zsh = |words: &[&str]| lines(shell(&world, "zsh", &[&["-f", "-c", zsh, "zsh", BINARY], words].concat()));
    assert_eq!(in_zsh(&["why", "source:us_house"])[0], "source\\:us_house:U.S. House");
    assert_eq!(in_zsh(&["--config", "etl"]), ["files"]);

    let fish =
        "source ($argv[1] completions fish | psub); complete -c (basename $argv[1]) --wraps etl-orch; complete -C \"$argv[1] $argv[2]\"";
    let in_fish = |line: &str| lines(shell(&world, "fish", &["--no-config", "-c", fish, BINARY, line]));
    assert_eq!(in_fish("why RY 2025 Q2 "), ["call_summary\tWhat was said"]);
    assert_eq!(in_fish("run --config=etl-o"), ["--config=etl-orch.yaml"]);

    for (shell, asks) in [("elvish", "ETL_ORCH_COMPLETE=elvish"), ("powershell", "$env:ETL_ORCH_COMPLETE = \"powershell\"")] {
        assert!(world.run_to(0, &["completions", shell]).stdout.contains(asks), "{shell}");
    }
}

#[test]
fn the_configuration_of_the_line_is_what_counts_and_one_that_is_wrong_offers_nothing() {
    let world = World::new(Kind::Sqlite);
    world.write("other.yaml", &format!("institutions: others.yaml\n{}", world.read("etl-orch.yaml")));
    let before = world.bytes_below("var");
    world.write("others.yaml", "GS-US: {id: 13, name: Goldman Sachs}\n");
    assert_eq!(in_bash(&world, "coverage "), ["RY", "BMO", "TD"]);
    assert_eq!(in_bash(&world, "--config|=|other.yaml coverage "), ["GS"]);
    assert_eq!(in_bash(&world, "coverage --config 'other.yaml' "), ["GS"]);
    assert_eq!(in_bash(&world, "why --config nosuch.yaml R"), [""; 0]);
    world.write("other.yaml", "etls: [\n");
    assert_eq!(in_bash(&world, "why --config other.yaml R"), [""; 0]);
    assert_eq!(in_bash(&world, "--config other.yaml cov"), ["coverage"]);
    assert_eq!(in_bash(&world, "logs key"), ["key_themes"]);
    assert_eq!(world.bytes_below("var"), before, "nothing was written");
}

#[test]
fn names_are_offered_though_the_database_is_silent_or_its_address_is_a_secret_of_others() {
    let world = World::new(Kind::Sqlite);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("a socket").port();
    let config = world.read("etl-orch.yaml");
    for url in [format!("postgres://etl@127.0.0.1:{port}/etl"), "${NOSUCH_URL}".to_owned()] {
        world.write("etl-orch.yaml", &config.replace(world.url(), &url));
        assert_eq!(in_bash(&world, "why "), ["RY", "BMO", "TD", "call_summary", "key_themes"], "{url}");
    }
}

#[test]
fn a_run_that_inherits_the_variable_does_what_it_is_asked_for() {
    let world = World::new(Kind::Sqlite);
    for shell in ["bash", "nosuch"] {
        let mut command = world.command(&["--dry-run"]);
        let done = Done::of(&command.env("ETL_ORCH_COMPLETE", shell).output().expect("the binary starts"));
        assert!(done.code == 0 && done.stdout.contains("nothing matches"), "{}", done.stdout);
    }
}
