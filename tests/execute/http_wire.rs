//! Connections: refused, broken, distrusted, and by a proxy.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use etl_orch::execute::{End, Ended};
use etl_orch::plan::outcome::Fault;
use etl_orch::plan::source::HttpSpec;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::{Rig, spec};

fn reported(ended: Ended) -> (String, Fault) {
    match ended.end {
        End::Reported { why, fault } => (why, fault),
        other => panic!("{other:?}: {}", ended.tail),
    }
}

/// A server that hands each connection, with its number, to this; its port.
fn serve(mut each: impl FnMut(usize, TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            each(number, connection.unwrap());
        }
    });
    port
}

/// Reads a request, its short body included.
fn hear(connection: &mut impl Read) -> String {
    let mut heard = String::new();
    let mut bytes = [0; 4096];
    while heard.split_once("\r\n\r\n").is_none_or(|(head, body)| body.len() < length_in(head)) {
        match connection.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(length) => heard.push_str(&String::from_utf8_lossy(&bytes[..length])),
        }
    }
    heard
}

fn length_in(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

fn say(connection: &mut impl Write, json: &str) {
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}", json.len());
    connection.write_all(text.as_bytes()).unwrap();
    connection.flush().unwrap();
}

#[tokio::test]
async fn a_service_that_is_not_there_was_not_asked() {
    let rig = Rig::new();
    // Nobody else gets the port while this holds it, and it takes no connections.
    let taken = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&taken, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = std::net::SocketAddr::try_from(rustix::net::getsockname(&taken).unwrap()).unwrap();
    let (why, fault) = reported(rig.run(rig.call_of(spec(&format!("http://{address}")))).await);
    assert_eq!(fault, Fault::Transient);
    assert!(why.starts_with(&format!("cannot connect to {address}: connection refused")), "{why}");

    let (why, fault) = reported(Rig::new().run(rig.call_of(spec("http://no-such-host.invalid"))).await);
    assert_eq!(fault, Fault::Transient);
    assert!(why.starts_with("cannot connect to no-such-host.invalid:80: "), "{why}");
}

#[tokio::test]
async fn a_connection_that_comes_to_nothing_in_time_was_not_used() {
    let rig = Rig::new();
    let mut held = Vec::new();
    // It takes connections, and never answers the greeting of TLS.
    let port = serve(move |_, connection| held.push(connection));
    let mut call = rig.call_of(spec(&format!("https://127.0.0.1:{port}")));
    call.spec.request_timeout = Duration::from_secs(2);
    let (why, fault) = reported(rig.run(call).await);
    assert_eq!((why.as_str(), fault), (format!("cannot connect to 127.0.0.1:{port}: no connection in time").as_str(), Fault::Transient));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_trigger_leaves_it_uncertain() {
    for reset in [true, false] {
        let rig = Rig::new();
        let port = serve(move |_, mut connection| {
            assert!(hear(&mut connection).starts_with("POST /etl/trigger"));
            if reset {
                rustix::net::sockopt::set_socket_linger(&connection, Some(Duration::ZERO)).unwrap();
            }
        });
        let (why, fault) = reported(rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await);
        assert_eq!(fault, Fault::Uncertain, "{why}");
        assert!(why.contains("/etl/trigger has no answer: "), "{why}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_never_ends_is_none() {
    for (length, sent, words) in [(100, "{\"job_id\"", "broke off"), (100, "", "broke off"), (2_000_000, "{}", "longer than 1024 KiB")] {
        let rig = Rig::new();
        let port = serve(move |_, mut connection| {
            hear(&mut connection);
            write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{sent}").unwrap();
        });
        let (why, fault) = reported(rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await);
        assert_eq!(fault, Fault::Uncertain);
        assert!(why.contains(words), "{why}");
    }

    let rig = Rig::new();
    let port = serve(|_, mut connection| {
        hear(&mut connection);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Until the other side has had enough.
        while connection.write_all(format!("8000\r\n{}\r\n", "x".repeat(0x8000)).as_bytes()).is_ok() {}
    });
    let (why, _) = reported(rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await);
    assert!(why.contains("longer than 1024 KiB"), "{why}");
}

#[tokio::test]
async fn looks_that_break_are_repeated() {
    let rig = Rig::new();
    let port = serve(|number, mut connection| {
        hear(&mut connection);
        match number {
            0 => say(&mut connection, r#"{"job_id": 7}"#),
            1..=3 => drop(connection),
            _ => say(&mut connection, r#"{"status": "completed"}"#),
        }
    });
    let ended = rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await;
    assert_eq!(ended.end, End::Completed, "{}", ended.tail);
    assert_eq!(ended.tail.matches("/etl/status/7 has no answer").count(), 3, "{}", ended.tail);
}

/// A certificate for 127.0.0.1, and the authority that signed it.
struct Certificates {
    authority: PathBuf,
    server: Arc<ServerConfig>,
}

impl Certificates {
    fn new(dir: &Path, name: &str) -> Self {
        let script = r#"set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj "/CN=Authority of the test" -days 2
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out request.pem -subj /CN=service
            echo "subjectAltName=$NAME" > extensions
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem"#;
        let made = Command::new("sh").args(["-c", script]).env("NAME", name).current_dir(dir).output().unwrap();
        assert!(made.status.success(), "is openssl installed? {}", String::from_utf8_lossy(&made.stderr));
        let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
        let server = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self { authority: dir.join("ca.pem"), server: Arc::new(server) }
    }

    /// A service that does one job at once.
    fn serve(&self) -> u16 {
        let config = self.server.clone();
        serve(move |_, connection| {
            let mut connection = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), connection);
            match hear(&mut connection) {
                heard if heard.starts_with("POST") => say(&mut connection, r#"{"job_id": "7"}"#),
                heard if heard.starts_with("GET") => say(&mut connection, r#"{"status": "completed"}"#),
                _ => {}
            }
        })
    }
}

#[tokio::test]
async fn a_service_is_trusted_by_the_authority_that_was_named() {
    let rig = Rig::new();
    let certificates = Certificates::new(rig.dir.path(), "IP:127.0.0.1");
    let spec = spec(&format!("https://127.0.0.1:{}", certificates.serve()));
    let trusting = HttpSpec { ca_file: Some(certificates.authority), ..spec.clone() };
    assert_eq!(rig.run(rig.call_of(trusting)).await.end, End::Completed);
    std::fs::remove_dir_all(rig.dir.path().join("logs")).unwrap();
    let (why, fault) = reported(rig.run(rig.call_of(spec)).await);
    assert_eq!(fault, Fault::Configuration);
    assert!(why.contains("not trusted here; name the signer's certificate in `ca_file`"), "{why}");
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_not_trusted() {
    let rig = Rig::new();
    let certificates = Certificates::new(rig.dir.path(), "DNS:elsewhere.example");
    let spec = spec(&format!("https://127.0.0.1:{}", certificates.serve()));
    let (why, fault) = reported(rig.run(rig.call_of(HttpSpec { ca_file: Some(certificates.authority), ..spec })).await);
    assert_eq!(fault, Fault::Configuration);
    assert!(why.contains("its certificate is for another name"), "{why}");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_apart() {
    let rig = Rig::new();
    let url = rig.service.url().replace("http:", "https:");
    let (why, fault) = reported(rig.run(rig.call_of(spec(&url))).await);
    assert_eq!(fault, Fault::Configuration, "{why}");
    assert!(why.contains("does not speak TLS"), "{why}");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_named() {
    let rig = Rig::new();
    std::fs::write(rig.dir.path().join("garbage.pem"), "no certificate\n").unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    std::fs::write(rig.dir.path().join("broken.pem"), broken).unwrap();
    for (file, words) in [("none.pem", "cannot be read"), ("garbage.pem", "holds no certificate"), ("broken.pem", "holds no certificate")] {
        let ca_file = Some(rig.dir.path().join(file));
        let ended = rig.run(rig.call_of(HttpSpec { ca_file, ..spec(&rig.service.url()) })).await;
        let End::SpawnFailed(why) = ended.end else { panic!("{:?}", ended.end) };
        assert!(why.contains(file) && why.contains(words), "{why}");
    }
    assert_eq!(rig.service.requests().len(), 0);
}

/// The stand-in is its own proxy: it answers whatever host is asked for.
#[tokio::test]
async fn the_proxy_of_the_environment_is_used_unless_it_says_otherwise() {
    for (no_proxy, words) in [("elsewhere.example", "it came to Completed"), ("service.invalid", "cannot connect to service.invalid:80: ")]
    {
        let rig = Rig::new();
        let output = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "http_wire::in_an_environment_with_a_proxy"])
            .env("http_proxy", rig.service.url())
            .env("NO_PROXY", no_proxy)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(words), "{said}");
        assert_eq!(rig.service.triggers(), usize::from(no_proxy == "elsewhere.example"));
    }
}

#[tokio::test]
#[ignore = "a part of the test above, which runs it in another environment"]
async fn in_an_environment_with_a_proxy() {
    let rig = Rig::new();
    let ended = rig.run(rig.call_of(spec("http://service.invalid"))).await;
    println!("it came to {:?}", ended.end);
}
