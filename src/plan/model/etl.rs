//! What configuration says of an ETL, checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::text::template::{Placeholder, Template};

/// Position of an ETL in the order of declaration, which is its order in a chain.
pub type EtlIndex = usize;

/// A program that makes one type of report.
#[derive(Debug, Clone, PartialEq)]
pub struct Etl {
    /// Its key under `etls:`, such as `call_summary`.
    pub name: String,
    /// `Call Summary`; unique among ETLs.
    pub report_type: String,
    /// What the report is, for the column `report_description`; in words.
    pub description: Option<String>,
    /// Every one of these tags must be in `database_names`.
    pub requires: Vec<String>,
    /// These ETLs' reports must exist before, for the same bank and period.
    pub needs: Vec<EtlIndex>,
    /// How to start it.
    pub command: CommandSpec,
    /// Who writes the report's row.
    pub reports: ReportsBy,
    /// What its exit codes mean.
    pub exit_codes: ExitCodes,
    /// How often it is tried in one run.
    pub retry: RetryPolicy,
    /// A job that runs longer is named in the warnings.
    pub warn_after: Option<Duration>,
    /// The external resource that each of its attempts uses.
    pub pool: Option<Pool>,
    /// Whatever its users call its version; a change of it releases its gaps from quarantine.
    pub version: Option<String>,
}

/// An external resource of which so many attempts may use at once, over all invocations on one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many attempts at once; at least 1.
    pub limit: u32,
}

/// Who makes the row in the reports table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportsBy {
    /// The ETL writes its row; etl-orch looks whether it is there.
    Etl,
    /// The ETL writes a file; etl-orch checks it, puts it at `output` and writes the row.
    Orchestrator {
        /// Where the report belongs: an absolute path template.
        output: Template,
    },
}

/// Whether etl-orch writes any row of the reports table itself.
pub fn writes_reports(etls: &[Etl]) -> bool {
    etls.iter().any(|etl| matches!(etl.reports, ReportsBy::Orchestrator { .. }))
}

/// A program, its arguments and surroundings. No shell is ever involved.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// Program and arguments; never empty.
    pub argv: Vec<Template>,
    /// Directory in which it runs; absolute.
    pub cwd: PathBuf,
    /// Added to the inherited environment, after `env_file`.
    pub env: Vec<(String, Template)>,
    /// A `.env` file whose variables are added to the environment; absolute.
    pub env_file: Option<PathBuf>,
    /// It is ended when it runs longer.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

impl CommandSpec {
    /// The placeholders in its arguments and variables.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.argv.iter().chain(self.env.iter().map(|(_, value)| value)).flat_map(Template::placeholders)
    }
}

/// Without the values of arguments and variables: configuration may have put secrets into them.
impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("arguments", &self.argv.len().saturating_sub(1))
            .field("cwd", &self.cwd)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("env_file", &self.env_file)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .finish()
    }
}
