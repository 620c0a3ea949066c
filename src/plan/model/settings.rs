//! Checked settings that several rooms read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::plan::model::cooldown::Cooldown;
use crate::plan::text::template::Template;

/// Which database, and which tables in it hold the data.
#[derive(Debug, Clone)]
pub struct Database {
    pub target: DatabaseTarget,
    /// Upper bound of the connection pool; at least 1.
    pub max_connections: u32,
    pub durability: Durability,
    /// Data table of what is available; read, and written only by `availability.sync`.
    pub availability: TableName,
    /// Column of `availability` that changes when the data does.
    pub version_column: Option<ColumnName>,
    /// Data table of the reports; read, and written only for `reports.by: orchestrator`.
    pub reports: TableName,
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on disk: nothing is acted on or shown before that.
    #[default]
    Full,
    /// At once. A power cut, or a crash of the server, may take back the last moments of what is on record.
    Relaxed,
}

/// The two kinds of database.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// The embedded default: a file, by absolute path.
    Sqlite(PathBuf),
    /// A server.
    Postgres {
        /// `postgres://user:password@host:port/database`; a socket directory stands in `?host=`.
        url: SecretString,
        /// The same without user and password, for messages.
        shown: String,
    },
}

/// The address for messages, without user and password.
impl fmt::Display for DatabaseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres { shown, .. } => f.write_str(shown),
        }
    }
}

/// A table's name, `aegis_reports` or `schema.aegis_reports`; safe to put into SQL when quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    /// Reads `table` or `schema.table`, each of letters, digits and underscores; `None` when it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, text),
        };
        (is_plain(table) && schema.is_none_or(is_plain)).then(|| Self { schema: schema.map(str::to_owned), table: table.to_owned() })
    }

    /// The schema, where one was given.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table without its schema.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// `"schema"."table"`, for SQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("\"{schema}\".\"{}\"", self.table),
            None => format!("\"{}\"", self.table),
        }
    }
}

/// Whether a name is safe in SQL once it is quoted: letters, digits and underscores, at most as long as PostgreSQL allows.
fn is_plain(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A column's name; safe to put into SQL when quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnName(String);

impl ColumnName {
    /// Reads a name of letters, digits and underscores; `None` when it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_plain(text).then(|| Self(text.to_owned()))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// How a run works (`run:` in the configuration, overridden by options).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// Chains at once; at least 1.
    pub max_parallel: usize,
    /// What makes a chain.
    pub chain_by: ChainBy,
    /// Which periods come first.
    pub order: PeriodOrder,
    /// At most this many jobs are started by one run.
    pub max_jobs: usize,
    /// Earlier fiscal years are not looked at.
    pub from_year: Option<u16>,
    /// No job starts later than this after the lock was taken.
    pub deadline: Option<Duration>,
    /// How long a run's claims are good without being renewed.
    pub lease: Duration,
    /// How often a gap that fails is tried.
    pub cooldown: Cooldown,
    /// That many different banks must fail in a row before an ETL is taken for broken, fewer where fewer are planned; at least 2.
    pub breaker_banks: u32,
}

/// The settings without any configuration.
impl Default for RunSettings {
    fn default() -> Self {
        Self {
            max_parallel: 4,
            chain_by: ChainBy::Bank,
            order: PeriodOrder::NewestFirst,
            max_jobs: 500,
            from_year: None,
            deadline: None,
            lease: Duration::from_secs(600),
            cooldown: Cooldown::default(),
            breaker_banks: 5,
        }
    }
}

/// What makes a chain: the jobs that run one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainBy {
    /// All jobs of a bank.
    Bank,
    /// The jobs of a bank and a period.
    BankPeriod,
}

/// Which periods come first in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodOrder {
    /// The latest period first.
    NewestFirst,
    /// The earliest period first.
    OldestFirst,
}

/// Learn availability from files: a file of this shape means that the bank has data under `tag` for the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRule {
    /// The tag to put into `database_names`.
    pub tag: String,
    /// Absolute path with the placeholders of bank and period.
    pub files: Template,
}

/// The variables of the files that programs name as their `env_file`, by path.
pub type EnvFiles = BTreeMap<PathBuf, Variables>;

/// Variables for `${NAME}` and for children's `env_file`: a plain map, so that nothing reads the environment unseen.
pub type Variables = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_name_is_one_or_two_plain_words() {
        assert_eq!(TableName::parse("aegis_reports").unwrap().quoted(), "\"aegis_reports\"");
        assert_eq!(TableName::parse("dwh.aegis_reports").unwrap().quoted(), "\"dwh\".\"aegis_reports\"");
        for bad in ["", "a.b.c", "a b", "a;drop", "\"a\"", ".a", "a.", "1a"] {
            assert_eq!(TableName::parse(bad), None, "{bad}");
        }
    }
}
