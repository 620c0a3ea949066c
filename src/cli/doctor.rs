//! `etl-orch doctor`: looks at everything that a run needs.

use chrono::Utc;
use clap::Args;

use super::args::Global;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::init::table_use;
use super::output;
use super::run::quiet::untold;
use crate::config::{self, Config, ConfigErrors, Examined, Host, Need};
use crate::os::threads;
use crate::plan::decide::checkup::{
    ChannelFacts, Checkup, ConfigurationFacts, ConfigurationSize, DatabaseLook, Fault, Faults, Looked, NotLooked, Subject,
};
use crate::plan::model::settings::{DatabaseTarget, Variables};
use crate::run::doctor::{self, DatabaseInput, HostInput, HostPaths};
use crate::show::doctor::DoctorView;
use crate::tell;

/// Options of `doctor`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DoctorArgs {}

/// What came of reading the configuration.
enum Configured {
    /// It can be used, on this host or not.
    Yes(Box<Config>, Host),
    No(Vec<Fault>),
}

pub(super) async fn command(global: &Global, environment: &Variables) -> Result<Exit, Failure> {
    threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let (path, configured) = configuration(global, environment).await;
    let context = match &configured {
        Configured::Yes(config, _) => Some(Context::of((**config).clone(), global, environment)),
        Configured::No(_) => None,
    };
    let exit_if_wrong = if context.is_none() { Exit::Usage } else { Exit::Orchestrator };
    let config = context.as_ref().map(|context| &context.config);
    let needs_configuration = || NotLooked::Needs(Subject::Configuration);
    let (facts, host_input) = match configured {
        Configured::Yes(config, host) => {
            let (warnings, input) = (config.warnings.clone(), host_input(&config, host));
            (configuration_facts(path, Some(&config), Vec::new(), warnings), Some(input))
        }
        Configured::No(faults) => (configuration_facts(path, None, faults, Vec::new()), None),
    };
    let host = async {
        match host_input {
            Some(input) => doctor::look_at_files(move || doctor::look_at_host(input)).await,
            None => Err(needs_configuration()),
        }
    };
    let database = async {
        match config {
            Some(config) => doctor::look_at_database(database_input(config)).await,
            None => DatabaseLook::NotLooked(needs_configuration()),
        }
    };
    let telling = async {
        match config {
            Some(config) => look_at_channels(config).await,
            None => Err(needs_configuration()),
        }
    };
    let (telling, host, database, schedule) = tokio::join!(telling, host, database, doctor::look_at_schedule());
    let checkup = Checkup {
        now: Utc::now(),
        configuration: facts,
        telling,
        host,
        processes: doctor::own_processes(),
        time_zone: doctor::look_at_time_zone(environment.get("TZ").map(String::as_str)),
        schedule,
        database,
    };
    let view = DoctorView::new(&checkup, config.map(|config| &*config.catalogue));
    let exit = if view.has_failed() { exit_if_wrong } else { Exit::Success };
    output::print(global.format, &view.exit_code(exit.code()))?;
    Ok(exit)
}

/// Looks at who is told of runs.
async fn look_at_channels(config: &Config) -> Looked<Vec<ChannelFacts>> {
    let (settings, state_dir) = (config.tell.clone(), config.state_dir.clone());
    let look = move || {
        let channels = tell::look(&settings, &state_dir).into_iter();
        channels.map(|facts| ChannelFacts { untold: untold(&state_dir, facts.name), ..facts }).collect()
    };
    doctor::look_at_files(look).await
}

/// Finds and reads the configuration, and looks at what it needs of this host.
async fn configuration(global: &Global, environment: &Variables) -> (Option<String>, Configured) {
    let found = match config::find(global.config.as_deref(), environment) {
        Ok(found) => found,
        Err(errors) => {
            return (None, Configured::No(faults(&errors)));
        }
    };
    let path = found.path.clone();
    let variables = environment.clone();
    let examined = doctor::look_at_files(move || config::examine(&path, &variables)).await;
    let configured = match examined {
        Ok(Examined { config: Ok(mut config), host }) => {
            config.warnings.splice(0..0, found.skipped);
            Configured::Yes(Box::new(config), host)
        }
        Ok(Examined { config: Err(errors), .. }) => Configured::No(faults(&errors)),
        Err(NotLooked::Because(reason)) => Configured::No(vec![reason.into()]),
        Err(NotLooked::Needs(_)) => Configured::No(Vec::new()),
    };
    (Some(found.path.display().to_string()), configured)
}

fn faults(errors: &ConfigErrors) -> Vec<Fault> {
    errors.iter().map(|error| error.to_string().into()).collect()
}

fn configuration_facts(path: Option<String>, config: Option<&Config>, faults: Vec<Fault>, warnings: Vec<String>) -> ConfigurationFacts {
    ConfigurationFacts {
        path: config.map(|config| config.path.display().to_string()).or(path),
        size: config.map(|config| ConfigurationSize {
            banks: config.catalogue.institutions.len(),
            etls: config.catalogue.etls.len(),
            sources: config.catalogue.sources.len(),
        }),
        faults: Faults { faults, warnings: warnings.into_iter().map(Fault::from).collect() },
    }
}

/// What is known of the host by now, and where to look further.
fn host_input(config: &Config, host: Host) -> HostInput {
    let lacking = |need: Need| Faults {
        faults: host.lacks.iter().filter(|(of, _)| *of == need).map(|(_, error)| error.to_string().into()).collect(),
        warnings: Vec::new(),
    };
    let with = |faults: Faults, warnings: &[String]| Faults { warnings: warnings.iter().cloned().map(Fault::from).collect(), ..faults };
    let of_database = match &config.database.target {
        DatabaseTarget::Sqlite(path) => Some(path.clone()),
        DatabaseTarget::Postgres { .. } => None,
    };
    HostInput {
        programs: with(lacking(Need::Program), &host.warnings),
        programs_found: host.programs.len(),
        outputs: lacking(Need::Output),
        outputs_named: host.outputs.len(),
        files: lacking(Need::SyncFiles),
        files_named: config.sync.len(),
        state_dir: lacking(Need::StateDir),
        lock: lacking(Need::LockFile),
        paths: HostPaths {
            state_dir: config.state_dir.clone(),
            lock_file: config.lock_file.clone(),
            others: of_database.into_iter().chain(host.outputs).collect(),
        },
    }
}

fn database_input(config: &Config) -> DatabaseInput<'_> {
    DatabaseInput {
        database: &config.database,
        catalogue: &config.catalogue,
        settings: &config.run,
        sync: &config.sync,
        of: table_use(config),
        state_dir: &config.state_dir,
    }
}
