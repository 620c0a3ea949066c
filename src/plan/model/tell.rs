//! `tell:`: who is told of runs, and where.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// The channels that are configured. What is `None` is not told.
#[derive(Debug, Clone)]
pub struct TellSettings {
    /// After the end of a run all channels together may take this long.
    pub timeout: Duration,
    /// Where a dead man's switch expects to hear of each run.
    pub pings: Option<Address>,
    /// Where node_exporter looks for the metrics of the last run; absolute.
    pub textfile: Option<PathBuf>,
}

impl Default for TellSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), pings: None, textfile: None }
    }
}

/// The address of a receiver. Its path is often all that keeps others out, so that only scheme and host are shown.
#[derive(Debug, Clone)]
pub struct Address {
    url: SecretString,
    shown: String,
}

impl Address {
    /// A whole address that was checked, and its scheme, host and port.
    #[must_use]
    pub fn new(url: String, origin: &str) -> Self {
        Self { url: url.into(), shown: format!("{origin}/...") }
    }

    /// All of it, to be sent to.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

/// `https://hc-ping.com/...`
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Headers of a request. The values may be secret.
pub type Headers = Vec<(String, SecretString)>;
