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
        let is_digest = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest(sources) || !is_digest(etl) {
            return None;
        }
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
    // Each list begins with its length: an entry that moves from one to the next is a change.
    let mut list = |entries: Vec<String>| {
        texts.push(entries.len().to_string());
        texts.extend(entries);
    };
    list(etl.requires.clone());
    list(command.argv.iter().map(ToString::to_string).collect());
    list(command.env.iter().flat_map(|(name, value)| [name.clone(), value.to_string()]).collect());
    list(variables.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect());
    digest(texts.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::plan::outcome::ExitCodes;
    use crate::plan::test_support::etl;

    #[test]
    fn what_was_stored_is_read_again_and_nothing_else_is() {
        let print = Fingerprint { sources: digest(["a"]), etl: digest(["b"]) };
        assert_eq!(Fingerprint::parse(&print.to_text()), Some(print));
        for other in ["", "/", "ab", "ab/", "/ab", "ab/cd/ef", "x y/ab"] {
            assert_eq!(Fingerprint::parse(other), None, "{other}");
        }
    }

    #[test]
    fn texts_are_set_off_from_their_neighbours() {
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_ne!(digest(["ab"]), digest(["ab", ""]));
        assert_eq!(digest(["ab"]).len(), 16);
    }

    #[test]
    fn whatever_says_how_a_report_is_made_is_in_the_digest() {
        let plain = etl("call_summary", "Call Summary");
        let none = Variables::new();
        let mut changed = vec![plain.clone(); 6];
        changed[0].version = Some("2".to_owned());
        changed[1].command.cwd = PathBuf::from("/elsewhere");
        changed[2].command.timeout = Duration::from_secs(1);
        changed[3].exit_codes = ExitCodes { permanent: [1].into(), ..ExitCodes::default() };
        changed[4].requires.push("aiera".to_owned());
        changed[5].requires = vec!["aiera".to_owned()];
        let mut digests: Vec<String> = changed.iter().map(|etl| of_etl(etl, &none)).collect();
        digests.push(of_etl(&plain, &none));
        digests.push(of_etl(&plain, &Variables::from([("A".to_owned(), "1".to_owned())])));
        digests.push(of_etl(&plain, &Variables::from([("A".to_owned(), "2".to_owned())])));
        let different: std::collections::BTreeSet<&String> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
    }

    #[test]
    fn how_often_and_how_many_at_once_is_not() {
        let plain = etl("call_summary", "Call Summary");
        let mut other = plain.clone();
        other.retry.max_attempts = 9;
        other.warn_after = Some(Duration::from_secs(1));
        other.description = Some("words".to_owned());
        assert_eq!(of_etl(&plain, &Variables::new()), of_etl(&other, &Variables::new()));
    }
}
