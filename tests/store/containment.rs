//! What is remembered of gaps and of ETLs, and requests of others to cancel a run's jobs.

use chrono::{DateTime, Utc};
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::ids::RunId;
use etl_orch::plan::model::job::Claim;
use etl_orch::plan::model::orders::{CancelRequest, GapOrder, GapOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::breaker::OpenBreaker;
use etl_orch::plan::remember::claim::{ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::{FailureHistory, GapState, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use etl_orch::plan::remember::fingerprint::Fingerprint;
use etl_orch::plan::remember::recorded_job::{NewJob, Watched};
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Access;
use uuid::Uuid;

use crate::endings::Endings;
use crate::fixture::{Fixture, at, begin_run, claim, claimed, end, enqueue, fail, failed_runs, gap_state, key, new_job, queued, wish, yes};

crate::on_both_databases![
    a_memory_comes_back_as_it_was_written,
    a_rest_without_end_is_kept,
    a_success_forgets,
    a_gap_without_a_past_is_not_listed,
    whatever_says_something_is_noted,
    a_cancelled_job_leaves_the_memory_as_it_is,
    a_loss_is_remembered,
    a_memory_is_written_by_the_holder_of_the_fence_only,
    a_claim_hands_out_the_memory,
    running_jobs_come_with_all_that_recovery_needs,
    a_run_watches_its_running_jobs,
    a_lost_attempt_gets_its_end_later,
    only_a_lost_attempt_gets_its_end_later,
    a_breaker_opens_changes_and_closes,
    refunds_are_written_where_nobody_claimed_since,
    without_history_nothing_is_remembered,
];

/// A history in which everything is said.
fn everything() -> FailureHistory {
    FailureHistory {
        failed_runs: 3,
        probes: 1,
        refunded: 2,
        not_ready: 4,
        lost: 5,
        rest: Some(Rest { since: at(10), until: at(70), why: RestReason::NotReady }),
        quarantine: Some(Quarantine { since: at(11), why: QuarantineReason::Crashes }),
        released: true,
        fingerprint: Some(made_from("a")),
        error: Some("exit code 1".into()),
    }
}

fn made_from(sources: &str) -> Fingerprint {
    Fingerprint { sources: sources.into(), etl: "e".into() }
}

fn breaker(etl: &str) -> OpenBreaker {
    OpenBreaker {
        etl: etl.into(),
        since: at(5),
        banks: vec!["RY-CA".into(), "B\"MO-CA".into()],
        etl_digest: "digest".into(),
        probed: None,
        probed_at: None,
    }
}

async fn a_memory_comes_back_as_it_was_written(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &everything()).await.unwrap());
    let expected = GapState { key: new_job(0).gap, fence: 1, history: everything(), skip: None, forced: None };
    assert_eq!(store.gap_states().await.unwrap(), [expected]);
    let (job, report) = (queued(&*store).await, key());
    let again = yes(store.claim(&ClaimRequest { planned_fence: 1, ..wish(job.id, &report) }).await.unwrap());
    let less = FailureHistory { quarantine: None, rest: None, fingerprint: None, error: None, released: false, ..everything() };
    assert!(store.skip(again, &end(1, Outcome::NotReady(66)), "no", &less).await.unwrap());
    assert_eq!(gap_state(&*store).await.unwrap().history, less);
}

async fn a_rest_without_end_is_kept(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let rest = Rest { since: at(0), until: DateTime::<Utc>::MAX_UTC, why: RestReason::Failed };
    let history = FailureHistory { failed_runs: 1, rest: Some(rest), ..FailureHistory::default() };
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
    let kept = gap_state(&*store).await.unwrap().history.rest.unwrap();
    assert!(kept.until > at(0) + chrono::Duration::days(365_000), "{kept:?}");
    let job = queued(&*store).await;
    assert_eq!(store.claim(&wish(job.id, &key())).await.unwrap(), Claimed::HeldBack);
}

async fn a_success_forgets(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert!(
        store
            .fail(first, &end(1, Outcome::ExitCode(1)), "no", &FailureHistory { rest: None, quarantine: None, ..everything() })
            .await
            .unwrap()
    );
    let second = claimed(&*store).await;
    assert!(store.succeed(second, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(gap_state(&*store).await, None);
    assert_eq!(fixture.gap().await, ["2||"]);
    let third = queued(&*store).await;
    let Claimed::Yes { history, .. } = store.claim(&wish(third.id, &key())).await.unwrap() else { panic!("not claimed") };
    assert_eq!(history, FailureHistory::default());
}

async fn a_gap_without_a_past_is_not_listed(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    assert!(store.gap_states().await.unwrap().is_empty());
    assert!(store.succeed(first, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert!(store.gap_states().await.unwrap().is_empty());
    // What says nothing leaves nothing behind that a later claim would hand out.
    let second = claimed(&*store).await;
    let mute = FailureHistory { fingerprint: Some(made_from("a")), released: true, ..FailureHistory::default() };
    assert!(store.fail(second, &end(1, Outcome::SpawnFailed { why: "x".into(), may_pass: false }), "no", &mute).await.unwrap());
    assert!(store.gap_states().await.unwrap().is_empty());
}

async fn whatever_says_something_is_noted(fixture: Fixture) {
    let store = fixture.open().await;
    let rest = Rest { since: at(1), until: at(1), why: RestReason::Failed };
    let quarantine = Quarantine { since: at(0), why: QuarantineReason::Permanent };
    for history in [
        FailureHistory { failed_runs: 1, ..FailureHistory::default() },
        FailureHistory { refunded: 1, ..FailureHistory::default() },
        FailureHistory { not_ready: 1, ..FailureHistory::default() },
        FailureHistory { lost: 1, ..FailureHistory::default() },
        FailureHistory { rest: Some(rest), ..FailureHistory::default() },
        FailureHistory { quarantine: Some(quarantine), ..FailureHistory::default() },
        FailureHistory { error: Some("set up wrongly".into()), ..FailureHistory::default() },
    ] {
        let (job, report) = (queued(&*store).await, key());
        let planned_fence = fixture.gap().await.first().map_or(0, |row| row.split('|').next().unwrap().parse().unwrap());
        let claim = yes(store.claim(&ClaimRequest { planned_fence, ..wish(job.id, &report) }).await.unwrap());
        assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
        assert_eq!(gap_state(&*store).await.unwrap().history, history);
    }
}

async fn a_cancelled_job_leaves_the_memory_as_it_is(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let history = FailureHistory { rest: None, ..failed_runs(2) };
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
    let second = claimed(&*store).await;
    assert!(store.cancel(second, Some(&end(1, Outcome::Interrupted)), "asked to stop", at(12)).await.unwrap());
    assert_eq!(gap_state(&*store).await.unwrap().history, history);
}

async fn a_loss_is_remembered(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let history = FailureHistory { lost: 1, error: Some("its owner died over it".into()), ..FailureHistory::default() };
    assert!(store.lose(claim, &history, at(30)).await.unwrap());
    assert_eq!(gap_state(&*store).await.unwrap().history, history);
}

async fn a_memory_is_written_by_the_holder_of_the_fence_only(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let other = Claim { fence: 7, ..claim };
    assert!(!store.fail(other, &end(1, Outcome::ExitCode(1)), "no", &everything()).await.unwrap());
    assert!(!store.lose(other, &everything(), at(9)).await.unwrap());
    assert_eq!(fixture.gap().await, ["1||"]);
    // The row of the gap is of a later claim, whatever the job says.
    fixture.sql(&format!("UPDATE {} SET fence = 2", fixture.own("gap_states"))).await;
    assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &everything()).await.unwrap());
    assert_eq!(fixture.gap().await, ["2||"]);
}

async fn a_claim_hands_out_the_memory(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let history = FailureHistory { rest: None, quarantine: None, ..everything() };
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
    let job = queued(&*store).await;
    let claimed = store.claim(&wish(job.id, &key())).await.unwrap();
    assert_eq!(claimed, Claimed::Yes { claim: Claim { job: job.id, fence: 2 }, history });
}

async fn running_jobs_come_with_all_that_recovery_needs(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let history = FailureHistory { rest: None, quarantine: None, ..everything() };
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
    let run = begin_run(&*store).await;
    let job = NewJob { fingerprint: Some(made_from("b")), ..new_job(0) };
    enqueue(&*store, run, std::slice::from_ref(&job)).await;
    let claim = claim(&*store, job.id).await;
    store.order_cancel(job.id, "anna", "wrong data", at(4)).await.unwrap();
    let jobs = store.running_jobs().await.unwrap();
    assert_eq!((jobs.len(), jobs[0].claim, jobs[0].run), (1, claim, run));
    assert_eq!((&jobs[0].history, &jobs[0].fingerprint), (&history, &job.fingerprint));
    assert_eq!(jobs[0].cancel, Some(CancelRequest { by: "anna".into(), reason: "wrong data".into() }));
}

async fn a_run_watches_its_running_jobs(fixture: Fixture) {
    let store = fixture.open().await;
    let (run, other) = (begin_run(&*store).await, begin_run(&*store).await);
    let gap = |name: &str| format!("RY-CA/2025Q2/{name}").parse().unwrap();
    let jobs = [NewJob { gap: gap("a"), ..new_job(0) }, NewJob { gap: gap("b"), ..new_job(1) }, NewJob { gap: gap("c"), ..new_job(2) }];
    let theirs = NewJob { gap: gap("d"), ..new_job(0) };
    enqueue(&*store, run, &jobs).await;
    enqueue(&*store, other, std::slice::from_ref(&theirs)).await;
    let (first, second) = (claim(&*store, jobs[0].id).await, claim(&*store, jobs[1].id).await);
    claim(&*store, theirs.id).await;
    store.order_cancel(jobs[1].id, "anna", "enough", at(4)).await.unwrap();
    let cancel = Some(CancelRequest { by: "anna".into(), reason: "enough".into() });
    assert_eq!(store.watch(run).await.unwrap(), [Watched { claim: first, cancel: None }, Watched { claim: second, cancel }]);
    fail(&*store, first).await;
    assert_eq!(store.watch(run).await.unwrap().len(), 1);
    assert!(store.watch(RunId::new(Uuid::new_v4())).await.unwrap().is_empty());
}

async fn a_lost_attempt_gets_its_end_later(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    assert!(store.lose(claim, &FailureHistory::default(), at(30)).await.unwrap());
    let end = end(1, Outcome::ExitCode(3));
    assert!(store.attach(claim, &end).await.unwrap());
    assert!(store.attach(claim, &end).await.unwrap(), "what is recorded counts as done");
    assert_eq!(fixture.attempts().await, ["1|exit_code|3|exit code 3"]);
    assert_eq!(fixture.jobs().await, ["lost|its owner died"]);
    let rest = format!("SELECT tail, duration_ms FROM {}", fixture.own("etl_attempts"));
    assert_eq!(fixture.rows(&rest).await, ["last line|1500"]);
}

async fn only_a_lost_attempt_gets_its_end_later(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    let end = end(1, Outcome::ExitCode(3));
    assert!(!store.attach(claim, &end).await.unwrap(), "the job is running");
    assert!(store.lose(claim, &FailureHistory::default(), at(30)).await.unwrap());
    assert!(!store.attach(Claim { fence: 9, ..claim }, &end).await.unwrap());
    assert!(!store.attach(claim, &crate::fixture::end(2, Outcome::ExitCode(3))).await.unwrap());
    assert_eq!(fixture.attempts().await, ["1|lost||lost"]);
    let next = claimed(&*store).await;
    fail(&*store, next).await;
    assert!(!store.attach(next, &crate::fixture::end(1, Outcome::ExitCode(4))).await.unwrap(), "the job has failed");
}

async fn a_breaker_opens_changes_and_closes(fixture: Fixture) {
    let store = fixture.open().await;
    assert!(store.open_breakers().await.unwrap().is_empty());
    store.set_breaker("b", Some(&breaker("b")), &[]).await.unwrap();
    store.set_breaker("a", Some(&breaker("a")), &[]).await.unwrap();
    assert_eq!(store.open_breakers().await.unwrap(), [breaker("a"), breaker("b")]);
    let probed = OpenBreaker { probed: Some("RY-CA".into()), probed_at: Some(at(60)), banks: vec![], ..breaker("a") };
    store.set_breaker("a", Some(&probed), &[]).await.unwrap();
    store.set_breaker("b", None, &[]).await.unwrap();
    store.set_breaker("b", None, &[]).await.unwrap();
    assert_eq!(store.open_breakers().await.unwrap(), [probed]);
}

async fn refunds_are_written_where_nobody_claimed_since(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let gaps: Vec<GapKey> = ["failed", "again", "running"].iter().map(|name| format!("RY-CA/2025Q2/{name}").parse().unwrap()).collect();
    let try_it = async |position: usize| {
        let job = NewJob { gap: gaps[position].clone(), ..new_job(position) };
        enqueue(&*store, run, std::slice::from_ref(&job)).await;
        claim(&*store, job.id).await
    };
    let past = FailureHistory { rest: None, ..failed_runs(3) };
    for position in 0..3 {
        let claim = try_it(position).await;
        assert!(store.fail(claim, &end(1, Outcome::ExitCode(1)), "no", &past).await.unwrap());
    }
    let again = try_it(1).await;
    assert!(store.fail(again, &end(1, Outcome::ExitCode(1)), "no", &past).await.unwrap());
    try_it(2).await;
    let refunded = FailureHistory { failed_runs: 2, refunded: 1, ..past.clone() };
    let unknown = "RY-CA/2025Q2/unknown".parse().unwrap();
    let refunds = [(&gaps[2], 2), (&gaps[0], 1), (&gaps[1], 1), (&unknown, 0)].map(|(gap, fence)| (gap.clone(), fence, refunded.clone()));
    store.set_breaker("a", Some(&breaker("a")), &refunds).await.unwrap();
    let states = store.gap_states().await.unwrap();
    let failed: Vec<_> = states.iter().map(|state| (state.key.to_string(), state.history.failed_runs)).collect();
    assert_eq!(
        failed,
        [("RY-CA/2025Q2/again", 3), ("RY-CA/2025Q2/failed", 2), ("RY-CA/2025Q2/running", 3)].map(|(gap, runs)| (gap.to_owned(), runs))
    );
    assert_eq!(store.open_breakers().await.unwrap(), [breaker("a")]);
    // Closing gives back too, and what is given back wholly is not listed any more, unless something else is said of the gap.
    let order = GapOrder { kind: GapOrderKind::Skip { until: None }, by: "anna".into(), reason: "r".into(), at: at(40) };
    store.order(&order, &gaps[1..2]).await.unwrap();
    let nothing = [(gaps[0].clone(), 1, FailureHistory::default()), (gaps[1].clone(), 2, FailureHistory::default())];
    store.set_breaker("a", None, &nothing).await.unwrap();
    let states = store.gap_states().await.unwrap();
    let skip = Some(SkipOrder { since: at(40), until: None, by: "anna".into(), reason: "r".into() });
    assert_eq!(states[0], GapState { key: gaps[1].clone(), fence: 2, history: FailureHistory::default(), skip, forced: None });
    assert_eq!(states.len(), 2);
    assert!(store.open_breakers().await.unwrap().is_empty());
}

async fn without_history_nothing_is_remembered(fixture: Fixture) {
    fixture.available(1, "RY", "2025Q1").await;
    let store = fixture.open_for(Access::ReadOnly).await.unwrap();
    assert!(store.gap_states().await.unwrap().is_empty());
    assert!(store.open_breakers().await.unwrap().is_empty());
    assert!(store.watch(RunId::new(Uuid::new_v4())).await.unwrap().is_empty());
    assert!(store.find_jobs("", 10).await.unwrap().is_empty());
    assert_eq!(store.availability_versions(&[(1, crate::fixture::period("2025Q1"))]).await.unwrap().len(), 1, "data is no history");
}
