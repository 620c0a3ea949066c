//! `etl-orch config`: looks at the configuration.

mod init;

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::args::{Format, Global};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::RUN;
use super::output;
use crate::config;
use crate::plan::model::settings::Variables;
use crate::run::{check_state_dir, names};
use crate::show::config::{ConfigFiles, ConfigView};
use crate::show::outcome::SchemaView;
use crate::store::{Access, Store};
pub(super) use init::command as init;

/// What can be done with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ConfigCommand {
    /// Name every error in the configuration, and say what it means
    ///
    /// Also everything that this host lacks for it.
    Check(CheckArgs),
    /// Begin a configuration from what the database holds
    ///
    /// From its tables, tags, types of reports and banks.
    Init(init::InitArgs),
    /// Print the JSON Schema of the configuration file
    Schema,
}

/// What `etl-orch config check` looks at beside the files.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CheckArgs {
    /// Look into the database too
    ///
    /// Whether the tables are as they must be, and know the tags and report types.
    #[arg(long, help_heading = RUN)]
    connect: bool,
}

/// `etl-orch config check`.
pub(super) async fn check(global: &Global, environment: &Variables, args: CheckArgs) -> Result<Exit, Failure> {
    let found = config::find(global.config.as_deref(), environment)?;
    let (mut config, host) = config::check(&found.path, environment)?;
    config.warnings.splice(0..0, found.skipped);
    let context = Context::of(config, global, environment);
    let config = &context.config;
    let of_state_dir = check_state_dir(&config.state_dir)?;
    let warnings = [config.warnings.clone(), host.warnings, of_state_dir].concat();
    let files = ConfigFiles { config: &config.path, state_dir: &config.state_dir, lock_file: &config.lock_file, programs: &host.programs };
    let names = if args.connect {
        let compare = async |store: Arc<dyn Store>| Ok(names::compare(&*store, &config.catalogue, &config.sync).await?);
        Some(context.with_store(Access::ReadOnly, compare).await?)
    } else {
        None
    };
    let view = ConfigView::new(files, &config.database, config.run.max_parallel, &config.catalogue, &warnings, names.as_ref());
    context.print(&view.telling(&config.tell))?;
    Ok(if names.is_some_and(|names| !names.unknown_tags.is_empty()) { Exit::Usage } else { Exit::Success })
}

/// `etl-orch config schema`.
pub(super) fn schema(format: Format) -> Result<Exit, Failure> {
    output::print(format, &SchemaView::new(config::schema()))?;
    Ok(Exit::Success)
}
