//! A throw-away PostgreSQL: one cluster for each test process, one database for each test.
//!
//! A small shell script starts the cluster, and reads a pipe from the test process. However that process ends, the pipe ends with it,
//! and the script stops the server and removes its directory. When a test stops the server, the script starts it again.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const INSTALL: &str = "the PostgreSQL server is needed by this test: apt-get install postgresql";
const START_DEADLINE: Duration = Duration::from_secs(120);
const SUPERVISOR: &str = r#"
bin=$1 dir=$2 port=$3
stop() {
    : >"$dir/stopping"
    server=$(cat "$dir/server.pid" 2>/dev/null) && { kill -QUIT "$server"; kill -TERM "$server"; } 2>/dev/null
    wait
    rm -rf "$dir"
}
serve() {
    "$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 \
        -c fsync=off -c full_page_writes=off -c max_connections=200 &
    echo $! >"$dir/server.pid"
    wait $!
}
trap stop EXIT
{
    "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
    while [ ! -e "$dir/stopping" ] && serve; do :; done
    echo >"$dir/failed"
} >"$dir/log" 2>&1 &
cat >/dev/null
"#;

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database of its own for one test.
pub(crate) struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// An empty database; starts the server when this is the first.
    ///
    /// Panics with the install line when there is no PostgreSQL.
    pub(crate) fn create() -> Self {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        run(Server::get().psql("postgres"), &format!("CREATE DATABASE {name}"));
        Self { name }
    }

    /// Its URL, by Unix socket.
    pub(crate) fn url(&self) -> String {
        let server = Server::get();
        format!("postgres://postgres@localhost:{}/{}?host={}", server.port, self.name, server.dir.display())
    }

    /// A `psql` that prints bare rows.
    pub(crate) fn psql(&self) -> Command {
        Server::get().psql(&self.name)
    }

    /// Runs statements, and returns the rows, a line each with `|` between the columns.
    pub(crate) fn sql(&self, statements: &str) -> String {
        run(self.psql(), statements)
    }
}

/// Some tests make hundreds of databases.
impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Best effort: a test may have stopped the server, and the directory is removed in the end.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = Server::get().psql("postgres").args(["-c", &drop]).output();
    }
}

struct Server {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    /// Holds the pipe for as long as this process lives.
    _supervisor: Child,
}

impl Server {
    fn get() -> &'static Self {
        SERVER.get_or_init(|| {
            let bin = installed().unwrap_or_else(|| panic!("{INSTALL}"));
            // Another process may take the free port before the server does.
            (0..5).find_map(|_| Self::start(&bin)).unwrap_or_else(|| panic!("no free port for the test server"))
        })
    }

    fn start(bin: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let dir = tempfile::Builder::new().prefix("etl-orch-pg.").tempdir_in(short_temp_dir()).expect("a directory").keep();
        let user = server_user();
        if let Some((uid, gid)) = user {
            chown(&dir, Some(uid), Some(gid)).expect("giving the directory to the server's user");
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("closing the directory");

        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "supervisor"]).arg(bin).arg(&dir).arg(port.to_string());
        if let Some((uid, gid)) = user {
            supervisor.uid(uid).gid(gid);
        }
        let child = supervisor
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("starting sh");
        let server = Self { bin: bin.to_owned(), dir, port, _supervisor: child };

        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if server.client("pg_isready", "postgres").output().is_ok_and(|output| output.status.success()) {
                return Some(server);
            }
            let log = || fs::read_to_string(server.dir.join("log")).unwrap_or_default();
            if server.dir.join("failed").exists() {
                let log = log();
                assert!(log.contains("already in use") || log.contains("could not create any TCP/IP sockets"), "the server failed:\n{log}");
                return None;
            }
            assert!(Instant::now() < deadline, "the server does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.arg("-h").arg(&self.dir).args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database]);
        command.stdin(Stdio::null());
        command
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = self.client("psql", database);
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1"]);
        psql
    }
}

fn run(mut psql: Command, statements: &str) -> String {
    let Output { status, stdout, stderr } = psql.args(["-c", statements]).output().expect("starting psql");
    assert!(status.success(), "{statements}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).trim_end().to_owned()
}

/// The directory of the server's programs: that of `pg_config`, or the newest under Debian's.
fn installed() -> Option<PathBuf> {
    let configured = Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success());
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort();
    let found = configured.into_iter().chain(debian.into_iter().rev().map(|(_, bin)| bin));
    found.into_iter().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// User and group for the server, which refuses to run as root. `None` when we are not root.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut passwd = String::new();
    fs::File::open("/etc/passwd").and_then(|mut file| file.read_to_string(&mut passwd)).expect("reading /etc/passwd");
    ["postgres", "nobody"].into_iter().find_map(|name| {
        let fields: Vec<&str> = passwd.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    })
}

/// The path of a socket may have about a hundred bytes.
fn short_temp_dir() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { usual }
}
