//! Stops and timeouts of calls.

use std::time::Duration;

use etl_orch::execute::{Call, End};
use etl_orch::plan::model::outcome::Fault;
use etl_orch::plan::model::work::Rate;
use etl_orch::plan::run::stop::{StopLevel, StopReason};

use crate::http::Rig;
use crate::service::{Answer, Course, count};

#[tokio::test]
async fn a_stopped_job_is_left_open_for_the_next_run() {
    for wish in [StopLevel::Graceful, StopLevel::Immediate] {
        let rig = Rig::new();
        rig.service.goes(Course::Stuck);
        let mut asked = rig.start(rig.call());
        asked.hear("running").await;
        asked.stop.raise(wish, StopReason::Signal(15));
        let ended = asked.end().await;
        assert_eq!((ended.end, ended.remote_id), (End::Stopped, Some(rig.job())));
    }
}

#[tokio::test]
async fn a_job_that_can_be_cancelled_is_when_there_is_time_for_it() {
    for (wish, cancels) in [(StopLevel::Graceful, 1), (StopLevel::Immediate, 0)] {
        let rig = Rig::new();
        rig.service.goes(Course::Stuck);
        let mut asked = rig.start(rig.cancellable());
        asked.hear("running").await;
        asked.stop.raise(wish, StopReason::Signal(15));
        let ended = asked.end().await;
        assert_eq!((ended.end, ended.remote_id.is_none(), rig.service.cancels()), (End::Stopped, cancels == 1, cancels));
        assert_eq!(ended.tail.contains("answers 200"), cancels == 1, "{}", ended.tail);
    }
}

#[tokio::test]
async fn a_job_that_was_not_cancelled_after_all_stays_open() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let mut call = rig.cancellable();
    call.spec.every = Duration::from_secs(3600);
    let mut asked = rig.start(call);
    asked.hear("triggered").await;
    rig.service.next([Answer::Status(500, "")]);
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id, rig.service.cancels()), (End::Stopped, Some(rig.job()), 1));
}

#[tokio::test]
async fn a_stop_during_the_trigger_waits_for_its_answer() {
    let rig = Rig::new();
    rig.service.next([Answer::Late]);
    let asked = rig.start(rig.call());
    rig.until(|seen| count(seen, "/etl/trigger") == 1).await;
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    rig.service.release();
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id), (End::Stopped, Some(rig.job())));
}

#[tokio::test]
async fn a_stop_at_once_during_the_trigger_says_what_is_not_known() {
    let rig = Rig::new();
    rig.service.next([Answer::Late]);
    let asked = rig.start(rig.call());
    rig.until(|seen| count(seen, "/etl/trigger") == 1).await;
    asked.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id), (End::Stopped, None));
    assert!(ended.tail.contains("the service may have started the job all the same"), "{}", ended.tail);
}

#[tokio::test]
async fn a_stop_before_the_start_asks_for_nothing() {
    let rig = Rig::new();
    let asked = rig.start(Call { remote_id: Some("7".to_owned()), ..rig.call() });
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    let ended = asked.end().await;
    assert_eq!((ended.end, ended.remote_id.as_deref()), (End::Stopped, Some("7")));
    assert_eq!(rig.service.requests().len(), 0);
}

#[tokio::test]
async fn a_stop_takes_effect_while_waiting_for_a_turn_or_as_asked() {
    let rig = Rig::new();
    rig.service.next([Answer::Busy(Some("1800".to_owned()))]);
    let mut asked = rig.start(rig.call());
    asked.hear("429: waiting 1800 s").await;
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    assert_eq!(asked.end().await.end, End::Stopped);

    let rig = Rig::new();
    let mut call = rig.call();
    call.spec.rate = Some(Rate { requests: 1, per: Duration::from_secs(1800) });
    let mut asked = rig.start(call);
    asked.hear("triggered").await;
    asked.stop.raise(StopLevel::Graceful, StopReason::Signal(15));
    assert_eq!(asked.end().await.remote_id, Some(rig.job()));
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_cancelled_or_followed_once_more() {
    for can_cancel in [true, false] {
        let rig = Rig::new();
        rig.service.goes(Course::Stuck);
        let mut before = rig.start(Call { log: rig.dir.path().join("before.log"), ..rig.call() });
        before.hear("triggered").await;
        before.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
        let mut call = if can_cancel { rig.cancellable() } else { rig.call() };
        call.remote_id = before.end().await.remote_id;
        call.spec.timeout = Duration::from_millis(50);
        call.spec.every = Duration::from_secs(3600);
        let ended = rig.run(call).await;
        assert_eq!((&ended.remote_id, rig.service.cancels()), (&None, usize::from(can_cancel)));
        let words = if can_cancel { "was cancelled" } else { "is given up, though the service may still be working on it" };
        assert!(ended.tail.lines().last().unwrap().contains(words), "{}", ended.tail);
        if can_cancel {
            assert_eq!(ended.end, End::TimedOut);
        } else {
            assert!(matches!(ended.end, End::Reported { fault: Fault::Uncertain, .. }), "{:?}", ended.end);
        }
        let rig = Rig::new();
        rig.service.goes(Course::Stuck);
        let mut call = if can_cancel { rig.cancellable() } else { rig.call() };
        call.spec.timeout = Duration::from_secs(1);
        let ended = rig.run(call).await;
        assert_eq!((ended.end, ended.remote_id), (End::TimedOut, (!can_cancel).then(|| rig.job())));
    }
}

#[tokio::test]
async fn a_call_whose_turn_does_not_come_has_asked_for_nothing() {
    let rig = Rig::new();
    let mut call = rig.call();
    call.spec.rate = Some(Rate { requests: 1, per: Duration::from_secs(1800) });
    let mut first = rig.start(call.clone());
    first.hear("triggered").await;
    call.spec.timeout = Duration::from_millis(50);
    call.log = rig.dir.path().join("other.log");
    let ended = rig.run(call).await;
    let End::Reported { why, fault: Fault::Busy } = ended.end else { panic!("{:?}", ended.end) };
    assert!(why.contains("the configured rate of the service allowed none before the timeout"), "{why}");
    assert_eq!((ended.remote_id, rig.service.triggers()), (None, 1));
}

#[tokio::test]
async fn a_trigger_without_an_answer_may_have_started_the_job() {
    for whole in [false, true] {
        let rig = Rig::new();
        rig.service.next([Answer::Late]);
        let mut call = rig.call();
        let limit = if whole { &mut call.spec.timeout } else { &mut call.spec.request_timeout };
        *limit = Duration::from_secs(1);
        let ended = rig.run(call).await;
        let End::Reported { why, fault: Fault::Uncertain } = ended.end else { panic!("{:?}", ended.end) };
        assert!(why.contains("it is not triggered again in this run"), "{why}");
        assert_eq!((ended.remote_id, rig.service.jobs().len()), (None, 1));
    }
}
