use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use chrono::Utc;

use super::super::args::Cli;
use crate::plan::health::fixture::one_of_each;
use crate::plan::health::issue::Issue;
use crate::plan::health::judgement::{Judgement, Status};
use crate::plan::health::recovery::Action;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::test_support::{etl, source_called};
use crate::show::health::HealthView;
use crate::show::{CommandLine, View};

/// The words of a command, as a POSIX shell reads it.
fn words(command: &str) -> Vec<OsString> {
    let (mut words, mut quote, mut is_escaped) = (vec![String::new()], None, false);
    for character in command.chars() {
        let word = words.last_mut().unwrap();
        match (quote, character) {
            _ if is_escaped => {
                word.push(character);
                is_escaped = false;
            }
            (Some(end), _) if end == character => quote = None,
            (Some(_), _) => word.push(character),
            (None, '\\') => is_escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') => words.push(String::new()),
            (None, _) => {
                assert!(!"&|;<>()$`*?[#~!{}".contains(character), "{character} means something to a shell: {command}");
                word.push(character);
            }
        }
    }
    words.into_iter().map(OsString::from).collect()
}

#[test]
fn every_issue_has_a_command_that_can_be_typed_as_it_is() {
    let config = "/srv/it's ours/etl-orch.yaml";
    let catalogue =
        Catalogue { etls: vec![etl("call $summary", "Call Summary")], sources: vec![source_called("us house")], ..Catalogue::default() };
    let issues = one_of_each().into_iter().map(|trouble| Issue { trouble, since: None }).collect();
    let judgement = Judgement { at: Utc::now(), status: Status::Unhealthy, issues, runs: None, sources: Vec::new(), reports: None };
    let next = CommandLine::new(Some(Path::new(config)));
    let json = HealthView::new(&judgement, Action::None, &catalogue, 1, &next).json().unwrap();
    let health: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut commands = BTreeMap::new();
    for issue in health["issues"].as_array().unwrap() {
        let (code, command) = (issue["code"].as_str().unwrap(), issue["command"].as_str().unwrap_or_default());
        let read = Cli::read(words(command), 80).unwrap_or_else(|error| panic!("{code}: {command}: {error}"));
        assert_eq!(read.0.config.as_deref(), Some(Path::new(config)), "{code}: {command}");
        commands.insert(code, command.trim_end_matches(" --config '/srv/it'\\''s ours/etl-orch.yaml'"));
    }
    assert_eq!((commands["no_recent_run"], commands["no_run"]), ("etl-orch doctor", "etl-orch run"));
    assert_eq!(commands["bank_late"], "etl-orch why BMO-CA 2025 Q1");
    assert_eq!(commands["source_late"], "etl-orch why 'us house'");
    assert_eq!(commands["breaker_open"], "etl-orch jobs --failed --etl-type 'call $summary'");
}
