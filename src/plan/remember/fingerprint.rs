//! What a failure depended on: when it changes, trying again may help.

mod text;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::model::etl::{Etl, ReportsBy};
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::source::{Source, Verify};
use crate::plan::model::work::Work;
use text::DigestText;

/// The sources of a gap and its ETL, as digests: configuration may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The tags, the `version_column` and the files that the report is made from.
    pub sources: String,
    /// How the report is made: command, environment, version.
    pub etl: String,
}

impl Fingerprint {
    /// As it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}/{}", self.sources, self.etl)
    }

    /// As it was stored; `None` for what no version of this program stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sources, etl) = text.split_once('/')?;
        let is_digest = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest(sources) || !is_digest(etl) {
            return None;
        }
        Some(Self { sources: sources.to_owned(), etl: etl.to_owned() })
    }
}

/// The digest of texts, each set off from its neighbours.
#[must_use]
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The digest of all that configuration says about how an ETL makes its report.
#[must_use]
pub fn of_etl(etl: &Etl, env_files: &EnvFiles) -> String {
    // Every key is named here, so that a new one must be sorted into what changes a report and what does not.
    let Etl {
        version,
        work,
        reports,
        requires,
        name: _,
        report_type: _,
        other_report_types: _,
        description: _,
        needs: _,
        retry: _,
        warn_after: _,
        pool: _,
        places: _,
        gap_age: _,
    } = etl;
    let mut text = DigestText::default();
    text.push(version.clone().unwrap_or_default());
    text.work(work, env_files);
    text.push(match reports {
        ReportsBy::Etl => String::new(),
        ReportsBy::Orchestrator { output } => output.to_string(),
    });
    text.list(requires.clone());
    text.digest()
}

/// The digest of all that configuration says about how a source is collected and verified; not of when, nor how often it is tried.
#[must_use]
pub fn of_source(source: &Source, env_files: &EnvFiles) -> String {
    let Source {
        version,
        work,
        verify,
        id: _,
        name: _,
        cadence: _,
        catch_up: _,
        lag: _,
        max_windows: _,
        start: _,
        lookback_days: _,
        retry: _,
        pool: _,
        records: _,
        freshness: _,
        warn_after: _,
        error_after: _,
    } = source;
    let mut text = DigestText::default();
    text.push(version.clone().unwrap_or_default());
    if matches!(work, Work::Command { .. }) {
        // Format 1 has this word for sources, not for ETLs.
        text.push("command".to_owned());
    }
    text.work(work, env_files);
    match verify {
        None => text.push(String::new()),
        Some(Verify::Sql(query)) => text.list(vec!["sql".to_owned(), query.to_string()]),
        Some(Verify::Command(command)) => {
            text.push("command".to_owned());
            text.command(command, env_files);
        }
    }
    text.digest()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::plan::model::outcome::ExitCodes;
    use crate::plan::model::patterns::{EndClass, EndPattern};
    use crate::plan::model::settings::Variables;
    use crate::plan::model::work::{CommandSpec, HttpMethod, HttpSpec, RequestSpec, SuccessIf};
    use crate::plan::test_support::{command, etl, program, source};
    use crate::plan::text::body::Body;
    use crate::plan::text::placeholder::{Placeholder, Scope};
    use crate::plan::text::records::RecordsRule;
    use crate::plan::text::template::Template;

    #[test]
    fn what_was_stored_is_read_again_and_nothing_else_is() {
        let print = Fingerprint { sources: digest(["a"]), etl: digest(["b"]) };
        assert_eq!(Fingerprint::parse(&print.to_text()), Some(print));
        for other in ["", "/", "ab", "ab/", "/ab", "ab/cd/ef", "x y/ab"] {
            assert_eq!(Fingerprint::parse(other), None, "{other}");
        }
    }

    #[test]
    fn texts_are_set_off_from_their_neighbours() {
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_ne!(digest(["ab"]), digest(["ab", ""]));
        assert_eq!(digest(["ab"]).len(), 16);
    }

    #[test]
    fn whatever_says_how_a_report_is_made_is_in_the_digest() {
        let plain = etl("call_summary", "Call Summary");
        let none = EnvFiles::new();
        let with = |change: fn(&mut CommandSpec)| {
            let mut changed = command();
            change(&mut changed);
            Etl { work: program(changed), ..plain.clone() }
        };
        let mut changed = vec![plain.clone(); 6];
        changed[0].version = Some("2".to_owned());
        changed[1] = with(|command| command.cwd = PathBuf::from("/elsewhere"));
        changed[2] = with(|command| command.timeout = Duration::from_secs(1));
        changed[3].work = Work::Command { command: command(), exit_codes: ExitCodes { permanent: [1].into(), ..ExitCodes::default() } };
        changed[4].requires.push("aiera".to_owned());
        changed[5].requires = vec!["aiera".to_owned()];
        let mut digests: Vec<String> = changed.iter().map(|etl| of_etl(etl, &none)).collect();
        let patterns = vec![EndPattern { exit: Some(1), pattern: None, is: EndClass::NotReady }];
        let judged = Work::Command { command: command(), exit_codes: ExitCodes { patterns, ..ExitCodes::default() } };
        digests.push(of_etl(&Etl { work: judged, ..plain.clone() }, &none));
        digests.push(of_etl(&plain, &none));
        let of_file = with(|command| command.env_file = Some(PathBuf::from("/a")));
        digests.push(of_etl(&of_file, &file("/a", "1")));
        digests.push(of_etl(&of_file, &file("/a", "2")));
        digests.push(of_etl(&Etl { work: Work::Http(Box::new(http())), ..plain.clone() }, &none));
        let different: std::collections::BTreeSet<&String> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
    }

    #[test]
    fn how_often_and_how_many_at_once_is_not() {
        let plain = etl("call_summary", "Call Summary");
        let mut other = plain.clone();
        other.retry.max_attempts = 9;
        other.warn_after = Some(Duration::from_secs(1));
        other.description = Some("words".to_owned());
        assert_eq!(of_etl(&plain, &EnvFiles::new()), of_etl(&other, &EnvFiles::new()));
    }

    fn template(text: &str) -> Template {
        Template::parse(text, Scope::ALL).unwrap()
    }

    fn http() -> HttpSpec {
        let request = |method, url| RequestSpec { method, url: template(url), headers: Vec::new(), json: None };
        HttpSpec {
            trigger: request(HttpMethod::Post, "https://etl/trigger"),
            job_id: "/job_id".to_owned(),
            status: request(HttpMethod::Get, "https://etl/status/{remote_id}"),
            every: Duration::from_secs(10),
            state: "/status".to_owned(),
            succeeded: vec!["completed".to_owned()],
            failed: vec!["failed".to_owned()],
            success_if: None,
            follows_location: false,
            message: None,
            progress: None,
            total: None,
            cancel: None,
            request_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(600),
            rate: None,
            ca_file: None,
        }
    }

    fn total_of(min: i64) -> SuccessIf {
        SuccessIf { number: RecordsRule { pointer: Some("/total".to_owned()), pattern: None }, min }
    }

    /// An `env_file` with one variable.
    fn file(name: &str, value: &str) -> EnvFiles {
        EnvFiles::from([(PathBuf::from(name), Variables::from([("KEY".to_owned(), value.to_owned())]))])
    }

    fn of_http(http: HttpSpec) -> Source {
        Source { work: Work::Http(Box::new(http)), ..source("house") }
    }

    #[test]
    fn whatever_says_how_a_source_is_collected_is_in_the_digest() {
        let changed = |change: fn(&mut HttpSpec)| {
            let mut http = http();
            change(&mut http);
            of_http(http)
        };
        let sources = [
            source("house"),
            Source { version: Some("2".to_owned()), ..source("house") },
            Source { verify: Some(Verify::Sql(template("select 1"))), ..source("house") },
            Source { verify: Some(Verify::Command(command())), ..source("house") },
            of_http(http()),
            changed(|http| http.trigger.method = HttpMethod::Put),
            changed(|http| http.trigger.url = template("https://elsewhere")),
            changed(|http| http.trigger.headers = vec![("X-API-Key".to_owned(), template("one"))]),
            changed(|http| http.trigger.headers = vec![("X-API-Key".to_owned(), template("two"))]),
            changed(|http| http.trigger.json = Some(Body::Text(template("{window_year}")))),
            changed(|http| http.status.headers = vec![("X-API-Key".to_owned(), template("one"))]),
            changed(|http| http.cancel = Some(http.status.clone())),
            changed(|http| http.failed.push("error".to_owned())),
            changed(|http| http.succeeded.push("error".to_owned())),
            changed(|http| http.timeout = Duration::from_secs(1)),
            changed(|http| http.follows_location = true),
            changed(|http| http.success_if = Some(total_of(1))),
            changed(|http| http.success_if = Some(total_of(2))),
        ];
        let digests: std::collections::BTreeSet<String> = sources.iter().map(|source| of_source(source, &EnvFiles::new())).collect();
        assert_eq!(digests.len(), sources.len());
    }

    #[test]
    fn when_a_source_is_collected_and_how_often_it_is_asked_is_not() {
        let later = Source { lag: Duration::from_secs(1), max_windows: 2, ..of_http(HttpSpec { every: Duration::from_secs(1), ..http() }) };
        assert_eq!(of_source(&later, &EnvFiles::new()), of_source(&of_http(http()), &EnvFiles::new()));
    }

    /// Stored by every version since the first: another digest would release every quarantine.
    #[test]
    fn format_1_is_what_it_always_was() {
        let mut report = etl("call_summary", "Call Summary");
        report.version = Some("3".to_owned());
        let command = CommandSpec {
            argv: ["python", "-m", "summary", "{bank_symbol}"].map(|text| Template::parse(text, Scope::ALL).unwrap()).to_vec(),
            cwd: PathBuf::from("/srv/aegis"),
            env: vec![("YEAR".to_owned(), Template::parse("{fiscal_year}", Scope::ALL).unwrap())],
            timeout: Duration::from_millis(90_500),
            env_file: Some(PathBuf::from("/srv/.env")),
            ..command()
        };
        let exit_codes = ExitCodes { config: [2, 64].into(), not_ready: [].into(), ..ExitCodes::default() };
        report.work = Work::Command { command: command.clone(), exit_codes };
        report.requires = vec!["transcripts".to_owned()];
        let by_orchestrator =
            Etl { reports: ReportsBy::Orchestrator { output: Template::parse("/r/{period}.md", Scope::ALL).unwrap() }, ..report.clone() };
        let program = Source { work: report.work.clone(), verify: Some(Verify::Sql(template("select '{window_end}'"))), ..source("house") };
        let mut service = http();
        service.trigger.headers.push(("X-API-Key".to_owned(), template("key")));
        service.trigger.json = Some(Body::Object(vec![
            ("source".to_owned(), Body::Text(template("house"))),
            ("year".to_owned(), Body::Text(template("{window_year}"))),
            ("quote".to_owned(), Body::Text(template("a \"b\" {{c}} until {window_end}"))),
            ("list".to_owned(), Body::List([Value::Null, true.into(), 100.into(), 1.5.into()].map(Body::Plain).to_vec())),
        ]));
        service.cancel = Some(service.status.clone());
        service.request_timeout = Duration::from_micros(2_500);
        service.ca_file = Some(PathBuf::from("/etc/ca.pem"));
        let verified = Source { verify: Some(Verify::Command(command)), ..of_http(service) };
        let none = EnvFiles::new();
        let digests = [
            of_etl(&report, &none),
            of_etl(&by_orchestrator, &file("/srv/.env", "value")),
            of_source(&source("house"), &none),
            of_source(&program, &none),
            of_source(&of_http(http()), &none),
            of_source(&verified, &none),
        ];
        assert_eq!(
            digests,
            ["20a648cecc518512", "c44ba3005adf6249", "0518d5de462a3564", "1637d2e541587707", "9fccff99e715d8d2", "c3c854341fe87768"]
        );
    }

    #[test]
    fn the_variables_of_both_programs_are_in_the_digest() {
        let named = |name: &str| CommandSpec { env_file: Some(PathBuf::from(name)), ..command() };
        let source = Source { work: program(named("/a")), verify: Some(Verify::Command(named("/b"))), ..source("house") };
        let files = |a: &str, b: &str| {
            let mut files = file("/a", a);
            files.extend(file("/b", b));
            of_source(&source, &files)
        };
        assert!(files("1", "1") != files("2", "1") && files("1", "1") != files("1", "2") && files("1", "1") == files("1", "1"));
    }

    #[test]
    fn a_placeholder_is_found_wherever_it_is() {
        let verified = |verify| Source { verify: Some(verify), ..source("house") };
        let mut by_env = command();
        by_env.env.push(("YEAR".to_owned(), template("{window_year}")));
        let mut header = http();
        header.status.headers.push(("X-Year".to_owned(), template("{window_year}")));
        let mut body = http();
        body.trigger.json = Some(Body::List(vec![Body::Text(template("y{window_year}"))]));
        let cancel = HttpSpec { cancel: Some(body.trigger.clone()), ..http() };
        let command = program(by_env.clone());
        for source in [
            verified(Verify::Sql(template("select {window_year}"))),
            verified(Verify::Command(by_env)),
            Source { work: command, ..source("house") },
            of_http(header),
            of_http(body),
            of_http(cancel),
        ] {
            assert!(source.uses(Placeholder::WindowYear), "{source:?}");
        }
        assert!(!of_http(http()).uses(Placeholder::WindowYear));
        assert!(of_http(http()).uses(Placeholder::RemoteId));
    }
}
