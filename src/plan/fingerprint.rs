//! What a failure depended on: when it changes, trying again may help.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::etl::{Etl, ReportsBy};
use super::settings::Variables;

/// The sources of a gap and its ETL, as digests: configuration may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The tags, the `version_column` and the files that the report is made from.
    pub sources: String,
    /// How the report is made: command, environment, version.
    pub etl: String,
}

impl Fingerprint {
    /// As it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}/{}", self.sources, self.etl)
    }

    /// As it was stored; `None` for what no version of this program stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sources, etl) = text.split_once('/')?;
        Some(Self { sources: sources.to_owned(), etl: etl.to_owned() })
    }
}

/// The digest of texts, each set off from its neighbours.
#[must_use]
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The digest of all that configuration says on how an ETL makes its report. `variables` are those of its `env_file`.
#[must_use]
pub fn of_etl(etl: &Etl, variables: &Variables) -> String {
    let command = &etl.command;
    let mut texts = vec![
        etl.version.clone().unwrap_or_default(),
        command.cwd.to_string_lossy().into_owned(),
        format!("{:?}", command.timeout),
        format!("{:?}", etl.exit_codes),
        match &etl.reports {
            ReportsBy::Etl => String::new(),
            ReportsBy::Orchestrator { output } => output.to_string(),
        },
    ];
    texts.extend(etl.requires.iter().cloned());
    texts.extend(command.argv.iter().map(|argument| argument.to_string()));
    texts.extend(command.env.iter().flat_map(|(name, value)| [name.clone(), value.to_string()]));
    texts.extend(variables.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
    digest(texts.iter().map(String::as_str))
}
