//! Tells people of changes by mail, handed over to a server by SMTP.

use std::error::Error;
use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;

use super::channel::{Channel, Feed, Trouble};
use crate::os::blocking;
use crate::plan::model::ids::RunId;
use crate::plan::model::tell::{self, MAIL, MailSecurity, MailServer};
use crate::plan::run::told::RunBegin;

/// Sends mail.
pub(super) struct Mail {
    settings: tell::Mail,
    /// Of each step of a delivery.
    timeout: Duration,
}

impl Mail {
    pub(super) fn new(settings: tell::Mail, timeout: Duration) -> Self {
        Self { settings, timeout }
    }

    async fn send(&self, run: Option<RunId>, subject: &str, text: &str) -> Result<(), Trouble> {
        let server = &self.settings.server;
        let mail = self.message(run, subject, text)?;
        self.transport().await?.send(mail).await.map_err(|error| Trouble(format!("{server} did not take the mail: {}", why(&error))))?;
        Ok(())
    }

    fn message(&self, run: Option<RunId>, subject: &str, text: &str) -> Result<Message, Trouble> {
        let tell::Mail { from, to, subject_prefix, .. } = &self.settings;
        let from = mailbox(from)?;
        // The same message has the same id, also if it is sent again.
        let id = run.map(|run| format!("<{run}@{}>", from.email.domain()));
        let mut builder: MessageBuilder = Message::builder().from(from).subject(format!("{subject_prefix} {subject}")).message_id(id);
        for to in to {
            builder = builder.to(mailbox(to)?);
        }
        let mail = builder.header(AutoSubmitted).header(ContentType::TEXT_PLAIN).body(text.to_owned());
        mail.map_err(|error| Trouble(format!("the mail cannot be written: {error}")))
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Trouble> {
        let server = self.settings.server.clone();
        let tls = blocking::run(move || tls(&server)).await.map_err(|error| Trouble(format!("no mail can be sent: {error}")))?;
        let tls = tls.map_err(|error| Trouble(format!("no mail can be sent: {}", why(&error))))?;
        let MailServer { host, port, .. } = &self.settings.server;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(*port).tls(tls).timeout(Some(self.timeout));
        let builder = match &self.settings.login {
            Some((user, password)) => builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned())),
            None => builder,
        };
        Ok(builder.build())
    }
}

#[async_trait::async_trait]
impl Channel for Mail {
    fn name(&self) -> &'static str {
        MAIL
    }

    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        let Some(end) = feed.end().await else { return Ok(()) };
        let Some(message) = end.messages.get(self.name()) else { return Ok(()) };
        self.send(Some(run.id), &message.subject, &message.text).await
    }

    async fn test(&self) -> Result<String, Trouble> {
        self.send(None, "test", "etl-orch tell test\n").await?;
        Ok(format!("{} took a mail to {}", self.settings.server, self.settings.to.join(", ")))
    }
}

/// The certificates of the system are read for it, which may take its time.
fn tls(server: &MailServer) -> Result<Tls, smtp::Error> {
    let is_local = server.security == MailSecurity::Local;
    let parameters = TlsParameters::builder(server.host.clone()).dangerous_accept_invalid_certs(is_local).build()?;
    Ok(match server.security {
        MailSecurity::Tls => Tls::Wrapper(parameters),
        MailSecurity::StartTls => Tls::Required(parameters),
        MailSecurity::Local => Tls::Opportunistic(parameters),
    })
}

/// An address of the configuration.
///
/// # Errors
/// Never in practice: it was checked.
fn mailbox(address: &str) -> Result<Mailbox, Trouble> {
    address.parse().map_err(|error| Trouble(format!("{address} is no address of mail: {error}")))
}

/// The answer of the server or, where there is none, what the error comes from.
fn why(error: &smtp::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source().filter(|_| error.status().is_none()) {
        cause = source;
    }
    cause.to_string()
}

/// That a program sends it, so that nobody's absence is answered (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

const AUTO_GENERATED: &str = "auto-generated";

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), AUTO_GENERATED.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_elsewhere_without_starttls_gets_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let mut connection = BufReader::new(listener.accept().await.unwrap().0);
            connection.write_all(b"220 mail.example.com\r\n").await.unwrap();
            let mut heard = Vec::new();
            let mut line = String::new();
            while connection.read_line(&mut line).await.is_ok_and(|length| length > 0) {
                heard.push(line.split_whitespace().next().unwrap_or_default().to_owned());
                line.clear();
                connection.write_all(b"250-mail.example.com\r\n250 AUTH PLAIN LOGIN\r\n").await.unwrap();
            }
            heard
        });
        let server = MailServer { security: MailSecurity::StartTls, host: "127.0.0.1".to_owned(), port };
        let settings = tell::Mail {
            server,
            login: Some(("user".to_owned(), "secret".into())),
            from: "a@example.com".to_owned(),
            to: vec!["b@example.com".to_owned()],
            subject_prefix: "[x]".to_owned(),
        };
        let Trouble(why) = Mail::new(settings, Duration::from_secs(60)).test().await.unwrap_err();
        assert!(why.starts_with(&format!("smtp://127.0.0.1:{port} did not take the mail: ")) && !why.contains("secret"), "{why}");
        let heard = heard.await.unwrap();
        assert!(heard.iter().all(|word| ["EHLO", "QUIT"].contains(&word.as_str())), "{heard:?}");
    }
}
