// SPDX-License-Identifier: Apache-2.0

//! Real registries, one child process each, on loopback ports of their own.

mod distribution;
mod object_store;
mod options;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::access_log::{HARNESS_AGENT, LogFile, Request};
use super::client::{Access, Client};
use super::credentials::Login;
use super::front::Front;
use super::process::Daemon;
use super::tls::Authority;
use super::token::TokenServer;

pub use object_store::ObjectStore;
use options::Authentication;
pub use options::Options;

/// How long a request may take from its answer into the access log.
const LOG_DELAY: Duration = Duration::from_secs(30);

/// The certificate to trust, in the registry's directory.
const CA_FILE: &str = "ca.crt";

/// A registry program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// distribution 3: tag deletion, paged tags.
    Distribution3,
    /// distribution 2.8, the one most people run.
    Distribution2,
    /// `crane registry serve`: manifests in memory, blobs on disk, no mounts.
    Crane,
    /// The registry in memory of cuelabs: the referrers API, and switches for what other registries do.
    Ocimem,
}

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Plain HTTP, open to all.
    Plain,
    /// TLS with a certificate of a private authority, open to all.
    Tls,
    /// Plain HTTP with Basic authentication.
    Basic,
    /// Plain HTTP with bearer tokens of 60 seconds.
    Token,
}

/// A running registry. It ends when dropped, and its storage with it.
pub struct Registry {
    kind: Kind,
    address: SocketAddr,
    authority: Option<Authority>,
    authentication: Authentication,
    token: Option<TokenServer>,
    front: Option<Front>,
    log: LogFile,
    forgotten: AtomicUsize,
    daemon: Daemon,
    directory: TempDir,
}

impl Kind {
    /// The kinds that people run, for tables.
    pub const ALL: [Self; 3] = [Self::Distribution3, Self::Distribution2, Self::Crane];

    fn is_distribution(self) -> bool {
        matches!(self, Self::Distribution3 | Self::Distribution2)
    }
}

impl Security {
    /// Every mode, for tables.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Tls, Self::Basic, Self::Token];
}

impl Registry {
    /// Starts a registry of a kind in one of the four usual modes.
    pub async fn start(kind: Kind, security: Security) -> Self {
        let options = Self::options(kind);
        match security {
            Security::Plain => options,
            Security::Tls => options.tls(),
            Security::Basic => options.basic(),
            Security::Token => options.token(),
        }
        .start()
        .await
    }

    /// Anything beyond the four usual modes.
    pub fn options(kind: Kind) -> Options {
        Options::new(kind)
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `127.0.0.1:PORT`, as it stands in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL without a trailing slash.
    pub fn url(&self) -> String {
        self.access().url
    }

    /// The certificate to trust, if it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(Authority::pem)
    }

    /// A file with that certificate.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.authority
            .as_ref()
            .map(|_| self.directory.path().join(CA_FILE))
    }

    /// The login to use, if it wants one.
    pub fn login(&self) -> Option<Login> {
        (self.authentication != Authentication::Open).then(Login::valid)
    }

    /// Its token server, if it wants tokens.
    pub fn token_server(&self) -> Option<&TokenServer> {
        self.token.as_ref()
    }

    /// How the harness reaches it.
    pub fn access(&self) -> Access {
        let scheme = if self.authority.is_some() {
            "https"
        } else {
            "http"
        };
        Access {
            url: format!("{scheme}://{}", self.address),
            ca_pem: self.ca_pem().map(str::to_owned),
            login: self.login(),
        }
    }

    /// A client of the harness with everything it needs.
    pub fn client(&self) -> Client {
        Client::new(self.access())
    }

    /// The requests it answered since the start or [`Self::forget_requests`], without the harness's own.
    /// Complete: what was answered before the call is in it.
    pub async fn requests(&self) -> Vec<Request> {
        self.all_requests()
            .await
            .split_off(self.forgotten.load(Ordering::SeqCst))
    }

    /// Lets the next [`Self::requests`] begin with what comes from now on.
    pub async fn forget_requests(&self) {
        self.forgotten
            .store(self.all_requests().await.len(), Ordering::SeqCst);
    }

    async fn all_requests(&self) -> Vec<Request> {
        let mut requests = match &self.front {
            // What crane and ocimem log has no status; what stands in front of them has.
            Some(front) if !self.kind.is_distribution() => front.requests(),
            Some(_) | None => self.logged().await,
        };
        requests.retain(|request| request.user_agent != HARNESS_AGENT);
        requests
    }

    /// The registry writes a line after it has answered. Twice a request of our own makes the round, so
    /// that a line that was about to be written when the first came is there when the second is.
    async fn logged(&self) -> Vec<Request> {
        static ROUNDS: AtomicUsize = AtomicUsize::new(0);
        let client = Client::new(Access {
            login: None,
            ..self.access()
        });
        let mut requests = Vec::new();
        for _ in 0..2 {
            let path = format!("/v2/?sentinel={}", ROUNDS.fetch_add(1, Ordering::SeqCst));
            client
                .send_once("GET", &path)
                .await
                .expect("a registry that answers");
            let deadline = Instant::now() + LOG_DELAY;
            loop {
                requests = self.log.requests();
                if requests.iter().any(|request| request.path == path) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{path} never reached the access log"
                );
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        requests
    }

    /// The directory with its blobs.
    pub fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    /// Deletes the bytes of a blob or manifest behind the registry's back.
    ///
    /// # Panics
    /// If they are not there: `crane` keeps its manifests in memory, and `ocimem` everything.
    pub fn lose_content(&self, digest: &str) {
        fs::remove_file(self.content(digest)).expect("a file to delete");
    }

    /// Cuts the bytes of a blob behind the registry's back.
    ///
    /// # Panics
    /// If they are not there.
    pub fn cut_content(&self, digest: &str) {
        let file = fs::File::options().write(true).open(self.content(digest));
        file.and_then(|file| file.set_len(10))
            .expect("a file to cut");
    }

    fn content(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("a digest");
        let distribution = self.storage().join(format!(
            "docker/registry/v2/blobs/{algorithm}/{}/{hex}/data",
            &hex[..2]
        ));
        let crane = self.storage().join(algorithm).join(hex);
        let file = [distribution, crane]
            .into_iter()
            .find(|file| file.is_file());
        file.unwrap_or_else(|| panic!("{digest} is not in storage"))
    }

    /// Deletes what no manifest reaches any more, while the registry runs on, as its manual warns not to.
    ///
    /// # Panics
    /// If it fails: only distribution has such a command.
    pub fn collect_garbage(&self) {
        let program = distribution::program(self.kind);
        let configuration = self.directory.path().join(distribution::CONFIGURATION);
        let output = std::process::Command::new(program)
            .arg("garbage-collect")
            .arg(configuration)
            .output()
            .expect("a program that runs");
        assert!(output.status.success(), "{output:?}");
    }

    /// The process id of the registry itself.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// What the registry wrote to its log, for messages.
    pub fn output(&self) -> String {
        self.daemon.written()
    }

    /// Kills the registry; the address stays unanswered.
    pub fn stop(&mut self) {
        self.daemon.kill();
    }
}
