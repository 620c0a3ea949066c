//! How PostgreSQL is reached: addresses, TLS, parameters, and a pooler in between.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::world::{Done, Kind, World, until};

fn says(done: &Done, words: &[&str]) {
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {done:?}");
    }
}

/// Takes the database out of the configuration; variables in `.env` name it instead.
fn by_variables(world: &World, variables: &str) {
    let config: String = world
        .read("etl-orch.yaml")
        .lines()
        .filter(|line| !line.starts_with("database:"))
        .fold(String::new(), |all, line| all + line + "\n");
    world.write("etl-orch.yaml", &config);
    world.write(".env", variables);
    fs::set_permissions(world.path(".env"), fs::Permissions::from_mode(0o600)).expect("a mode");
}

#[test]
fn a_server_without_tls_is_used_once_a_variable_says_so() {
    let world = World::new(Kind::Postgres);
    world.available("RY", 1, 2025, "Q2");
    let url: url::Url = world.url().parse().expect("a URL");
    // The resolver takes this name for the loopback address; etl-orch for that of another host, as `db` is.
    let server = format!(
        "POSTGRES_HOST=127.1\nPOSTGRES_PORT={}\nPOSTGRES_DATABASE={}\nPOSTGRES_USER=postgres\n",
        url.port().expect("a port"),
        url.path().trim_start_matches('/')
    );
    by_variables(&world, &server);
    says(&world.run_to(1, &["--dry-run"]), &["offers no TLS", "set PGSSLMODE=disable (in the environment or in .env)"]);
    by_variables(&world, &format!("{server}PGSSLMODE=never\n"));
    says(&world.run_to(2, &["--dry-run"]), &["variable PGSSLMODE must be one of disable, allow"]);
    by_variables(&world, &format!("{server}PGSSLMODE=disable\n"));
    let done = world.run_to(0, &["--dry-run"]);
    assert!(done.stdout.contains("RY"), "{done:?}");
}

#[test]
fn an_address_of_version_6_is_an_address() {
    let world = World::new(Kind::Sqlite);
    for host in ["::1", "[::1]"] {
        // Nothing listens on port 1, wherever there is such an address.
        by_variables(&world, &format!("POSTGRES_HOST={host}\nPOSTGRES_PORT=1\nPOSTGRES_DATABASE=d\nPOSTGRES_USER=u\n"));
        let done = world.run_to(1, &["--dry-run"]);
        says(&done, &["[::1]:1: "]);
        assert!(!done.stderr.contains("lookup"), "{done:?}");
    }
}

#[test]
fn no_parameter_is_ignored() {
    let world = World::new(Kind::Postgres);
    let config = world.read("etl-orch.yaml");
    let with = |parameters: &str| world.write("etl-orch.yaml", &config.replace(world.url(), &format!("{}&{parameters}", world.url())));
    for (parameters, words) in [
        ("pgbouncer=true", "pooler in transaction mode"),
        ("channel_binding=require", "database.url: channel_binding cannot be require"),
        ("sslcrl=x.pem", "database.url: sslcrl has no effect here; remove it"),
    ] {
        with(parameters);
        says(&world.run_to(2, &["--dry-run"]), &[words]);
    }
    with("connect_timeout=20&target_session_attrs=read-write&channel_binding=prefer&application_name=mine&options=-c%20work_mem%3D8MB");
    let done = world.run_to(0, &["--dry-run", "--log-level", "trace"]);
    assert!(!done.stderr.contains("unrecognized"), "{done:?}");
}

/// A pgbouncer in front of a test's server, with the databases `shared` (transaction mode) and `own` (session mode).
struct Pooler {
    directory: TempDir,
    process: Child,
}

impl Pooler {
    fn start(world: &World, settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url: url::Url = world.url().parse().expect("a URL");
        let server = url.query_pairs().find(|(name, _)| name == "host").expect("a socket").1.into_owned();
        let to = format!("host={server} port={} dbname={} user=postgres", url.port().expect("a port"), url.path().trim_start_matches('/'));
        let file = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\nshared = {to} pool_mode=transaction\nown = {to} pool_mode=session\n\
             [pgbouncer]\nunix_socket_dir = {}\nlisten_port = 6432\nauth_type = any\n{settings}\n",
            directory.path().display()
        );
        fs::write(&file, text).expect("a file");
        let mut pgbouncer = Command::new(program());
        pgbouncer.arg("-q");
        if rustix::process::geteuid().is_root() {
            // As the user of the server, whose socket is for nobody else.
            let owner = Command::new("stat").args(["-c", "%U", &server]).output().expect("stat is there").stdout;
            let of = fs::metadata(&server).expect("the directory of the server");
            chown(directory.path(), Some(of.uid()), Some(of.gid())).expect("giving the directory away");
            pgbouncer.args(["-u", String::from_utf8_lossy(&owner).trim()]);
        }
        let process = pgbouncer.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pooler = Self { process: process.expect("pgbouncer is installed; scripts/test.sh does it"), directory };
        until("pgbouncer listens", || UnixStream::connect(pooler.directory.path().join(".s.PGSQL.6432")).is_ok());
        pooler
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:6432/{database}?host={}", self.directory.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // A test that fails has said why.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> PathBuf {
    let usual = Path::new("/usr/sbin/pgbouncer");
    if usual.exists() { usual.to_owned() } else { "pgbouncer".into() }
}

#[test]
fn a_pooler_is_used_if_each_connection_has_a_session_of_its_own() {
    let world = World::new(Kind::Postgres);
    world.available("RY", 1, 2025, "Q2");
    let config = world.read("etl-orch.yaml");
    let through = |url: &str| world.write("etl-orch.yaml", &config.replace(world.url(), url));
    let usual = Pooler::start(&world, "");
    through(&usual.url("shared"));
    says(&world.run_to(1, &["--dry-run"]), &["this is a pooler (pgbouncer)", "pool_mode = session"]);

    let lenient = Pooler::start(&world, "ignore_startup_parameters = options");
    through(&lenient.url("shared"));
    for args in [&["--dry-run"][..], &["run"]] {
        says(&world.run_to(1, args), &["this is a pooler (pgbouncer)", "pool_mode = session"]);
    }
    through(&lenient.url("own"));
    world.run_to(0, &["--dry-run"]);
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes"]);
}
