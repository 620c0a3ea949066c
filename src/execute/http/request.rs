//! Requests as they are sent: placeholders filled, addresses percent-encoded, headers checked. Sends nothing.
//!
//! Errors name the part that cannot be sent, and quote none of it: all of it may be secret.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::Value;
use url::Url;

use super::super::task::Call;
use crate::plan::model::work::{HttpMethod, RequestSpec};
use crate::plan::text::placeholder::{Placeholder, Values};
use crate::plan::text::secrets::Secrets;

/// Everything but the unreserved characters: a value stays within its part of the path, or of the query.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Shorter values of a query are taken for settings, not for secrets.
const SHORTEST_IN_QUERY: usize = 6;

/// The span that a request is made within, as W3C Trace Context has it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request, ready to be sent. It has no `Debug`: what it holds may be secret.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: reqwest::Method,
    /// Where it goes.
    pub(super) url: Url,
    /// Its headers, marked as sensitive.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) json: Option<Value>,
    /// Method and path with their placeholders: requests of one kind have the same, whatever job they are for.
    pub(super) route: String,
}

impl Request {
    /// Fills in the values of a call. `name` is what configuration calls the request.
    ///
    /// # Errors
    /// Which part of it cannot be sent, in words.
    pub(super) fn new(name: &str, spec: &RequestSpec, values: &Values, job: &str) -> Result<Self, String> {
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::RemoteId => job.to_owned(),
            other => values.get(&other).cloned().unwrap_or_default(),
        };
        let url = spec.url.render(|placeholder| utf8_percent_encode(&value(placeholder), RESERVED).to_string());
        let url = Url::parse(&url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("the address of `{name}` is not valid once its placeholders are filled; correct its `url:`"))?;
        let mut headers = HeaderMap::new();
        for (header, text) in &spec.headers {
            let refuse =
                || format!("the header {header} of `{name}` cannot be sent: its value holds a line break or another control character");
            let key =
                HeaderName::from_bytes(header.as_bytes()).map_err(|_| format!("`{name}` has a header with an invalid name: {header}"))?;
            let mut filled = HeaderValue::from_bytes(text.render(value).as_bytes()).map_err(|_| refuse())?;
            filled.set_sensitive(true);
            headers.append(key, filled);
        }
        let json = spec.json.as_ref().map(|body| body.render(&value));
        let method = method(spec.method);
        let route = format!("{method} {}", spec.url.to_string().split('?').next().unwrap_or_default());
        Ok(Self { method, url, headers, json, route })
    }

    /// Method and address, without what may be secret in the latter.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.method, without_secrets(&self.url))
    }

    /// `host:8000`.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// `https://host:8000`.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Texts that must not get into a log, even if an answer repeats them.
    fn secrets(&self) -> Vec<String> {
        let is_open = |name: &HeaderName| [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT, TRACEPARENT].contains(name);
        let headers = self.headers.iter().filter(|(name, _)| !is_open(name));
        let headers = headers.filter_map(|(_, value)| Some(value.to_str().ok()?.to_owned()));
        // Short values and numbers in a query are limits and formats.
        let is_long_text = |value: &String| value.len() >= SHORTEST_IN_QUERY && !value.bytes().all(|byte| byte.is_ascii_digit());
        let query = self.url.query_pairs().map(|(_, value)| value.into_owned()).filter(is_long_text);
        headers.chain(query).chain(self.url.password().map(str::to_owned)).collect()
    }
}

/// An address without userinfo, query and fragment.
pub(super) fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail only without a host, and then there is no userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

pub(super) struct Requests<'a>(pub(super) &'a Call);

impl Requests<'_> {
    /// Starts the job.
    pub(super) fn trigger(&self) -> Result<Request, String> {
        self.request("trigger", &self.0.spec.trigger, "")
    }

    /// Where the trigger's answer has the job's id.
    pub(super) fn job_id(&self) -> &str {
        &self.0.spec.job_id
    }

    /// Whether the answer to the trigger says where the state can be asked for.
    pub(super) fn follows_location(&self) -> bool {
        self.0.spec.follows_location
    }

    /// Asks for its state.
    pub(super) fn status(&self, job: &str) -> Result<Request, String> {
        let mut request = self.request("status", &self.0.spec.status, job)?;
        if self.follows_location() {
            request.url = address_of(job, &request.url);
            "GET of a Location".clone_into(&mut request.route);
        }
        Ok(request)
    }

    /// Stops it, where that is possible.
    pub(super) fn cancel(&self, job: &str) -> Option<Result<Request, String>> {
        self.0.spec.cancel.as_ref().map(|spec| self.request("cancel", spec, job))
    }

    fn request(&self, name: &str, spec: &RequestSpec, job: &str) -> Result<Request, String> {
        let mut request = Request::new(name, spec, &self.0.values, job)?;
        let traceparent = self.0.traceparent.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
        if let Some(traceparent) = traceparent {
            request.headers.entry(TRACEPARENT).or_insert(traceparent);
        }
        Ok(request)
    }

    /// Makes every request once, before any is sent. Returns the texts that must not get into logs.
    ///
    /// # Errors
    /// The first part that cannot be sent.
    pub(super) fn check(&self) -> Result<Secrets, String> {
        let job = self.0.remote_id.as_deref().unwrap_or("id");
        let requests = [Some(self.trigger()), Some(self.status(job)), self.cancel(job)];
        let requests: Vec<Request> = requests.into_iter().flatten().collect::<Result<_, _>>()?;
        let is_filled_in = |text: &String| text == job || self.0.values.values().any(|value| value == text);
        Ok(Secrets::new(requests.iter().flat_map(Request::secrets).filter(|text| !is_filled_in(text))))
    }
}

/// The address of a job whose id is its path, on the host of `trigger`.
fn address_of(id: &str, trigger: &Url) -> Url {
    let (path, query) = id.split_once('?').map_or((id, None), |(path, query)| (path, Some(query)));
    let mut url = trigger.clone();
    url.set_path(path);
    url.set_query(query);
    url
}

fn method(method: HttpMethod) -> reqwest::Method {
    match method {
        HttpMethod::Get => reqwest::Method::GET,
        HttpMethod::Post => reqwest::Method::POST,
        HttpMethod::Put => reqwest::Method::PUT,
        HttpMethod::Patch => reqwest::Method::PATCH,
        HttpMethod::Delete => reqwest::Method::DELETE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::text::placeholder::Scope;
    use crate::plan::text::template::Template;

    fn spec(url: &str, header: &str) -> RequestSpec {
        let template = |text| Template::parse(text, Scope::ALL).unwrap();
        RequestSpec { method: HttpMethod::Get, url: template(url), headers: vec![("X-Key".to_owned(), template(header))], json: None }
    }

    fn request(url: &str, header: &str, job: &str) -> Result<Request, String> {
        let values = Values::from([(Placeholder::Source, "a b/ü?".to_owned())]);
        Request::new("status", &spec(url, header), &values, job)
    }

    #[test]
    fn values_stay_within_their_part_of_an_address() {
        let made = request("http://h/{source}/x?y={remote_id}", "k", "1&z=../..#f").unwrap();
        assert_eq!(made.url.as_str(), "http://h/a%20b%2F%C3%BC%3F/x?y=1%26z%3D..%2F..%23f");
        assert_eq!(made.shown(), "GET http://h/a%20b%2F%C3%BC%3F/x");
        assert_eq!((made.route.as_str(), made.host().as_str()), ("GET http://h/{source}/x", "h"));
    }

    #[test]
    fn what_cannot_be_sent_is_named_and_not_shown() {
        for (url, header, words) in [
            ("http://h/", "topsecret\r\nX-Evil: 1", "the header X-Key of `status`"),
            ("http://h/", "topsecret{remote_id}", "the header X-Key of `status`"),
            ("http://topsecret:port/", "k", "the address of `status`"),
            ("file:///topsecret", "k", "the address of `status`"),
        ] {
            let why = request(url, header, "\n").err().unwrap();
            assert!(why.contains(words) && !why.contains("topsecret"), "{why}");
        }
        assert_eq!(request("https://user:topsecret@h/p?token=topsecret#f", "k", "").unwrap().shown(), "GET https://h/p");
    }

    #[test]
    fn credentials_and_queries_are_secrets() {
        let made = request("https://user:password@h/p?token=in%20query", "Bearer abcdef", "").unwrap();
        assert_eq!(made.secrets(), ["Bearer abcdef", "in query", "password"]);
    }

    #[test]
    fn a_path_never_leads_to_another_host() {
        let trigger = Url::parse("https://h:8443/start?key=x").unwrap();
        for (id, address) in [
            ("/jobs/7", "https://h:8443/jobs/7"),
            ("/jobs?id=7&x=%20", "https://h:8443/jobs?id=7&x=%20"),
            ("//elsewhere/7", "https://h:8443//elsewhere/7"),
            ("https://elsewhere/7", "https://h:8443/https://elsewhere/7"),
            ("@elsewhere/7", "https://h:8443/@elsewhere/7"),
        ] {
            assert_eq!(address_of(id, &trigger).as_str(), address);
        }
    }
}
