//! Requests to receivers: each has a bounded time, follows no redirect, and leaves no secret in an error.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, redirect, retry};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use url::Url;

use super::channel::Trouble;
use crate::os::blocking;
use crate::plan::model::tell::{Address, Headers};
use crate::plan::text::span;

/// Bytes of an answer that are read.
const MOST_READ: usize = 64 * 1024;

/// Sends requests, each over a connection of its own. A copy shares the client.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Arc<OnceCell<Client>>,
    timeout: Duration,
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
        Self { client: Arc::default(), timeout }
    }

    /// The same with another limit for each request.
    pub(super) fn within(&self, timeout: Duration) -> Self {
        Self { client: self.client.clone(), timeout }
    }

    /// Sends a request. Returns the status of the answer.
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<u16, Trouble> {
        self.answer(post).await.map(|response| response.status().as_u16())
    }

    /// Sends a request. Returns the status of the answer and its body, of which no more than [`MOST_READ`] bytes are read.
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub(super) async fn ask(&self, post: Post<'_>) -> Result<(u16, Vec<u8>), Trouble> {
        let shown = post.shown;
        let mut response = self.answer(post).await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < MOST_READ
            && let Some(chunk) = response.chunk().await.map_err(|error| Trouble(self.why(&error, shown)))?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(MOST_READ);
        Ok((status, body))
    }

    async fn answer(&self, post: Post<'_>) -> Result<Response, Trouble> {
        let (began, shown) = (Instant::now(), post.shown);
        let answer = self.send(post).await;
        let took = began.elapsed();
        let (span, duration_seconds) = (span::brief(took), span::seconds(took));
        match answer.as_ref().map(|response| response.status().as_u16()) {
            Ok(status) => tracing::debug!(status, duration_seconds, "POST {shown} answers {status} ({span})"),
            Err(trouble) => tracing::debug!(duration_seconds, "POST {shown}: {trouble} (after {span})"),
        }
        answer
    }

    async fn send(&self, post: Post<'_>) -> Result<Response, Trouble> {
        let Post { url, shown, headers, content_type, body } = post;
        let client = self.client.get_or_try_init(client).await?;
        let request = client.post(url).timeout(self.timeout).headers(header_map(headers)?).header(CONTENT_TYPE, content_type);
        // Some receivers want to know the length of nothing, too.
        let request = request.header(CONTENT_LENGTH, body.len()).body(body);
        let response = request.send().await.map_err(|error| Trouble(self.why(&error, shown)))?;
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(Trouble(format!("{shown} answered {status}"))) }
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

/// The client. The certificates of the system are read for it, which may take its time.
async fn client() -> Result<Client, Trouble> {
    let made = blocking::run(|| {
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
        // A system without certificates can still use plain HTTP. Every HTTPS connection fails then.
        builder().build().or_else(|_| builder().tls_certs_only([]).build())
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
    if cause.is::<reqwest::Error>() { "the request could not be made".to_owned() } else { cause.to_string() }
}
