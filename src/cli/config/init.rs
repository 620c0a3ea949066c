//! `etl-orch config init`: begins a configuration from what a database holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::super::args::Global;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::{CONNECT, OUTPUT};
use super::super::output;
use crate::config::{self, NewDatabase, WrittenDatabase};
use crate::os::{files, threads};
use crate::plan::decide::found_data::{AVAILABILITY, FoundData, REPORTS, choice};
use crate::plan::model::settings::{Database, DatabaseTarget, Durability, TableName, Variables};
use crate::show::config_init::{ConfigInitView, Written};
use crate::store::{self, Access, Store};

/// Name of the variable that has an address with a password.
const VARIABLE: &str = "DATABASE_URL";
/// The database of a configuration that names no other, in its state directory.
const EMBEDDED: &str = "etl-orch.db";

/// Options of `config init`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct InitArgs {
    /// The file to write [default: etl-orch.yaml]
    ///
    /// Beside it monitored_institutions.yaml is written, unless there is one.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The database to begin from
    ///
    /// postgres://USER:PASSWORD@HOST/DATABASE or sqlite://FILE [default: the one that POSTGRES_HOST and the like name, or else a new one
    /// of SQLite]. A password is put into a file .env, for its user alone.
    #[arg(long, value_name = "URL", help_heading = CONNECT)]
    database_url: Option<String>,
    /// Write over FILE where it is there already
    #[arg(long, help_heading = OUTPUT)]
    force: bool,
}

pub(in crate::cli) async fn command(global: &Global, environment: &Variables, args: &InitArgs) -> Result<Exit, Failure> {
    let given = args.file.as_deref().or(global.config.as_deref()).unwrap_or(Path::new("etl-orch.yaml"));
    let path = std::path::absolute(given).map_err(|error| Failure::Usage(format!("{}: {error}", given.display())))?;
    if path.exists() && !args.force {
        return Err(Failure::Usage(format!("{} is there already; name another file, or write over it with --force", given.display())));
    }
    threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let NewDatabase { target, secret_url } =
        config::new_database(args.database_url.as_deref(), environment, &path).map_err(Failure::Usage)?;
    let found = match &target {
        Some(target) if is_there(target) => look(target).await?,
        Some(_) | None => FoundData::default(),
    };
    let state_dir = config::new_state_dir(&path);
    let database = match (&args.database_url, &target, &secret_url) {
        (Some(_), _, Some(_)) => WrittenDatabase::Variable(VARIABLE),
        (Some(_), Some(sqlite @ DatabaseTarget::Sqlite(_)), None) => WrittenDatabase::Url(sqlite.to_string()),
        (Some(url), ..) => WrittenDatabase::Url(url.clone()),
        (None, Some(_), _) => WrittenDatabase::PostgresVariables,
        (None, None, _) => WrittenDatabase::Url(format!("sqlite://{state_dir}/{EMBEDDED}")),
    };
    let origin = target.as_ref().map(ToString::to_string);
    let institutions = path.with_file_name("monitored_institutions.yaml");
    let mut written = Written { config: path.clone(), institutions: None, kept_institutions: None, env_file: None, wanted_variable: None };
    if institutions.exists() {
        written.kept_institutions = Some(institutions);
    } else {
        write(&institutions, &config::institutions_skeleton(&found.banks))?;
        written.institutions = Some(institutions);
    }
    if let Some(url) = &secret_url {
        let env_file = path.with_file_name(".env");
        if env_file.exists() {
            written.wanted_variable = Some(VARIABLE);
        } else {
            write_for_us_alone(&env_file, &config::env_line(VARIABLE, url))?;
            written.env_file = Some(env_file);
        }
    }
    write(&path, &config::skeleton(&database, state_dir, origin.as_deref(), &found))?;
    let problems = config::load(&path, environment).err().map(|errors| errors.iter().map(ToString::to_string).collect());
    let view = ConfigInitView::new(&written, origin.as_deref(), &found, problems.unwrap_or_default());
    output::print(global.format, &view)?;
    Ok(Exit::Success)
}

/// A file of SQLite need not be there yet.
fn is_there(target: &DatabaseTarget) -> bool {
    match target {
        DatabaseTarget::Sqlite(path) => path.exists(),
        DatabaseTarget::Postgres { .. } => true,
    }
}

/// What the database holds.
async fn look(target: &DatabaseTarget) -> Result<FoundData, Failure> {
    let tables = opened(target, &[], async |store| store.data_tables_like().await).await?;
    let chosen = [choice(&tables.availability, AVAILABILITY), choice(&tables.reports, REPORTS)];
    let look = async |store: Arc<dyn Store>| {
        let mut found = FoundData::default();
        if chosen[0].is_some() {
            found.tags = store.availability_tags(&[]).await?;
            found.banks = store.banks().await?;
        }
        if chosen[1].is_some() {
            found.report_types = store.report_types(&[]).await?;
        }
        Ok(found)
    };
    let found = opened(target, &chosen, look).await?;
    Ok(FoundData { tables, ..found })
}

/// Opens the database with these tables for this work, and changes nothing in it.
async fn opened<T>(
    target: &DatabaseTarget,
    tables: &[Option<&str>],
    work: impl AsyncFnOnce(Arc<dyn Store>) -> store::Result<T>,
) -> Result<T, Failure> {
    let table = |place: usize, usual: &str| {
        let name = tables.get(place).copied().flatten().unwrap_or(usual);
        TableName::parse(name).ok_or_else(|| Failure::Orchestrator(format!("{name} is no name of a table that etl-orch can use")))
    };
    let database = Database {
        target: target.clone(),
        max_connections: 1,
        durability: Durability::Full,
        availability: table(0, AVAILABILITY)?,
        version_column: None,
        reports: table(1, REPORTS)?,
    };
    let store = store::open(&database, Access::Inspect).await?;
    let done = work(store.clone()).await;
    store.close().await;
    Ok(done?)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    files::replace(path, text).map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", path.display())))
}

fn write_for_us_alone(path: &Path, text: &str) -> Result<(), Failure> {
    files::create_private(path, text).map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", path.display())))
}
