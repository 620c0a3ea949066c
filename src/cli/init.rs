//! `etl-orch init`: makes the database ready.

use std::sync::Arc;

use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::plan::model::etl::writes_reports;
use crate::show;
use crate::show::config::tables_ready;
use crate::store::{self, Access, Store};

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Print the SQL instead of running it, for a user who may create tables
    #[arg(long)]
    print_sql: bool,
}

pub(super) async fn command(context: &Context<'_>, args: &InitArgs) -> Result<Exit, Failure> {
    let config = &context.config;
    if args.print_sql {
        show::out(&store::schema_sql(&config.database))?;
        return Ok(Exit::Success);
    }
    let (writes_reports, writes_availability) = (writes_reports(&config.catalogue.etls), !config.sync.is_empty());
    let check = async |store: Arc<dyn Store>| Ok(store.check_data_tables(writes_reports, writes_availability).await?);
    context.with_store(Access::Init, check).await?;
    show::out(&tables_ready(&config.database.target))?;
    Ok(Exit::Success)
}
