//! Connections: refused, broken, distrusted. (Proxies are tested by the whole binary, which has an environment of its own.)

use std::io::Write;
use std::time::Duration;

use etl_orch::execute::{End, Ended};
use etl_orch::plan::model::outcome::Fault;
use etl_orch::plan::model::work::HttpSpec;

use crate::http::{Rig, spec};
use crate::wire::{Certificates, answer, read_request, refusing_address, serve};

fn reported(ended: Ended) -> (String, Fault) {
    match ended.end {
        End::Reported { why, fault } => (why, fault),
        other => panic!("{other:?}: {}", ended.tail),
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_was_not_asked() {
    let rig = Rig::new();
    let (_taken, address) = refusing_address();
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
            assert!(read_request(&mut connection).starts_with("POST /etl/trigger"));
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
    for (length, sent, words) in [(100, "{\"job_id\"", "broke off"), (100, "", "broke off"), (2_000_000, "{}", "broke off")] {
        let rig = Rig::new();
        let port = serve(move |_, mut connection| {
            read_request(&mut connection);
            write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{sent}").unwrap();
        });
        let (why, fault) = reported(rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await);
        assert_eq!(fault, Fault::Uncertain);
        assert!(why.contains(words), "{why}");
    }

    let rig = Rig::new();
    let port = serve(|_, mut connection| {
        read_request(&mut connection);
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
        read_request(&mut connection);
        match number {
            0 => answer(&mut connection, r#"{"job_id": 7}"#),
            1..=3 => drop(connection),
            _ => answer(&mut connection, r#"{"status": "completed"}"#),
        }
    });
    let ended = rig.run(rig.call_of(spec(&format!("http://127.0.0.1:{port}")))).await;
    assert_eq!(ended.end, End::Completed, "{}", ended.tail);
    assert_eq!(ended.tail.matches("/etl/status/7 has no answer").count(), 3, "{}", ended.tail);
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
