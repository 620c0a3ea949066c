//! Tells a chat of changes, by an incoming webhook as Slack has it: a JSON object whose `text` people read. Our facts stand beside it.

use super::channel::{Channel, Feed, Trouble};
use super::http::{self, Http, Post};
use crate::plan::model::tell::{self, WEBHOOK};
use crate::plan::run::told::RunBegin;

/// Posts to a chat.
pub(super) struct Webhook {
    settings: tell::Webhook,
    http: Http,
}

impl Webhook {
    pub(super) fn new(settings: tell::Webhook, http: Http) -> Self {
        Self { settings, http }
    }

    async fn post(&self, json: String) -> Result<u16, Trouble> {
        let tell::Webhook { url: shown, headers } = &self.settings;
        let post = Post { url: http::url(shown)?, shown, headers, content_type: "application/json", body: json.into_bytes() };
        self.http.post(post).await
    }
}

#[async_trait::async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        WEBHOOK
    }

    async fn tell(&self, _: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        let Some(end) = feed.end().await else { return Ok(()) };
        let Some(message) = end.messages.get(self.name()) else { return Ok(()) };
        self.post(message.json.clone()).await.map(drop)
    }

    async fn test(&self) -> Result<String, Trouble> {
        let json = serde_json::json!({"text": "etl-orch tell test", "kind": "test", "changes": []});
        let status = self.post(json.to_string()).await?;
        Ok(format!("POST {} answered {status}", self.settings.url))
    }
}
