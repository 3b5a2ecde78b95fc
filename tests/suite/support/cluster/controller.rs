// SPDX-License-Identifier: Apache-2.0

//! The program under test as a controller.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::super::client::{Access, Client};
use super::super::process::{Daemon, Process};
use super::api_client::POLL;

/// How long a line of the log may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The message of the line that says where the admin server listens.
const LISTENING: &str = "listening";

/// How to start a controller.
#[derive(Clone)]
#[must_use]
pub struct Options {
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// A running controller. It is killed when dropped.
pub struct Controller {
    daemon: Daemon,
    _directory: TempDir,
}

impl Options {
    /// Watches and keeps its lease in one namespace, as an installation of its own.
    pub fn namespace(self, name: &str) -> Self {
        self.argument(&format!("--watch-namespaces={name}"))
            .argument(&format!("--lease-namespace={name}"))
    }

    /// Another program in its place.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = program.to_path_buf();
        self
    }

    /// One more argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// An environment variable.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts it and waits until it answers to its health checks; it need not be the leader.
    pub async fn start(self) -> Controller {
        let mut controller = self.launch();
        controller.daemon.wait_for(announced_address).await;
        controller
    }

    /// Starts it and waits for nothing, for a program that may die at once.
    pub fn launch(self) -> Controller {
        let directory = tempfile::Builder::new()
            .prefix("controller-")
            .tempdir()
            .expect("a directory");
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let (program, environment) = (&self.program, &self.environment);
        Controller {
            daemon: Daemon::spawn_in(program, &arguments, directory.path(), environment),
            _directory: directory,
        }
    }
}

impl Controller {
    /// A controller with the identity of a kubeconfig that may talk to registries on this machine.
    pub fn options(kubeconfig: &Path) -> Options {
        Self::with_defaults(kubeconfig)
            .argument("--listen-address=127.0.0.1:0")
            .argument("--allow-addresses=127.0.0.0/8,::1/128")
            .argument("--insecure-hosts=127.0.0.1,localhost")
    }

    /// A controller with the identity of a kubeconfig; whatever is not added has its default.
    pub fn with_defaults(kubeconfig: &Path) -> Options {
        let options = Options {
            program: PathBuf::from(env!("CARGO_BIN_EXE_transship")),
            arguments: vec!["controller".to_owned()],
            environment: BTreeMap::new(),
        };
        options.argument(&format!("--kubeconfig={}", kubeconfig.display()))
    }

    /// Where its admin server listens.
    ///
    /// # Panics
    /// If it has not said so yet.
    pub fn address(&self) -> SocketAddr {
        let output = self.output();
        let address = output.lines().find_map(announced_address);
        address.unwrap_or_else(|| panic!("it listens nowhere yet:\n{output}"))
    }

    /// The lines of its log.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.daemon.stderr()).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    /// Waits for a line of its log.
    ///
    /// # Panics
    /// If there is none, with the whole log.
    pub async fn wait_for_log(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.log().into_iter().find(|line| is_it(line)) {
                return line;
            }
            assert!(
                Instant::now() < deadline,
                "no such line in the log:\n{}",
                self.output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Everything it wrote, for messages.
    pub fn output(&self) -> String {
        self.daemon.written()
    }

    /// Status and body of a path of its admin server.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let client = Client::new(Access {
            url: format!("http://{}", self.address()),
            ca_pem: None,
            login: None,
        });
        let answer = client
            .send_once("GET", path)
            .await
            .unwrap_or_else(|error| panic!("no answer ({error}):\n{}", self.output()));
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status, body)
    }

    /// Its metrics as text.
    pub async fn metrics(&self) -> String {
        let (status, body) = self.get("/metrics").await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The value of one time series, as written in the metrics: `transship_rounds_total{result="success"}`.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let metrics = self.metrics().await;
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.parse().ok()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.daemon.is_running()
    }

    /// Its process, for signals from anywhere.
    pub fn process(&self) -> Process {
        self.daemon.process()
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> (ExitStatus, String) {
        self.process().signal("TERM");
        let status = self.daemon.ended().await;
        (status, self.output())
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        self.daemon.ended().await
    }

    /// Halts it as a machine that hangs does.
    pub async fn halt(&self) {
        self.process().halt().await;
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.process().signal("CONT");
    }
}

fn announced_address(line: &str) -> Option<SocketAddr> {
    let line = parse(line)?;
    let is_it = line["message"] == LISTENING;
    is_it.then(|| line["address"].as_str()?.parse().ok())?
}

fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}
