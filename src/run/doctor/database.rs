//! Asks the database about itself, our own tables, and the users'.

use std::path::Path;

use chrono::Utc;
use rustix::fs::{Access as Right, AtFlags, CWD, accessat};
use tokio::time::{Instant, timeout_at};

use super::super::plan_input::PlanInput;
use super::super::prepare::check_database_file;
use super::super::{names, planning, sync};
use super::{PATIENCE, within};
use crate::os::identity::liveness_of;
use crate::os::room;
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::checkup::{
    Clocks, DatabaseFacts, DatabaseLook, Fault, Faults, Looked, NotLooked, RunsOnRecord, Server, StateTables, Status, Subject,
};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{Database, DatabaseTarget, EnvFiles, RunSettings, SyncRule};
use crate::plan::remember::past::RunQuery;
use crate::store::{self, Access, MissingRights, Store, TableFault, TableUse};

/// What of the configuration is compared with the database.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseInput<'a> {
    pub database: &'a Database,
    pub catalogue: &'a Catalogue,
    pub settings: &'a RunSettings,
    pub sync: &'a [SyncRule],
    pub of: TableUse,
    pub state_dir: &'a Path,
}

/// Looks at the database.
pub async fn look_at_database(input: DatabaseInput<'_>) -> DatabaseLook {
    let target = &input.database.target;
    if let Err(error) = check_database_file(target, input.state_dir) {
        return DatabaseLook::Unusable(error.to_string().into());
    }
    if let DatabaseTarget::Sqlite(path) = target
        && !path.exists()
    {
        return DatabaseLook::Absent { target: target.to_string() };
    }
    let deadline = Instant::now() + PATIENCE;
    match within(deadline, store::open(input.database, Access::Inspect)).await {
        Err(NotLooked::Because(found)) => DatabaseLook::Unusable(Fault { found, mend: Some(way_in(target).to_owned()) }),
        Err(other) => DatabaseLook::NotLooked(other),
        Ok(store) => {
            let facts = Look { store: &*store, input, deadline }.facts().await;
            // A database that does not answer does not hold up the end.
            let _ = timeout_at(deadline, store.close()).await;
            DatabaseLook::Open(Box::new(facts))
        }
    }
}

struct Look<'a> {
    store: &'a dyn Store,
    input: DatabaseInput<'a>,
    deadline: Instant,
}

impl Look<'_> {
    async fn facts(&self) -> DatabaseFacts {
        let server = within(self.deadline, self.store.server()).await;
        let ours = Utc::now();
        let state_tables = self.store.state_tables().clone();
        let runs = self.runs(&state_tables).await;
        let tables = self.tables().await;
        let rights = self.rights().await;
        let readable = self.readable(&tables, &rights);
        let names = match &readable {
            Ok(()) => self.names().await,
            Err(why) => Err(why.clone()),
        };
        let data = match readable {
            Ok(()) => self.data().await,
            Err(why) => Err(why),
        };
        DatabaseFacts {
            target: self.input.database.target.to_string(),
            clocks: clocks(ours, &server, &runs),
            server,
            state_tables,
            rights,
            tables,
            runs,
            names,
            data,
        }
    }

    fn has_reports(&self) -> bool {
        !self.input.catalogue.etls.is_empty()
    }

    async fn runs(&self, state_tables: &StateTables) -> Looked<RunsOnRecord> {
        if !state_tables.is_current() && !matches!(state_tables, StateTables::Absent { .. }) {
            return Err(NotLooked::Needs(Subject::StateTables));
        }
        let query = RunQuery { limit: 1, ..RunQuery::default() };
        let last = within(self.deadline, self.store.runs(&query)).await?.into_iter().next();
        let running = within(self.deadline, self.store.running_runs()).await?;
        Ok(RunsOnRecord { last, running: running.into_iter().map(|run| (run.clone(), liveness_of(&run.owner))).collect() })
    }

    /// Disclosures need no tables of reports.
    async fn tables(&self) -> Looked<Faults> {
        if !self.has_reports() {
            return Ok(Faults::default());
        }
        let of = self.input.of;
        let faults = within(self.deadline, self.store.table_faults(of.writes_reports, of.writes_availability)).await?;
        let fault = |TableFault { found, mend }| Fault { found, mend: Some(mend) };
        Ok(Faults { faults: faults.into_iter().map(fault).collect(), warnings: Vec::new() })
    }

    async fn rights(&self) -> Looked<Faults> {
        if let DatabaseTarget::Sqlite(path) = &self.input.database.target {
            return Ok(Faults { faults: file_fault(path).into_iter().collect(), warnings: Vec::new() });
        }
        if !self.has_reports() {
            return Ok(Faults::default());
        }
        let MissingRights { to_read, to_write, to_prune } = within(self.deadline, self.store.missing_rights(self.input.of)).await?;
        let fault = |what: &str, statements: Vec<String>| {
            let found = format!("the database user lacks rights without which {what}");
            (!statements.is_empty()).then(|| Fault { found, mend: Some(format!("have a DBA run: {};", statements.join("; "))) })
        };
        let faults = [fault("nothing can be planned", to_read), fault("what a run does cannot be recorded", to_write)];
        let warnings = fault("old records cannot be removed", to_prune).into_iter().collect();
        Ok(Faults { faults: faults.into_iter().flatten().collect(), warnings })
    }

    /// Whether the rows of the data tables can be read.
    fn readable(&self, tables: &Looked<Faults>, rights: &Looked<Faults>) -> Looked<()> {
        let is_server = matches!(self.input.database.target, DatabaseTarget::Postgres { .. });
        for (looked, subject) in [(tables, Subject::Tables), (rights, Subject::Rights)] {
            let is_needed = subject == Subject::Tables || is_server;
            if is_needed && !looked.as_ref().is_ok_and(|faults| faults.status() != Status::Failed) {
                return Err(NotLooked::Needs(subject));
            }
        }
        Ok(())
    }

    async fn names(&self) -> Looked<Option<crate::plan::decide::mismatch::NameIssues>> {
        if !self.has_reports() {
            return Ok(None);
        }
        within(self.deadline, names::issues(self.store, self.input.catalogue, self.input.sync)).await.map(Some)
    }

    async fn data(&self) -> Looked<Option<DataIssues>> {
        if !self.has_reports() {
            return Ok(None);
        }
        let selection = Selection { from_year: self.input.settings.from_year, ..Selection::default() };
        let DatabaseInput { catalogue, settings, sync: rules, .. } = self.input;
        // Data that only files have yet counts, as a run would add it first.
        let learnt = sync::learn(rules, &catalogue.institutions, &selection).map_err(|_| NotLooked::Needs(Subject::Files))?;
        let env_files = EnvFiles::new();
        let input = PlanInput { catalogue, env_files: &env_files, settings, selection: &selection, sync: rules, stamps: &learnt.stamps };
        let new = within(self.deadline, self.store.not_yet_available(&learnt.available)).await?;
        within(self.deadline, planning::data_issues(self.store, input, new)).await.map(Some)
    }
}

/// What to look at where a database does not let us in.
fn way_in(target: &DatabaseTarget) -> &'static str {
    match target {
        DatabaseTarget::Sqlite(_) => {
            "see that the file is a database of SQLite, and its disk has room and no errors; or correct database.url"
        }
        DatabaseTarget::Postgres { .. } => {
            "see that the server runs, and that host, port, database, user and password are right: in database.url, or in the variables \
             POSTGRES_HOST and the like"
        }
    }
}

fn clocks(ours: chrono::DateTime<Utc>, server: &Looked<Server>, runs: &Looked<RunsOnRecord>) -> Looked<Clocks> {
    let databases = server.as_ref().map_err(Clone::clone)?.now;
    let last_record = runs.as_ref().ok().and_then(|runs| Some(runs.last.as_ref()?.started_at));
    Ok(Clocks { ours, databases, last_record })
}

/// What keeps this user from writing the file of a database, or a log beside it.
fn file_fault(path: &Path) -> Option<Fault> {
    let fault =
        |found: String| Some(Fault { found, mend: Some("correct its owner or mode, or name another as `database.url`".to_owned()) });
    if let Err(error) = accessat(CWD, path, Right::WRITE_OK, AtFlags::EACCESS) {
        return fault(format!("{} cannot be written: {}", path.display(), std::io::Error::from(error)));
    }
    let log = path.with_extension("db-wal");
    room::check_file(&log).err().and_then(|error| fault(format!("no file can be made beside {}: {error}", path.display())))
}
