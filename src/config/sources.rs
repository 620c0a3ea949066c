//! Checks `sources:`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::check::Check;
use super::etls::Defaults;
use super::grouped::grouped;
use super::http;
use super::pools;
use super::program::{grace_fits, program, version};
use super::run::{retry, size};
use super::scalars::WrittenDuration;
use super::work::WorkKeys;
use super::written_sources as written;
use super::written_work::Records;
use crate::plan::model::source::{CatchUp, Source, Verify};
use crate::plan::model::window::{Cadence, midnight};
use crate::plan::text::nearest::did_you_mean;
use crate::plan::text::placeholder::{Placeholder, Scope};
use crate::plan::text::records::RecordsRule;
use crate::plan::text::span;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Default of `max_windows`. It limits only `catch_up: each`; with `coalesce` all windows are one job.
const MAX_WINDOWS: i64 = 28;
/// Default of `lookback`.
const LOOKBACK: Duration = Duration::from_secs(30 * 24 * 3600);

/// Checks all sources. A source with a mistake may be missing in the result.
pub(super) fn sources(check: &mut Check, mut written: BTreeMap<String, written::Source>, defaults: &Defaults) -> Vec<Source> {
    let ids: Vec<String> = check.document.keys(&["sources"]).into_iter().map(str::to_owned).collect();
    ids.iter().filter_map(|id| check_source(check, id, written.remove(id)?, defaults)).collect()
}

/// Checks the `grace` of the programs of all sources.
pub(super) fn graces(check: &mut Check, sources: &[Source], lease: Duration) {
    for source in sources {
        grace_fits(check, &["sources", &source.id, "grace"], source.work.program(), lease);
        grace_fits(check, &["sources", &source.id, "verify", "grace"], source.verify.as_ref().and_then(Verify::program), lease);
    }
}

/// Checks one source. `None` when a required key is missing or wrong.
fn check_source(check: &mut Check, id: &str, mut written: written::Source, defaults: &Defaults) -> Option<Source> {
    let at = |key| ["sources", id, key];
    check.name(&["sources", id], id, "a source");
    if let Some(name) = &written.name {
        check.text(&at("name"), name);
    }
    let cadence = cadence(check, id, &written);
    let catch_up = catch_up(check, id, &written);
    let max_windows = size(check.within(&at("max_windows"), written.max_windows, 1..=10_000, MAX_WINDOWS));
    let zone = cadence.and_then(|cadence| cadence.zone).unwrap_or(Tz::UTC);
    let start = written.start.take().and_then(|text| start(check, &at("start"), &text, zone));
    let lag = written.lag.map_or(Duration::ZERO, |written| written.0);
    let lookback = written.lookback.map_or(LOOKBACK, |written| written.0);
    if !is_whole(lookback, DAY) {
        check.wrong(&at("lookback"), format!("sources.{id}.lookback must be whole days, such as 30d"));
    }
    let late = cadence.map(|cadence| late(check, id, &written, cadence.every));
    let freshness = written.freshness.take().and_then(|freshness| freshness_query(check, id, freshness));
    let is_http = written.http.is_some();
    let verify = written.verify.take().map(|written| verify(check, id, written, is_http));
    let retry = retry(check, &at("retry"), written.retry.take().unwrap_or_default(), &defaults.retry);
    let pool = written.pool.take().and_then(|pool| pools::named(check, &at("pool"), &pool, &defaults.pools));
    let version = written.version.and_then(|_| version(check, &at("version")));
    let records = records_of(check, id, &mut written);
    let name = written.name.take().unwrap_or_else(|| id.to_owned());
    let keys = written.take_program();
    let work = WorkKeys {
        program: keys,
        exit_codes: written.exit_codes.take(),
        outcomes: written.outcomes.take(),
        progress: written.progress.take(),
        http: written.http.take(),
    };
    let work = work.check(check, &["sources", id], id, "collects it", Scope::IN_COLLECTION_WORK);
    let (warn_after, error_after) = late?;
    Some(Source {
        id: id.to_owned(),
        name,
        cadence: cadence?,
        catch_up,
        lag,
        max_windows,
        start,
        lookback_days: u32::try_from(lookback.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX),
        work: work?,
        retry,
        pool,
        version,
        records,
        verify: match verify {
            Some(verify) => Some(verify?),
            None => None,
        },
        freshness,
        warn_after,
        error_after,
    })
}

/// What becomes of windows that were missed; and whether `max_windows` has an effect with that.
fn catch_up(check: &mut Check, id: &str, written: &written::Source) -> CatchUp {
    let at = |key| ["sources", id, key];
    let catch_up = match (written.catch_up, written.independent.unwrap_or(false)) {
        (Some(written::CatchUp::Coalesce), true) => {
            let advice = "independent windows are collected by a job for each; set catch_up: each, or remove one of the two";
            check.wrong_key(&at("independent"), advice);
            CatchUp::Independent
        }
        (None | Some(written::CatchUp::Each), true) => CatchUp::Independent,
        (None | Some(written::CatchUp::Coalesce), false) => CatchUp::Coalesce,
        (Some(written::CatchUp::Each), false) => CatchUp::Each,
    };
    let is_catch_up_broken = check.document.is_broken(&at("catch_up")) || check.document.is_broken(&at("independent"));
    if written.max_windows.is_some() && catch_up == CatchUp::Coalesce && !is_catch_up_broken {
        check.wrong_key(&at("max_windows"), "max_windows has an effect only with catch_up: each; set that, or remove it");
    }
    catch_up
}

fn is_whole(length: Duration, unit: Duration) -> bool {
    length.as_nanos().is_multiple_of(unit.as_nanos())
}

fn cadence(check: &mut Check, id: &str, written: &written::Source) -> Option<Cadence> {
    let at = |key| ["sources", id, key];
    let Some(WrittenDuration(every)) = written.every else {
        check.missing(&at("every"), format!("{id} has no every; say how long its windows are, every: 6h"));
        return None;
    };
    if every < MINUTE {
        check.wrong(&at("every"), format!("sources.{id}.every must be at least 1m"));
    } else if !is_whole(every, Duration::from_secs(1)) {
        check.wrong(&at("every"), format!("sources.{id}.every must be whole seconds"));
    }
    let zone = written.timezone.as_deref().and_then(|name| zone(check, &at("timezone"), name));
    if zone.is_some() && !is_whole(every, DAY) {
        check.wrong_key(&at("timezone"), "timezone has an effect only where every is whole days; make it 1d, or remove it");
    }
    Some(Cadence { every, zone })
}

fn zone(check: &mut Check, path: &[&str], name: &str) -> Option<Tz> {
    let zone = name.parse().ok();
    if zone.is_none() {
        let from_variable = check.document.variable(path).is_some();
        let hint = if from_variable { String::new() } else { did_you_mean(name, TZ_VARIANTS.iter().map(|zone| zone.name())) };
        let shown = check.document.shown(path, name);
        check.wrong(path, format!("{shown} is no time zone; write a name such as America/New_York{hint}"));
    }
    zone
}

/// A time, or a date, which stands for its first instant in the zone.
fn start(check: &mut Check, path: &[&str], text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let found = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Some(midnight(zone, date)),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    };
    let Some(time) = found else {
        let shown = check.document.shown(path, text);
        check.wrong(path, format!("{shown} is no time; write a date like 2026-01-01, or a time like 2026-01-01T06:00:00Z"));
        return None;
    };
    if time < DateTime::UNIX_EPOCH || time.timestamp() >= END_OF_TIME {
        check.wrong(path, format!("{} must be from 1970 to 2999", check.document.named(path)));
        return None;
    }
    Some(time)
}

/// The begin of the year 3000.
const END_OF_TIME: i64 = 32_503_680_000;

/// When it is late, and when overdue.
fn late(check: &mut Check, id: &str, written: &written::Source, every: Duration) -> (Duration, Duration) {
    let at = |key| ["sources", id, key];
    let warn_after = check.not_zero(&at("warn_after"), written.warn_after).unwrap_or(every * 7 / 6);
    let error_after = check.not_zero(&at("error_after"), written.error_after).unwrap_or(every * 13 / 6);
    if warn_after > error_after {
        let key = if written.warn_after.is_some() { "warn_after" } else { "error_after" };
        let [warn, error] = [warn_after, error_after].map(span::exact);
        check.wrong(&at(key), format!("warn_after, which is {warn}, must not be longer than error_after, which is {error}"));
    }
    (warn_after, error_after)
}

fn freshness_query(check: &mut Check, id: &str, written: written::Freshness) -> Option<String> {
    let path = ["sources", id, "freshness", "sql"];
    let Some(sql) = written.sql else {
        check.missing(&path, format!("freshness of {id} has no sql; write a query for the time of the newest data"));
        return None;
    };
    not_blank(check, &path, &sql);
    if let Some(placeholder) = Placeholder::ALL.iter().find(|placeholder| sql.contains(&format!("{{{}}}", placeholder.name()))) {
        check.wrong(&path, format!("freshness is the same for all windows; {{{}}} is not filled in here", placeholder.name()));
    }
    Some(sql)
}

/// Checks that a query is not blank. Unlike other texts it may have line breaks.
fn not_blank(check: &mut Check, path: &[&str], sql: &str) {
    if sql.trim().is_empty() {
        check.wrong(path, format!("{} is empty", check.document.named(path)));
    }
}

/// `is_http`: a service collects the source, and gives its job an id.
fn verify(check: &mut Check, id: &str, mut written: written::Verify, is_http: bool) -> Option<Verify> {
    let with_id = |scopes: &[Scope]| if is_http { [scopes, &[Scope::RemoteId]].concat() } else { scopes.to_vec() };
    let at = |key| ["sources", id, "verify", key];
    let name = format!("verify of {id}");
    let keys = written.take_program();
    let Some(sql) = written.sql else {
        if keys.command.is_none() && !check.document.is_broken(&at("sql")) && !check.document.is_broken(&at("command")) {
            check.wrong_key(&["sources", id, "verify"], format!("{name} has neither sql nor command; write one of them"));
            return None;
        }
        return program(check, &["sources", id, "verify"], keys, &name, &with_id(Scope::IN_COLLECTION_WORK)).map(Verify::Command);
    };
    for key in keys.command.iter().map(|_| "command").chain(keys.beside_command()) {
        check.wrong_key(&at(key), format!("{name} is sql, which has no {key}; keep one of the two"));
    }
    not_blank(check, &at("sql"), &sql);
    check.template(&at("sql"), &sql, &with_id(Scope::IN_VERIFY_SQL)).map(Verify::Sql)
}

/// `records:` stands beside `command`, or in `http`.
fn records_of(check: &mut Check, id: &str, written: &mut written::Source) -> Option<RecordsRule> {
    let (here, inside) = (["sources", id, "records"], ["sources", id, "http", "records"]);
    let is_http = written.http.is_some();
    let of_service = written.http.as_mut().and_then(|http| http.records.take());
    match (written.records.take(), of_service) {
        (Some(_), Some(_)) => {
            check.wrong_key(&here, "records stands here and in http; keep one of the two");
            None
        }
        (Some(rule), None) => records(check, &here, rule, is_http),
        (None, Some(rule)) => records(check, &inside, rule, is_http),
        (None, None) => None,
    }
}

fn records(check: &mut Check, path: &[&str], written: Records, is_http: bool) -> Option<RecordsRule> {
    let at = |key| [path, &[key]].concat();
    let name = check.document.named(path);
    if written.pointer.is_some() && !is_http {
        check.wrong_key(&at("pointer"), "a program's lines have no pointer; write a pattern for the line that has the number");
    }
    let pointer = written.pointer.inspect(|pointer| http::pointer(check, &at("pointer"), pointer));
    if pointer.is_none() && written.pattern.is_none() && !check.document.is_broken(path) {
        check.wrong_key(path, format!("{name} is empty; write a pattern, such as \"Completed: (\\d+) transactions\""));
    }
    let pattern = match written.pattern {
        Some(pattern) => Some(grouped(check, &at("pattern"), &pattern)?),
        None => None,
    };
    Some(RecordsRule { pointer, pattern })
}
