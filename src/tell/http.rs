//! Requests to receivers: each has a bounded time, follows no redirect, and leaves no secret in an error.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect, retry};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use url::Url;

use super::channel::Trouble;
use crate::os::blocking;
use crate::plan::model::tell::{Address, Headers};
use crate::plan::text::{retry_after, span};

/// Bytes of an answer that are read.
const MOST_READ: usize = 64 * 1024;

/// Sends requests, each over a connection of its own. A copy shares the clients.
#[derive(Debug, Clone)]
pub(super) struct Http {
    clients: Arc<Clients>,
    timeout: Duration,
}

/// They are made when they are first needed.
#[derive(Debug, Default)]
struct Clients {
    /// It trusts no certificate.
    plain: OnceCell<Client>,
    /// It trusts those of the system.
    tls: OnceCell<Client>,
}

/// A request that was not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) why: Trouble,
    /// Of the answer, if there was one.
    pub(super) status: Option<u16>,
    /// How long the receiver asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl From<Trouble> for Refused {
    fn from(why: Trouble) -> Self {
        Self { why, status: None, retry_after: None }
    }
}

/// A request with a body.
pub(super) struct Post<'a> {
    /// Where it goes: an address of the configuration, or one that was made from it.
    pub(super) url: Url,
    /// What is shown of that.
    pub(super) shown: &'a Address,
    pub(super) headers: &'a Headers,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Http {
    /// A request may take this long.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { clients: Arc::default(), timeout }
    }

    /// The same with another limit for each request.
    pub(super) fn within(&self, timeout: Duration) -> Self {
        Self { clients: self.clients.clone(), timeout }
    }

    /// Sends a request. Returns the status of the answer.
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<u16, Trouble> {
        self.answer(post).await.map(|response| response.status().as_u16()).map_err(|refused| refused.why)
    }

    /// Sends a request. Returns the status of the answer and its body, of which no more than [`MOST_READ`] bytes are read.
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub(super) async fn ask(&self, post: Post<'_>) -> Result<(u16, Vec<u8>), Refused> {
        let mut response = self.answer(post).await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // A body that breaks off does not change what the status has said.
        while body.len() < MOST_READ
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(MOST_READ);
        Ok((status, body))
    }

    async fn answer(&self, post: Post<'_>) -> Result<Response, Refused> {
        let (began, shown) = (Instant::now(), post.shown);
        let answer = self.send(post).await;
        let took = began.elapsed();
        let (span, duration_seconds) = (span::brief(took), span::seconds(took));
        match &answer {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(status, duration_seconds, "POST {shown} answers {status} ({span})");
            }
            Err(Refused { why, .. }) => tracing::debug!(duration_seconds, "POST {shown}: {why} (after {span})"),
        }
        answer
    }

    async fn send(&self, post: Post<'_>) -> Result<Response, Refused> {
        let Post { url, shown, headers, content_type, body } = post;
        let client = self.clients.of(&url).await?;
        let request = client.post(url).timeout(self.timeout).headers(header_map(headers)?).header(CONTENT_TYPE, content_type);
        // Some receivers want to know the length of nothing, too.
        let request = request.header(CONTENT_LENGTH, body.len()).body(body);
        let response = request.send().await.map_err(|error| Trouble(self.why(&error, shown)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = header(RETRY_AFTER).and_then(|wait| retry_after::wait(wait, header(DATE), Utc::now()));
        Err(Refused { why: Trouble(format!("{shown} answered {status}")), status: Some(status.as_u16()), retry_after })
    }

    fn why(&self, error: &reqwest::Error, shown: &Address) -> String {
        if error.is_connect() {
            let why = if error.is_timeout() { "no connection in time".to_owned() } else { innermost(error) };
            return format!("cannot connect to {shown}: {why}");
        }
        if error.is_timeout() {
            return format!("{shown} did not answer within {}", span::exact(self.timeout));
        }
        format!("{shown} did not answer: {}", innermost(error))
    }
}

/// An address of the configuration.
///
/// # Errors
/// Never in practice: it was checked.
pub(super) fn url(address: &Address) -> Result<Url, Trouble> {
    Url::parse(address.expose()).map_err(|error| Trouble(format!("{address} is no address: {error}")))
}

/// An address of the configuration with this path below it, unless it has that already.
pub(super) fn url_below(address: &Address, path: &str) -> Result<Url, Trouble> {
    let mut url = url(address)?;
    let base = url.path().trim_end_matches('/').to_owned();
    if !base.ends_with(path) {
        url.set_path(&format!("{base}{path}"));
    }
    Ok(url)
}

impl Clients {
    async fn of(&self, url: &Url) -> Result<&Client, Trouble> {
        if url.scheme() == "https" || is_proxy_behind_tls() {
            self.tls.get_or_try_init(|| client(true)).await
        } else {
            self.plain.get_or_try_init(|| client(false)).await
        }
    }
}

/// Whether a proxy is spoken to by TLS, for any address.
fn is_proxy_behind_tls() -> bool {
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    variables.iter().filter_map(|name| std::env::var(name).ok()).any(|proxy| proxy.trim_start().starts_with("https:"))
}

/// A client. For TLS the certificates of the system are read, which takes its time.
async fn client(for_tls: bool) -> Result<Client, Trouble> {
    let made = blocking::run(move || {
        // Fails if a provider is installed already, which is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("etl-orch/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
                // One that was used before may be closed by the receiver while the next request is under way.
                .pool_max_idle_per_host(0)
        };
        let plain = || builder().tls_certs_only([]).build();
        // On a system without certificates every HTTPS connection fails, and says why.
        if for_tls { builder().build().or_else(|_| plain()) } else { plain() }
    });
    let made = made.await.map_err(|error| Trouble(format!("no request can be made: {error}")))?;
    made.map_err(|error| Trouble(format!("no request can be made: {}", innermost(&error))))
}

fn header_map(headers: &Headers) -> Result<HeaderMap, Trouble> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let refused = || Trouble(format!("the header {name} cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| refused())?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}

/// What the error comes from. Only the outer errors name the address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let why = cause.to_string();
    if cause.is::<reqwest::Error>() {
        "the request could not be made".to_owned()
    } else if why.contains("InvalidContentType") {
        "what answers there does not speak TLS; an address without TLS begins with http://".to_owned()
    } else {
        why
    }
}
