use std::path::PathBuf;

use chrono::{DateTime, TimeDelta};
use serde_json::Value;

use super::*;
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::checkup::{
    ChannelFacts, ConfigurationSize, CronLine, DatabaseFacts, DatabaseLook, Encoding, Fault, Faults, HostFacts, LockState, OwnProcess,
    RunsOnRecord, Schedule, Server, Sight, Spooled, StateTables, TimeZone, Timer, Transport, Verification, Volume, Waiting,
};
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};

fn because(reason: &str) -> NotLooked {
    NotLooked::Because(reason.to_owned())
}

fn host() -> HostFacts {
    HostFacts {
        programs: Faults {
            faults: vec!["etl-orch.yaml:7:15: etls.a.command: python3.19 is not found on its PATH; install it".to_owned().into()],
            warnings: Vec::new(),
        },
        programs_found: 1,
        outputs: Faults::default(),
        outputs_named: 0,
        files: Faults::default(),
        files_named: 0,
        state_dir: Faults::default(),
        state_dir_path: PathBuf::from("/srv/var"),
        spool: Ok(Spooled { waiting: 2, refused: 0 }),
        volumes: vec![
            (PathBuf::from("/srv/var"), Ok(Volume { device: 1, free: 5 << 30, total: 100 << 30, is_remote: true })),
            (PathBuf::from("/data"), Err(because("Permission denied"))),
        ],
        lock_path: PathBuf::from("/srv/var/etl-orch.lock"),
        lock: LockState::Held { holder: "process 7 on db\u{1b}[2J".to_owned(), pid: 7 },
    }
}

fn database() -> DatabaseFacts {
    DatabaseFacts {
        target: "postgres://db/x".to_owned(),
        server: Ok(Server {
            product: "PostgreSQL 17.2".to_owned(),
            encoding: Encoding::Limited("LATIN1".to_owned()),
            now: None,
            is_standby: true,
            transport: Some(Transport::Encrypted(Verification::Nothing)),
        }),
        clocks: Err(because("there was no answer within 30 s")),
        state_tables: StateTables::Older { found: 9, known: 12, obstacle: None },
        rights: Ok(Faults {
            faults: vec![Fault {
                found: "the database user lacks rights without which nothing can be planned".to_owned(),
                mend: Some("have a DBA run: GRANT SELECT ON aegis_reports TO etl".to_owned()),
            }],
            warnings: Vec::new(),
        }),
        tables: Ok(Faults::default()),
        runs: Ok(RunsOnRecord { last: None, running: Vec::new() }),
        names: Err(NotLooked::Needs(Subject::Rights)),
        data: Err(NotLooked::Needs(Subject::Rights)),
    }
}

fn checkup() -> Checkup {
    Checkup {
        now: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
        configuration: ConfigurationFacts {
            path: Some("/srv/etl-orch.yaml".to_owned()),
            size: Some(ConfigurationSize { banks: 14, etls: 2, sources: 1 }),
            faults: Faults::default(),
        },
        telling: Ok(Vec::new()),
        host: Ok(host()),
        processes: Ok(vec![OwnProcess { pid: 7, command: "etl-orch(run) run -q".to_owned() }]),
        time_zone: TimeZone { named: Some("Europe/Nowhere".to_owned()), is_known: false, offset: "+00:00".to_owned() },
        schedule: Schedule {
            timers: Ok(vec![Timer {
                unit: "etl-orch.timer".to_owned(),
                is_users: false,
                is_active: false,
                is_enabled: true,
                last: Some(DateTime::UNIX_EPOCH),
                next: None,
                service: "etl-orch.service".to_owned(),
                command: "/usr/bin/etl-orch run -q".to_owned(),
                trouble: Some("exit-code".to_owned()),
            }]),
            cron_lines: Ok(vec![CronLine { place: "/etc/cron.d/etl".to_owned(), line: "*/15 * * * * ... etl-orch".to_owned() }]),
            cron_runs: Ok(false),
        },
        database: DatabaseLook::Open(Box::new(database())),
    }
}

#[test]
fn every_check_says_what_was_found_and_how_to_mend_it() {
    let catalogue = Catalogue { etls: vec![crate::plan::test_support::etl("a", "A")], ..Catalogue::default() };
    insta::assert_snapshot!(DoctorView::new(&checkup(), Some(&catalogue)).text());
}

#[test]
fn what_needs_a_configuration_is_not_looked_at_without_one() {
    let needs = || NotLooked::Needs(Subject::Configuration);
    let checkup = Checkup {
        configuration: ConfigurationFacts {
            path: Some("etl-orch.yaml".to_owned()),
            faults: Faults { faults: vec!["etl-orch.yaml:1:1: unknown key \"etl\"".to_owned().into()], warnings: Vec::new() },
            ..ConfigurationFacts::default()
        },
        telling: Err(needs()),
        host: Err(needs()),
        processes: Ok(Vec::new()),
        time_zone: TimeZone { named: None, is_known: true, offset: "+00:00".to_owned() },
        schedule: Schedule { timers: Ok(Vec::new()), cron_lines: Err(because("crontab -l: not allowed")), cron_runs: Ok(true) },
        database: DatabaseLook::NotLooked(needs()),
        ..checkup()
    };
    let view = DoctorView::new(&checkup, None).exit_code(2);
    insta::assert_snapshot!(view.text());
    let json: Value = serde_json::from_str(&view.json().unwrap()).unwrap();
    assert_eq!((&json["failed"], &json["exit_code"]), (&Value::from(1), &Value::from(2)));
    let lock = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == "lock").unwrap();
    assert_eq!(lock["status"], "unknown");
}

#[test]
fn data_that_nothing_matches_is_not_called_fine_though_files_might_supply_the_tags() {
    let catalogue = Catalogue { etls: vec![crate::plan::test_support::etl("a", "A")], ..Catalogue::default() };
    let text = |why| {
        let issues = DataIssues { unmatched: Some(Unmatched { why, tags: Vec::new(), symbols: Vec::new() }), ..DataIssues::default() };
        let facts = DatabaseFacts { names: Ok(Some(NameIssues::default())), data: Ok(Some(issues)), ..database() };
        let view = DoctorView::new(&Checkup { database: DatabaseLook::Open(Box::new(facts)), ..checkup() }, Some(&catalogue)).text();
        view.split_once("\nData\n").expect("what was found of the data").1.to_owned()
    };
    insta::assert_snapshot!(format!("{}\n{}", text(WhyUnmatched::NoRows), text(WhyUnmatched::NoTags)));
}

#[test]
fn a_channel_of_which_nothing_is_known_is_not_called_fine() {
    let at = DateTime::UNIX_EPOCH;
    let channel = |shown: &str, sight, untold| ChannelFacts { name: "x", shown: shown.to_owned(), sight, untold };
    let finding = |channels| {
        let view = DoctorView::new(&Checkup { telling: Ok(channels), ..checkup() }, None).text();
        let found = view.split_once("Host\n").and_then(|(begin, _)| begin.split_once('\n')).unwrap().1.to_owned();
        found.lines().skip_while(|line| !line.contains("telling others")).flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let waiting = Waiting { messages: 2, since: at };
    let pages = [
        finding(vec![
            channel("pings to https://a/...", Sight::Nothing, None),
            channel("metrics in /m/x.prom", Sight::File(Ok(())), None),
            channel("traces to https://t/...", Sight::Outbox(Ok(None)), None),
        ]),
        finding(vec![
            channel("a webhook at https://w/...", Sight::Nothing, Some(at)),
            channel("mail to ops@x", Sight::Nothing, None),
            channel("lineage to https://l/...", Sight::Outbox(Ok(Some(waiting))), Some(at)),
            channel("traces to https://t/...", Sight::Outbox(Err(because("Permission denied"))), None),
            channel("events in /none/x", Sight::File(Err("the directory /none does not exist".to_owned())), None),
        ]),
        finding(vec![channel("metrics in /m/x.prom", Sight::File(Ok(())), None)]),
    ];
    insta::assert_snapshot!(pages.join("\n"), @r"
    [?]    telling others: not tried: pings to https://a/..., traces to
           https://t/...
           -> etl-orch tell test
           metrics in /m/x.prom: it can be written

    [FAIL] telling others: events in /none/x: it cannot be written: the directory
           /none does not exist
           -> make its directory, or correct its owner or mode
           a webhook at https://w/...: a run could not tell it everything, and
           said so 1970-01-01 00:00:00Z
           -> etl-orch tell test
           lineage to https://l/...: 2 messages not received, the oldest of
           1970-01-01 00:00:00Z
           -> the next run sends them; to see why they wait: etl-orch tell test
           traces to https://t/...: what waits for it could not be looked at:
           Permission denied
           not tried: mail to ops@x
           -> etl-orch tell test

    [ok]   telling others: metrics in /m/x.prom: it can be written
    ");
}
