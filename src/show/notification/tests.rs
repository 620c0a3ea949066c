use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-28T{time}:00Z").parse().unwrap()
}

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn alert(state: AlertState, reason: Option<&str>) -> Alert {
    Alert { state, since: at("14:00"), reason: reason.map(str::to_owned), log: Some("/srv/var/logs/1.log".into()) }
}

fn change(text: &str, before: Option<AlertState>, now: Now) -> Change {
    Change { subject: subject(text), before: before.map(|state| alert(state, None)), now }
}

fn view(notification: &Notification) -> NotificationView {
    NotificationView::new(notification, "db1", RunId::new(Uuid::from_u128(7)), Time(at("14:15")), &CommandLine::default())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one message, read as a whole")]
fn a_message_says_what_why_where_and_what_to_type() {
    use AlertState::{BreakerOpen, Failing, Late, Overdue, Quarantined};
    let without_log = |state| Alert { log: None, ..alert(state, None) };
    let notification = Notification {
        changes: vec![
            change("RY-CA/2025Q2/call_summary", Some(Failing), Now::Wrong(alert(Quarantined, Some("exit code 65 - no <transcript>\n&")))),
            change("etl:key_themes", None, Now::Wrong(Alert { reason: Some("exit code 1".to_owned()), ..without_log(BreakerOpen) })),
            change("lateness:us_house", Some(Late), Now::Wrong(without_log(Overdue))),
            change("source:us_house", None, Now::Wrong(alert(Failing, Some("HTTP 500")))),
            change("BMO-CA/2025Q1/call_summary", Some(Failing), Now::Over(Over::Recovered)),
            change("BMO-CA/2025Q2/call_summary", Some(Failing), Now::Over(Over::Gone)),
            change(
                "lateness:us_senate",
                Some(Late),
                Now::Over(Over::LeftAlone { by: "ann".to_owned(), reason: "no session in August".to_owned() }),
            ),
        ],
        lasting: vec![(subject("TD-CA/2025Q2/call_summary"), alert(Failing, Some("exit code 1 - Connection timeout")))],
        lasting_at: at("14:15"),
    };
    let view = view(&notification);
    insta::assert_snapshot!(view.text(), @r#"
    etl-orch on db1: 1 quarantined, 1 broken, 1 overdue, 1 failing, 1 recovered, 1 no longer missing, 1 left alone; still 1 failing

    [QUARANTINED] RY-CA/2025Q2/call_summary, since 2026-11-28 14:00:00Z: it is not tried until somebody or something changes that
      exit code 65 - no <transcript>\n&
      Log:  /srv/var/logs/1.log
      Next: etl-orch retry RY-CA 2025 Q2 call_summary --reason "..."

    [BROKEN] key_themes, since 2026-11-28 14:00:00Z: it failed for one bank after another, and the rest waits
      exit code 1
      Next: etl-orch jobs --failed --etl-type key_themes

    [OVERDUE] us_house: nothing was collected since 2026-11-28 14:00:00Z
      Next: etl-orch why us_house

    [FAILING] us_house, since 2026-11-28 14:00:00Z
      HTTP 500
      Log:  /srv/var/logs/1.log
      Next: etl-orch logs us_house

    [RECOVERED] BMO-CA/2025Q1/call_summary (it was failing since 2026-11-28 14:00:00Z)

    [OVER] BMO-CA/2025Q2/call_summary: it is no longer missing, or no longer configured (it was failing since 2026-11-28 14:00:00Z)

    [LEFT ALONE] us_senate, by ann (it was late)
      no session in August

    Told before, and not known to be over:

    [FAILING] TD-CA/2025Q2/call_summary, since 2026-11-28 14:00:00Z
      exit code 1 - Connection timeout
      Log:  /srv/var/logs/1.log
      Next: etl-orch logs TD-CA 2025 Q2 call_summary

    Run 00000000 at 2026-11-28 14:15:00Z. All that is missing, and why: etl-orch run --dry-run
    "#);
    let mut json: serde_json::Value = serde_json::from_str(&view.json().unwrap()).unwrap();
    let text = json.as_object_mut().unwrap().shift_remove("text").unwrap();
    assert!(text.as_str().unwrap().contains("\n  exit code 65 - no &lt;transcript&gt;\\n&amp;\n"), "{text}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "schema_version": 1,
      "kind": "notification",
      "host": "db1",
      "run_id": "00000000-0000-0000-0000-000000000007",
      "at": "2026-11-28T14:15:00Z",
      "changes": [
        {
          "subject": "RY-CA/2025Q2/call_summary",
          "state": "quarantined",
          "before": "failing",
          "since": "2026-11-28T14:00:00Z",
          "reason": "exit code 65 - no <transcript>\\n&",
          "log": "/srv/var/logs/1.log",
          "next": "etl-orch retry RY-CA 2025 Q2 call_summary --reason \"...\""
        },
        {
          "subject": "etl:key_themes",
          "state": "breaker_open",
          "before": null,
          "since": "2026-11-28T14:00:00Z",
          "reason": "exit code 1",
          "log": null,
          "next": "etl-orch jobs --failed --etl-type key_themes"
        },
        {
          "subject": "lateness:us_house",
          "state": "overdue",
          "before": "late",
          "since": "2026-11-28T14:00:00Z",
          "reason": null,
          "log": null,
          "next": "etl-orch why us_house"
        },
        {
          "subject": "source:us_house",
          "state": "failing",
          "before": null,
          "since": "2026-11-28T14:00:00Z",
          "reason": "HTTP 500",
          "log": "/srv/var/logs/1.log",
          "next": "etl-orch logs us_house"
        },
        {
          "subject": "BMO-CA/2025Q1/call_summary",
          "state": "recovered",
          "before": "failing",
          "since": "2026-11-28T14:00:00Z",
          "reason": null,
          "log": null,
          "next": null
        },
        {
          "subject": "BMO-CA/2025Q2/call_summary",
          "state": "gone",
          "before": "failing",
          "since": "2026-11-28T14:00:00Z",
          "reason": null,
          "log": null,
          "next": null
        },
        {
          "subject": "lateness:us_senate",
          "state": "left_alone",
          "before": "late",
          "since": "2026-11-28T14:00:00Z",
          "reason": "no session in August",
          "log": null,
          "next": null
        }
      ],
      "more_changes": 0,
      "lasting": [
        {
          "subject": "TD-CA/2025Q2/call_summary",
          "state": "failing",
          "before": "failing",
          "since": "2026-11-28T14:00:00Z",
          "reason": "exit code 1 - Connection timeout",
          "log": "/srv/var/logs/1.log",
          "next": "etl-orch logs TD-CA 2025 Q2 call_summary"
        }
      ],
      "more_lasting": 0
    }
    "#);
}

#[test]
fn what_is_wrong_with_the_data_says_what_to_look_at() {
    use AlertState::{BankLate, BankWithoutData, NothingMatches, RequiresUnmet, TypeMisspelled};
    let wrong = |text, state, reason| change(text, None, Now::Wrong(Alert { log: None, ..alert(state, reason) }));
    let over = |text, state| change(text, Some(state), Now::Over(Over::Recovered));
    let changes = vec![
        wrong("data", NothingMatches, Some("the availability table has no rows")),
        wrong("requires:call_summary", RequiresUnmet, Some("it requires transcripts, rts")),
        wrong("report_type:call_summary", TypeMisspelled, None),
        wrong("bank:BMO-CA/2025Q1", BankLate, Some("BMO-CA: its data of 2025 Q1 (transcripts) is late")),
        wrong("bank:B&M-CA", BankWithoutData, None),
        over("data", NothingMatches),
        over("requires:call_summary", RequiresUnmet),
        over("report_type:call_summary", TypeMisspelled),
        over("bank:BMO-CA/2025Q1", BankLate),
        over("bank:B&M-CA", BankWithoutData),
    ];
    let notification = Notification { changes, lasting: Vec::new(), lasting_at: at("14:15") };
    let next = CommandLine::new(Some(std::path::Path::new("/srv/my etl/etl-orch.yaml")));
    let text = NotificationView::new(&notification, "db1", RunId::new(Uuid::from_u128(7)), Time(at("14:15")), &next).text();
    insta::assert_snapshot!(text, @"
    etl-orch on db1: 1 matching nothing, 1 without matching data, 1 of a misspelled type, 1 late, 1 without data, 5 recovered

    [NOTHING MATCHES] the data, since 2026-11-28 14:00:00Z: no report can be made
      the availability table has no rows
      Next: etl-orch doctor --config '/srv/my etl/etl-orch.yaml'

    [NO DATA] call_summary, since 2026-11-28 14:00:00Z: no report can be made
      it requires transcripts, rts
      Next: etl-orch doctor --config '/srv/my etl/etl-orch.yaml'

    [MISSPELLED] call_summary, since 2026-11-28 14:00:00Z: its reports are not found
      Next: etl-orch doctor --config '/srv/my etl/etl-orch.yaml'

    [LATE] BMO-CA 2025 Q1: its data was expected by 2026-11-28
      BMO-CA: its data of 2025 Q1 (transcripts) is late
      Next: etl-orch why BMO-CA 2025 Q1 --config '/srv/my etl/etl-orch.yaml'

    [NO DATA] B&M-CA, since 2026-11-28 14:00:00Z: it is monitored, and has no data for any ETL
      Next: etl-orch doctor --config '/srv/my etl/etl-orch.yaml'

    [RECOVERED] the data (it was matching nothing since 2026-11-28 14:00:00Z)

    [RECOVERED] call_summary (it was without matching data since 2026-11-28 14:00:00Z)

    [RECOVERED] call_summary (it was of a misspelled type since 2026-11-28 14:00:00Z)

    [RECOVERED] BMO-CA 2025 Q1 (it was late)

    [RECOVERED] B&M-CA (it was without data since 2026-11-28 14:00:00Z)

    Run 00000000 at 2026-11-28 14:15:00Z. All that is missing, and why: etl-orch run --dry-run --config '/srv/my etl/etl-orch.yaml'
    ");
}

#[test]
fn a_message_has_an_end() {
    let failing = |number: u32| change(&format!("RY-CA/{}Q1/a", 1900 + number), None, Now::Wrong(alert(AlertState::Failing, None)));
    let notification = Notification { changes: (0..57).map(failing).collect(), lasting: Vec::new(), lasting_at: at("14:15") };
    let view = view(&notification);
    assert_eq!(view.subject(), "db1: 57 failing");
    assert!(view.text().contains("\n... and 37 more changes.\n"), "{}", view.text());
    assert_eq!((view.changes.len(), view.more_changes), (20, 37));
    assert!(view.text().len() < 4000, "{}", view.text().len());
}

#[test]
fn what_lasts_alone_is_told_as_that() {
    let lasting = vec![
        (subject("RY-CA/2025Q1/a"), alert(AlertState::Quarantined, None)),
        (subject("RY-CA/2025Q2/a"), alert(AlertState::Failing, None)),
        (subject("RY-CA/2025Q3/a"), alert(AlertState::Failing, None)),
    ];
    let view = view(&Notification { changes: Vec::new(), lasting, lasting_at: at("14:15") });
    assert_eq!(view.subject(), "db1: still 1 quarantined, 2 failing");
    assert!(view.text().contains("\nTold before, and not known to be over:\n\n[QUARANTINED] RY-CA/2025Q1/a, since"), "{}", view.text());
}
