//! A process that a test started, and what its end was; waits with deadlines.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The end of an invocation.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; 128 + n when signal n ended the process itself.
    pub(crate) code: i32,
    /// stdout.
    pub(crate) stdout: String,
    /// stderr.
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The summary as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running invocation. Killed when it is dropped before its end.
pub(crate) struct Running {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

impl Running {
    /// Starts a command with its output captured.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stdout = Captured::of(child.stdout.take().expect("piped"));
        let stderr = Captured::of(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Pid of the orchestrator; the process that was started is its guard.
    pub(crate) fn orchestrator(&self) -> u32 {
        let children = PathBuf::from(format!("/proc/{0}/task/{0}/children", self.pid()));
        let mut pid = None;
        until("the orchestrator is there", || {
            let text = fs::read_to_string(&children).unwrap_or_default();
            pid = text.split_whitespace().next().and_then(|pid| pid.parse().ok());
            pid.is_some()
        });
        pid.expect("found")
    }

    /// Sends it a signal, by name: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        kill(name, self.pid());
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Whether its stderr contains this text by now.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.stderr.text().contains(text)
    }

    /// Waits until its stderr contains this text.
    pub(crate) fn until_it_says(&self, text: &str) {
        until(&format!("it says {text:?}"), || self.says(text));
    }

    /// Waits until its stdout contains this text.
    pub(crate) fn until_it_prints(&self, text: &str) {
        until(&format!("it prints {text:?}"), || self.stdout.text().contains(text));
    }

    /// Waits for its end, at most a minute.
    pub(crate) fn wait(mut self) -> Done {
        let mut status = None;
        until("the invocation ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        let (stdout, stderr) = (self.stdout.whole(), self.stderr.whole());
        Done::of(&Output { status: status.expect("ended"), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a process so far.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut chunk) {
                sink.lock().expect("a reader does not panic").extend_from_slice(&chunk[..length]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("a reader does not panic")).into_owned()
    }

    /// All output; waits until every writer has closed it.
    fn whole(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.bytes.lock().expect("a reader does not panic").clone()
    }
}

/// Waits until a condition holds, up to a deadline that only a broken program reaches.
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    within(Duration::from_secs(60), what, is_so);
}

/// As [`until`], with another deadline.
pub(crate) fn within(deadline: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < deadline, "waited {deadline:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal by name.
pub(crate) fn kill(name: &str, pid: u32) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill");
    assert!(sent.success(), "kill -s {name} {pid}");
}

/// Whether a process with this pid exists and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// Waits until a script has written its pid into this file, and reads it.
pub(crate) fn pid_in(path: &Path) -> u32 {
    let mut pid = None;
    until("a pid is written", || {
        pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    pid.expect("written")
}
