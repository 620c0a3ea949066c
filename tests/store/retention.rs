//! What is over goes after a time, slice by slice; what a run or a person may need stays, however old it is.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use etl_orch::plan::decide::retention::{KeptSince, RecordKind};
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::ids::JobId;
use etl_orch::store::Store;

use crate::fixture::Fixture;

crate::on_both_databases![what_is_open_or_needed_stays_however_old, nothing_that_a_run_decides_by_changes];

fn now() -> DateTime<Utc> {
    "2026-01-16T00:00:00Z".parse().unwrap()
}

fn days_ago(days: i64) -> String {
    (now() - TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn kept_since() -> KeptSince {
    let before = |days| Some(now() - TimeDelta::days(days));
    KeptSince { history: before(400), idle_runs: before(90), logs: None }
}

fn id(kind: u32, n: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-{n:012x}")
}

/// Statements that put a history on record.
struct Scene {
    sql: String,
    prefix: &'static str,
}

impl Scene {
    fn new(fixture: &Fixture) -> Self {
        Self { sql: String::new(), prefix: if fixture.is_sqlite() { "" } else { "etl_orch." } }
    }

    fn insert(&mut self, table: &str, columns: &str, values: &str) {
        writeln!(self.sql, "INSERT INTO {}{table} ({columns}) VALUES ({values});", self.prefix).unwrap();
    }

    fn run(&mut self, n: u32, days: i64, state: &str, planned: u32) {
        let (id, at) = (id(1, n), days_ago(days));
        let ended = if state == "running" { "NULL".to_owned() } else { format!("'{at}'") };
        self.insert(
            "etl_runs",
            "id, host, boot_id, pid, pid_started, version, options, state, started_at, ended_at, lease_until, planned",
            &format!("'{id}', 'h', 'b', 1, 1, '1', '{{}}', '{state}', '{at}', {ended}, '{at}', {planned}"),
        );
    }

    fn job(&mut self, n: u32, (run, days): (u32, i64), gap: &str, state: &str) {
        let (id, run, at) = (id(2, n), id(1, run), days_ago(days));
        let etl = gap.parse::<GapKey>().unwrap().filled_by().to_owned();
        let is_open = matches!(state, "running" | "queued");
        let ended = if is_open { "NULL".to_owned() } else { format!("'{at}'") };
        self.insert(
            "etl_jobs",
            "id, run_id, gap_key, etl, position, forced, state, fence, queued_at, started_at, ended_at",
            &format!("'{id}', '{run}', '{gap}', '{etl}', 0, FALSE, '{state}', {n}, '{at}', '{at}', {ended}"),
        );
        self.insert("etl_attempts", "job_id, n, outcome, log, started_at", &format!("'{id}', 1, '{state}', '/log', '{at}'"));
    }

    fn gap(&mut self, gap: &str, noted: bool, remote_id: &str) {
        let failed = i32::from(noted);
        self.insert("gap_states", "gap_key, fence, failed_runs, noted, remote_id", &format!("'{gap}', 3, {failed}, {noted}, {remote_id}"));
    }

    fn decision(&mut self, run: u32, gap: &str, since: i64, until: Option<i64>) {
        let (run, since) = (id(1, run), days_ago(since));
        let until = until.map_or_else(|| "NULL".to_owned(), |days| format!("'{}'", days_ago(days)));
        let data = r#"{"decision": "waiting", "need": "a"}"#;
        self.insert(
            "decisions",
            "gap_key, since, until, run_id, decision, data",
            &format!("'{gap}', '{since}', {until}, '{run}', 'waiting', '{data}'"),
        );
    }

    fn order(&mut self, gap: &str, kind: &str, days: i64) {
        self.insert("overrides", "gap_key, kind, actor, reason, at", &format!("'{gap}', '{kind}', 'ann', 'r', '{}'", days_ago(days)));
    }

    fn source(&mut self, source: &str, frontier: i64, last_job: Option<u32>) {
        let last = last_job.map_or_else(|| "NULL".to_owned(), |job| format!("'{}'", id(2, job)));
        self.insert("sources", "source, frontier, last_job", &format!("'{source}', '{}', {last}", days_ago(frontier)));
    }

    fn window(&mut self, source: &str, until: i64, state: &str, job: Option<u32>) {
        let job = job.map_or_else(|| "NULL".to_owned(), |job| format!("'{}'", id(2, job)));
        let (start, end) = (days_ago(until + 1), days_ago(until));
        self.insert(
            "disclosure_queue",
            "source, window_start, window_end, state, queued_at, job_id",
            &format!("'{source}', '{start}', '{end}', '{state}', '{start}', {job}"),
        );
    }

    /// The last hundred runs, and the last hundred successes of each of these, are younger than all else.
    fn filled_up(mut self, gaps: &[&str]) -> String {
        for n in 0..100 {
            self.run(90_000 + n, 1, "succeeded", 1);
            for (place, gap) in gaps.iter().enumerate() {
                self.job(90_000 + 1000 * u32::try_from(place).unwrap() + n, (90_000 + n, 1), gap, "succeeded");
            }
        }
        self.sql
    }
}

/// Removes everything, few records at a time. Returns how many of each kind there were, which is what was counted before.
async fn prune(store: &dyn Store) -> [u64; 5] {
    let (mut counted, mut removed) = ([0; 5], [0; 5]);
    for (place, kind) in RecordKind::ALL.into_iter().enumerate() {
        counted[place] = store.count_removable(kind, kept_since()).await.unwrap();
    }
    for (place, kind) in RecordKind::ALL.into_iter().enumerate() {
        loop {
            let some = store.remove(kind, kept_since(), 7).await.unwrap();
            removed[place] += some;
            if some < 7 {
                break;
            }
        }
        assert_eq!(store.count_removable(kind, kept_since()).await.unwrap(), 0, "{kind:?}");
    }
    assert_eq!(removed, counted);
    removed
}

async fn numbers(fixture: &Fixture, table: &str, kind: u32) -> Vec<u32> {
    let ids = fixture.rows(&format!("SELECT id FROM {} WHERE id LIKE '{kind:08x}-%' ORDER BY id", fixture.own(table))).await;
    let number = |id: &String| u32::from_str_radix(&id[id.len() - 12..], 16).unwrap();
    ids.iter().map(number).filter(|n| *n < 90_000).collect()
}

/// A history of which a part is over, as SQL.
fn old_history(fixture: &Fixture) -> String {
    let mut scene = Scene::new(fixture);
    for n in 1..=20 {
        scene.run(n, 500, "succeeded", 1);
    }
    scene.run(21, 100, "succeeded", 0); // idle
    scene.run(22, 100, "failed", 0);
    scene.run(23, 500, "lost", 0);
    scene.run(24, 500, "running", 0);
    scene.run(25, 100, "succeeded", 0); // has a decision
    let gap = |n: u32| format!("RY-CA/{}Q1/a", 1900 + n);
    scene.job(1, (1, 500), &gap(1), "succeeded");
    scene.job(2, (1, 500), &gap(2), "failed");
    scene.job(3, (2, 500), &gap(3), "failed");
    scene.gap(&gap(3), true, "NULL");
    scene.job(4, (3, 500), &gap(4), "failed");
    scene.decision(3, &gap(4), 450, None);
    scene.decision(4, &gap(4), 480, Some(450));
    scene.job(5, (5, 500), &gap(5), "running");
    scene.job(6, (6, 500), &gap(6), "cancelled");
    scene.gap(&gap(6), false, "'remote'");
    scene.job(7, (7, 500), &gap(7), "succeeded"); // the last after a retry
    scene.job(8, (8, 501), &gap(7), "failed");
    scene.order(&gap(7), "retry", 502);
    scene.job(9, (9, 500), "source:s", "succeeded");
    scene.source("s", 300, Some(9));
    scene.job(10, (10, 500), "source:s", "failed");
    scene.window("s", 450, "queued", Some(10));
    scene.job(11, (11, 500), "BMO-CA/2025Q1/rare", "succeeded"); // one of the last successes
    scene.job(12, (12, 300), &gap(12), "failed");
    scene.job(13, (13, 500), &gap(13), "queued");
    scene.job(14, (14, 500), &gap(14), "succeeded"); // not in its place
    scene.decision(15, &gap(15), 480, Some(450));
    scene.decision(16, &gap(16), 480, Some(399));
    scene.decision(25, &gap(25), 100, Some(99));
    scene.window("s", 460, "collected", None);
    scene.window("s", 470, "collected", None); // a while ago
    scene.window("s", 401, "given_up", None);
    scene.window("s", 399, "collected", None);
    scene.window("other", 460, "collected", None); // beyond its frontier
    scene.source("other", 470, None);
    let mut sql = scene.filled_up(&["RY-CA/2000Q1/a", "source:s"]);
    write!(sql, "UPDATE {} SET destination = '/report' WHERE id = '{}';", fixture.own("etl_jobs"), id(2, 14)).unwrap();
    let collected = "SET collected_at = '{at}' WHERE window_end = '{end}'".replace("{at}", &days_ago(10)).replace("{end}", &days_ago(470));
    write!(sql, "UPDATE {} {collected};", fixture.own("disclosure_queue")).unwrap();
    let notice = |channel: &str, subject: &str, state: &str, days| {
        format!(
            "INSERT INTO {} (channel, subject, state, since, notified_at) VALUES ('{channel}', '{subject}', {state}, '{at}', '{at}');",
            fixture.own("notifications"),
            at = days_ago(days)
        )
    };
    sql += &notice("mail", "etl:a", "NULL", 500);
    sql += &notice("mail", "etl:b", "'broken'", 500);
    sql += &notice("mail", "etl:c", "NULL", 300);
    sql
}

async fn what_is_open_or_needed_stays_however_old(fixture: Fixture) {
    let store = fixture.open().await;
    fixture.sql(&old_history(&fixture)).await;
    assert_eq!(prune(&*store).await, [1, 3, 9, 1, 1]);
    assert_eq!(numbers(&fixture, "etl_jobs", 2).await, [3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]);
    assert_eq!(numbers(&fixture, "etl_runs", 1).await, [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 22, 24, 25]);
    let attempts = format!("SELECT count(*) FROM {} a JOIN {} j ON j.id = a.job_id", fixture.own("etl_attempts"), fixture.own("etl_jobs"));
    assert_eq!(fixture.rows(&attempts).await, fixture.rows(&format!("SELECT count(*) FROM {}", fixture.own("etl_attempts"))).await);
    let jobs = [2, 3, 4, 5, 6, 12].map(|n| JobId::parse(&id(2, n)).unwrap());
    let open: Vec<u128> = store.of_open_gaps(&jobs).await.unwrap().iter().map(|job| job.number() & 0xffff).collect();
    let mut open: Vec<u128> = open.into_iter().collect();
    open.sort_unstable();
    assert_eq!(open, [3, 4, 5, 6], "their logs stay, too");
}

/// Numbers that look random, the same in every run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn days(&mut self) -> i64 {
        i64::try_from(self.below(800)).unwrap() + 2
    }
}

/// All that the database tells a run, and those who judge it.
async fn told(store: &dyn Store, gaps: &[GapKey], open: &[GapKey]) -> Vec<String> {
    let names: Vec<String> = ["a", "b", "s", "t"].map(str::to_owned).to_vec();
    vec![
        format!("{:?}", store.gap_states().await.unwrap()),
        format!("{:?}", store.decisions().await.unwrap()),
        format!("{:?}", store.running_jobs().await.unwrap()),
        format!("{:?}", store.running_runs().await.unwrap()),
        format!("{:?}", store.source_states().await.unwrap()),
        format!("{:?}", store.queue().await.unwrap()),
        format!("{:?}", store.force_orders().await.unwrap()),
        format!("{:?}", store.unplaced(None).await.unwrap()),
        format!("{:?}", store.pending_orders(gaps).await.unwrap()),
        format!("{:?}", store.followed(gaps).await.unwrap()),
        format!("{:?}", store.missing_since(open).await.unwrap()),
        format!("{:?}", store.successes(&names).await.unwrap()),
    ]
}

async fn nothing_that_a_run_decides_by_changes(fixture: Fixture) {
    let store = fixture.open().await;
    let (mut scene, mut dice) = (Scene::new(&fixture), Dice(7));
    let names: Vec<String> = (0..80)
        .map(|n| match n % 4 {
            0 => format!("source:{}", ["s", "t"][n / 4 % 2]),
            1 => format!("RY-CA/{}Q1/b", 2000 + n),
            _ => format!("RY-CA/{}Q2/a", 2000 + n),
        })
        .collect();
    let mut open = Vec::new();
    for (n, gap) in names.iter().enumerate().take(24).filter(|(n, _)| n % 4 != 0 || *n < 4) {
        let run = 1000 + u32::try_from(n).unwrap();
        scene.run(run, 700, "succeeded", 0);
        match dice.below(4) {
            0 => scene.gap(gap, true, "NULL"),
            1 => {
                scene.decision(run, gap, dice.days(), None);
                scene.gap(gap, false, "NULL");
            }
            2 => scene.gap(gap, false, "'remote'"),
            _ => {
                scene.gap(gap, false, "NULL");
                continue;
            }
        }
        open.push(gap.parse().unwrap());
    }
    let states = ["succeeded", "failed", "skipped", "cancelled", "lost"];
    for n in 1..500 {
        let days = dice.days();
        scene.run(n, days, states[usize::try_from(dice.below(2)).unwrap()], 1);
        for k in 0..dice.below(3) {
            let gap = &names[usize::try_from(dice.below(80)).unwrap()];
            let state = states[usize::try_from(dice.below(5)).unwrap()];
            scene.job(3 * n + u32::try_from(k).unwrap(), (n, days), gap, state);
            match dice.below(12) {
                0 => scene.order(gap, "retry", days + i64::try_from(dice.below(3)).unwrap()),
                1 => scene.decision(n, gap, days, Some(days - 1)),
                _ => {}
            }
        }
    }
    scene.source("s", 200, Some(30));
    scene.source("t", 600, None);
    for until in 1..700 {
        let state = ["collected", "collected", "collected", "queued", "given_up"][usize::try_from(dice.below(5)).unwrap()];
        scene.window(["s", "t"][usize::try_from(dice.below(2)).unwrap()], until, state, Some(u32::try_from(until).unwrap()));
    }
    // A gap has one decision at a time.
    fixture.sql(&scene.sql.replace(r"}');", r"}') ON CONFLICT DO NOTHING;")).await;

    let gaps: Vec<GapKey> = names.iter().map(|name| name.parse().unwrap()).collect();
    let before = told(&*store, &gaps, &open).await;
    let removed = prune(&*store).await;
    assert!(removed[1] > 50 && removed[2] > 50 && removed[3] > 50, "{removed:?}");
    assert_eq!(told(&*store, &gaps, &open).await, before);
}
