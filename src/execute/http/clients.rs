//! Makes the HTTP clients, which all calls share: certificates that are trusted, and limits of connections. Sends nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, redirect, retry};
use tokio::sync::Mutex;

use crate::os::input;
use crate::plan::model::work::HttpSpec;

/// An unused connection is closed after this long. Common servers close theirs after 5 s.
const IDLE: Duration = Duration::from_secs(4);

/// Limit of connecting, name lookup and TLS included.
const LONGEST_CONNECT: Duration = Duration::from_secs(30);

/// Calls with the same `ca_file` and limit of connecting share a client.
type Key = (Option<PathBuf>, Duration);

/// The clients of a service.
#[derive(Clone)]
pub(super) struct Pair {
    /// For requests that change nothing: it uses connections again.
    pub(super) shared: Client,
    /// For requests that change something. Each has a connection of its own: one that was used before may be closed by the service while
    /// the request is under way, and nobody knows then whether it was carried out.
    pub(super) fresh: Client,
}

/// The clients so far. They are made when they are first needed: reading the system's certificates takes its time.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<Key, Pair>>);

impl Clients {
    /// The clients for a service.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn of(&self, spec: &HttpSpec) -> Result<Pair, String> {
        // Shorter than the limit of the request. If the limit of the request passes, the connection was made and the request was sent.
        let connect = (spec.request_timeout / 4 * 3).min(LONGEST_CONNECT);
        let key = (spec.ca_file.clone(), connect);
        let mut clients = self.0.lock().await;
        if let Some(pair) = clients.get(&key) {
            return Ok(pair.clone());
        }
        let make = |kept| make(spec.ca_file.as_deref(), connect, kept);
        let pair = Pair { shared: make(usize::MAX)?, fresh: make(0)? };
        clients.insert(key, pair.clone());
        Ok(pair)
    }
}

/// A client that keeps at most so many unused connections to each host.
fn make(ca_file: Option<&Path>, connect: Duration, kept: usize) -> Result<Client, String> {
    // Fails if a provider is installed already, which is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = ca_file.map(certificates).transpose()?.unwrap_or_default();
    let builder = || {
        Client::builder()
            .user_agent(concat!("etl-orch/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .connect_timeout(connect)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(kept)
    };
    match builder().tls_certs_merge(own.clone()).build() {
        Ok(client) => Ok(client),
        // A system without certificates can still use plain HTTP. Every HTTPS connection fails then.
        Err(_) if own.is_empty() => builder().tls_certs_only(own).build().map_err(|error| format!("no request can be made: {error}")),
        Err(_) => Err(unusable(ca_file)),
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = input::read(path).map_err(|error| format!("`ca_file` {} {error}", path.display()))?;
    match Certificate::from_pem_bundle(&pem.bytes) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(unusable(Some(path))),
    }
}

fn unusable(ca_file: Option<&Path>) -> String {
    let path = ca_file.unwrap_or(Path::new(""));
    format!("`ca_file` {} holds no certificate that can be used; it must be PEM, with a BEGIN CERTIFICATE line", path.display())
}
