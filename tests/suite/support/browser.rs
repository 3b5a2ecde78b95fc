// SPDX-License-Identifier: Apache-2.0

//! A headless Chromium, spoken to in its own protocol over pipes. It reaches nothing but this machine, and where there is
//! none, a test says that it did not run.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::tools;

/// Commands come by descriptor 3 and answers go by 4, which are the pipes to the test.
const PIPED: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// A browser with one page.
pub struct Browser {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    requested: Vec<String>,
    loaded: usize,
    // Killed when dropped, before its files go.
    _child: Child,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What it is called in the names of pictures.
    pub name: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether the person prefers light letters on a dark ground.
    pub is_dark: bool,
}

impl Browser {
    /// A browser, or none where this machine has none: then the summary of the tests says so.
    pub async fn start(test: &str) -> Option<Self> {
        let Some(program) = installed() else {
            tools::say_not_run(test, "there is no Chromium: run `make tools`");
            return None;
        };
        let profile = tempfile::tempdir().expect("a directory");
        let mut child = Command::new("sh")
            .args(["-c", PIPED])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a browser");
        let mut browser = Self {
            stdin: child.stdin.take().expect("a pipe"),
            stdout: BufReader::new(child.stdout.take().expect("a pipe")),
            session: None,
            calls: 0,
            requested: Vec::new(),
            loaded: 0,
            _child: child,
            _profile: profile,
        };
        let made = browser
            .call("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = json!({"targetId": made["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attached).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Network.enable", "Runtime.enable"] {
            browser.call(domain, json!({})).await;
        }
        Some(browser)
    }

    /// What pages asked for so far.
    pub fn requested(&self) -> &[String] {
        &self.requested
    }

    /// Looks at pages in another way from now on.
    pub async fn look(&mut self, look: Look) {
        let Look {
            name: _,
            width,
            height,
            is_dark,
        } = look;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    /// Opens an address, and waits until all of it is there.
    pub async fn open(&mut self, address: &str) {
        let loaded = self.loaded;
        let opened = self.call("Page.navigate", json!({"url": address})).await;
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
        while self.loaded == loaded {
            let message = self.next().await;
            self.note(&message);
        }
    }

    /// What an expression gives, once what it waits for has come.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let told = self.call("Runtime.evaluate", asked).await;
        assert!(told["exceptionDetails"].is_null(), "{told}");
        told["result"]["value"].clone()
    }

    /// A picture of what is in sight, as PNG or WebP by the name of the file.
    pub async fn picture(&mut self, path: &Path) {
        let format = path.extension().and_then(|ending| ending.to_str());
        let asked = match format.expect("an ending") {
            "webp" => json!({"format": "webp", "quality": 90}),
            format => json!({"format": format}),
        };
        let taken = self.call("Page.captureScreenshot", asked).await;
        let bytes = BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture"));
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, bytes.expect("a picture")).expect("a file");
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.stdin.write_all(&bytes).await.expect("a browser");
        loop {
            let mut message = self.next().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    async fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.stdout.read_until(0, &mut bytes).await.expect("a pipe");
        assert_eq!(bytes.pop(), Some(0), "the browser is gone");
        serde_json::from_slice(&bytes).expect("a message")
    }

    fn note(&mut self, message: &Value) {
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded += 1,
            Some("Network.requestWillBeSent") => {
                let address = &message["params"]["request"]["url"];
                self.requested
                    .push(address.as_str().expect("a URL").to_owned());
            }
            Some(_) | None => {}
        }
    }
}

/// Chromium, by the names that it has in distributions.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut programs =
        std::env::split_paths(&path).flat_map(|directory| names.map(|name| directory.join(name)));
    programs.find(|program| program.is_file())
}
