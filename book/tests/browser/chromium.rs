//! Debian's chromium without a window, driven over two pipes (the Chrome DevTools Protocol).
//!
//! It reads commands from descriptor 3 and writes answers and events to 4, each a JSON object that a zero
//! byte ends. When our ends of the pipes go, it ends by itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page.
pub struct Chromium {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    count: u64,
    /// What the page has complained of: errors on its console, files that aren't there.
    complaints: Vec<String>,
    loaded: bool,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it.
    pub fn start() -> Result<Chromium> {
        let profile = tempfile::tempdir().context("making a folder")?;
        // A shell can give out descriptors 3 and 4 without anything unsafe.
        let script = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script, "sh", "--headless", "--remote-debugging-pipe"])
            // Root has no sandbox, and /dev/shm is small in containers. What is looked at is our own.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting chromium")?;
        let commands = child.stdin.take().context("a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Chromium {
            child,
            commands,
            messages,
            session: None,
            count: 0,
            complaints: Vec::new(),
            loaded: false,
            _profile: profile,
        };
        browser.open_page()?;
        Ok(browser)
    }

    fn open_page(&mut self) -> Result<()> {
        let target = self.command("Target.createTarget", json!({ "url": "about:blank" }))?;
        let wanted = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.command("Target.attachToTarget", wanted)?;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.command(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// Gives a command, and waits for its answer.
    pub fn command(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.count += 1;
        let id = self.count;
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).context("writing to chromium")?;
        let end = Instant::now() + PATIENCE;
        loop {
            let message = self.next(end).with_context(|| format!("waiting for the answer to {method}"))?;
            if message["id"] == id {
                if !message["error"].is_null() {
                    bail!("{method}: {}", message["error"]["message"]);
                }
                return Ok(message["result"].clone());
            }
        }
    }

    /// The next message; what it tells of the page is noted.
    fn next(&mut self, end: Instant) -> Result<Value> {
        let left = end.saturating_duration_since(Instant::now());
        let message = self.messages.recv_timeout(left).context("chromium says nothing")?;
        let parameters = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => {
                let details = &parameters["exceptionDetails"];
                self.complaints.push(format!("{} {}", details["exception"]["description"], details["url"]));
            }
            "Runtime.consoleAPICalled" if ["error", "warning"].contains(&text(&parameters["type"])) => {
                self.complaints.push(parameters["args"].to_string());
            }
            "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
                let entry = &parameters["entry"];
                self.complaints.push(format!("{} {}", text(&entry["text"]), text(&entry["url"])));
            }
            _ => {}
        }
        Ok(message)
    }

    /// Opens an address, and waits until all of it is there. Returns what the page complained of.
    pub fn visit(&mut self, address: &str) -> Result<Vec<String>> {
        self.loaded = false;
        self.complaints.clear();
        let answer = self.command("Page.navigate", json!({ "url": address }))?;
        if let Some(error) = answer["errorText"].as_str() {
            bail!("{address}: {error}");
        }
        self.wait_until_loaded().with_context(|| format!("loading {address}"))?;
        Ok(std::mem::take(&mut self.complaints))
    }

    /// Waits for the page that a click leads to.
    pub fn wait_until_loaded(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.loaded {
            self.next(end)?;
        }
        // Letters of another font have another width.
        self.evaluate("document.fonts.ready.then(() => true)").map(drop)
    }

    /// Before something that leads to another page.
    pub fn expect_another_page(&mut self) {
        self.loaded = false;
    }

    /// What an expression of JavaScript gives; a promise's result.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let wanted = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", wanted)?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Evaluates again and again, until it is true.
    pub fn wait_for(&mut self, expression: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.evaluate(expression)? != true {
            if Instant::now() > end {
                bail!("never true: {expression}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.session = None;
        let _ = self.command("Browser.close", json!({}));
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
