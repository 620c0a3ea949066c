use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::super::{CommandLine, View};
use super::*;
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::health::fixture::{gaps, one_of_each};
use crate::plan::health::issue::{Issue, SourceTrouble, Trouble};
use crate::plan::test_support::{etl, source_called};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue { etls: vec![etl("call_summary", "Call Summary")], sources: vec![source_called("us_house")], ..Catalogue::default() }
}

/// Every sentence, with its command.
#[test]
#[expect(clippy::too_many_lines, reason = "what is printed stands in its test as a whole")]
fn each_issue_says_what_is_wrong_and_what_to_type() {
    let since = Some(at("2026-01-16T00:20:00Z"));
    let mut troubles = one_of_each();
    troubles.push(Trouble::Source { source: 0, trouble: SourceTrouble::Quarantined { windows: Some(1), error: None } });
    troubles.push(Trouble::Quarantined { gaps: gaps(&["2025Q2", "2025Q1"]), error: None });
    let catalogue = catalogue();
    let line = |trouble| {
        let issue = Issue { trouble, since };
        let view = IssueView::new(&issue, at("2026-01-25T12:20:00Z"), &catalogue, &CommandLine::default());
        view.what + &view.command.map(|command| format!("\n  $ {command}")).unwrap_or_default()
    };
    insta::assert_snapshot!(troubles.into_iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
    no run has ended yet, and none is under way
      $ etl-orch run
    no run has ended since 2026-01-16 00:20:00Z (9d 12h ago), and none is under way; one is expected every 30m
      $ etl-orch doctor
    the last run ended in the future, 2026-01-16 00:20:00Z (9d 12h ago): the clock of this host went back, or was ahead
      $ etl-orch doctor
    run 00000000 died: its process 7 on h is gone; it began 2026-01-16 00:20:00Z (9d 12h ago)
      $ etl-orch run
    the last run, 00000000, could not do its work and ended 2026-01-16 00:20:00Z (9d 12h ago)
      $ etl-orch trace 00000000
    the last run, 00000000, was stopped before its end, 2026-01-16 00:20:00Z (9d 12h ago); the next run does what it left
      $ etl-orch trace 00000000
    this host's clock says 2026-01-25 12:20:00Z, which is long past; set it
      $ etl-orch doctor
    nothing of us_house was ever collected
      $ etl-orch why us_house
    us_house was collected until 2026-01-16 00:20:00Z (9d 12h ago), which is in the future: the clock went back, or was ahead
      $ etl-orch why us_house
    us_house is overdue: it was collected until 2026-01-16 00:20:00Z (9d 12h ago); error_after is 13h: exit code 1: no\u{1b}[31m
      $ etl-orch why us_house
    us_house is late: it was collected until 2026-01-16 00:20:00Z (9d 12h ago); warn_after is 7h
      $ etl-orch why us_house
    us_house is too old: it was collected until 2026-01-16 00:20:00Z (9d 12h ago); --max-age is 7h
      $ etl-orch why us_house
    us_house is not tried any more, in quarantine since 2026-01-16 00:20:00Z (9d 12h ago): exit code 1: no\u{1b}[31m
      $ etl-orch retry us_house --reason "..."
    2 windows of us_house are failing since 2026-01-16 00:20:00Z (9d 12h ago), and tried again later
      $ etl-orch logs us_house
    us_house is paused since 2026-01-16 00:20:00Z (9d 12h ago) by ann: r
      $ etl-orch sources resume us_house --reason "..."
    us_house is skipped since 2026-01-16 00:20:00Z (9d 12h ago) by ann: r
      $ etl-orch unskip us_house --reason "..."
    us_house: 3 successes in a row had 0 records
      $ etl-orch logs us_house
    there is no data for any ETL yet
      $ etl-orch doctor
    no usable row of a monitored bank has what an ETL requires; symbols in the data: XX, YY
      $ etl-orch doctor
    call_summary makes nothing: no row of data has what it requires (transcripts); no row has transcripts at all
      $ etl-orch doctor
    call_summary has no reports of its type "Call Summary", but there are some of the type "call_summary"
      $ etl-orch doctor
    call_summary: 2 reports are missing for longer than 1d, the first since 2026-01-16 00:20:00Z (9d 12h ago): RY-CA/2025Q2/call_summary, RY-CA/2025Q1/call_summary
      $ etl-orch why RY-CA 2025 Q2 call_summary
    1 report is not tried any more, in quarantine since 2026-01-16 00:20:00Z (9d 12h ago): RY-CA/2025Q2/call_summary: exit code 1: no\u{1b}[31m
      $ etl-orch retry RY-CA 2025 Q2 call_summary --reason "..."
    1 report is failing and tried again later: RY-CA/2025Q2/call_summary: exit code 1: no\u{1b}[31m
      $ etl-orch logs RY-CA 2025 Q2 call_summary
    call_summary fails for every bank since 2026-01-16 00:20:00Z (9d 12h ago): exit code 1: no\u{1b}[31m
      $ etl-orch jobs --failed --etl-type call_summary
    the end of 1 job is not on record yet: RY-CA/2025Q2/call_summary: refused
      $ etl-orch why RY-CA 2025 Q2 call_summary
    2 rows of data are invalid: RY 2025 Q5: no quarter
      $ etl-orch doctor
    1 monitored bank without any data: BMO-CA
      $ etl-orch doctor
    BMO-CA: its data of 2025 Q1 (transcripts) is late: as its last 3 periods came, it was expected by 2025-04-25, and 2 of 3 other banks have theirs
      $ etl-orch why BMO-CA 2025 Q1
    the spool cannot be read
      $ etl-orch doctor
    w
      $ etl-orch run --dry-run
    1 window of us_house is not tried any more, in quarantine since 2026-01-16 00:20:00Z (9d 12h ago)
      $ etl-orch retry us_house --reason "..."
    2 reports are not tried any more, in quarantine, the first since 2026-01-16 00:20:00Z (9d 12h ago): RY-CA/2025Q2/call_summary, RY-CA/2025Q1/call_summary
      $ etl-orch retry --all --reason "..."
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a page with all its parts, read as a whole")]
fn the_page_begins_with_the_verdict_and_shows_how_everything_stands() {
    let run = EndedRun {
        id: RunId::new(Uuid::nil()),
        state: RunState::Succeeded,
        started_at: at("2026-01-16T00:20:00Z"),
        ended_at: at("2026-01-16T00:20:05Z"),
        has_counts: true,
    };
    let judgement = Judgement {
        at: at("2026-01-25T12:20:00Z"),
        status: Status::Unhealthy,
        issues: vec![
            Issue { trouble: Trouble::Silent { limit: HOUR / 2 }, since: Some(run.ended_at) },
            Issue { trouble: Trouble::BanksWithoutData(vec!["BMO-CA".into()]), since: None },
        ],
        runs: Some(RecentRuns { last: Some(run), ..RecentRuns::default() }),
        sources: vec![SourceHealth {
            source: 0,
            standing: SourceStatus::Due,
            lateness: Lateness::Overdue,
            collected_until: Some(at("2026-01-16T00:00:00Z")),
            last_day: "2026-01-15".parse().ok(),
            days_behind: Some(9),
            is_left_alone: false,
        }],
        reports: Some(ReportCounts {
            existing: 30,
            missing: 3,
            planned: 2,
            waiting: 0,
            claimed: 0,
            unrecorded: 0,
            quarantined: 1,
            cooling_down: 0,
            capped: 0,
            skipped: 4,
            oldest: None,
        }),
    };
    let catalogue = catalogue();
    let page =
        HealthView::new(&judgement, Action::CatchUpSuspended, &catalogue, 1, &CommandLine::new(Some(Path::new("/srv/etl-orch.yaml"))))
            .text();
    insta::assert_snapshot!(page, @"
    UNHEALTHY: 1 error, 1 warning (2026-01-25 12:20:00Z)
    data: all days until 2026-01-15, 9 days behind (us_house)
    action: no run was made: the last recoveries did not help; `etl-orch retry` ends
      that

    error: no run has ended since 2026-01-16 00:20:05Z (9d 11h ago), and none is
      under way; one is expected every 15m
      $ etl-orch doctor --config /srv/etl-orch.yaml

    warning: 1 monitored bank without any data: BMO-CA
      $ etl-orch doctor --config /srv/etl-orch.yaml

    runs: the last succeeded 2026-01-16 00:20:05Z, 9d 11h ago
    us_house: due, all days until 2026-01-15, 9 days behind, OVERDUE
    reports: 30 there, 3 missing (2 to be made, 1 quarantined)
    ");
    let error = HealthView::of_error(4, "unable", "the database is locked\nand more", Vec::new(), Action::None, at("2026-01-25T12:20:00Z"));
    insta::assert_snapshot!(error.text(), @r"
    ERROR (2026-01-25 12:20:00Z)
      the database is locked
      and more
    ");
}
