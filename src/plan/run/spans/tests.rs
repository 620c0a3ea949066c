use super::*;
use crate::plan::test_events::{at, end, events, run_id};

fn spans(trace: TraceContext) -> Vec<Span> {
    let mut spans = Spans::new(run_id(), trace, at(0));
    let mut all: Vec<Span> = events().iter().flat_map(|event| spans.event(event)).collect();
    all.extend(spans.run(&end(1)));
    all
}

#[test]
fn a_run_its_jobs_their_attempts_and_stages_are_spans_within_each_other() {
    let all = spans(TraceContext::new(run_id(), None));
    let depth = |span: &Span| {
        std::iter::successors(span.parent, |parent| all.iter().find(|span| span.id == *parent).and_then(|span| span.parent)).count()
    };
    let lines = all.iter().map(|span| {
        let seconds = |instant: DateTime<Utc>| (instant - at(0)).num_seconds();
        let facts = span.attributes.iter().map(|attribute| match &attribute.value {
            Value::Text(text) => format!("{}={text}", attribute.key),
            Value::Integer(number) => format!("{}={number}", attribute.key),
        });
        let facts = facts.collect::<Vec<_>>().join(" ").replace("etl_orch.", "");
        format!(
            "{}{} {}..{} {:?}\n    {facts}",
            "> ".repeat(depth(span)),
            span.name,
            seconds(span.begun_at),
            seconds(span.ended_at),
            span.status
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    > > attempt 1..4 Error("exit code 3")
        job_id=00000000-0000-0000-0000-000000001001 gap=RY-CA/2025Q2/call_summary bank=RY-CA period=2025Q2 etl=call_summary attempt=1 outcome=exit_code error.type=exit_code process.exit.code=3
    > > attempt 2..6 Error("ended by signal 11")
        job_id=00000000-0000-0000-0000-000000002002 gap=TD-CA/2025Q2/key_themes bank=TD-CA period=2025Q2 etl=key_themes attempt=1 outcome=signal error.type=signal signal=11
    > key_themes TD-CA 2..6 Error("ended by signal 11")
        job_id=00000000-0000-0000-0000-000000002002 gap=TD-CA/2025Q2/key_themes bank=TD-CA period=2025Q2 etl=key_themes state=failed attempts=1 outcome=signal error.type=signal signal=11 log.file.path=/var/logs/2026-01-16/1001/1.log
    > > > extract 9..12 Ok
        state=complete records.read=400
    > > > load 12..15 Unset
        state=started records.read=0
    > > attempt 9..15 Ok
        job_id=00000000-0000-0000-0000-000000001001 gap=RY-CA/2025Q2/call_summary bank=RY-CA period=2025Q2 etl=call_summary attempt=2 outcome=succeeded process.exit.code=0
    > call_summary RY-CA 1..15 Ok
        job_id=00000000-0000-0000-0000-000000001001 gap=RY-CA/2025Q2/call_summary bank=RY-CA period=2025Q2 etl=call_summary state=succeeded attempts=2 outcome=succeeded process.exit.code=0
    run 0..16 Error("1 of 3 jobs failed")
        run_id=00000000-0000-0000-0000-000000007007 process.exit.code=1 jobs=3 jobs.succeeded=1 jobs.failed=1 jobs.cancelled=1
    "#);
}

#[test]
fn a_run_that_was_started_within_a_trace_joins_it() {
    let inherited = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let all = spans(TraceContext::new(run_id(), Some(inherited)));
    assert_eq!(all.last().unwrap().parent.unwrap().to_string(), "00f067aa0ba902b7");
}

#[test]
fn a_run_without_jobs_is_told_only_where_it_went_wrong() {
    let spans = || Spans::new(run_id(), TraceContext::new(run_id(), None), at(0));
    assert_eq!(spans().run(&end(0)), None);
    let failed = RunEnd { outcome: Err("the database is gone".to_owned()), text: "error: the database is gone\n".to_owned(), ..end(1) };
    assert_eq!(spans().run(&failed).unwrap().status, Status::Error("error: the database is gone".to_owned()));
}
