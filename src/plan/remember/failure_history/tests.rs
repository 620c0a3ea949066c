use super::*;

const POLICY: Cooldown = Cooldown { initial: Duration::from_secs(600), max: Duration::from_secs(12 * 3600), quarantine_after: 8 };

fn noon() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

fn print(version: u32) -> Fingerprint {
    Fingerprint { sources: version.to_string(), etl: "e".to_owned() }
}

fn failure(class: Class, fingerprint: Option<&Fingerprint>, at: DateTime<Utc>) -> Failure<'_> {
    Failure { class, probe: false, error: "exit code 1", fingerprint, at }
}

fn failed(history: &FailureHistory, at: DateTime<Utc>) -> FailureHistory {
    history.failed(failure(Class::Transient, None, at), &POLICY)
}

/// After so many failed runs, each at the end of the rest before.
fn failed_times(times: u32) -> FailureHistory {
    (0..times).fold(FailureHistory::default(), |history, _| {
        let at = history.rest.map_or(noon(), |rest| rest.until);
        failed(&history, at)
    })
}

fn rest_minutes(history: &FailureHistory) -> i64 {
    history.rest.map(|rest| (rest.until - rest.since).num_minutes()).unwrap_or_default()
}

#[test]
fn rests_double_up_to_the_longest_and_the_eighth_failure_quarantines() {
    let rests: Vec<i64> = (1..=8).map(|times| rest_minutes(&failed_times(times))).collect();
    assert_eq!(rests, [10, 20, 40, 80, 160, 320, 640, 720]);
    assert_eq!(failed_times(7).quarantine, None);
    assert_eq!(failed_times(8).quarantine.map(|quarantine| quarantine.why), Some(QuarantineReason::Failures));
    let endless = Cooldown { quarantine_after: u32::MAX, ..POLICY };
    let history = FailureHistory { failed_runs: u32::MAX - 1, ..FailureHistory::default() };
    assert_eq!(rest_minutes(&history.failed(failure(Class::Crash, None, noon()), &endless)), 720, "no overflow");
    let forever = Cooldown { max: Duration::MAX, ..POLICY };
    let history = history.failed(failure(Class::Crash, None, noon()), &forever);
    assert_eq!(history.rest.map(|rest| rest.until), Some(DateTime::<Utc>::MAX_UTC));
}

#[test]
fn only_the_gaps_own_failures_are_charged() {
    for (class, runs, why) in [
        (Class::Transient, 1, None),
        (Class::Crash, 1, None),
        (Class::Permanent, 1, Some(QuarantineReason::Permanent)),
        (Class::Configuration, 0, None),
        (Class::NotReady, 0, None),
        (Class::Interrupted, 0, None),
        (Class::Success, 0, None),
    ] {
        let history = FailureHistory::default().failed(failure(class, None, noon()), &POLICY);
        assert_eq!((history.failed_runs, history.quarantine.map(|quarantine| quarantine.why)), (runs, why), "{class:?}");
        assert_eq!(history.is_tried(), runs > 0);
    }
}

#[test]
fn a_gap_stands_as_its_rest_and_quarantine_say() {
    let history = failed(&FailureHistory::default(), noon());
    let rest = history.rest.unwrap();
    for (after, standing) in [
        (0, Eligibility::Resting(rest)),
        (9, Eligibility::Resting(rest)),
        (10, Eligibility::Free),
        (-1, Eligibility::Free), // the clock was set back
        (60 * 24 * 365, Eligibility::Free),
    ] {
        assert_eq!(history.eligibility(noon() + minutes(after), None), standing, "{after}");
    }
    let history = failed_times(8);
    for after in [-60, 0, 60 * 24 * 365] {
        let quarantined = Eligibility::Quarantined(history.quarantine.unwrap());
        assert_eq!(history.eligibility(noon() + minutes(after), None), quarantined, "quarantine has no end and no clock");
    }
    assert_eq!(FailureHistory::default().eligibility(noon(), None), Eligibility::Free);
}

#[test]
fn the_first_change_ends_rest_and_quarantine_and_later_ones_the_quarantine_only() {
    let (a, b, c) = (print(1), print(2), print(3));
    let first = FailureHistory::default().failed(failure(Class::Permanent, Some(&a), noon()), &POLICY);
    assert_eq!(first.eligibility(noon(), Some(&a)), Eligibility::Quarantined(first.quarantine.unwrap()));
    assert_eq!(first.eligibility(noon(), None), Eligibility::Quarantined(first.quarantine.unwrap()), "unknown is as it was");
    assert_eq!(first.eligibility(noon(), Some(&b)), Eligibility::Free);
    let second = first.failed(failure(Class::Permanent, Some(&b), noon()), &POLICY);
    assert!(second.released && second.quarantine.is_some());
    assert_eq!(second.eligibility(noon(), Some(&c)), Eligibility::Resting(second.rest.unwrap()));
    assert_eq!(second.eligibility(noon() + minutes(20), Some(&c)), Eligibility::Free);
    assert_eq!(second.eligibility(noon() + minutes(20), Some(&b)), Eligibility::Quarantined(second.quarantine.unwrap()));
    let other_etl = Fingerprint { etl: "f".to_owned(), ..a.clone() };
    assert_eq!(first.eligibility(noon(), Some(&other_etl)), Eligibility::Free, "another ETL is a change too");
}

#[test]
fn a_failure_without_a_change_releases_nothing() {
    let a = print(1);
    let history = FailureHistory::default().failed(failure(Class::Transient, Some(&a), noon()), &POLICY);
    assert!(!history.failed(failure(Class::Transient, Some(&a), noon()), &POLICY).released);
    assert!(!history.failed(failure(Class::Transient, None, noon()), &POLICY).released);
}

#[test]
fn input_that_is_not_ready_has_a_shorter_rest_and_is_no_failure() {
    let rests: Vec<i64> = (0..6)
        .scan(FailureHistory::default(), |history, _| {
            *history = history.not_ready("not ready", None, noon(), &POLICY);
            Some(rest_minutes(history))
        })
        .collect();
    assert_eq!(rests, [10, 20, 40, 60, 60, 60]);
    let history = failed_times(3).not_ready("not ready", None, noon(), &POLICY);
    assert_eq!((history.failed_runs, history.not_ready, history.quarantine), (3, 1, None));
    assert_eq!(history.rest.map(|rest| rest.why), Some(RestReason::NotReady));
    assert_eq!(failed(&history, noon()).not_ready, 0, "a failure ends the row");
    let lost = FailureHistory { lost: 2, ..FailureHistory::default() };
    assert_eq!(lost.not_ready("not ready", None, noon(), &POLICY).lost, 0);
}

#[test]
fn three_losses_in_a_row_quarantine() {
    let history = FailureHistory::default().lost(None, noon()).lost(None, noon());
    assert_eq!((history.lost, history.failed_runs, history.quarantine, history.rest), (2, 0, None, None));
    let third = history.lost(None, noon());
    assert_eq!(third.quarantine, Some(Quarantine { since: noon(), why: QuarantineReason::Crashes }));
    assert_eq!(failed(&history, noon()).lost, 0, "a failure ends the row");
    let later = failed_times(8).lost(None, noon() + minutes(1));
    assert_eq!(later.quarantine, failed_times(8).quarantine, "a quarantine stays the one it is");
}

#[test]
fn a_quarantine_that_a_change_lifted_does_not_come_back_without_a_failure() {
    let (a, b) = (print(1), print(2));
    let quarantined = FailureHistory::default().failed(failure(Class::Permanent, Some(&a), noon()), &POLICY);
    let not_ready = quarantined.not_ready("not ready", Some(&b), noon(), &POLICY);
    assert_eq!(not_ready.quarantine, None);
    assert_eq!(quarantined.lost(Some(&b), noon()).quarantine, None);
    assert_eq!(quarantined.not_ready("not ready", Some(&a), noon(), &POLICY).quarantine, quarantined.quarantine, "tried by force");
}

#[test]
fn an_outage_is_given_back_and_its_rest_and_quarantine_with_it() {
    let history = failed_times(8);
    let refunded = history.refunded(1, &POLICY);
    assert_eq!((refunded.failed_runs, refunded.refunded, refunded.quarantine, refunded.rest), (7, 1, None, None));
    assert_eq!(history.refunded(0, &POLICY), history);
    let once = failed_times(1).refunded(1, &POLICY);
    assert!(!once.is_tried(), "it is as fresh as before");
    let permanent = FailureHistory::default().failed(failure(Class::Permanent, None, noon()), &POLICY);
    assert_eq!(permanent.refunded(1, &POLICY).quarantine, permanent.quarantine, "an outage does not explain it");
    let waiting = failed_times(1).not_ready("not ready", None, noon(), &POLICY);
    assert_eq!(waiting.refunded(1, &POLICY).rest, waiting.rest);
}

#[test]
fn a_closed_breaker_gives_its_probes_back() {
    let probe = |history: &FailureHistory| history.failed(Failure { probe: true, ..failure(Class::Transient, None, noon()) }, &POLICY);
    let history = probe(&probe(&failed_times(1)));
    assert_eq!((history.failed_runs, history.probes), (3, 2));
    let closed = history.refunded(history.probes, &POLICY);
    assert_eq!((closed.failed_runs, closed.probes, closed.refunded), (1, 0, 2));
    assert_eq!(history.refunded(1, &POLICY).probes, 1);
}

#[test]
fn refunds_end_so_that_poison_is_quarantined_at_last() {
    let mut history = FailureHistory::default();
    let mut runs = 0;
    while history.quarantine.is_none() {
        history = failed(&history, noon()).refunded(1, &POLICY);
        runs += 1;
        assert!(runs <= 16);
    }
    assert_eq!((runs, history.refunded, history.failed_runs), (16, 8, 8));
    let spent = FailureHistory { refunded: 8, probes: 3, failed_runs: 3, ..FailureHistory::default() };
    assert_eq!(spent.refunded(3, &POLICY), FailureHistory { probes: 0, ..spent });
}

#[test]
fn names_are_read_again() {
    for reason in [RestReason::Failed, RestReason::NotReady] {
        assert_eq!(RestReason::parse(reason.name()), Some(reason));
    }
    for reason in [QuarantineReason::Failures, QuarantineReason::Permanent, QuarantineReason::Crashes] {
        assert_eq!(QuarantineReason::parse(reason.name()), Some(reason));
    }
    assert_eq!((RestReason::parse("?"), QuarantineReason::parse("?")), (None, None));
}

#[test]
fn a_skip_order_holds_until_its_end() {
    let order = |until| SkipOrder { since: noon(), until, by: String::new(), reason: String::new() };
    assert!(order(None).holds(noon()));
    assert!(order(Some(noon() + minutes(1))).holds(noon()));
    assert!(!order(Some(noon())).holds(noon()));
}
