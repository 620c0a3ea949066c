//! The manual, README and `docs/`: its commands are run, its snippets and keys are checked, its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::one_object::CALLS;
use super::pages::{all, described, etl_orch, schema, shipped};
use super::quickstart::QuickStart;
use crate::coverage;
use crate::source_desk::Desk;
use crate::support::world::Done;
use crate::support::{Kind, World};

const README: &str = "README.md";

/// README and the pages of `docs/`, by name.
fn pages() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let names = fs::read_dir(directory).expect("the manual").map(|page| page.expect("a page").file_name().into_string().expect("a name"));
    let docs =
        names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md")).map(|name| format!("docs/{name}"));
    docs.chain([README.to_owned()]).map(|name| (name.clone(), shipped(&name))).collect()
}

/// The fenced blocks of a page that begin with this. `sh` can be run in the quick start, `sh parse` need something else.
pub(crate) fn blocks(page: &str, fence: &str) -> Vec<String> {
    all(&format!(r"(?ms)^ *```{fence}\n(.*?)^ *```$"), page)
}

#[test]
fn readme_is_short_and_no_line_is_wide() {
    let words = shipped(README).split_whitespace().count();
    assert!(words <= 1200, "README has {words} words");
    for (name, text) in pages() {
        let wide: Vec<_> = text.lines().enumerate().filter(|(_, line)| line.chars().count() > 120).collect();
        assert!(wide.is_empty(), "{name}: {wide:?}");
    }
}

/// What a heading's address is.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = all(r"(?m)^#+ (.*)$", &Regex::new(r"(?ms)^```.*?^```$").expect("a pattern").replace_all(page, ""));
    let other = Regex::new(r"[^\w\- ]").expect("a pattern");
    headings.iter().map(|heading| other.replace_all(&heading.to_lowercase(), "").replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_linked() {
    let pages = pages();
    let mut linked = BTreeSet::from([README.to_owned()]);
    for (name, text) in &pages {
        for link in all(r"\]\(([^)\s]+)\)", text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => name.clone(),
                file => Path::new(name).with_file_name(file).display().to_string(),
            };
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists(), "{name}: {link}");
            if !anchor.is_empty() {
                assert!(anchors(&shipped(&target)).contains(anchor), "{name}: {link}");
            }
            linked.insert(target);
        }
    }
    for name in pages.keys() {
        assert!(linked.contains(name), "nothing links to {name}");
    }
}

/// The keys that a schema allows, `NAME` standing for any, without those that only hold others.
fn leaves(schema: &Value, node: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = node["$ref"].as_str() {
        return leaves(schema, schema.pointer(reference.trim_start_matches('#')).expect("a reference"), path, found);
    }
    let mut below = Vec::new();
    below.extend(node["properties"].as_object().into_iter().flatten().map(|(key, value)| (format!("{path}.{key}"), value)));
    if let Some(more) = node.get("additionalProperties").filter(|more| has_properties(schema, more)) {
        below.push((format!("{path}.NAME"), more));
    }
    let same = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| node[key].as_array()).flatten().chain(node.get("items"));
    below.extend(same.filter(|node| has_properties(schema, node)).map(|node| (path.to_owned(), node)));
    if below.is_empty() {
        found.insert(path.trim_start_matches('.').to_owned());
    }
    for (path, node) in below {
        leaves(schema, node, &path, found);
    }
}

/// Whether named keys stand somewhere below.
fn has_properties(schema: &Value, node: &Value) -> bool {
    if let Some(reference) = node["$ref"].as_str() {
        return has_properties(schema, schema.pointer(reference.trim_start_matches('#')).expect("a reference"));
    }
    let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| node[key].as_array()).flatten();
    let below = choices.chain(node.get("items")).chain(node.get("additionalProperties"));
    node["properties"].is_object() || below.into_iter().any(|node| has_properties(schema, node))
}

/// The keys that the items of docs/configuration.md begin with: of `a.b`, `c` the second is `a.c`.
fn documented_keys() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in all(r"(?m)^- ((?:`[a-zA-Z_.]+`(?:, )?)+)", &shipped("docs/configuration.md")) {
        let names = all(r"`([a-zA-Z_.]+)`", &item);
        let parent = names.first().and_then(|first| first.rsplit_once('.')).map(|(parent, _)| format!("{parent}."));
        let parent = parent.unwrap_or_default();
        found.extend(names.iter().map(|name| if name.contains('.') { name.clone() } else { format!("{parent}{name}") }));
    }
    found
}

#[test]
fn the_manual_has_every_key_of_the_schema_and_no_other() {
    let schema = schema();
    let mut keys = BTreeSet::new();
    leaves(&schema, &schema, "", &mut keys);
    let keys: BTreeSet<String> =
        keys.iter().map(|key| key.replace("etls.NAME.http.", "http.").replace("sources.NAME.http.", "http.")).collect();
    assert!(keys.len() > 100, "{keys:?}");
    let documented = documented_keys();
    let missing: Vec<_> = keys.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks {missing:?}");
    for key in documented.difference(&keys) {
        let path = if key.starts_with("http.") { format!("etls.NAME.{key}") } else { key.clone() };
        let known = described(&schema, &schema, &path.split('.').collect::<Vec<_>>()).is_some();
        assert!(known, "docs/configuration.md has {key}, which the schema lacks");
    }
}

/// What stands for `cargo run -- ...` where the binary is built already.
const CARGO: &str = "cargo() { while [ $# -gt 0 ] && [ \"$1\" != -- ]; do shift; done; [ $# -eq 0 ] || shift; etl-orch \"$@\"; }";

/// The quick start, with `etl-orch` on the PATH.
fn workshop() -> QuickStart {
    QuickStart::new().with_programs(&[("etl-orch", Path::new(env!("CARGO_BIN_EXE_etl-orch")))])
}

fn shell(quick_start: &QuickStart, script: &str) -> Done {
    let mut shell = quick_start.command("sh");
    Done::of(&shell.args(["-e", "-c", &format!("{CARGO}\n{script}")]).output().expect("a shell"))
}

#[test]
fn the_commands_of_each_page_can_be_run_in_the_quick_start_and_print_what_is_shown() {
    std::thread::scope(|scope| {
        for (name, text) in pages().into_iter().filter(|(name, _)| name != README) {
            scope.spawn(move || run_page(&name, &text));
        }
    });
}

fn run_page(name: &str, text: &str) {
    let block = Regex::new(r"(?ms)^```sh\n(.*?)^```$(?:\n\n^```\n(.*?)^```$)?").expect("a pattern");
    let quick_start = workshop();
    assert_eq!(quick_start.run(&[]).code, 0);
    for block in block.captures_iter(text) {
        let mut printed = String::new();
        for line in block[1].lines() {
            let done = shell(&quick_start, line);
            assert_eq!(done.code, 0, "{name}: {line}\n{}\n{}", done.stdout, done.stderr);
            printed.push_str(&done.stdout);
        }
        let shown = block.get(2).map_or("", |shown| shown.as_str());
        assert_eq!(not_printed(shown, &printed), None, "{name}: {}\n{printed}", &block[1]);
    }
}

#[test]
fn readme_makes_what_it_shows_leaves_the_checkout_clean_and_can_be_repeated() {
    let readme = shipped(README);
    let quick_start = workshop();
    fs::write(quick_start.at(".gitignore"), format!("{}/bin\n", shipped(".gitignore"))).expect("a file");
    let commit = "git init -q && git add -A && git -c user.name=it -c user.email=it@example.com commit -q -m all";
    assert_eq!(shell(&quick_start, commit).code, 0);

    let blocks = blocks(&readme, "sh");
    assert!(blocks.len() >= 2, "{blocks:?}");
    let mut printed = Vec::new();
    for round in 1..=2 {
        for block in &blocks {
            let done = shell(&quick_start, block);
            assert_eq!(done.code, 0, "round {round}: {block}\n{}\n{}", done.stdout, done.stderr);
            printed.push(done.stdout);
        }
        assert_eq!(shell(&quick_start, "git status --porcelain").stdout, "");
    }
    assert!(printed[blocks.len()].contains("Successful: 21 "), "{}", printed[blocks.len()]);

    let shown = all(r"(?ms)^```\n(=+\nETL ORCH.*?)^```$", &readme).pop().expect("what a run prints");
    assert_eq!(not_printed(&shown, &printed[0]), None, "{}", printed[0]);
}

/// The first line that is shown and was not printed there; what a run itself decides (times, ids, paths, and on a busy machine which stage was
/// slow) may differ.
fn not_printed(shown: &str, printed: &str) -> Option<String> {
    let (shown, printed) = (without_own(shown), without_own(printed));
    let mut printed = printed.lines();
    shown.lines().filter(|line| *line != "...").find(|line| !printed.any(|one| one == *line)).map(str::to_owned)
}

/// The text with a sign for what each run itself decides.
fn without_own(text: &str) -> String {
    let own = r"^  (?:None|.* took .*, usually .*)$|\[(?:OK|WARN)\]|\d{4}-\d\d-\d\d [\d:]+Z|\b\d+(\.\d+)?m?s\b|\b[0-9a-f]{8}\b|/\S+/var|, on \S+$";
    let own = Regex::new(own).expect("a pattern");
    text.lines().map(|line| own.replace_all(line, "*") + "\n").collect()
}

/// A page, how a sample in it begins, and what makes it.
type Sample = (&'static str, &'static str, fn() -> String);

/// Those that no line of their page makes.
const SAMPLES: [Sample; 3] = [
    ("docs/monitoring.md", "UNHEALTHY:", nine_days_without_a_run),
    ("docs/operations.md", "COVERAGE:", reports_in_every_state),
    ("docs/sources.md", "SOURCES:", a_source_that_is_overdue),
];

fn nine_days_without_a_run() -> String {
    let world = World::new(Kind::Sqlite);
    let desk = Desk::new(&world, &[]);
    desk.run_to(0, "01-16 00:20:00", &[]);
    desk.run_to(1, "01-25 12:25:00", &["health"]).stdout
}

fn reports_in_every_state() -> String {
    let world = World::new(Kind::Sqlite);
    coverage::in_every_state(&world);
    world.run_to(0, &["skip", "RY", "2025", "Q1", "--reason", "x"]);
    world.available("RY", 1, 2024, "Q4");
    world.run_to(0, &["coverage"]).stdout
}

fn a_source_that_is_overdue() -> String {
    let world = World::new(Kind::Sqlite);
    let records = "records: {pattern: 'Completed: (\\d+) transactions'}";
    let house = ["name: US House Disclosures (ETL)", "freshness: {sql: \"SELECT '2026-01-07'\"}", records];
    let senate = ["name: US Senate Disclosures (ETL)", "verify: {sql: SELECT 1}", records];
    let desk = Desk::with(&world, &[("us_house", &house), ("us_senate", &senate)]);
    desk.before("[ $1 = us_house ] && set 17 3 || set 0 0\necho \"Completed: $1 transactions from $2 PDFs\"\nexit 0\n");
    desk.run_to(0, "01-16 00:15:00", &[]);
    desk.run_to(0, "01-16 18:15:00", &["--source", "us_senate"]);
    desk.run_to(0, "01-16 18:20:00", &["sources"]).stdout
}

#[test]
fn samples_are_what_is_printed() {
    for (page, begin, make) in SAMPLES {
        let shown = all(&format!(r"(?ms)^```\n({begin}.*?)^```$"), &shipped(page)).pop().expect("a sample");
        let printed = make().replace(" --config etl-orch.yaml", "");
        // Pages have their own width.
        let words = |text: &str| without_own(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&shown), words(&printed), "{page}\n{printed}");
    }
}

#[test]
fn every_command_that_is_documented_exists() {
    let others =
        ["ARCHITECTURE.md", "config/etl-orch.yaml", "systemd/etl-orch.service", "systemd/etl-orch-health.service", "examples/crontab"];
    let documents = pages().into_values().chain(others.map(shipped)).collect::<Vec<_>>().join("\n");
    let in_blocks = all(r"(?m)^ *(?:sudo (?:-u \S+ )?)?etl-orch( ?[^#|>\n]*)", &blocks(&documents, "sh(?: parse)?").join("\n"));
    let in_text = all(r"`etl-orch( [^`|]*)`", &documents);
    let in_units = all(r"(?m)^(?:ExecStart=|\*/15 .* )/usr/bin/etl-orch( .*)$", &documents);
    assert!(in_blocks.len() >= 40 && in_text.len() >= 10 && in_units.len() == 3, "{in_blocks:?} {in_text:?} {in_units:?}");
    let lines: BTreeSet<_> = in_blocks.iter().chain(&in_text).chain(&in_units).collect();
    for line in lines {
        let words = all(r#"("[^"]*"|\S+)"#, line);
        let words: Vec<&str> = words.iter().map(|word| word.trim_matches('"')).chain(["--help"]).collect();
        let done = etl_orch(&words, &[]);
        assert_eq!(done.code, 0, "etl-orch{line}: {}", done.stderr);
    }
}

#[test]
fn every_command_and_every_kind_of_object_is_documented() {
    let documents = pages().into_values().collect::<Vec<_>>().join("\n");
    let json = shipped("docs/json.md");
    for (command, calls) in CALLS {
        let named = format!(r"etl-orch {command}\b");
        assert!(Regex::new(&named).expect("a pattern").is_match(&documents), "etl-orch {command} is not documented");
        for (_, _, kind) in *calls {
            assert!(json.contains(&format!("`{kind}`")), "docs/json.md lacks {kind}");
        }
    }
}

#[test]
fn every_snippet_of_a_configuration_is_valid() {
    let quick_start = QuickStart::new();
    let base = [
        ("database", "database: {url: \"sqlite://x.db\"}\n"),
        ("institutions", "institutions: config/monitored_institutions.yaml\n"),
        ("etls", "etls: {filler: {report_type: Filler, requires: [transcripts], command: [sh]}}\n"),
    ];
    let mut seen = 0;
    for (name, text) in pages() {
        for block in blocks(&text, "yaml") {
            let given: Vec<_> = all(r"(?m)^([a-z_]+):", &block);
            let missing = base.iter().filter(|(key, _)| !given.iter().any(|one| one == key));
            let whole: String = missing.map(|(_, text)| *text).chain([block.as_str()]).collect();
            fs::write(quick_start.at("snippet.yaml"), whole.replace("/var/lib/prometheus/node-exporter/", "")).expect("a file");
            let mut command = quick_start.command(env!("CARGO_BIN_EXE_etl-orch"));
            command.args(["--config", "snippet.yaml", "config", "check"]);
            for variable in all(r"\$\{([A-Z_]+)\}", &block) {
                let value = if variable.ends_with("_URL") { "https://example.com" } else { "0123456789abcdef" };
                command.env(variable, value);
            }
            let done = Done::of(&command.output().expect("the binary starts"));
            assert_eq!(done.code, 0, "{name}:\n{block}\n{}", done.stderr);
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
}
