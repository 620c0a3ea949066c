//! `tell:`: who is told of runs, and where.

use std::fmt;
use std::path::{Path, PathBuf};
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
    /// The chat that is told of changes.
    pub webhook: Option<Webhook>,
    /// The people who are told of changes by mail.
    pub mail: Option<Mail>,
    /// Where the traces of runs are sent.
    pub opentelemetry: Option<OpenTelemetry>,
    /// Where it is told which data became which.
    pub openlineage: Option<OpenLineage>,
    /// The file to which events are appended.
    pub events_file: Option<PathBuf>,
}

impl Default for TellSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            pings: None,
            textfile: None,
            webhook: None,
            mail: None,
            opentelemetry: None,
            openlineage: None,
            events_file: None,
        }
    }
}

/// The directory in `state_dir` with what receivers have not taken yet, which has a directory for each.
pub const OUTBOX: &str = "outbox";

/// The name of the channel that tells a chat.
pub const WEBHOOK: &str = "webhook";
/// The name of the channel that sends mail.
pub const MAIL: &str = "mail";
/// The name of the channel that sends traces.
pub const OPENTELEMETRY: &str = "opentelemetry";
/// The name of the channel that sends lineage.
pub const OPENLINEAGE: &str = "openlineage";

/// A channel that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured<'a> {
    /// Its key below `tell:`.
    pub name: &'static str,
    pub medium: Medium<'a>,
    /// In words, without what is secret: `pings to https://hc-ping.com/...`.
    pub shown: String,
}

/// How a channel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium<'a> {
    /// By requests or mails.
    Network,
    /// By requests that wait in the outbox until they are received.
    Outbox,
    /// By a file that is replaced.
    Replaced(&'a Path),
    /// By a file that is appended to.
    Appended(&'a Path),
}

impl TellSettings {
    /// The channels that are configured, in the order of the documentation.
    #[must_use]
    pub fn channels(&self) -> Vec<Configured<'_>> {
        let channel = |name, medium, shown| Configured { name, medium, shown };
        let file = |path: &Path| path.display().to_string();
        let pings = self.pings.iter().map(|address| channel("pings", Medium::Network, format!("pings to {address}")));
        let textfile = self.textfile.iter().map(|path| channel("textfile", Medium::Replaced(path), format!("metrics in {}", file(path))));
        let webhook = self.webhook.iter().map(|webhook| channel(WEBHOOK, Medium::Network, format!("a webhook at {}", webhook.url)));
        let mail = self.mail.iter().map(|mail| channel(MAIL, Medium::Network, format!("mail to {}", mail.to.join(", "))));
        let traces = self.opentelemetry.iter();
        let traces = traces.map(|receiver| channel(OPENTELEMETRY, Medium::Outbox, format!("traces to {}", receiver.endpoint)));
        let lineage = self.openlineage.iter().map(|receiver| channel(OPENLINEAGE, Medium::Outbox, format!("lineage to {}", receiver.url)));
        let events =
            self.events_file.iter().map(|path| channel("events_file", Medium::Appended(path), format!("events in {}", file(path))));
        pings.chain(textfile).chain(webhook).chain(mail).chain(traces).chain(lineage).chain(events).collect()
    }

    /// The channels by which people are told of changes.
    pub fn notifying(&self) -> impl Iterator<Item = &'static str> {
        let webhook = self.webhook.is_some().then_some(WEBHOOK);
        webhook.into_iter().chain(self.mail.is_some().then_some(MAIL))
    }
}

/// A receiver of JSON whose `text` people read, such as a chat.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: Address,
    pub headers: Headers,
}

/// Where mail is handed over, and whom it goes to.
#[derive(Debug, Clone)]
pub struct Mail {
    pub server: MailServer,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    /// `Name <user@host>`, or the address alone; so are those in `to`.
    pub from: String,
    /// At least one.
    pub to: Vec<String>,
    /// What subjects begin with.
    pub subject_prefix: String,
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    pub security: MailSecurity,
    pub host: String,
    pub port: u16,
}

/// How the way to a server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// By TLS from the beginning.
    Tls,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// It does not leave this host. STARTTLS is used where the server has it, whatever its certificate says.
    Local,
}

/// `smtps://mail.example.com:465`
impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == MailSecurity::Tls { "smtps" } else { "smtp" };
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// A receiver of OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct OpenTelemetry {
    /// Its address, without `/v1/traces`.
    pub endpoint: Address,
    pub headers: Headers,
    /// The service that the spans are of.
    pub service_name: String,
}

/// A receiver of OpenLineage's events.
#[derive(Debug, Clone)]
pub struct OpenLineage {
    /// Its address, without `/api/v1/lineage`.
    pub url: Address,
    pub headers: Headers,
    /// What the names of jobs are unique in.
    pub namespace: String,
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
