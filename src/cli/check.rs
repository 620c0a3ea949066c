//! `etl-orch config check`: reads the configuration and says what it means.

use std::fmt::Write;

use super::args::{Format, Global};
use super::exit::{Exit, Failure};
use crate::config::{self, Config};
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::settings::Variables;
use crate::plan::model::work::Work;
use crate::show;

pub(super) fn command(global: &Global, environment: &Variables) -> Result<Exit, Failure> {
    let path = config::find(global.config.as_deref(), environment)?;
    let config = config::load(&path, environment)?;
    config.env_files()?;
    let page = match global.format {
        Format::Text => as_text(&config),
        Format::Json => format!("{:#}\n", as_json(&config)),
    };
    show::out(&page)?;
    Ok(Exit::Success)
}

fn as_text(config: &Config) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{text}");
    };
    line(format!("{}: ok", config.path.display()));
    line(format!("  database      {}", config.database.target));
    line(format!("  tables        {}, {}", config.database.availability, config.database.reports));
    line(format!("  state_dir     {}", config.state_dir.display()));
    line(format!("  lock_file     {}", config.lock_file.display()));
    line(format!("  institutions  {}", config.catalogue.institutions.len()));
    line(format!("  max_parallel  {}", config.run.max_parallel));
    for etl in &config.catalogue.etls {
        let by = match &etl.reports {
            ReportsBy::Etl => "the ETL writes its row".to_owned(),
            ReportsBy::Orchestrator { output } => format!("etl-orch writes the row; file {output}"),
        };
        line(format!("  etl           {} -> {} (requires {}; {by})", etl.name, etl.report_type, etl.requires.join(", ")));
    }
    if !config.catalogue.sources.is_empty() {
        line(format!("  sources       {}", config.catalogue.sources.len()));
    }
    for source in &config.catalogue.sources {
        let by = match &source.work {
            Work::Command { .. } => "by a command",
            Work::Http(_) => "over HTTP",
        };
        let every = humantime::format_duration(source.cadence.every);
        line(format!("  source        {} -> {} (every {every}, {by})", source.id, source.name));
    }
    page
}

fn as_json(config: &Config) -> serde_json::Value {
    serde_json::json!({
        "schema_version": 1,
        "config": config.path,
        "database": config.database.target.to_string(),
        "tables": { "availability": config.database.availability.to_string(), "reports": config.database.reports.to_string() },
        "state_dir": config.state_dir,
        "lock_file": config.lock_file,
        "institutions": config.catalogue.institutions.len(),
        "max_parallel": config.run.max_parallel,
        "etls": config.catalogue.etls.iter().map(|etl| serde_json::json!({
            "name": etl.name,
            "report_type": etl.report_type,
            "requires": etl.requires,
        })).collect::<Vec<_>>(),
        "sources": config.catalogue.sources.iter().map(|source| serde_json::json!({
            "id": source.id,
            "name": source.name,
            "every_seconds": source.cadence.every.as_secs(),
        })).collect::<Vec<_>>(),
    })
}
