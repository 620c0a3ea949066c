//! `etl-orch config`: looks at the configuration.

use clap::Subcommand;

use super::args::{Format, Global};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output;
use crate::config;
use crate::plan::model::settings::Variables;
use crate::run::check_state_dir;
use crate::show::config::{ConfigFiles, ConfigView};
use crate::show::outcome::SchemaView;

/// What can be done with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the configuration, name every error in it and everything that this host lacks for it, and say what it means
    Check,
    /// Print the JSON Schema of the configuration file
    Schema,
}

/// `etl-orch config check`.
pub(super) fn check(global: &Global, environment: &Variables) -> Result<Exit, Failure> {
    let found = config::find(global.config.as_deref(), environment)?;
    let (mut config, host) = config::check(&found.path, environment)?;
    config.warnings.splice(0..0, found.skipped);
    let context = Context::of(config, global, environment);
    let config = &context.config;
    let of_state_dir = check_state_dir(&config.state_dir)?;
    let warnings = [config.warnings.clone(), host.warnings, of_state_dir].concat();
    let files = ConfigFiles { config: &config.path, state_dir: &config.state_dir, lock_file: &config.lock_file, programs: &host.programs };
    context.print(&ConfigView::new(files, &config.database, config.run.max_parallel, &config.catalogue, &warnings))?;
    Ok(Exit::Success)
}

/// `etl-orch config schema`.
pub(super) fn schema(format: Format) -> Result<Exit, Failure> {
    output::print(format, &SchemaView::new(config::schema()))?;
    Ok(Exit::Success)
}
