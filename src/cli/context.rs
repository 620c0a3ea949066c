//! What a command works with: the configuration, the database and the user.

use std::sync::Arc;
use std::time::Instant;

use super::args::Global;
use super::exit::Failure;
use super::output;
use super::user::user;
use crate::config::{self, Config};
use crate::os::threads;
use crate::plan::model::settings::Variables;
use crate::plan::text::span::brief;
use crate::show::{self, CommandLine, View};
use crate::store::{self, Access, Store};

/// Made once by each command that reads the configuration.
#[derive(Clone)]
pub(super) struct Context<'a> {
    pub(super) global: &'a Global,
    pub(super) environment: &'a Variables,
    pub(super) config: Config,
    /// Who gives orders.
    pub(super) user: String,
}

impl<'a> Context<'a> {
    /// Finds and reads the configuration.
    pub(super) fn load(global: &'a Global, environment: &'a Variables) -> Result<Self, Failure> {
        let began = Instant::now();
        let found = config::find(global.config.as_deref(), environment)?;
        let mut config = config::load(&found.path, environment)?;
        config.warnings.splice(0..0, found.skipped);
        let context = Self::of(config, global, environment);
        let files = [Some(&context.config.path), context.config.dotenv.as_ref()].into_iter().flatten();
        let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
        tracing::debug!("Read {} ({})", files.join(" and "), brief(began.elapsed()));
        Ok(context)
    }

    /// The context of a configuration.
    pub(super) fn of(config: Config, global: &'a Global, environment: &'a Variables) -> Self {
        show::hide(config.secrets.clone());
        show::logs::configure(config.log);
        Self { global, environment, config, user: user(environment) }
    }

    /// How who typed this command calls another one with the same configuration.
    pub(super) fn command_line(&self) -> CommandLine {
        CommandLine::new(self.global.config.as_deref())
    }

    /// The same for whoever reads it elsewhere.
    pub(super) fn command_line_anywhere(&self) -> CommandLine {
        let path = &self.config.path;
        // Where the working directory is not known, it is not there.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        CommandLine::new(Some(path.as_path()).filter(|path| !config::is_found_by_all(path)))
    }

    /// Opens the database for this work, and closes it however the work ends.
    pub(super) async fn with_store<T>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(Arc<dyn Store>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
        let store = store::open(&self.config.database, access).await?;
        let done = work(store.clone()).await;
        store.close().await;
        done
    }

    /// Prints a view in the format that is asked for.
    pub(super) fn print(&self, view: &impl View) -> Result<(), Failure> {
        output::print(self.global.format, view)
    }
}
