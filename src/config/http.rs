//! `http:` of an ETL or a source, checked.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use url::Url;

use super::check::Check;
use super::grouped::grouped;
use super::run::small;
use super::tree::{Node, Value};
use super::written_work as written;
use crate::plan::model::work::{HttpMethod, HttpSpec, Rate, RequestSpec, SuccessIf};
use crate::plan::text::body::Body;
use crate::plan::text::placeholder::{Placeholder, Scope};
use crate::plan::text::records::RecordsRule;
use crate::plan::text::span;
use crate::plan::text::template::{Piece, Template};

/// Default of `timeout`.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Default of `request_timeout`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of `status.every`.
const EVERY: Duration = Duration::from_secs(10);
/// What a `rate` has that names only one of the two.
const RATE: Rate = Rate { requests: 10, per: Duration::from_secs(60) };

type Headers = Vec<(String, Template)>;

/// Checks `http:` at `path`. `owner` is the name of its ETL or source. The placeholders of `allowed` can be used in every request; those
/// of the job's id only in requests after the trigger. `None` when a required key is missing or wrong.
pub(super) fn http(check: &mut Check, path: &[&str], owner: &str, written: written::Http, allowed: &[Scope]) -> Option<HttpSpec> {
    let at = |key| [path, &[key]].concat();
    let followed = [allowed, &[Scope::RemoteId]].concat();
    let general = headers(check, &at("headers"), written.headers.as_ref(), allowed);
    if written.trigger.is_none() {
        check.missing(&at("trigger"), format!("http of {owner} has no trigger; write the request that starts the job"));
    }
    if written.status.is_none() {
        check.missing(&at("status"), format!("http of {owner} has no status; write the request that asks for the job's state"));
    }
    let place = |key, allowed| RequestPlace { at: at(key), general: &general, allowed };
    let trigger = written.trigger.map(|request| place("trigger", allowed).check(check, request, written::RequestMethod::Post));
    let cancel = written.cancel.map(|request| place("cancel", &followed).check(check, request, written::RequestMethod::Post));
    let status = written.status.map(|status| {
        let address = trigger.as_ref().and_then(Option::as_ref).map(|trigger| trigger.url.clone());
        status_request(check, &place("status", &followed), status, address)
    });
    if written.job_id.is_some() && status.as_ref().is_some_and(|status| status.follows_location) {
        check.wrong_key(&at("job_id"), "job_id has an effect only where status has a url; write that, or remove it");
    }
    let success_if = written.success_if.and_then(|written| success_if(check, &at("success_if"), written));
    let job_id = pointer_or(check, &at("job_id"), written.job_id, "/job_id");
    let timeout = check.not_zero(&at("timeout"), written.timeout).unwrap_or(TIMEOUT);
    let request_timeout = check.not_zero(&at("request_timeout"), written.request_timeout).unwrap_or(REQUEST_TIMEOUT);
    let rate = written.rate.map(|written| rate(check, &at("rate"), written));
    let ca_file = check.path(&at("ca_file"), written.ca_file);
    let StatusRequest { request, follows_location, every, state, succeeded, failed, message, progress, total, is_every_given } = status?;
    if every >= timeout && (is_every_given || written.timeout.is_some()) {
        let path = if is_every_given { [path, &["status", "every"]].concat() } else { at("timeout") };
        let [every, timeout] = [every, timeout].map(span::exact);
        check.wrong(&path, format!("the state is asked for every {every}, which must be shorter than the timeout, which is {timeout}"));
    }
    Some(HttpSpec {
        trigger: trigger??,
        job_id,
        status: request?,
        follows_location,
        every,
        state,
        succeeded,
        failed,
        success_if,
        message: Some(message),
        progress: Some(progress),
        total: Some(total),
        cancel: match cancel {
            Some(cancel) => Some(cancel?),
            None => None,
        },
        request_timeout,
        timeout,
        rate,
        ca_file,
    })
}

/// `status:`, checked.
struct StatusRequest {
    request: Option<RequestSpec>,
    follows_location: bool,
    every: Duration,
    is_every_given: bool,
    state: String,
    succeeded: Vec<String>,
    failed: Vec<String>,
    message: String,
    progress: String,
    total: String,
}

/// Without a url the state is asked for on the host of `trigger`, the address of the trigger.
fn status_request(check: &mut Check, place: &RequestPlace, written: written::Status, trigger: Option<Template>) -> StatusRequest {
    let at = |key| [&place.at[..], &[key]].concat();
    let follows_location = written.url.is_none() && !check.document.is_broken(&at("url"));
    let request = written::Request { method: written.method, url: written.url, headers: written.headers, json: None };
    let request = if follows_location {
        trigger.map(|url| place.check_at(check, request, url, written::RequestMethod::Get))
    } else {
        place.check(check, request, written::RequestMethod::Get)
    };
    if let Some(request) = request.as_ref().filter(|_| !follows_location)
        && request.url.placeholders().all(|placeholder| placeholder != Placeholder::RemoteId)
    {
        check.wrong(&at("url"), "the url of status must name the job; add {remote_id}");
    }
    let (succeeded, failed) = states(check, &place.at, written.succeeded, written.failed);
    StatusRequest {
        request,
        follows_location,
        every: check.not_zero(&at("every"), written.every).unwrap_or(EVERY),
        is_every_given: written.every.is_some(),
        state: pointer_or(check, &at("state"), written.state, "/status"),
        succeeded,
        failed,
        message: pointer_or(check, &at("message"), written.message, "/message"),
        progress: pointer_or(check, &at("progress"), written.progress, "/progress"),
        total: pointer_or(check, &at("total"), written.total, "/total"),
    }
}

fn success_if(check: &mut Check, path: &[&str], written: written::SuccessIf) -> Option<SuccessIf> {
    let at = |key| [path, &[key]].concat();
    let min = check.within(&at("min"), written.min, 1..=1_000_000_000, 1);
    let pointed = written.pointer.inspect(|given| pointer(check, &at("pointer"), given));
    if pointed.is_none() {
        check.missing(&at("pointer"), format!("{} has no pointer; say where the answer has the number", check.document.named(path)));
    }
    let pattern = match written.pattern {
        Some(pattern) => Some(grouped(check, &at("pattern"), &pattern)?),
        None => None,
    };
    Some(SuccessIf { number: RecordsRule { pointer: Some(pointed?), pattern }, min })
}

fn pointer_or(check: &mut Check, path: &[&str], given: Option<String>, default: &str) -> String {
    given.inspect(|given| pointer(check, path, given)).unwrap_or_else(|| default.to_owned())
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
    let at = |key| [path, &[key]].concat();
    Rate {
        requests: small(check.within(&at("requests"), written.requests, 1..=10_000, i64::from(RATE.requests))),
        per: check.not_zero(&at("per"), written.per).unwrap_or(RATE.per),
    }
}

/// The states that mean success, and the states that mean failure. No state is in both lists.
fn states(check: &mut Check, place: &[&str], succeeded: Option<Vec<String>>, failed: Option<Vec<String>>) -> (Vec<String>, Vec<String>) {
    let at = |key| [place, &[key]].concat();
    for (key, list) in [("succeeded", &succeeded), ("failed", &failed)] {
        let Some(list) = list else { continue };
        if list.is_empty() && !check.document.is_broken(&at(key)) {
            check.wrong(&at(key), format!("{} is empty; name the states", check.document.named(&at(key))));
        }
        for (n, state) in list.iter().enumerate() {
            check.text(&[place, &[key, &n.to_string()]].concat(), state);
        }
    }
    let has_failed = failed.is_some();
    let succeeded = succeeded.unwrap_or_else(|| vec!["completed".to_owned()]);
    let failed = failed.unwrap_or_else(|| vec!["failed".to_owned(), "error".to_owned()]);
    let (key, states, others) = if has_failed { ("failed", &failed, &succeeded) } else { ("succeeded", &succeeded, &failed) };
    let is_other = |state: &str| others.iter().any(|other| other.to_lowercase() == state.to_lowercase());
    for (n, state) in states.iter().enumerate().filter(|(_, state)| is_other(state)) {
        let n = n.to_string();
        let path = [place, &[key, &n]].concat();
        let shown = check.document.shown(&path, state);
        check.wrong(&path, format!("state {shown} is in succeeded and in failed; keep one"));
    }
    (succeeded, failed)
}

/// Where a request is in the file, and which placeholders it can use.
struct RequestPlace<'a> {
    at: Vec<&'a str>,
    /// Headers of every request.
    general: &'a Headers,
    allowed: &'a [Scope],
}

impl RequestPlace<'_> {
    /// Checks a request whose address is known.
    fn check_at(&self, check: &mut Check, written: written::Request, url: Template, default: written::RequestMethod) -> RequestSpec {
        let own = headers(check, &[&self.at[..], &["headers"]].concat(), written.headers.as_ref(), self.allowed);
        RequestSpec { method: method(written.method.unwrap_or(default)), url, headers: merged(self.general, own), json: None }
    }

    fn check(&self, check: &mut Check, written: written::Request, default: written::RequestMethod) -> Option<RequestSpec> {
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

fn method(written: written::RequestMethod) -> HttpMethod {
    match written {
        written::RequestMethod::Get => HttpMethod::Get,
        written::RequestMethod::Post => HttpMethod::Post,
        written::RequestMethod::Put => HttpMethod::Put,
        written::RequestMethod::Patch => HttpMethod::Patch,
        written::RequestMethod::Delete => HttpMethod::Delete,
    }
}

/// Checks an address. Its host and port must be without placeholders.
fn url(check: &mut Check, path: &[&str], source: &str, allowed: &[Scope]) -> Option<Template> {
    let template = check.template(path, source, allowed)?;
    if let Some(problem) = template_problem(&template) {
        check.wrong(path, format!("{} {problem}", check.document.named(path)));
        return None;
    }
    Some(template)
}

/// What is wrong with an address that has placeholders.
fn template_problem(template: &Template) -> Option<String> {
    let mut pieces = template.pieces();
    let head = if let Some(Piece::Text(text)) = pieces.next() { text } else { "" };
    let is_all = pieces.next().is_none();
    if !is_all && behind_scheme(head).is_some_and(|rest| !rest.contains(['/', '?', '#'])) {
        return Some("has a placeholder in its host or port, which must be known beforehand; put placeholders after them".to_owned());
    }
    if behind_scheme(head).is_none() {
        return address_problem(head);
    }
    address_problem(&template.render(|_| "x".to_owned()))
}

/// What follows `https://` or `http://`, if that is a host. After `https:///host` a parser would still find one.
fn behind_scheme(address: &str) -> Option<&str> {
    let after =
        |scheme: &str| address.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &address[scheme.len()..]);
    let rest = after("https://").or_else(|| after("http://"))?;
    (!rest.starts_with(['/', '?', '#'])).then_some(rest)
}

/// What is wrong with an address. The sentence quotes no part of the address, which may hold secrets.
pub(super) fn address_problem(address: &str) -> Option<String> {
    if behind_scheme(address).is_none() {
        return Some("must begin with http:// or https:// and a host".to_owned());
    }
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Some("holds a space, a backslash or a control character; remove it".to_owned());
    }
    match Url::parse(address) {
        Err(error) => Some(format!("is no address: {error}")),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("has a user or a password in it; put them into a header, headers: {Authorization: \"...\"}".to_owned())
        }
        // It may be the rest of a password: in https://u:12/pw@h the host is u, and the port 12.
        Ok(url) if url.path().contains('@') => Some(
            "has an \"@\" behind its host; write it as %40 if it belongs there, and put a user and a password into a header".to_owned(),
        ),
        Ok(url) if url.fragment().is_some() => Some("has a part after \"#\", which is never sent; remove it".to_owned()),
        Ok(_) => None,
    }
}

/// Headers in the order of the file. Those that are wrong are left out.
pub(super) fn headers(check: &mut Check, path: &[&str], written: Option<&BTreeMap<String, String>>, allowed: &[Scope]) -> Headers {
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

/// The headers of `http` with those of one request, which replace headers of the same name.
fn merged(general: &Headers, own: Headers) -> Headers {
    let replaced = |name: &str| own.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let mut all: Headers = general.iter().filter(|(name, _)| !replaced(name)).cloned().collect();
    all.extend(own);
    all
}

/// Checks the JSON body at `path`; its texts become templates.
fn body(check: &mut Check, path: &mut Vec<String>, node: &Node, allowed: &[Scope]) -> Option<Body> {
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
            plain => {
                let is_whole = scalar.text.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
                if plain.is_f64() && is_whole {
                    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                    check.wrong(&steps, "a number this large would lose digits; quote it, so that it is sent as text");
                }
                Some(Body::Plain(plain))
            }
        },
    }
}
