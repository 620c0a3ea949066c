//! Programs in Python that use what `scripts/test.sh` could install.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a program prints that reads this text; `None` where nothing is installed.
pub(super) fn said(program: &str, text: &str) -> Option<String> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/otlp/bin/python");
    if !python.exists() {
        return None;
    }
    let mut running = Command::new(python);
    running.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = running.spawn().expect("python starts");
    running.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("python reads");
    let output = running.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
