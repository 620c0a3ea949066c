//! A real browser without a window, driven by the WebDriver protocol.

#![allow(clippy::allow_attributes, dead_code, reason = "shared by test binaries that each use a part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// What an element is called in an answer of the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with a profile of its own. It ends when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: TempDir,
}

impl Browser {
    /// Starts it. What pages ask of the network, and what they write to the console, is kept.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = driver.spawn().expect("chromium-driver is installed; scripts/test.sh does it");
        let lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port =
            lines.map_while(Result::ok).find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let mut browser = Self { driver, port: port.expect("chromedriver says its port"), session: String::new(), profile };
        let mut args: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .to_vec();
        args.push(format!("--user-data-dir={}", browser.profile.path().display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.send("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("an id"));
        browser
    }

    /// Calls a command of the session, and returns its value.
    pub(crate) fn call(&self, command: &str, body: &Value) -> Value {
        self.send("POST", &format!("{}/{command}", self.session), body)
    }

    /// Opens an address.
    pub(crate) fn open(&self, url: &str) {
        self.call("url", &json!({"url": url}));
    }

    /// The value of a script, which may `return` one.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.call("execute/sync", &json!({"script": script, "args": []}))
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) {
        self.call("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// What it logged of a kind since this was last asked.
    pub(crate) fn log(&self, kind: &str) -> Vec<Value> {
        self.call("se/log", &json!({"type": kind})).as_array().cloned().expect("a list")
    }

    /// The role and the name that assistive technology gets for the first element of this CSS selector.
    pub(crate) fn role_and_name(&self, selector: &str) -> (String, String) {
        let found = self.call("element", &json!({"using": "css selector", "value": selector}));
        let element = found[ELEMENT].as_str().unwrap_or_else(|| panic!("{selector}: {found}"));
        let of = |what: &str| {
            let value = self.send("GET", &format!("{}/element/{element}/{what}", self.session), &Value::Null);
            value.as_str().unwrap_or_default().to_owned()
        };
        (of("computedrole"), of("computedlabel"))
    }

    /// Presses the Tab key.
    pub(crate) fn tab(&self) {
        const TAB: &str = "\u{e004}";
        let press = json!([{"type": "keyDown", "value": TAB}, {"type": "keyUp", "value": TAB}]);
        self.call("actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": press}]}));
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_to_send(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(answer["value"]["error"].is_null(), "{method} {path}: {answer}");
        answer["value"].clone()
    }

    fn try_to_send(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n", self.port, body.len());
        connection.write_all(format!("{head}Content-Type: application/json\r\nConnection: close\r\n\r\n{body}").as_bytes())?;
        let mut answer = BufReader::new(connection);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session.
        let _ = self.try_to_send("DELETE", &self.session, &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
