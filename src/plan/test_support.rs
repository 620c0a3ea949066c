//! Small values for the tests of this room and of those that show its values.

use std::path::PathBuf;
use std::time::Duration;

use crate::plan::decide::plan::{Plan, PlannedJob};
use crate::plan::model::etl::{Etl, EtlIndex, Places, ReportsBy};
use crate::plan::model::health::AgeLimits;
use crate::plan::model::institution::Institution;
use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::settings::RunSettings;
use crate::plan::model::source::{CatchUp, Source};
use crate::plan::model::window::Cadence;
use crate::plan::model::work::{CommandSpec, Work};

pub(crate) fn bank(key: &str, id: i64) -> Institution {
    Institution { key: key.to_owned(), id, name: format!("Bank {key}"), kind: None, priority: 0, place: String::new() }
}

/// A program without arguments.
pub(crate) fn command() -> CommandSpec {
    CommandSpec {
        argv: Vec::new(),
        cwd: PathBuf::from("/"),
        env: Vec::new(),
        env_file: None,
        timeout: Duration::from_secs(60),
        progress: Vec::new(),
        grace: Duration::from_secs(10),
    }
}

/// A program as work, with the usual exit codes.
pub(crate) fn program(command: CommandSpec) -> Work {
    Work::Command { command, exit_codes: ExitCodes::default() }
}

pub(crate) fn etl(name: &str, report_type: &str) -> Etl {
    Etl {
        name: name.to_owned(),
        report_type: report_type.to_owned(),
        other_report_types: Vec::new(),
        description: None,
        requires: vec!["transcripts".to_owned()],
        needs: Vec::new(),
        work: program(command()),
        reports: ReportsBy::Etl,
        retry: RetryPolicy::default(),
        warn_after: None,
        gap_age: AgeLimits::default(),
        pool: None,
        version: None,
        places: Places::default(),
    }
}

pub(crate) fn etl_needing(name: &str, report_type: &str, need: EtlIndex) -> Etl {
    Etl { needs: vec![need], ..etl(name, report_type) }
}

/// A source with windows of six hours, without lag, that a program collects.
pub(crate) fn source(id: &str) -> Source {
    Source {
        id: id.to_owned(),
        name: id.to_owned(),
        cadence: Cadence { every: Duration::from_secs(6 * 3600), zone: None },
        catch_up: CatchUp::Coalesce,
        lag: Duration::ZERO,
        max_windows: 28,
        start: None,
        lookback_days: 1,
        work: program(command()),
        retry: RetryPolicy::default(),
        pool: None,
        version: None,
        records: None,
        verify: None,
        freshness: None,
        warn_after: Duration::from_secs(13 * 3600),
        error_after: Duration::from_secs(25 * 3600),
    }
}

/// Settings with so many chains at once, and otherwise the defaults.
pub(crate) fn settings(max_parallel: usize) -> RunSettings {
    RunSettings { max_parallel, ..RunSettings::default() }
}

/// A plan of these jobs and nothing else.
pub(crate) fn plan_of(jobs: Vec<PlannedJob>, chains: Vec<Vec<usize>>) -> Plan {
    Plan { jobs, chains, ..Plan::default() }
}

/// The same under a name, with other limits.
pub(crate) fn source_called(id: &str) -> Source {
    let (warn_after, error_after) = (Duration::from_secs(7 * 3600), Duration::from_secs(13 * 3600));
    Source { name: format!("Source {id}"), lookback_days: 0, warn_after, error_after, ..source(id) }
}
