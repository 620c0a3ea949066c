//! What came of trying the channels.

use serde::Serialize;

use super::View;
use super::words::Untrusted;
use crate::tell::telling::Tested;

/// The channels that were tried.
#[derive(Debug, Serialize)]
pub struct TestView {
    channels: Vec<ChannelView>,
}

#[derive(Debug, Serialize)]
struct ChannelView {
    channel: &'static str,
    ok: bool,
    /// What was sent, or why it was not received.
    message: Untrusted<'static>,
}

impl TestView {
    /// The view of what came of each.
    pub fn new(tested: &[Tested]) -> Self {
        let view = |tested: &Tested| {
            let (ok, message) = match &tested.result {
                Ok(message) => (true, message.clone()),
                Err(trouble) => (false, trouble.to_string()),
            };
            ChannelView { channel: tested.channel, ok, message: message.into() }
        };
        Self { channels: tested.iter().map(view).collect() }
    }
}

impl View for TestView {
    fn kind(&self) -> &'static str {
        "tell_test"
    }

    fn text(&self) -> String {
        let width = self.channels.iter().map(|channel| channel.channel.len()).max().unwrap_or_default();
        let line = |ChannelView { channel, ok, message }: &ChannelView| {
            let mark = if *ok { "[OK]  " } else { "[FAIL]" };
            format!("{mark} {channel:width$}  {message}\n")
        };
        self.channels.iter().map(line).collect()
    }
}
