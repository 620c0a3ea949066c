//! What operators order, `--force` among it, and how jobs are found by their ids.

use chrono::{DateTime, Utc};
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::ids::JobId;
use etl_orch::plan::model::job::JobState;
use etl_orch::plan::model::orders::{CancelAnswer, Forced, ForcedWhat, FoundJob, GapOrder, GapOrderKind};
use etl_orch::plan::model::outcome::Outcome;
use etl_orch::plan::remember::claim::{ClaimRequest, Claimed};
use etl_orch::plan::remember::failure_history::{FailureHistory, GapState, PendingForce, SkipOrder};
use etl_orch::plan::remember::recorded_job::NewJob;
use etl_orch::plan::run::job_end::Artifact;
use etl_orch::store::Store;
use uuid::Uuid;

use crate::endings::Endings;
use crate::fixture::{
    Fixture, at, begin_run, claim, claimed, end, enqueue, fail, failed_runs, gap_state, key, new_job, owner, queued, wish, yes,
};

crate::on_both_databases![
    retry_forgets_all_but_a_pending_force,
    retry_leaves_a_running_gap_alone,
    skip_is_remembered_also_of_a_gap_that_is_new,
    unskip_takes_skip_back_and_nothing_else,
    an_order_is_recorded_for_every_gap_once,
    a_claim_heeds_an_order_while_it_holds,
    force_is_pending_until_a_success,
    what_is_forced_is_known_while_some_of_it_is_pending,
    an_order_to_leave_a_group_alone_withdraws_what_is_forced_in_it,
    a_running_job_is_asked_to_stop,
    a_queued_job_is_dropped_and_its_gap_skipped,
    an_ended_or_unknown_job_cannot_be_cancelled,
    jobs_are_found_by_the_beginning_of_their_ids,
    the_latest_jobs_are_found_by_nothing,
    orders_and_claims_do_not_wait_for_each_other_in_a_circle,
];

fn order(kind: GapOrderKind, second: u32) -> GapOrder {
    GapOrder { kind, by: "anna".into(), reason: "because".into(), at: at(second) }
}

const SKIP: GapOrderKind = GapOrderKind::Skip { until: None };

fn skip_order(since: DateTime<Utc>, until: Option<DateTime<Utc>>) -> SkipOrder {
    SkipOrder { since, until, by: "anna".into(), reason: "because".into() }
}

fn gap() -> [GapKey; 1] {
    [new_job(0).gap]
}

async fn force(store: &dyn Store) -> NewJob {
    let run = begin_run(store).await;
    order_force(store, &[(new_job(0).gap, ForcedWhat::Existing)], 1).await;
    let job = NewJob { forced: true, ..new_job(0) };
    enqueue(store, run, std::slice::from_ref(&job)).await;
    job
}

async fn order_force(store: &dyn Store, order: &[(GapKey, ForcedWhat)], second: u32) {
    let order: Vec<Forced> = order.iter().map(|(gap, what)| Forced { gap: gap.clone(), what: *what }).collect();
    store.order_force(&order, "me", at(second)).await.unwrap();
}

fn pending(second: u32, was_missing: bool) -> PendingForce {
    PendingForce { at: at(second), was_missing }
}

async fn retry_forgets_all_but_a_pending_force(fixture: Fixture) {
    let store = fixture.open().await;
    let job = force(&*store).await;
    let claim = claim(&*store, job.id).await;
    fail(&*store, claim).await;
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.history, state.forced), (failed_runs(1), Some(pending(1, false))));
    assert_eq!(store.order(&order(GapOrderKind::Retry, 20), &gap()).await.unwrap(), 1);
    let state = gap_state(&*store).await.unwrap();
    let expected = (FailureHistory::default(), Some(pending(1, false)), 2);
    assert_eq!((state.history, state.forced, state.fence), expected, "nobody writes back what he remembers");
    assert_eq!(store.order(&order(GapOrderKind::Retry, 21), &gap()).await.unwrap(), 0, "there is nothing left to forget");
    store.order(&order(SKIP, 22), &gap()).await.unwrap();
    assert_eq!(fixture.gap().await, ["2|noted|"], "who skips takes --force back");
    assert_eq!(store.order(&order(GapOrderKind::Retry, 23), &gap()).await.unwrap(), 1);
    assert_eq!(gap_state(&*store).await, None);
    assert_eq!(fixture.gap().await, ["3||"]);
}

async fn retry_leaves_a_running_gap_alone(fixture: Fixture) {
    let store = fixture.open().await;
    let first = claimed(&*store).await;
    let history = FailureHistory { rest: None, ..failed_runs(1) };
    assert!(store.fail(first, &end(1, Outcome::ExitCode(1)), "no", &history).await.unwrap());
    claimed(&*store).await;
    let other = "RY-CA/2025Q2/other".parse().unwrap();
    assert_eq!(store.order(&order(GapOrderKind::Retry, 20), &[new_job(0).gap, other]).await.unwrap(), 0);
    assert_eq!(gap_state(&*store).await.unwrap().history, history);
    assert_eq!(fixture.orders().await, ["retry|RY-CA/2025Q2/other|anna|because|"]);
}

async fn skip_is_remembered_also_of_a_gap_that_is_new(fixture: Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.order(&order(SKIP, 20), &gap()).await.unwrap(), 1);
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.fence, state.skip, state.history), (0, Some(skip_order(at(20), None)), FailureHistory::default()));
    let kind = GapOrderKind::Skip { until: Some(at(500)) };
    assert_eq!(store.order(&order(kind, 21), &gap()).await.unwrap(), 1);
    assert_eq!(gap_state(&*store).await.unwrap().skip, Some(skip_order(at(21), Some(at(500)))));
    let until = format!("SELECT kind FROM {} WHERE until IS NOT NULL", fixture.own("overrides"));
    assert_eq!(fixture.rows(&until).await, ["skip"]);
}

async fn unskip_takes_skip_back_and_nothing_else(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    store.order(&order(SKIP, 3), &gap()).await.unwrap();
    fail(&*store, claim).await;
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.history, state.skip), (failed_runs(1), Some(skip_order(at(3), None))));
    assert_eq!(store.order(&order(GapOrderKind::Unskip, 20), &gap()).await.unwrap(), 1);
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.history, state.skip), (failed_runs(1), None));
    assert_eq!(store.order(&order(GapOrderKind::Unskip, 21), &gap()).await.unwrap(), 0);
    store.order(&order(GapOrderKind::Retry, 22), &gap()).await.unwrap();
    store.order(&order(SKIP, 23), &gap()).await.unwrap();
    store.order(&order(GapOrderKind::Unskip, 24), &gap()).await.unwrap();
    assert_eq!(fixture.gap().await, ["2||"]);
}

async fn an_order_is_recorded_for_every_gap_once(fixture: Fixture) {
    let store = fixture.open().await;
    let gaps = ["b", "a", "b"].map(|name| format!("RY-CA/2025Q2/{name}").parse().unwrap());
    assert_eq!(store.order(&order(GapOrderKind::Unskip, 20), &gaps).await.unwrap(), 0, "nothing changes");
    assert_eq!(store.order(&order(GapOrderKind::Unskip, 20), &gaps).await.unwrap(), 0, "the same order, said again");
    assert_eq!(store.order(&order(SKIP, 20), &gaps).await.unwrap(), 2);
    assert_eq!(store.order(&order(SKIP, 21), &[]).await.unwrap(), 0);
    assert_eq!(
        fixture.orders().await,
        ["unskip", "skip"].map(|order| ["a", "b"].map(|name| format!("{order}|RY-CA/2025Q2/{name}|anna|because|"))).concat()
    );
}

async fn a_claim_heeds_an_order_while_it_holds(fixture: Fixture) {
    fixture.report(1, "2025Q2", "Call Summary").await;
    let store = fixture.open().await;
    let job = force(&*store).await;
    store.order(&order(GapOrderKind::Skip { until: Some(at(60)) }, 1), &gap()).await.unwrap();
    let expected = Claimed::Ordered(skip_order(at(1), Some(at(60))));
    assert_eq!(store.claim(&wish(job.id, &key())).await.unwrap(), expected, "--force does not override skip");
    assert_eq!(fixture.jobs().await, ["skipped|anna wants it left alone: because"]);
    assert_eq!(fixture.gap().await, ["0|noted|"], "the fence is not used up");
    let job = force(&*store).await;
    let (report, kept) = (key(), Some(skip_order(at(1), Some(at(60)))));
    yes(store.claim(&ClaimRequest { at: at(60), ..wish(job.id, &report) }).await.unwrap());
    assert_eq!(gap_state(&*store).await.unwrap().skip, kept);
}

async fn force_is_pending_until_a_success(fixture: Fixture) {
    let store = fixture.open().await;
    let job = force(&*store).await;
    assert_eq!(fixture.gap().await, ["0|noted|forced"]);
    assert_eq!(gap_state(&*store).await.unwrap().forced, Some(pending(1, false)));
    let first = claim(&*store, job.id).await;
    assert!(store.lose(first, &FailureHistory::default(), at(9)).await.unwrap());
    assert_eq!(fixture.gap().await, ["1|noted|forced"]);
    let job = force(&*store).await;
    let second = claim(&*store, job.id).await;
    assert!(store.cancel(second, None, "asked to stop", at(10)).await.unwrap());
    assert_eq!(fixture.gap().await, ["2|noted|forced"]);
    let third = claimed(&*store).await;
    assert!(store.succeed(third, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(fixture.gap().await, ["3||"]);
}

async fn what_is_forced_is_known_while_some_of_it_is_pending(fixture: Fixture) {
    let store = fixture.open().await;
    let [ours, other, made] = ["call_summary", "other", "made"].map(|etl| format!("RY-CA/2025Q2/{etl}").parse::<GapKey>().unwrap());
    let all = [(ours.clone(), ForcedWhat::Existing), (other.clone(), ForcedWhat::Missing), (made.clone(), ForcedWhat::Made)];
    for _ in 0..2 {
        order_force(&*store, &all, 1).await;
    }
    order_force(&*store, &[], 1).await;
    let recorded = ["call_summary", "made", "other"].map(|etl| format!("force|RY-CA/2025Q2/{etl}|me|--force|"));
    assert_eq!(fixture.orders().await, recorded, "the same order, said again");
    let forced = |states: Vec<GapState>| -> Vec<_> { states.into_iter().map(|state| (state.key, state.forced)).collect() };
    let states = forced(store.gap_states().await.unwrap());
    assert_eq!(states, [(ours.clone(), Some(pending(1, false))), (other.clone(), Some(pending(1, true)))]);

    order_force(&*store, &[(other.clone(), ForcedWhat::Existing)], 5).await;
    let first = [&ours, &made, &other].map(|gap| (gap.clone(), at(1)));
    assert_eq!(store.force_orders().await.unwrap(), [&first[..], &[(other.clone(), at(5))]].concat());
    assert_eq!(forced(store.gap_states().await.unwrap())[1], (other.clone(), Some(pending(5, false))));

    let claim = claimed(&*store).await;
    assert!(store.succeed(claim, &end(1, Outcome::Succeeded), Artifact::Report).await.unwrap());
    assert_eq!(store.force_orders().await.unwrap(), [(other.clone(), at(5))], "nothing is left of the first");
    let skip = order(SKIP, 20);
    store.order(&skip, std::slice::from_ref(&other)).await.unwrap();
    assert_eq!(store.force_orders().await.unwrap(), []);
}

async fn an_order_to_leave_a_group_alone_withdraws_what_is_forced_in_it(fixture: Fixture) {
    let store = fixture.open().await;
    let keys = ["RY-CA/2025Q2/a", "RY-CA/2024Q2/b", "TD-CA/2025Q2/a", "TD-CA/2025Q2/b"].map(|key| key.parse::<GapKey>().unwrap());
    order_force(&*store, &keys.clone().map(|key| (key, ForcedWhat::Existing)), 1).await;
    let pending = async || -> Vec<String> {
        let states = store.gap_states().await.unwrap().into_iter();
        states.filter(|state| state.forced.is_some()).map(|state| state.key.to_string()).collect()
    };
    store.order(&order(SKIP, 20), &["RY-CA/*/*".parse().unwrap()]).await.unwrap();
    assert_eq!(pending().await, ["TD-CA/2025Q2/a", "TD-CA/2025Q2/b"]);
    store.order(&order(SKIP, 21), &["*/*/b".parse().unwrap()]).await.unwrap();
    assert_eq!(pending().await, ["TD-CA/2025Q2/a"]);
    store.order(&order(GapOrderKind::Unskip, 22), &["RY-CA/*/*".parse().unwrap()]).await.unwrap();
    assert_eq!(pending().await, ["TD-CA/2025Q2/a"], "what was withdrawn is not asked for again");
}

async fn a_running_job_is_asked_to_stop(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    for second in [20, 20, 21] {
        let answer = store.order_cancel(claim.job, "anna", "because", at(second)).await.unwrap();
        assert_eq!(answer, CancelAnswer::Asked(owner()));
    }
    assert_eq!(fixture.orders().await, ["cancel|RY-CA/2025Q2/call_summary|anna|because|job"]);
    assert_eq!(fixture.jobs().await, ["running|"]);
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.fence, state.skip), (1, Some(skip_order(at(20), None))));
    assert!(store.cancel(claim, Some(&end(1, Outcome::Interrupted)), "anna cancelled it", at(22)).await.unwrap());
    let next = queued(&*store).await;
    assert_eq!(store.claim(&wish(next.id, &key())).await.unwrap(), Claimed::Ordered(skip_order(at(20), None)));
}

async fn a_queued_job_is_dropped_and_its_gap_skipped(fixture: Fixture) {
    let store = fixture.open().await;
    let job = force(&*store).await;
    for _ in 0..2 {
        let answer = store.order_cancel(job.id, "anna", "because", at(20)).await.unwrap();
        assert_eq!(answer, CancelAnswer::Dropped, "also when it is said again");
    }
    assert_eq!(fixture.jobs().await, ["cancelled|anna cancelled it: because"]);
    assert_eq!(fixture.orders().await[1..], ["cancel|RY-CA/2025Q2/call_summary|anna|because|job"]);
    let state = gap_state(&*store).await.unwrap();
    assert_eq!((state.skip, state.forced), (Some(skip_order(at(20), None)), None));
    assert!(matches!(store.claim(&wish(job.id, &key())).await.unwrap(), Claimed::Gone(Some(_))));
}

async fn an_ended_or_unknown_job_cannot_be_cancelled(fixture: Fixture) {
    let store = fixture.open().await;
    let claim = claimed(&*store).await;
    fail(&*store, claim).await;
    let answer = store.order_cancel(claim.job, "anna", "because", at(20)).await.unwrap();
    assert_eq!(answer, CancelAnswer::Ended(JobState::Failed));
    assert!(fixture.orders().await.is_empty());
    assert_eq!(gap_state(&*store).await.unwrap().skip, None);
    let unknown = JobId::new(Uuid::new_v4());
    assert_eq!(store.order_cancel(unknown, "anna", "because", at(20)).await.unwrap(), CancelAnswer::Unknown);
}

fn numbered(number: u128, position: usize) -> NewJob {
    NewJob { id: JobId::new(Uuid::from_u128(number)), gap: format!("RY-CA/2025Q2/gap_{position}").parse().unwrap(), ..new_job(position) }
}

async fn jobs_are_found_by_the_beginning_of_their_ids(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    let jobs = [
        numbered(0xabcd_ef01_2345_0000_0000_0000_0000_0001, 0),
        numbered(0xabcd_ef01_9999_0000_0000_0000_0000_0001, 1),
        numbered(0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff, 2),
    ];
    enqueue(&*store, run, &jobs).await;
    let found = async |prefix: &str| -> Vec<JobId> { store.find_jobs(prefix, 10).await.unwrap().into_iter().map(|job| job.id).collect() };
    assert_eq!(found("abcdef01").await, [jobs[0].id, jobs[1].id]);
    assert_eq!(found("ABCDEF01-2").await, [jobs[0].id]);
    assert_eq!(found("f").await, [jobs[2].id]);
    assert_eq!(found(&jobs[2].id.to_string()).await, [jobs[2].id]);
    for nobody in
        ["abcdef02", "0", "abcdef01-2345-0000-0000-000000000002", "%", "_bcdef01", "g", "z", "abcdef01-2345-0000-0000-000000000001f"]
    {
        assert!(found(nobody).await.is_empty(), "{nobody}");
    }
    let whole = FoundJob { id: jobs[2].id, run, gap: jobs[2].gap.clone(), state: JobState::Queued };
    assert_eq!(store.find_jobs("ffff", 10).await.unwrap(), [whole]);
    assert_eq!(store.find_jobs("abcdef01", 1).await.unwrap().len(), 1);
}

async fn the_latest_jobs_are_found_by_nothing(fixture: Fixture) {
    let store = fixture.open().await;
    let run = begin_run(&*store).await;
    store.enqueue(run, &[numbered(1, 0), numbered(2, 1)], at(1)).await.unwrap();
    store.enqueue(run, &[numbered(3, 2), numbered(4, 3), numbered(5, 4)], at(2)).await.unwrap();
    claim(&*store, numbered(5, 4).id).await;
    let found = store.find_jobs("", 4).await.unwrap();
    let gaps: Vec<_> = found.iter().map(|job| job.gap.to_string()).collect();
    assert_eq!(gaps, [4, 2, 3, 0].map(|n| format!("RY-CA/2025Q2/gap_{n}")), "first those of the latest plan, and of them what was started");
    assert_eq!(found[0].state, JobState::Running);
}

/// Orders on several gaps, given in different orders, while the same gaps are claimed, forced, cancelled and refunded.
async fn orders_and_claims_do_not_wait_for_each_other_in_a_circle(fixture: Fixture) {
    let stores = [fixture.open().await, fixture.open().await, fixture.open().await];
    let gaps: Vec<GapKey> = (0..6).map(|n| format!("RY-CA/2025Q2/gap_{n}").parse().unwrap()).collect();
    let backwards: Vec<_> = gaps.iter().rev().cloned().collect();
    let run = begin_run(&*stores[0]).await;
    let worker = async |worker: usize| {
        let store = &*stores[worker % stores.len()];
        let gaps = if worker.is_multiple_of(2) { &gaps } else { &backwards };
        for round in 0..8 {
            let forced = round % 2 == 0;
            let jobs: Vec<_> = gaps.iter().map(|gap| NewJob { gap: gap.clone(), forced, ..new_job(0) }).collect();
            if forced {
                let what = |gap: &GapKey| (gap.clone(), ForcedWhat::Existing);
                order_force(store, &gaps.iter().map(what).collect::<Vec<_>>(), 1).await;
            }
            enqueue(store, run, &jobs).await;
            for job in &jobs {
                let report = key();
                if let Claimed::Yes { claim, .. } = store.claim(&wish(job.id, &report)).await.unwrap() {
                    store.order_cancel(job.id, "anna", "because", at(3)).await.unwrap();
                    fail(store, claim).await;
                }
            }
            let kind = [GapOrderKind::Retry, SKIP, GapOrderKind::Unskip][worker % 3];
            store.order(&order(kind, 20), gaps).await.unwrap();
            store.order(&order(GapOrderKind::Unskip, 21), gaps).await.unwrap();
            let refunds: Vec<_> = gaps.iter().map(|gap| (gap.clone(), 3, FailureHistory::default())).collect();
            store.set_breaker("call_summary", None, &refunds).await.unwrap();
        }
    };
    futures::future::join_all((0..6).map(worker)).await;
    assert!(stores[0].running_jobs().await.unwrap().is_empty());
}
