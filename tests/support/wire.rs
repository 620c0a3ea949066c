//! Servers that answer byte by byte, that speak TLS, or that do not listen.

#![allow(clippy::allow_attributes, dead_code, reason = "shared by test binaries that each use a part of it")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A local address that refuses connections. No other process gets it while the socket is held.
pub(crate) fn refusing_address() -> (OwnedFd, SocketAddr) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket).expect("a socket")).expect("an address");
    (socket, address)
}

/// Starts a server that calls `each` with every connection and its number. Returns its port.
pub(crate) fn serve(mut each: impl FnMut(usize, TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a socket").port();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            each(number, connection.expect("a connection"));
        }
    });
    port
}

/// Reads a request with its body.
pub(crate) fn read_request(connection: &mut impl Read) -> String {
    let mut request = String::new();
    let mut bytes = [0; 4096];
    while request.split_once("\r\n\r\n").is_none_or(|(head, body)| body.len() < content_length(head)) {
        match connection.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(length) => request.push_str(&String::from_utf8_lossy(&bytes[..length])),
        }
    }
    request
}

fn content_length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
    length.map_or(0, |length| length.trim().parse().expect("a length"))
}

/// Answers with 200 and this body, then closes.
pub(crate) fn answer(connection: &mut impl Write, json: &str) {
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}", json.len());
    connection.write_all(text.as_bytes()).expect("the client reads");
    connection.flush().expect("the client reads");
}

/// A certificate for 127.0.0.1, and the authority that signed it.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    server: Arc<ServerConfig>,
}

impl Certificates {
    /// Creates them in this directory; `name` is a subject alternative name such as `IP:127.0.0.1`.
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let script = r#"set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj "/CN=Authority of the test" -days 2
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out request.pem -subj /CN=service
            echo "subjectAltName=$NAME" > extensions
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem"#;
        let made = Command::new("sh").args(["-c", script]).env("NAME", name).current_dir(dir).output().expect("sh");
        assert!(made.status.success(), "is openssl installed? {}", String::from_utf8_lossy(&made.stderr));
        let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).expect("a key");
        let server = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("usual versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        Self { authority: dir.join("ca.pem"), server: Arc::new(server) }
    }

    /// Starts a service with one job, which is complete at once. Returns its port.
    pub(crate) fn serve(&self) -> u16 {
        let config = self.server.clone();
        serve(move |_, connection| {
            let mut connection =
                StreamOwned::new(ServerConnection::new(config.clone()).expect("a configuration that can be used"), connection);
            match read_request(&mut connection) {
                request if request.starts_with("POST") => answer(&mut connection, r#"{"job_id": "7"}"#),
                request if request.starts_with("GET") => answer(&mut connection, r#"{"status": "completed"}"#),
                _ => {}
            }
        })
    }
}
