use super::*;
use crate::plan::decide::decision::{Decision, Why};
use crate::plan::decide::explain::{Failures, Verdict, What};
use crate::plan::model::job::JobState;
use crate::plan::remember::failure_history::{Rest, RestReason};

fn at(clock: &str) -> DateTime<Utc> {
    format!("2026-11-28T{clock}:00Z").parse().unwrap()
}

fn fact(what: What, weight: Weight) -> Fact {
    Fact { what, weight }
}

fn monitored() -> Fact {
    let (key, name, place) = ("TD-CA".to_owned(), "Toronto-Dominion".to_owned(), "banks.yaml:3:1".to_owned());
    fact(What::Monitored { key, name, id: 6, place }, Weight::Passes)
}

fn explanation(verdict: Decision, facts: Vec<Fact>) -> Explanation {
    Explanation { gap: "TD-CA/2025Q2/call_summary".parse().unwrap(), verdict: Verdict::Decided(verdict), facts }
}

#[test]
fn the_fact_that_decides_is_marked_and_the_page_ends_with_what_to_type() {
    let rest = Rest { since: at("14:00"), until: at("14:20"), why: RestReason::Failed };
    let failures = Failures {
        failed_runs: 2,
        quarantine_after: 8,
        rest: Some(rest),
        error: Some("exit code 3 - no such \u{1b}[31mmodel".to_owned()),
        log: Some("/var/logs/1.log".to_owned()),
        ..Failures::default()
    };
    let (report_type, made_by, misspelled, order) = ("Call Summary".to_owned(), None, None, None);
    let missing = fact(What::Report { exists: false, report_type, made_by, misspelled, order }, Weight::Passes);
    let facts = vec![monitored(), missing, fact(What::Failures(failures), Weight::Decides), fact(What::LastRun(None), Weight::Told)];
    let view = WhyView::new(
        &[explanation(Decision::CoolingDown(rest), facts)],
        (0, 0),
        "",
        &CommandLine::new(Some("x.yaml".as_ref())),
        at("14:06"),
    );
    insta::assert_snapshot!(view.text(), @r#"
    TD-CA 2025 Q2 call_summary: cooling down until 2026-11-28 14:20:00Z (in 14m)

      [yes] monitored: TD-CA (Toronto-Dominion), id 6, banks.yaml:3:1
      [yes] not there yet: report Call Summary
    > [no]  failures: cooling down until 2026-11-28 14:20:00Z (in 14m), after 2
            failed runs in a row; quarantine after 8
            last error: exit code 3 - no such \u{1b}[31mmodel
            log: /var/logs/1.log
            last run: none is on record

    The first run after that tries again. To have the next run try:
      etl-orch retry TD-CA 2025 Q2 call_summary --reason "..." --config x.yaml
    "#);
}

#[test]
fn a_gap_in_the_queue_of_a_run_is_not_left_to_the_next() {
    let job = |state| crate::plan::remember::trace::fixture::job(state, Vec::new());
    let title = |job| {
        let facts = vec![monitored(), fact(What::LastJob(Some(job)), Weight::Told)];
        let view = WhyView::new(
            &[explanation(Decision::Run(Why::Missing), facts)],
            (0, 0),
            "",
            &CommandLine::new(Some("x.yaml".as_ref())),
            at("14:06"),
        );
        view.text().lines().next().map(str::to_owned)
    };
    assert_eq!(title(job(JobState::Queued)).unwrap(), "TD-CA 2025 Q2 call_summary: it is in the queue of run 00000000");
    assert_eq!(title(job(JobState::Cancelled)).unwrap(), "TD-CA 2025 Q2 call_summary: the next run makes it");
}
