//! The text that a configuration's digest is made of: format 1.
//!
//! Stored digests are compared with digests of today's configuration, and a difference ends a rest or a quarantine. So the text
//! must never change for a configuration that did not: it is written out here, value by value, and never comes from a type's
//! `Debug`. Where format 1 looks odd (`Some("/etc/ca.pem")`), that is how it was first written. The digests in `tests` pin it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::digest;
use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::patterns::{EndClass, EndPattern};
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::work::{CommandSpec, HttpMethod, HttpSpec, RequestSpec, SuccessIf, Work};
use crate::plan::text::body::Body;
use crate::plan::text::placeholder::Placeholder;
use crate::plan::text::records::RecordsRule;
use crate::plan::text::template::{Piece, Template};

/// The texts of a configuration, in a fixed order.
#[derive(Default)]
pub(super) struct DigestText(Vec<String>);

impl DigestText {
    pub(super) fn push(&mut self, text: String) {
        self.0.push(text);
    }

    /// A list begins with its length: an entry that moves from one list to the next is a change.
    pub(super) fn list(&mut self, entries: Vec<String>) {
        self.0.push(entries.len().to_string());
        self.0.extend(entries);
    }

    pub(super) fn work(&mut self, work: &Work, env_files: &EnvFiles) {
        match work {
            Work::Command { command, exit_codes } => {
                self.command(command, env_files);
                self.exit_codes(exit_codes);
            }
            Work::Http(http) => {
                // Never the begin of a command, which is an absolute path.
                self.push("http".to_owned());
                self.http(http);
            }
        }
    }

    pub(super) fn command(&mut self, command: &CommandSpec, env_files: &EnvFiles) {
        // The file itself is not what matters, but its variables. What its lines are called changes no report.
        let CommandSpec { argv, cwd, env, timeout, env_file: _, grace: _, progress: _ } = command;
        self.push(cwd.to_string_lossy().into_owned());
        self.push(span(*timeout));
        self.list(argv.iter().map(ToString::to_string).collect());
        self.list(env.iter().flat_map(|(name, value)| [name.clone(), value.to_string()]).collect());
        self.list(command.variables(env_files).into_iter().flatten().flat_map(|(name, value)| [name.clone(), value.clone()]).collect());
    }

    fn exit_codes(&mut self, codes: &ExitCodes) {
        let ExitCodes { permanent, config, not_ready, transient, patterns } = codes;
        let set = |codes: &BTreeSet<i32>| joined(codes.iter().map(ToString::to_string));
        self.push(format!(
            "ExitCodes {{ permanent: {{{}}}, config: {{{}}}, not_ready: {{{}}}, transient: {{{}}} }}",
            set(permanent),
            set(config),
            set(not_ready),
            set(transient)
        ));
        // Format 1 had no patterns: where there are none, there is nothing of them. With them a failure may mean something else.
        if !patterns.is_empty() {
            self.list(patterns.iter().map(|pattern| format!("outcomes {}", end_pattern(pattern))).collect());
        }
    }

    fn http(&mut self, http: &HttpSpec) {
        let HttpSpec {
            trigger,
            job_id,
            status,
            state,
            succeeded,
            failed,
            success_if,
            follows_location,
            cancel,
            request_timeout,
            timeout,
            ca_file,
            every: _,
            message: _,
            progress: _,
            total: _,
            rate: _,
        } = http;
        self.request(Some(trigger));
        self.request(Some(status));
        self.request(cancel.as_ref());
        self.list(vec![job_id.clone(), state.clone()]);
        self.list(succeeded.clone());
        self.list(failed.clone());
        let ca_file = option(ca_file.as_deref().map(|path: &Path| quoted(&path.to_string_lossy())));
        self.push(format!("{} {} {ca_file}", span(*timeout), span(*request_timeout)));
        // Format 1 had neither: where they are not used, there is nothing of them.
        if let Some(SuccessIf { number: RecordsRule { pointer, pattern }, min }) = success_if {
            let pattern = pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
            self.list(vec!["success_if".to_owned(), option(pointer.clone()), option(pattern), min.to_string()]);
        }
        if *follows_location {
            self.push("follows_location".to_owned());
        }
    }

    fn request(&mut self, request: Option<&RequestSpec>) {
        let Some(RequestSpec { method, url, headers, json }) = request else { return self.list(Vec::new()) };
        let method = match method {
            HttpMethod::Get => "Get",
            HttpMethod::Post => "Post",
            HttpMethod::Put => "Put",
            HttpMethod::Patch => "Patch",
            HttpMethod::Delete => "Delete",
        };
        self.list(vec![method.to_owned(), url.to_string(), option(json.as_ref().map(body))]);
        self.list(headers.iter().flat_map(|(name, value)| [name.clone(), value.to_string()]).collect());
    }

    pub(super) fn digest(&self) -> String {
        digest(self.0.iter().map(String::as_str))
    }
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

fn end_pattern(EndPattern { exit, pattern, is }: &EndPattern) -> String {
    let class = match is {
        EndClass::Permanent => "permanent",
        EndClass::Config => "config",
        EndClass::NotReady => "not_ready",
        EndClass::Transient => "transient",
    };
    let pattern = pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
    format!("{class} {} {}", option(exit.map(|exit| exit.to_string())), option(pattern))
}

fn option(text: Option<String>) -> String {
    text.map_or("None".to_owned(), |text| format!("Some({text})"))
}

/// As Rust's literals are written.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// `3600s`, `1.5s`, `250ms`: the largest unit of which there is at least one, with its decimal places.
fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (unit, name) = match nanos {
        1_000_000_000.. => (1_000_000_000, "s"),
        1_000_000.. => (1_000_000, "ms"),
        1_000.. => (1_000, "µs"),
        _ => (1, "ns"),
    };
    let places = unit.to_string().len() - 1;
    let decimals = format!("{:0places$}", nanos % unit);
    match decimals.trim_end_matches('0') {
        "" => format!("{}{name}", nanos / unit),
        decimals => format!("{}.{decimals}{name}", nanos / unit),
    }
}

fn body(json: &Body) -> String {
    match json {
        Body::Plain(value) => format!("Plain({})", plain(value)),
        Body::Text(text) => format!("Text({})", template(text)),
        Body::List(items) => format!("List([{}])", joined(items.iter().map(body))),
        Body::Object(entries) => {
            format!("Object([{}])", joined(entries.iter().map(|(key, entry)| format!("({}, {})", quoted(key), body(entry)))))
        }
    }
}

/// A scalar of a body. Texts, lists and objects are [`Body`]'s own.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "Null".to_owned(),
        Value::Bool(truth) => format!("Bool({truth})"),
        Value::Number(number) => format!("Number({number})"),
        Value::String(text) => format!("String({})", quoted(text)),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn template(template: &Template) -> String {
    let parts = template.pieces().map(|piece| match piece {
        Piece::Text(text) => format!("Text({})", quoted(text)),
        Piece::Value(placeholder) => format!("Value({})", camel_case(placeholder)),
    });
    format!("Template {{ source: {}, parts: [{}] }}", quoted(&template.to_string()), joined(parts))
}

/// `window_year` is written `WindowYear`.
fn camel_case(placeholder: Placeholder) -> String {
    let words = placeholder.name().split('_');
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_largest_unit_that_fits() {
        for (span, text) in [
            (Duration::from_secs(3600), "3600s"),
            (Duration::from_millis(1_500), "1.5s"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_micros(1_010), "1.01ms"),
            (Duration::from_nanos(1_500), "1.5µs"),
            (Duration::from_nanos(7), "7ns"),
            (Duration::ZERO, "0ns"),
        ] {
            assert_eq!(super::span(span), text);
        }
    }
}
