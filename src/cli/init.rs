//! `etl-orch init`: makes the database ready.

use super::args::{Global, InitArgs};
use super::exit::{Exit, Failure};
use crate::plan::model::etl::writes_reports;
use crate::plan::model::settings::{DatabaseTarget, Variables};
use crate::store::{self, Access};
use crate::{config, show};

pub(super) async fn command(global: &Global, args: &InitArgs, environment: &Variables) -> Result<Exit, Failure> {
    let path = config::find(global.config.as_deref(), environment)?;
    let config = config::load(&path, environment)?;
    if args.print_sql {
        show::out(&store::schema_sql(&config.database))?;
        return Ok(Exit::Success);
    }
    let store = store::open(&config.database, Access::Init).await?;
    let checked = store.check_data_tables(writes_reports(&config.catalogue.etls), !config.sync.is_empty()).await;
    store.close().await;
    checked?;
    let tables = match config.database.target {
        DatabaseTarget::Sqlite(_) => "state tables and data tables are there",
        DatabaseTarget::Postgres { .. } => "state tables are there (schema etl_orch), data tables fit",
    };
    show::out(&format!("{}: {tables}\n", config.database.target))?;
    Ok(Exit::Success)
}
