//! Pings for a dead man's switch, in the shape of healthchecks.io: it raises an alarm when it hears of a failure, and when it hears nothing.
//!
//! Only runs that look at everything are told of: one of a single bank must not hide that the others have stopped. A run that is stopped by a
//! signal pings no end. Nobody knows what it would have come to, and if no later run ends well either, the switch notices.

use url::Url;

use super::channel::{Channel, Feed, Trouble};
use super::http::{self, Http, Post};
use crate::plan::model::ids::RunId;
use crate::plan::model::tell::{Address, Headers};
use crate::plan::run::told::{RunBegin, RunEnd};

/// Bytes of text that are sent with a ping, from its end.
const MOST_TEXT: usize = 8 * 1024;

/// Pings an address.
pub(super) struct Pings {
    address: Address,
    http: Http,
}

/// What a ping means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    Start,
    Success,
    Fail,
    /// Kept by the receiver, but without a meaning.
    Log,
}

impl Pings {
    pub(super) fn new(address: Address, http: Http) -> Self {
        Self { address, http }
    }

    async fn send(&self, ping: Ping, run: Option<RunId>, text: &str) -> Result<u16, Trouble> {
        let url = url_of(http::url(&self.address)?, ping, run);
        let body = last_of(text).as_bytes().to_vec();
        let (shown, headers) = (&self.address, &Headers::new());
        self.http.post(Post { url, shown, headers, content_type: "text/plain; charset=utf-8", body }).await
    }
}

#[async_trait::async_trait]
impl Channel for Pings {
    fn name(&self) -> &'static str {
        "pings"
    }

    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        if !run.is_whole {
            return Ok(());
        }
        if let Err(trouble) = self.send(Ping::Start, Some(run.id), "").await {
            feed.failed(&trouble);
        }
        let Some(end) = feed.end().await else { return Ok(()) };
        let Some(ping) = ping_of(&end) else { return Ok(()) };
        self.send(ping, Some(run.id), &end.text).await.map(drop)
    }

    async fn test(&self) -> Result<String, Trouble> {
        let status = self.send(Ping::Log, None, "etl-orch tell test").await?;
        Ok(format!("POST {}/log answered {status}", self.address))
    }
}

/// The ping of an end; `None` for a run that was stopped.
fn ping_of(end: &RunEnd) -> Option<Ping> {
    match (end.stopped_by, end.is_success) {
        (Some(_), _) => None,
        (None, true) => Some(Ping::Success),
        (None, false) => Some(Ping::Fail),
    }
}

fn url_of(mut url: Url, ping: Ping, run: Option<RunId>) -> Url {
    let last = match ping {
        Ping::Start => Some("start"),
        Ping::Success => None,
        Ping::Fail => Some("fail"),
        Ping::Log => Some("log"),
    };
    // The address has a host, so that it has a path.
    if let (Some(last), Ok(mut path)) = (last, url.path_segments_mut()) {
        path.pop_if_empty().push(last);
    }
    if let Some(run) = run {
        url.query_pairs_mut().append_pair("rid", &run.to_string());
    }
    url
}

/// The last lines of a text that may be sent.
fn last_of(text: &str) -> &str {
    let too_much = text.len().saturating_sub(MOST_TEXT);
    if too_much == 0 {
        return text;
    }
    // From the beginning of a line, if there is one.
    let rest = (too_much..=text.len()).find_map(|at| text.get(at..)).unwrap_or_default();
    rest.split_once('\n').map_or(rest, |(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_ping_is_a_path_below_the_address_and_names_the_run() {
        let url = |text: &str, ping| url_of(Url::parse(text).unwrap(), ping, Some(RunId::new(Uuid::from_u128(7)))).to_string();
        let rid = "rid=00000000-0000-0000-0000-000000000007";
        assert_eq!(url("https://h/key", Ping::Start), format!("https://h/key/start?{rid}"));
        assert_eq!(url("https://h/key/", Ping::Fail), format!("https://h/key/fail?{rid}"));
        assert_eq!(url("https://h/key/slug?create=1", Ping::Success), format!("https://h/key/slug?create=1&{rid}"));
        assert_eq!(url_of(Url::parse("https://h").unwrap(), Ping::Log, None).to_string(), "https://h/log");
    }

    #[test]
    fn the_last_whole_lines_of_a_long_text_are_sent() {
        assert_eq!(last_of("short\n"), "short\n");
        let lines = "é23456789\n".repeat(MOST_TEXT);
        let last = last_of(&lines);
        assert!(last.len() <= MOST_TEXT && last.len() > MOST_TEXT - 20, "{}", last.len());
        assert!(last.starts_with("é2") && last.ends_with("9\n"), "{last:?}");
        assert_eq!(last_of(&"é".repeat(MOST_TEXT)).len(), MOST_TEXT);
    }
}
