//! What a child says of its work in messages and lines.

use etl_orch::execute::AttemptEvent;
use etl_orch::execute::command::CommandExecutor;
use etl_orch::execute::stop::StopSender;
use etl_orch::plan::model::patterns::StagePattern;
use etl_orch::plan::model::said::{Metric, Said, StageState};
use etl_orch::plan::run::ended::{End, Ended};
use etl_orch::plan::text::secrets::Secrets;
use regex::Regex;
use tokio::sync::mpsc;

use crate::bench::{Bench, within};

/// Runs a script; its end, its lines, and all that it said.
async fn run(room: usize, script: &str) -> (Ended, Vec<String>, Said) {
    let bench = Bench::new();
    let progress = vec![StagePattern { pattern: Regex::new(r"Filtered to (\d+)").unwrap(), stage: "Filter".into(), records: Some(1) }];
    let (sender, mut events) = mpsc::channel(room);
    let program = etl_orch::execute::Program { progress, ..bench.sh(script) };
    let executor = CommandExecutor::new(Secrets::new(["hunter2".to_owned()]));
    let ended = within(executor.run(program, StopSender::default().signal(), sender)).await;
    let (mut lines, mut said) = (Vec::new(), Said::default());
    while let Some(event) = events.recv().await {
        match event {
            AttemptEvent::Said(news) => said.merge(news),
            AttemptEvent::Line(line) => lines.push(line),
            AttemptEvent::Spawned(_)
            | AttemptEvent::Triggered(_)
            | AttemptEvent::Waits(_)
            | AttemptEvent::Progress(_)
            | AttemptEvent::LinesOmitted(_) => {}
        }
    }
    said.merge(ended.said.clone());
    (ended, lines, said)
}

const SCRIPT: &str = r#"
say() { printf '%s\n' "$1"; }
status() { say '{"type":"TRACE","trace":{"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{"name":"Load"},"status":"'$1'"}}}'; }
status STARTED
say '{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"Load"}},"sourceStats":{"recordCount":40}}}'
say '{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"Load"}},"sourceStats":{"recordCount":2}}}'
say '{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"tokens","value":"48"}}}'
say '{"type":"LOG","log":{"level":"WARN","message":"it uses hunter2"}}'
say '{"type":"LOG","log":{"level":"odd","message":"a line"}}'
status COMPLETE
say 'Filtered to 7 rows' >&2
status INCOMPLETE >&2
"#;

#[tokio::test]
async fn messages_on_stdout_are_taken_and_everything_else_is_a_line() {
    let (ended, lines, said) = run(64, SCRIPT).await;
    assert_eq!((ended.end, ended.error), (End::Exited(0), None));
    let mut names: Vec<_> = said.stages.iter().map(|stage| (stage.name.as_str(), stage.state, stage.records.read)).collect();
    names.sort_by_key(|(name, ..)| *name);
    assert_eq!(names, [("Filter", StageState::Complete, Some(7)), ("Load", StageState::Complete, Some(42))]);
    assert_eq!(said.metrics, [Metric { name: "tokens".into(), value: 48.0 }]);
    assert_eq!(said.logs[0].message, "it uses [redacted]");
    for line in ["WARN: it uses [redacted]", "Filtered to 7 rows", r#"{"type":"LOG","log":{"level":"odd","message":"a line"}}"#] {
        assert!(lines.iter().any(|seen| seen == line), "{line} {lines:?}");
        assert!(ended.tail.contains(line), "{}", ended.tail);
    }
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[tokio::test]
async fn what_nobody_takes_comes_with_the_end() {
    let (ended, _, said) = run(3, &format!("i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); done; {SCRIPT}")).await;
    assert!(!ended.said.is_empty());
    assert_eq!(said.stages.len(), 2);
}
