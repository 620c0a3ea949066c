//! Requests without an answer: the reason, and whether the service may have received them.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustls::CertificateError;

use super::request::Request;
use crate::plan::text::span;

/// Why a request has no answer. The words name no more than method, host and path.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It was never sent; a later try may work.
    NotSent(String),
    /// It was never sent, as this host was short of open files or memory.
    HostShort(String),
    /// It was never sent, as the other side cannot be trusted.
    Distrusted(String),
    /// It may have been received.
    Sent(String),
}

impl Unanswered {
    /// What the error of a request with this limit means.
    pub(super) fn new(error: &reqwest::Error, request: &Request, limit: Duration) -> Self {
        let origin = request.origin();
        if let Some(problem) = tls_problem(error) {
            return Self::Distrusted(format!("cannot connect to {origin}: {problem}"));
        }
        if error.is_connect() {
            let why = if error.is_timeout() { "no connection in time".to_owned() } else { innermost(error) };
            if is_host_short(error) {
                let way_out = "raise the limit of open files (ulimit -n) or lower `max_parallel`";
                return Self::HostShort(format!("cannot connect to {}: {why}; {way_out}", host_and_port(request)));
            }
            let hint = if has_proxy() { " (the environment names a proxy)" } else { "" };
            return Self::NotSent(format!("cannot connect to {}: {why}{hint}", host_and_port(request)));
        }
        if error.is_builder() {
            return Self::NotSent(format!("{} cannot be sent: {}", request.shown(), innermost(error)));
        }
        if error.is_timeout() {
            return Self::Sent(format!("{} has no answer within {}", request.shown(), span::exact(limit)));
        }
        Self::Sent(format!("{} has no answer: {}", request.shown(), innermost(error)))
    }

    pub(super) fn why(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::HostShort(why) | Self::Distrusted(why) | Self::Sent(why) => why,
        }
    }
}

fn host_and_port(request: &Request) -> String {
    let host = request.url.host_str().unwrap_or_default();
    request.url.port_or_known_default().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

fn has_proxy() -> bool {
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].iter().any(|name| std::env::var_os(name).is_some())
}

/// An error and those below it, the outermost first. What an I/O error wraps is one of them.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn is_host_short(error: &reqwest::Error) -> bool {
    let errno = |cause: &(dyn Error + 'static)| cause.downcast_ref::<io::Error>().and_then(Errno::from_io_error);
    causes(error).filter_map(errno).any(|errno| matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS))
}

/// The innermost error, which has no address in it.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut last = "the connection failed".to_owned();
    for cause in causes(error).skip(1) {
        last = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
            Some(io::ErrorKind::ConnectionReset) => "connection reset".to_owned(),
            _ => cause.to_string(),
        };
    }
    last
}

/// What is wrong with the other side's certificate, or with its TLS altogether.
fn tls_problem(error: &reqwest::Error) -> Option<String> {
    let problem = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    Some(match problem {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by an authority that is not trusted here; name the signer's certificate in `ca_file`".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired; renew it there".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "its certificate is for another name; correct the address, or the certificate there".to_owned()
        }
        rustls::Error::InvalidMessage(_) => "it does not speak TLS at this port; correct the address".to_owned(),
        other => format!("{other}; if the certificate is signed by an authority of your own, name its certificate in `ca_file`"),
    })
}
