//! A real mail server: Python's aiosmtpd, on a port of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::wire::Certificates;

/// A server that asks for a password, unless it is a plain one. It ends when it is dropped.
pub(crate) struct MailServer {
    child: Child,
    /// Where its mails and its certificates are.
    directory: PathBuf,
    pub(crate) port: u16,
    /// The certificate of who signed its own, which is for `localhost`.
    pub(crate) authority: PathBuf,
}

impl MailServer {
    /// Starts one in this directory: `starttls`, `tls` or `plain`. The user is `etl`.
    pub(crate) fn start(kind: &str, directory: &Path, password: &str) -> Self {
        std::fs::create_dir_all(directory).expect("a directory");
        let authority = Certificates::new(directory, "DNS:localhost").authority;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/mail.py");
        // Debian's own Python has Debian's packages.
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg(script)
            .arg(kind)
            .args(["server.pem", "key.pem"].map(|file| directory.join(file)))
            .arg(directory)
            .env("MAIL_PASSWORD", password);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("python3 is installed; scripts/test.sh does it");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("its port; is python3-aiosmtpd installed? scripts/test.sh does it");
        Self { child, directory: directory.to_owned(), port, authority }
    }

    /// The mails that it took, in their order: `from`, `to`, `text`, `has_tls`, `is_known`.
    pub(crate) fn mails(&self) -> Vec<Value> {
        let entries = std::fs::read_dir(&self.directory).expect("a directory").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        files.iter().map(|path| serde_json::from_str(&std::fs::read_to_string(path).expect("a mail")).expect("JSON")).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
