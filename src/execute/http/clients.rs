//! Makes the HTTP clients, which all calls share: certificates that are trusted, and limits of connections. Sends nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, redirect, retry};
use tokio::sync::Mutex;

use crate::os::input;
use crate::plan::model::work::HttpSpec;

/// An unused connection is closed after this long. Common servers close theirs after 5 s; a trigger must not be written into a
/// connection that is just being closed, as nobody could tell whether it was read.
const IDLE: Duration = Duration::from_secs(4);

/// Limit of connecting, name lookup and TLS included.
const LONGEST_CONNECT: Duration = Duration::from_secs(30);

/// Calls with the same `ca_file` and limit of connecting share a client.
type Key = (Option<PathBuf>, Duration);

/// The clients so far. One is made when it is first needed: reading the system's certificates takes its time.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<Key, Client>>);

impl Clients {
    /// The client for a service.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn of(&self, spec: &HttpSpec) -> Result<Client, String> {
        // Shorter than the limit of the request. If the limit of the request passes, the connection was made and the request was sent.
        let connect = (spec.request_timeout / 4 * 3).min(LONGEST_CONNECT);
        let key = (spec.ca_file.clone(), connect);
        let mut clients = self.0.lock().await;
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = make(spec.ca_file.as_deref(), connect)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn make(ca_file: Option<&Path>, connect: Duration) -> Result<Client, String> {
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
