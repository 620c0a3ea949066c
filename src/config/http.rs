//! `http:` of a source, checked.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use url::Url;

use super::check::Check;
use super::run::small;
use super::sources::BEFORE_TRIGGER;
use super::tree::{Node, Value};
use super::written_sources as written;
use crate::plan::model::work::{HttpMethod, HttpSpec, Rate, RequestSpec};
use crate::plan::text::body::Body;
use crate::plan::text::template::{Piece, Placeholder, Template};

/// The whole may take this long, unless the file says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// The same for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for the time between two requests for the state.
const EVERY: Duration = Duration::from_secs(10);
/// The same for the limit of requests.
const RATE: Rate = Rate { requests: 10, per: Duration::from_secs(60) };

type Headers = Vec<(String, Template)>;

/// Checks `http:` of a source. `None` when it lacks what it cannot be without.
pub(super) fn http(check: &mut Check, id: &str, written: written::Http) -> Option<HttpSpec> {
    let path = ["sources", id, "http"];
    let at = |key| ["sources", id, "http", key];
    let general = headers(check, &at("headers"), written.headers.as_ref(), BEFORE_TRIGGER);
    let request = |check: &mut Check, key, written: Option<written::Request>, allowed| {
        let request = Request { at: at(key), general: &general, allowed };
        request.check(check, written, written::Method::Post)
    };
    let trigger = request(check, "trigger", written.trigger, BEFORE_TRIGGER);
    if trigger.is_none() && check.document.get(&at("trigger")).is_none() {
        check.missing(&at("trigger"), format!("http of {id} has no trigger; write the request that starts the job"));
    }
    let is_without_status = written.status.is_none();
    let mut status = written.status.unwrap_or_default();
    let asked = written::Request { method: status.method, url: status.url.take(), headers: status.headers.take(), json: None };
    let has_cancel = written.cancel.is_some();
    let cancel = request(check, "cancel", written.cancel, Placeholder::OF_SOURCE);
    let asks = Request { at: at("status"), general: &general, allowed: Placeholder::OF_SOURCE };
    let asks = asks.check(check, Some(asked).filter(|_| !is_without_status), written::Method::Get);
    if is_without_status {
        check.missing(&at("status"), format!("http of {id} has no status; write the request that asks for the job's state"));
    }
    if let Some(asks) = &asks
        && asks.url.placeholders().all(|placeholder| placeholder != Placeholder::RemoteId)
    {
        check.wrong(&["sources", id, "http", "status", "url"], "the url of status must name the job; add {remote_id}");
    }
    let in_status = |key| ["sources", id, "http", "status", key];
    let (succeeded, failed) = states(check, id, status.succeeded, status.failed);
    let mut pointer_or = |path: &[&str], given: Option<String>, default: &str| {
        given.inspect(|given| pointer(check, path, given)).unwrap_or_else(|| default.to_owned())
    };
    let job_id = pointer_or(&at("job_id"), written.job_id, "/job_id");
    let state = pointer_or(&in_status("state"), status.state, "/status");
    let message = pointer_or(&in_status("message"), status.message, "/message");
    let progress = pointer_or(&in_status("progress"), status.progress, "/progress");
    let total = pointer_or(&in_status("total"), status.total, "/total");
    let timeout = check.not_zero(&at("timeout"), written.timeout).unwrap_or(TIMEOUT);
    let every = check.not_zero(&in_status("every"), status.every).unwrap_or(EVERY);
    let request_timeout = check.not_zero(&at("request_timeout"), written.request_timeout).unwrap_or(REQUEST_TIMEOUT);
    let rate = rate(check, &path, written.rate.unwrap_or_default());
    let ca_file = check.path(&at("ca_file"), written.ca_file);
    if every >= timeout && (status.every.is_some() || written.timeout.is_some()) {
        let [every, timeout] = [every, timeout].map(humantime::format_duration);
        let path = if status.every.is_some() { in_status("every").to_vec() } else { at("timeout").to_vec() };
        check.wrong(&path, format!("the state is asked for every {every}, which must be shorter than the timeout, which is {timeout}"));
    }
    Some(HttpSpec {
        trigger: trigger?,
        job_id,
        status: asks?,
        every,
        state,
        succeeded,
        failed,
        message: Some(message),
        progress: Some(progress),
        total: Some(total),
        cancel: if has_cancel { Some(cancel?) } else { None },
        request_timeout,
        timeout,
        rate,
        ca_file,
    })
}

/// Checks a JSON pointer.
pub(super) fn pointer(check: &mut Check, path: &[&str], pointer: &str) {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let shown = check.document.shown(path, pointer);
        let advice =
            if check.document.variable(path).is_some() { "begin it with \"/\"".to_owned() } else { format!("write \"/{pointer}\"") };
        check.wrong(path, format!("{shown} is no JSON pointer; {advice}"));
    }
}

fn rate(check: &mut Check, path: &[&str], written: written::Rate) -> Rate {
    let requests = [path, &["rate", "requests"]].concat();
    let per = [path, &["rate", "per"]].concat();
    Rate {
        requests: small(check.within(&requests, written.requests, 1..=10_000, i64::from(RATE.requests))),
        per: check.not_zero(&per, written.per).unwrap_or(RATE.per),
    }
}

/// The states that mean success, and those that mean failure; none of them both.
fn states(check: &mut Check, id: &str, succeeded: Option<Vec<String>>, failed: Option<Vec<String>>) -> (Vec<String>, Vec<String>) {
    let at = |key| ["sources", id, "http", "status", key];
    for (key, list) in [("succeeded", &succeeded), ("failed", &failed)] {
        let Some(list) = list else { continue };
        if list.is_empty() && !check.document.is_broken(&at(key)) {
            check.wrong(&at(key), format!("{} is empty; name the states", check.document.named(&at(key))));
        }
        for (n, state) in list.iter().enumerate() {
            check.text(&["sources", id, "http", "status", key, &n.to_string()], state);
        }
    }
    let has_failed = failed.is_some();
    let succeeded = succeeded.unwrap_or_else(|| vec!["completed".to_owned()]);
    let failed = failed.unwrap_or_else(|| vec!["failed".to_owned(), "error".to_owned()]);
    let (key, states, others) = if has_failed { ("failed", &failed, &succeeded) } else { ("succeeded", &succeeded, &failed) };
    for (n, state) in states.iter().enumerate().filter(|(_, state)| others.contains(state)) {
        let n = n.to_string();
        let path = ["sources", id, "http", "status", key, &n];
        let shown = check.document.shown(&path, state);
        check.wrong(&path, format!("state {shown} is in succeeded and in failed; keep one"));
    }
    (succeeded, failed)
}

/// A request that stands somewhere.
struct Request<'a> {
    at: [&'a str; 4],
    /// Headers of every request.
    general: &'a Headers,
    allowed: &'a [Placeholder],
}

impl Request<'_> {
    fn check(&self, check: &mut Check, written: Option<written::Request>, default: written::Method) -> Option<RequestSpec> {
        let written = written?;
        let at = |key| [&self.at[..], &[key]].concat();
        let own = headers(check, &at("headers"), written.headers.as_ref(), self.allowed);
        let json = written.json.and_then(|_| {
            let node = check.document.get(&at("json"))?.clone();
            body(check, &mut at("json").iter().map(|step| (*step).to_owned()).collect(), &node, self.allowed)
        });
        if written.url.is_none() {
            let message = format!("{} has no url; write its address, https://...", check.document.named(&self.at));
            check.missing(&at("url"), message);
        }
        let url = written.url.and_then(|source| url(check, &at("url"), &source, self.allowed));
        Some(RequestSpec { method: method(written.method.unwrap_or(default)), url: url?, headers: merged(self.general, own), json })
    }
}

fn method(written: written::Method) -> HttpMethod {
    match written {
        written::Method::Get => HttpMethod::Get,
        written::Method::Post => HttpMethod::Post,
        written::Method::Put => HttpMethod::Put,
        written::Method::Patch => HttpMethod::Patch,
        written::Method::Delete => HttpMethod::Delete,
    }
}

/// An address of a host that is known beforehand.
fn url(check: &mut Check, path: &[&str], source: &str, allowed: &[Placeholder]) -> Option<Template> {
    let template = check.template(path, source, allowed)?;
    if let Some(problem) = problem(&template) {
        check.wrong(path, format!("{} {problem}", check.document.named(path)));
        return None;
    }
    Some(template)
}

/// What is wrong with an address, without a part of it: it may hold secrets.
fn problem(template: &Template) -> Option<String> {
    let mut pieces = template.pieces();
    let head = if let Some(Piece::Text(text)) = pieces.next() { text } else { "" };
    let is_all = pieces.next().is_none();
    let after = |scheme: &str| head.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &head[scheme.len()..]);
    let rest = after("https://").or_else(|| after("http://"));
    // Parsers would take what follows a third "/" for the host.
    let Some(rest) = rest.filter(|rest| !rest.starts_with(['/', '?', '#'])) else {
        return Some("must begin with http:// or https:// and a host".to_owned());
    };
    if !is_all && !rest.contains(['/', '?', '#']) {
        return Some("has a placeholder in its host or port, which must be known beforehand; put placeholders after them".to_owned());
    }
    let rendered = template.render(|_| "x".to_owned());
    if rendered.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Some("holds a space, a backslash or a control character; remove it".to_owned());
    }
    match Url::parse(&rendered) {
        Err(error) => Some(format!("is no address: {error}")),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("has a user or a password in it; put them into a header, headers: {Authorization: \"...\"}".to_owned())
        }
        Ok(url) if url.fragment().is_some() => Some("has a part after \"#\", which is never sent; remove it".to_owned()),
        Ok(_) => None,
    }
}

/// Headers in the order of the file. Those that are wrong are left out.
fn headers(check: &mut Check, path: &[&str], written: Option<&BTreeMap<String, String>>, allowed: &[Placeholder]) -> Headers {
    let names: Vec<String> = check.document.keys(path).into_iter().map(str::to_owned).collect();
    let mut seen = HashSet::new();
    let mut parsed = Vec::new();
    for name in names {
        let at = [path, &[&name]].concat();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            check.wrong_key(&at, format!("{name:?} cannot name a header; write letters, digits and \"-\""));
        } else if !seen.insert(name.to_ascii_lowercase()) {
            check.wrong_key(&at, format!("header {name} is given twice; keep one, capitals make no difference"));
        }
        let Some(source) = written.and_then(|written| written.get(&name)) else { continue };
        if source.trim().is_empty() {
            check.wrong(&at, format!("header {name} is empty; give it a value, or remove it"));
        } else if !source.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            check.wrong(&at, format!("header {name} holds a control character, such as the end of a line, or one beyond ASCII; remove it"));
        }
        if let Some(template) = check.template(&at, source, allowed) {
            parsed.push((name, template));
        }
    }
    parsed
}

/// The headers of a request replace those of every request that have their names.
fn merged(general: &Headers, own: Headers) -> Headers {
    let replaced = |name: &str| own.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let mut all: Headers = general.iter().filter(|(name, _)| !replaced(name)).cloned().collect();
    all.extend(own);
    all
}

/// A body as it stands in the file, its texts as templates. `path` leads to it.
fn body(check: &mut Check, path: &mut Vec<String>, node: &Node, allowed: &[Placeholder]) -> Option<Body> {
    let mut below = |check: &mut Check, step: String, node: &Node| {
        path.push(step);
        let body = body(check, path, node, allowed);
        path.pop();
        body
    };
    match &node.value {
        Value::List(items) => {
            let items: Vec<_> = items.iter().enumerate().map(|(n, item)| below(check, n.to_string(), item)).collect();
            items.into_iter().collect::<Option<_>>().map(Body::List)
        }
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|entry| below(check, entry.key.clone(), &entry.value).map(|value| (entry.key.clone(), value))).collect();
            entries.into_iter().collect::<Option<_>>().map(Body::Object)
        }
        Value::Scalar(scalar) => match scalar.json() {
            serde_json::Value::String(text) => {
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                check.template(&steps, &text, allowed).map(Body::Text)
            }
            plain => Some(Body::Plain(plain)),
        },
    }
}
