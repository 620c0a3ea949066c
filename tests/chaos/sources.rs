//! Sources beside the banks: three that a program collects and one that a service collects. Their clock is simulated: windows become
//! due only when a scenario lets hours pass.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::mount_namespace::{FOR_CLOCKS, MountNamespace};
use crate::scene::Scene;
use crate::support::clock::clock;
use crate::support::service::{Course, KEY, Service};

/// The collectors' script.
const COLLECT: &str = include_str!("collect.sh");

/// Start of the sources; hours count from here.
const BEGIN: &str = "2026-01-16 00:00:00";

/// The format of times in SQL and in scripts.
const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// The hour of the first run.
const FIRST_HOUR: i64 = 12;

/// The sources, with the lengths of their windows in hours.
pub(crate) const SOURCES: [(&str, i64); 4] = [("us_house", 1), ("us_senate", 1), ("quiver", 1), ("california", 3)];

/// The source that the service collects.
pub(crate) const BY_SERVICE: &str = "us_house";

/// The source whose windows are collected one by one.
pub(crate) const EACH: &str = "california";

const CONFIG: &str = r#"sources:
  us_house:
    every: 1h
    start: 2026-01-16
    http:
      headers: {X-API-Key: "<key>"}
      trigger:
        url: "<url>/etl/trigger"
        json: {source: house, start: "{window_start}", end: "{window_end}", job: "{job_id}"}
      status: {url: "<url>/etl/status/{remote_id}", every: 20ms, succeeded: [completed], failed: [failed, error]}
      rate: {requests: 1000, per: 1s}
      timeout: 1m
  us_senate: {every: 1h, start: 2026-01-16, <command>}
  quiver: {every: 1h, start: 2026-01-16, <command>}
  california: {every: 3h, start: 2026-01-16, catch_up: each, max_windows: 8, <command>}
"#;

const COMMAND: &str = r#"command: [sh, collect.sh, "{source}", "{window_start}", "{window_end}"], timeout: 1m, grace: 200ms"#;

/// The sources of a scene.
pub(crate) struct Sources {
    /// The service that collects one of them. All its jobs complete.
    pub(crate) service: Service,
    /// The clock of the next invocation shows half past this hour.
    pub(crate) hour: i64,
    /// The frontier of each source at the last look.
    pub(crate) seen: BTreeMap<&'static str, i64>,
}

impl Sources {
    /// Adds the sources to a scene.
    pub(crate) fn open(scene: &mut Scene) {
        let service = Service::start();
        service.goes(Course::Completes { running: 6 });
        let config = CONFIG.replace("<url>", &service.url()).replace("<key>", KEY).replace("<command>", COMMAND);
        scene.make_tables();
        scene.world().also(&config);
        scene.world().write("collect.sh", COLLECT);
        scene.world().write("collected", "");
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), FOR_CLOCKS));
        scene.sources = Some(Self { service, hour: FIRST_HOUR, seen: BTreeMap::new() });
    }

    /// Variables that make an invocation see this hour.
    pub(crate) fn clock(&self) -> [(&'static str, String); 4] {
        let time = begin() + TimeDelta::hours(self.hour) + TimeDelta::minutes(30);
        clock(&format!("@{}", time.format(FORMAT)))
    }

    /// The end of the last window that is due.
    pub(crate) fn due_end(&self, every: i64) -> i64 {
        self.hour.div_euclid(every) * every
    }
}

/// How many sources are not collected up to the last window that is due.
pub(crate) fn behind(scene: &Scene) -> usize {
    let Some(sources) = &scene.sources else { return 0 };
    let frontiers = frontiers(scene);
    SOURCES.iter().filter(|(id, every)| frontiers.get(id).is_none_or(|frontier| *frontier < sources.due_end(*every))).count()
}

/// The frontier of each source in the database.
pub(crate) fn frontiers(scene: &Scene) -> BTreeMap<&'static str, i64> {
    let rows = scene.sql("SELECT source, frontier FROM sources WHERE frontier IS NOT NULL");
    rows.iter().filter_map(|row| row.split_once('|')).map(|(id, frontier)| (id_of(id), hour_of(frontier))).collect()
}

/// The id of a known source.
pub(crate) fn id_of(text: &str) -> &'static str {
    let found = SOURCES.iter().find(|(id, _)| *id == text);
    found.unwrap_or_else(|| panic!("no source: {text:?}")).0
}

/// Reads a time that a database or script wrote, in hours.
pub(crate) fn hour_of(text: &str) -> i64 {
    let time = text.get(..19).map(|text| text.replace('T', " "));
    let time = time.and_then(|text| NaiveDateTime::parse_from_str(&text, FORMAT).ok());
    let passed = time.unwrap_or_else(|| panic!("no time: {text:?}")).and_utc() - begin();
    assert_eq!(passed, TimeDelta::hours(passed.num_hours()), "no window begins or ends at {text}");
    passed.num_hours()
}

fn begin() -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(BEGIN, FORMAT).expect("a time").and_utc()
}
