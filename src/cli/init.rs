//! `etl-orch init`: makes the database ready.

use std::sync::Arc;

use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::OUTPUT;
use crate::config::Config;
use crate::plan::model::etl::{looks_at_reports, writes_reports};
use crate::plan::model::settings::DatabaseTarget;
use crate::show::config::InitView;
use crate::show::outcome::PageView;
use crate::store::{self, Access, Grants, MissingRights, Store, TableUse};

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Print the SQL instead of running it
    ///
    /// For a user who may create tables. On PostgreSQL it may be applied again.
    #[arg(long, help_heading = OUTPUT)]
    print_sql: bool,
    /// With the rights that this database user needs
    ///
    /// To run etl-orch on PostgreSQL.
    #[arg(
        long,
        value_name = "ROLE",
        requires = "print_sql",
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        help_heading = OUTPUT
    )]
    grant_to: Option<String>,
}

pub(super) async fn command(context: &Context<'_>, args: &InitArgs) -> Result<Exit, Failure> {
    let config = &context.config;
    let of = table_use(config);
    if args.print_sql {
        if args.grant_to.is_some() && matches!(config.database.target, DatabaseTarget::Sqlite(_)) {
            return Err(Failure::Usage("--grant-to: SQLite knows no rights; leave it out".to_owned()));
        }
        let grants = args.grant_to.clone().map(|role| Grants { role, of });
        context.print(&PageView::new("init_sql", store::schema_sql(&config.database, grants.as_ref())))?;
        return Ok(Exit::Success);
    }
    let check = async |store: Arc<dyn Store>| {
        // Disclosures need no tables of reports.
        if config.catalogue.etls.is_empty() {
            return Ok(MissingRights::default());
        }
        store.check_data_tables(of.writes_reports, of.writes_availability).await?;
        Ok(store.missing_rights(of).await?)
    };
    let MissingRights { to_read, to_write, to_prune } = context.with_store(Access::Init, check).await?;
    let missing = [to_read, to_write, to_prune].concat();
    if !missing.is_empty() {
        return Err(Failure::Orchestrator(format!(
            "the state tables are there, but the database does not let its user do what a run must; have a DBA run: {}",
            missing.join("; ")
        )));
    }
    context.print(&InitView::new(&config.database.target))?;
    Ok(Exit::Success)
}

/// What a run of this configuration does with the data tables.
pub(super) fn table_use(config: &Config) -> TableUse {
    let etls = &config.catalogue.etls;
    TableUse {
        writes_reports: writes_reports(etls),
        looks_at_reports: looks_at_reports(etls),
        writes_availability: !config.sync.is_empty(),
    }
}
