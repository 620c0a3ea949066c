//! What answers mean: refusals, answers that say nothing, and requests to wait.

use std::time::Duration;

use etl_orch::execute::{AttemptEvent, Call, End, Ended};
use etl_orch::plan::model::outcome::Fault;
use etl_orch::plan::model::work::{HttpSpec, Rate};
use etl_orch::plan::run::event::{ServiceWait, WaitReason};
use etl_orch::plan::run::stop::{StopLevel, StopReason};
use etl_orch::plan::text::placeholder::Placeholder;

use crate::bench::within;
use crate::http::{Rig, spec, template};
use crate::service::{Answer, Course, date};

fn reported(ended: &Ended) -> (&str, Fault) {
    match &ended.end {
        End::Reported { why, fault } => (why, *fault),
        other => panic!("{other:?}: {}", ended.tail),
    }
}

#[tokio::test]
async fn a_trigger_that_is_not_answered_well_is_no_success_and_is_not_sent_again() {
    for (answer, fault, words) in [
        (Answer::Empty, Fault::Uncertain, "answers 200 without a job's id at /job_id; the service may have started the job all the same"),
        (Answer::Nonsense, Fault::Uncertain, "answers 200 with something that is not JSON; the service may have started"),
        (Answer::Huge, Fault::Uncertain, "answers 200 but its answer is longer than 1024 KiB; the service may"),
        (Answer::Status(504, ""), Fault::Uncertain, "answers 504: Gateway Timeout; the service may have started"),
        (Answer::Status(500, "Internal Server Error"), Fault::Transient, "answers 500: Internal Server Error"),
        (Answer::Status(503, "<html>"), Fault::Transient, "answers 503: Service Unavailable"),
        (Answer::Status(403, r#"{"detail": "not for the-service-key"}"#), Fault::Configuration, "answers 403: not for [redacted]"),
        (Answer::Status(404, ""), Fault::Configuration, "answers 404: Not Found; correct the address"),
        (Answer::Status(409, r#"{"detail": "busy with it"}"#), Fault::Transient, "answers 409: busy with it"),
        (Answer::Status(423, ""), Fault::Transient, "answers 423: Locked"),
        (Answer::Status(425, ""), Fault::Transient, "answers 425: Too Early"),
        (
            Answer::LocatedAt("https://elsewhere/etl/status/7"),
            Fault::Uncertain,
            "answers 202 with something that is not JSON; the service may have started",
        ),
        (
            Answer::Redirect("https://u:secret@elsewhere/etl?key=secret"),
            Fault::Configuration,
            "points to https://elsewhere/etl; redirects are not followed",
        ),
    ] {
        let rig = Rig::new();
        rig.service.next([answer]);
        let ended = rig.run(rig.call()).await;
        let (why, is) = reported(&ended);
        assert!(why.contains(words) && why.starts_with("POST http://127.0.0.1:"), "{why}");
        assert!(!why.contains("secret"), "{why}");
        assert_eq!((is, ended.remote_id.as_deref(), rig.service.requests().len()), (fault, None, 1), "{why}");
        assert!(rig.log().contains(why), "it is in the log");
    }
}

#[tokio::test]
async fn what_the_service_says_of_wrong_requests_is_told() {
    let rig = Rig::new();
    let mut no_key = rig.call();
    no_key.spec.trigger.headers.clear();
    let mut unknown = rig.call();
    unknown.values.insert(Placeholder::Source, "lords".to_owned());
    let mut mistyped = rig.call();
    mistyped.values.insert(Placeholder::WindowYear, "soon".to_owned());
    for (call, fault, words) in [
        (no_key, Fault::Configuration, "answers 401: API key required. Provide via X-API-Key header."),
        (unknown, Fault::Permanent, "answers 400: Unknown source: lords"),
        (mistyped, Fault::Permanent, "answers 422: body.year: Input should be a valid integer"),
    ] {
        std::fs::remove_dir_all(rig.dir.path().join("logs")).ok();
        let ended = rig.run(call).await;
        let (why, is) = reported(&ended);
        assert!(why.contains(words), "{why}");
        assert_eq!((is, ended.remote_id), (fault, None));
    }
}

#[tokio::test]
async fn a_look_that_finds_nothing_out_is_repeated() {
    let rig = Rig::new();
    let trouble = [Answer::Own, Answer::Status(500, ""), Answer::Nonsense, Answer::Empty, Answer::Huge];
    rig.service.next(trouble.clone());
    rig.service.next([Answer::Own, Answer::Status(502, ""), Answer::Status(408, ""), Answer::Nonsense, Answer::Empty]);
    let ended = rig.run(rig.call()).await;
    assert_eq!(ended.end, End::Completed, "{}", ended.tail);
    assert!(ended.tail.contains("answers 200 without a state at /status"), "{}", ended.tail);
    assert_eq!(rig.service.triggers(), 1);
}

#[tokio::test]
async fn after_five_of_them_the_next_attempt_follows_the_same_job() {
    let rig = Rig::new();
    rig.service.next([Answer::Own]);
    rig.service.next(vec![Answer::Status(500, ""); 5]);
    let ended = rig.run(rig.call()).await;
    assert_eq!(reported(&ended).1, Fault::Transient);
    assert_eq!((ended.remote_id.clone(), rig.service.polls()), (Some(rig.job()), 5));
    std::fs::remove_dir_all(rig.dir.path().join("logs")).unwrap();
    let ended = rig.run(Call { remote_id: ended.remote_id, ..rig.call() }).await;
    assert_eq!((ended.end, rig.service.triggers()), (End::Completed, 1));
}

#[tokio::test]
async fn a_look_that_is_refused_ends_the_attempt() {
    for (status, fault, is_open) in [
        (401, Fault::Configuration, true),
        (403, Fault::Configuration, true),
        (400, Fault::Permanent, false),
        (422, Fault::Permanent, false),
    ] {
        let rig = Rig::new();
        rig.service.next([Answer::Own, Answer::Status(status, "no")]);
        let ended = rig.run(rig.call()).await;
        assert_eq!((reported(&ended).1, ended.remote_id.is_some(), rig.service.requests().len()), (fault, is_open, 2), "{status}");
    }
}

#[tokio::test]
async fn who_is_asked_to_wait_waits_and_goes_on() {
    let rig = Rig::new();
    let soon = date(std::time::SystemTime::UNIX_EPOCH);
    rig.service.next([Answer::Busy(Some("1".to_owned())), Answer::Unavailable("1"), Answer::Own, Answer::Busy(Some(soon))]);
    let ended = rig.run(rig.call()).await;
    assert_eq!(ended.end, End::Completed);
    assert_eq!(ended.tail.matches("429: waiting 1 s as the service asks").count(), 2, "{}", ended.tail);
    assert_eq!(ended.tail.matches("503: waiting 1 s as the service asks").count(), 1, "{}", ended.tail);
    let at: Vec<_> = rig.service.requests().iter().map(|seen| seen.at).collect();
    for n in [0, 1, 3] {
        assert!(at[n + 1] - at[n] >= Duration::from_secs(1), "{n}");
    }
    assert_eq!(rig.service.jobs().len(), 1);
}

#[tokio::test]
async fn who_has_no_time_to_wait_comes_back_later() {
    let rig = Rig::new();
    rig.service.goes(Course::Stuck);
    let in_two_hours = date(std::time::SystemTime::now() + Duration::from_secs(7200));
    rig.service.next([Answer::Own, Answer::Own, Answer::Busy(Some(in_two_hours))]);
    let ended = rig.run(rig.call()).await;
    let (why, fault) = reported(&ended);
    assert!(why.contains("wants to be left alone until 20"), "{why}");
    assert_eq!((fault, ended.remote_id.clone()), (Fault::Busy, Some(rig.job())));
    std::fs::remove_dir_all(rig.dir.path().join("logs")).unwrap();
    let other = rig.run(Call { remote_id: ended.remote_id, ..rig.call() }).await;
    assert_eq!((reported(&other).1, other.remote_id), (Fault::Busy, Some(rig.job())), "this route is left alone by everybody");
    assert_eq!(rig.service.requests().len(), 3);
}

#[tokio::test]
async fn a_service_may_write_a_mark_capitals_and_large_numbers() {
    let rig = Rig::new();
    rig.service.speaks_otherwise();
    let ended = rig.run(rig.call()).await;
    assert_eq!(ended.end, End::Completed, "{}", ended.tail);
    assert_eq!(ended.service_job.as_deref(), Some("900000000000000000000000000000"));
    assert!(ended.tail.ends_with("COMPLETED: Completed: 17 transactions from 3 PDFs"), "{}", ended.tail);
}

#[tokio::test]
async fn an_id_may_stand_in_a_location_of_the_form_of_the_status_address() {
    let rig = Rig::new();
    rig.service.next([Answer::Located]);
    let ended = rig.run(rig.call()).await;
    assert_eq!((ended.end, ended.service_job), (End::Completed, Some(rig.job())), "{}", ended.tail);
}

#[tokio::test]
async fn who_waits_for_the_rate_says_so() {
    let rig = Rig::new();
    let rate = Some(Rate { requests: 1, per: Duration::from_secs(1800) });
    let mut asked = rig.start(rig.call_of(HttpSpec { rate, ..spec(&rig.service.url()) }));
    let host = rig.service.url().replace("http://", "");
    let wait = ServiceWait { host: host.clone(), reason: WaitReason::Rate };
    while within(asked.said.recv()).await.expect("the call waits") != AttemptEvent::Waits(Some(wait.clone())) {}
    let line = asked.hear(&format!("s for the rate of {host}")).await;
    let wait: u64 = line.strip_prefix("waiting ").and_then(|rest| rest.split('s').next()?.parse().ok()).unwrap();
    assert!((1500..=1800).contains(&wait), "{line}");
    asked.stop.raise(StopLevel::Immediate, StopReason::Signal(15));
    assert_eq!(asked.end().await.end, End::Stopped);
}

#[tokio::test]
async fn calls_together_keep_to_the_strictest_rate_of_a_host() {
    let rig = Rig::new();
    rig.service.limit(4, Duration::from_millis(300));
    let rates = [Rate { requests: 4, per: Duration::from_millis(300) }, Rate { requests: 1000, per: Duration::from_secs(1) }];
    let calls: Vec<_> = rates
        .into_iter()
        .enumerate()
        .map(|(n, rate)| {
            let call = rig.call_of(HttpSpec { rate: Some(rate), ..spec(&rig.service.url()) });
            rig.start(Call { log: rig.dir.path().join(n.to_string()), ..call })
        })
        .collect();
    for call in calls {
        let ended = call.end().await;
        assert_eq!(ended.end, End::Completed);
        assert!(!ended.tail.contains("429"), "{}", ended.tail);
    }
    assert_eq!((rig.service.triggers(), rig.service.polls()), (2, 6));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_shown() {
    let rig = Rig::new();
    let mut call = rig.call();
    call.spec.status.headers.push(("X-Other".to_owned(), template("topsecret{source}")));
    call.values.insert(Placeholder::Source, "\r\nX-Evil: 1".to_owned());
    let ended = rig.run(call).await;
    let End::SpawnFailed(why) = ended.end else { panic!("{:?}", ended.end) };
    assert!(why.contains("the header X-Other of `status`") && !why.contains("topsecret"), "{why}");
    assert_eq!(rig.service.requests().len(), 0, "nothing is triggered that could not be followed");
}
