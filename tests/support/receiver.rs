//! Whoever is told of runs: keeps what it gets, and answers as the test wants.

#![allow(clippy::allow_attributes, dead_code, reason = "shared by test binaries that each use a part of it")]

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::wire::read_request;
use super::world::until;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// `POST /key/start?rid=...`
    pub(crate) line: String,
    /// Its headers, a line each.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What requests are answered with from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(u16),
    /// This status, header and body.
    Answer(u16, &'static str, &'static str),
    /// Nothing, and the connection stays open.
    Never,
}

/// A server on a port of its own, until the end of the test's process.
pub(crate) struct Receiver {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    reply: Reply,
    requests: Vec<Received>,
    open: Vec<TcpStream>,
}

impl Receiver {
    /// It answers with 200.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a socket").port();
        let state = Arc::new(Mutex::new(State { reply: Reply::Status(200), requests: Vec::new(), open: Vec::new() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || receive(connection, &shared));
            }
        });
        Self { port, state }
    }

    /// Its address with this path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn replies(&self, reply: Reply) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reply = reply;
    }

    /// What it got so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// The same, and it forgets it.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).requests)
    }

    /// Waits until it got so many.
    pub(crate) fn until(&self, many: usize) {
        until(&format!("{many} requests were received"), || self.requests().len() >= many);
    }
}

fn receive(mut connection: TcpStream, state: &Mutex<State>) {
    let request = read_request(&mut connection);
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
    let (line, head) = head.split_once("\r\n").unwrap_or((head, ""));
    if line.is_empty() {
        return;
    }
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.requests.push(Received { line, head: head.to_owned(), body: body.to_owned() });
    let (status, header, body) = match state.reply {
        Reply::Status(status) => (status, "X-Nothing: 1", ""),
        Reply::Answer(status, header, body) => (status, header, body),
        Reply::Never => return state.open.push(connection),
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} Status\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    // The other side may be gone.
    let _ = std::io::Write::write_all(&mut connection, answer.as_bytes());
}
