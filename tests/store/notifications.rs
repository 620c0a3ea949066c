//! What people were told, by channel.

use std::path::PathBuf;

use etl_orch::plan::remember::alert::{Alert, AlertState, Notified, Subject};

use crate::fixture::{Fixture, at};

crate::on_both_databases![what_was_told_is_known_until_it_is_over, many_are_recorded_at_once];

fn alert(state: AlertState, reason: &str) -> Alert {
    Alert { state, since: at(5), reason: Some(reason.into()), log: Some(PathBuf::from("/var/1.log")) }
}

async fn what_was_told_is_known_until_it_is_over(fixture: Fixture) {
    let store = fixture.open().await;
    let gap: Subject = "RY-CA/2025Q1/a".parse().unwrap();
    let etl = Subject::Etl("a".into());
    let failing = alert(AlertState::Failing, "exit code 1 - a\0b");
    let broken = Alert { reason: None, log: None, ..alert(AlertState::BreakerOpen, "") };
    for _ in 0..2 {
        store.record_notified("mail", &[(&gap, Some(&failing)), (&etl, Some(&broken))], at(10)).await.unwrap();
    }
    store.record_notified("webhook", &[(&gap, Some(&broken))], at(11)).await.unwrap();
    store.record_notified("mail", &[(&gap, Some(&alert(AlertState::Quarantined, "x"))), (&etl, None)], at(20)).await.unwrap();
    store.record_notified("mail", &[], at(30)).await.unwrap();
    let told = |channel: &str, alert, seconds| Notified { channel: channel.into(), subject: gap.clone(), alert, at: at(seconds) };
    let expected = [told("mail", alert(AlertState::Quarantined, "x"), 20), told("webhook", broken, 11)];
    assert_eq!(store.notified().await.unwrap(), expected);
}

async fn many_are_recorded_at_once(fixture: Fixture) {
    let store = fixture.open().await;
    let subjects: Vec<Subject> = (0..3000).map(|number| Subject::Etl(format!("{number:04}"))).collect();
    let alert = alert(AlertState::Late, "r");
    let all: Vec<_> = subjects.iter().map(|subject| (subject, Some(&alert))).collect();
    store.record_notified("mail", &all, at(1)).await.unwrap();
    assert!(store.notified().await.unwrap().iter().map(|told| &told.subject).eq(&subjects));
}
