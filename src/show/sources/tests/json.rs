//! Sources in the JSON summary of a run.

use super::*;

/// The sources of a summary as JSON.
fn json_of(report: &RunSummary) -> Vec<serde_json::Value> {
    let mut json: serde_json::Value = serde_json::from_str(&run_as_json(report, &catalogue(9))).unwrap();
    assert_eq!(json["schema_version"], 1);
    serde_json::from_value(json["sources"].take()).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
fn json_has_the_same_facts() {
    let sources = vec![all().remove(6)];
    let results = vec![ended(JobState::Succeeded, Some(17), Seen::Reported), ended(JobState::Failed, None, Seen::Reported)];
    insta::assert_snapshot!(format!("{:#}", json_of(&run(sources, results))[0]), @r#"
    {
      "id": "source_6",
      "name": "An \u001b[1modd name",
      "standing": "due",
      "behind": 3,
      "missing": {
        "start": "2026-01-16T00:00:00Z",
        "end": "2026-01-16T18:00:00Z"
      },
      "left": 1,
      "next_due": "2026-01-17T00:00:00Z",
      "given_up": [],
      "held_back": [],
      "order": null,
      "lateness": "late",
      "frontier": "2026-01-16T00:00:00Z",
      "paused": null,
      "skipped": null,
      "unrecorded": null,
      "claimed": null,
      "quarantined": null,
      "cooling_down": null,
      "last": {
        "at": "2026-01-16T01:00:00Z",
        "window": {
          "start": "2026-01-15T18:00:00Z",
          "end": "2026-01-16T00:00:00Z"
        },
        "seen": "reported",
        "records": 17,
        "message": "Completed: 17\\u{1b}[0m"
      },
      "failed_runs": 2,
      "error": "HTTP 500\\u{1b}[2J\\r\\nbad",
      "jobs": [
        {
          "gap": "source:source_6",
          "window": {
            "start": "2026-01-16T00:00:00Z",
            "end": "2026-01-16T06:00:00Z"
          },
          "windows": 1,
          "resumed": false,
          "result": {
            "id": "00000000-0000-0000-0000-000000000000",
            "state": "succeeded",
            "attempts": 1,
            "duration_seconds": 2.0,
            "reason": null,
            "log": null,
            "collected": {
              "window": {
                "start": "2026-01-16T00:00:00Z",
                "end": "2026-01-16T06:00:00Z"
              },
              "seen": "reported",
              "records": 17,
              "message": "said\\u{1b}"
            }
          }
        },
        {
          "gap": "source:source_6",
          "window": {
            "start": "2026-01-16T06:00:00Z",
            "end": "2026-01-16T12:00:00Z"
          },
          "windows": 1,
          "resumed": true,
          "result": {
            "id": "00000000-0000-0000-0000-000000000000",
            "state": "failed",
            "attempts": 1,
            "duration_seconds": 2.0,
            "reason": "HTTP 500\\u{1b}[2J\\r\\nbad",
            "log": null,
            "collected": null
          }
        }
      ]
    }
    "#);
}

#[test]
fn json_says_what_is_done_about_a_source_and_why() {
    let sources = json_of(&report(all()));
    let of = |source: &serde_json::Value| {
        let keys = ["paused", "skipped", "claimed", "quarantined", "cooling_down", "last"];
        let given: Vec<String> =
            keys.iter().filter(|key| !source[**key].is_null()).map(|key| format!("\n  {key}: {}", source[*key])).collect();
        format!("{} {}{}", source["standing"], source["lateness"], given.concat())
    };
    insta::assert_snapshot!(sources.iter().map(of).collect::<Vec<_>>().join("\n"), @r#"
    "up_to_date" "on_time"
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "paused" "late"
      paused: {"by":"ann\\u{202e}","since":"2026-01-15T09:00:00Z","reason":"the site \\u{1b}[31mmoved\\nhouse"}
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "skipped" "late"
      skipped: {"by":"bob","since":"2026-01-15T09:00:00Z","until":"2026-01-20T00:00:00Z","reason":"no\\u{7}"}
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "claimed" "late"
      claimed: {"host":"h\\u{1b}c","pid":7}
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "quarantined" "overdue"
      quarantined: {"why":"failures","since":"2026-01-14T00:00:00Z","until":null}
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "cooling_down" "late"
      cooling_down: {"why":"failed","since":"2026-01-16T17:00:00Z","until":"2026-01-16T19:00:00Z"}
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "due" "late"
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "due" "on_time"
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "up_to_date" "ahead"
      last: {"at":"2026-01-16T01:00:00Z","window":{"start":"2026-01-15T18:00:00Z","end":"2026-01-16T00:00:00Z"},"seen":"reported","records":17,"message":"Completed: 17\\u{1b}[0m"}
    "#);
}
