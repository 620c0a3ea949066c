use chrono::TimeZone;

use super::*;
use crate::plan::model::outcome::Fault;

fn at(millisecond: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_800_000_000_000 + millisecond).unwrap()
}

fn hear(account: &mut Account, now: i64, message: Message) -> Option<String> {
    account.take(message, &Secrets::new(["hunter2".to_owned()]), at(now))
}

fn status(name: &str, state: StageState, at: Option<DateTime<Utc>>) -> Message {
    Message::Status { stage: name.to_owned(), state, at }
}

fn counts(stage: &str, read: u64, named: &[(&str, u64)]) -> Message {
    let named = named.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    Message::Counts(Some(StageCounts { stage: stage.to_owned(), read: Some(read), named, ..StageCounts::default() }))
}

fn metric(name: &str, value: f64) -> Message {
    Message::Metric { name: name.to_owned(), value }
}

#[test]
fn stages_begin_get_on_and_end() {
    let mut account = Account::new(at(0));
    hear(&mut account, 5, status("a", StageState::Started, Some(at(3))));
    hear(&mut account, 6, counts("a", 200, &[("flagged", 2)]));
    assert_eq!(account.news().stages[0].records.read, Some(200));
    assert!(!account.has_news());
    hear(&mut account, 7, Message::Estimate { stage: Some(("a".to_owned(), 500)), at: None });
    hear(&mut account, 8, counts("a", 50, &[("flagged", 1), ("new", 4)]));
    hear(&mut account, 9, status("a", StageState::Complete, None));
    hear(&mut account, 9, status("a", StageState::Running, None));
    let said = account.news();
    let records = Records { read: Some(250), estimate: Some(500), ..Records::default() };
    let stage = Stage {
        n: 1,
        name: "a".into(),
        state: StageState::Complete,
        started_at: at(3),
        ended_at: Some(at(9)),
        records,
        counts: vec![("flagged".into(), 3), ("new".into(), 4)],
    };
    assert_eq!(said.stages, [stage]);
    hear(&mut account, 12, status("a", StageState::Started, None));
    assert_eq!(account.news().stages[0].n, 2, "a stage that begins again is another one");
}

#[test]
fn a_time_is_believed_between_spawn_and_receipt() {
    let mut account = Account::new(at(0) + TimeDelta::microseconds(900));
    for (name, said, believed) in [("old", -1, 10), ("first", 0, 0), ("now", 10, 10), ("future", 11, 10)] {
        hear(&mut account, 10, status(name, StageState::Started, Some(at(said))));
        assert_eq!(account.news().stages[0].started_at, at(believed), "{name}");
    }
    hear(&mut account, 12, status("now", StageState::Complete, Some(at(4))));
    assert_eq!(account.news().stages[0].ended_at, Some(at(10)), "no stage ends before it began");
}

#[test]
fn plain_lines_end_the_stage_before() {
    let mut account = Account::new(at(0));
    account.line_of_stage("Query", None, at(1));
    account.line_of_stage("Filter", Some(198), at(2));
    account.line_of_stage("Filter", Some(150), at(3));
    account.end(false, at(4));
    let stages = account.news().stages;
    let seen: Vec<_> = stages.iter().map(|stage| (stage.state, stage.ended_at, stage.records.read)).collect();
    assert_eq!(seen, [(StageState::Complete, Some(at(2)), None), (StageState::Incomplete, Some(at(4)), Some(150))]);
    assert_eq!(account.error(true).map(|error| error.message), Some("stage Filter is incomplete".into()), "so it is asked before");
}

#[test]
fn an_error_or_an_incomplete_stage_is_what_went_wrong() {
    let mut account = Account::new(at(0));
    hear(&mut account, 1, status("a", StageState::Incomplete, None));
    assert_eq!(account.error(true).unwrap().message, "stage a is incomplete");
    assert_eq!(account.error(false), None, "a bad exit says more");
    hear(&mut account, 2, status("a", StageState::Started, None));
    assert_eq!(account.error(true), None, "it is done again");
    let error = |message: &str, fault| Message::Error(ChildError { message: message.to_owned(), fault });
    assert_eq!(hear(&mut account, 3, error("no\n key hunter2", Some(Fault::Configuration))).unwrap(), "ERROR: no key [redacted]");
    hear(&mut account, 4, error("later", None));
    assert_eq!(account.error(true), Some(ChildError { message: "no\n key [redacted]".to_owned(), fault: Some(Fault::Configuration) }));
}

#[test]
fn secrets_are_left_out_and_people_see_messages_alone() {
    let mut account = Account::new(at(0));
    let log = |level| Message::Log { level, message: "uses hunter2".to_owned() };
    assert_eq!(hear(&mut account, 1, log(LogLevel::Info)).unwrap(), "uses [redacted]");
    assert_eq!(hear(&mut account, 1, log(LogLevel::Warn)).unwrap(), "WARN: uses [redacted]");
    assert_eq!(hear(&mut account, 1, counts("hunter2", 1, &[("hunter2", 1)])), None);
    assert_eq!(hear(&mut account, 1, metric("hunter2", 1.0)), None);
    assert!(!format!("{:?}", account.news()).contains("hunter2"));
}

#[test]
fn metrics_are_sums() {
    let mut account = Account::new(at(0));
    for value in [1.5, 0.25] {
        hear(&mut account, 1, metric("llm_cost_usd", value));
    }
    assert_eq!(account.news().metrics, [Metric { name: "llm_cost_usd".into(), value: 1.75 }]);
    assert!(account.news().is_empty());
}

#[test]
fn however_much_is_said_little_is_kept_and_that_is_said() {
    let mut account = Account::new(at(0));
    for n in 0..3000 {
        let name = format!("{n} {}", "x".repeat(9000));
        hear(&mut account, 1, counts(&name, 1, &[]));
        hear(&mut account, 1, counts("one", 1, &[(&name, 1)]));
        hear(&mut account, 1, metric(&name, 1.0));
        hear(&mut account, 1, Message::Log { level: LogLevel::Info, message: name });
    }
    let said = account.news();
    assert!(said.stages.len() <= MOST_STAGES && said.metrics.len() <= MOST_METRICS);
    assert!(said.logs.iter().map(|log| log.message.len()).sum::<usize>() <= MOST_LOG_BYTES + 1000);
    let omitted: Vec<_> = said.logs.iter().filter(|log| log.level == LogLevel::Omitted).map(|log| &log.message[..20]).collect();
    assert_eq!(omitted.len(), 4, "{omitted:?}");
}
