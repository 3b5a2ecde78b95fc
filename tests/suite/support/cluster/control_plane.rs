// SPDX-License-Identifier: Apache-2.0

//! etcd, kube-apiserver and kube-controller-manager, with kubectl and helm: a cluster without nodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::super::process::{Daemon, Sweeper};
use super::super::program::{Finished, Program};
use super::super::tls::Authority;
use super::super::tools;
use super::api_client::{ApiClient, POLL};
use super::audit::{self, AuditLog, Entry};
use super::kubeconfig;
use super::namespace::Namespace;
use super::programs::{ADMIN, CONTROLLERS, HARNESS, POD_CONTROLLERS, Setup};

/// How long the API server may take to be ready; it takes seconds, and longer on a busy machine.
const STARTUP: Duration = Duration::from_secs(120);

/// How long a request may take from its answer into the audit log.
const LOG_DELAY: Duration = Duration::from_secs(30);

/// How long an issued token is good for; longer than any test.
const TOKEN_DURATION: &str = "24h";

/// The definitions of the project's resources.
const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");

/// A running control plane. It ends when dropped, and everything in it with it.
pub struct ControlPlane {
    setup: Setup,
    authority: Authority,
    client: ApiClient,
    log: AuditLog,
    admin: PathBuf,
    kubeconfigs: AtomicUsize,
    daemons: Vec<Daemon>,
    directory: TempDir,
    // Deletes it where nobody could: the shared one is never dropped.
    _sweeper: Sweeper,
}

impl ControlPlane {
    /// Starts etcd and the API server, empty but for the project's definitions.
    pub async fn start() -> Self {
        let plane = Self::start_bare().await;
        plane.install_definitions().await;
        plane
    }

    /// The same without the definitions, as somebody finds it who installs for the first time.
    pub async fn start_bare() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("control-plane-")
            .tempdir()
            .expect("a directory");
        let sweeper = Sweeper::of(directory.path());
        let authority = Authority::generate();
        let setup = Setup::write(directory.path(), &authority);
        let (etcd, store) = setup.start_etcd().await;
        let api_server = setup.start_api_server(store);
        let mut plane = Self {
            client: ApiClient::new(&setup.url(), authority.pem(), HARNESS.token),
            log: AuditLog::new(setup.path(audit::FILE)),
            admin: setup.path("admin.kubeconfig"),
            kubeconfigs: AtomicUsize::new(0),
            daemons: vec![api_server, etcd],
            setup,
            authority,
            directory,
            _sweeper: sweeper,
        };
        plane.write_kubeconfig(&plane.admin, &plane.url(), ADMIN.token);
        plane.wait_until_ready().await;
        plane
    }

    /// The same, and the controllers that delete namespaces and owned objects and create service accounts.
    pub async fn start_with_controllers() -> Self {
        let mut plane = Self::start().await;
        // After the definitions: the garbage collector looks for new kinds twice a minute only.
        let controllers = plane.setup.start_controllers(CONTROLLERS);
        plane.daemons.insert(0, controllers);
        plane
    }

    /// One with the controller of Jobs besides, for the whole test process: there, Jobs have pods, and quotas count.
    pub async fn with_jobs() -> &'static Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        let start = async || {
            let mut plane = Self::start().await;
            let controllers = format!("{CONTROLLERS},job-controller,resourcequota-controller");
            let controllers = plane.setup.start_controllers(&controllers);
            plane.daemons.insert(0, controllers);
            plane
        };
        SHARED.get_or_init(start).await
    }

    /// One without the definitions, in which Deployments and Jobs have pods, for a node to run.
    pub async fn start_for_node() -> Self {
        let mut plane = Self::start_bare().await;
        let controllers = format!("{CONTROLLERS},{POD_CONTROLLERS}");
        let controllers = plane.setup.start_controllers(&controllers);
        plane.daemons.insert(0, controllers);
        plane
    }

    /// One with controllers for the whole test process. Tests take a [`Self::namespace`] of their own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_init(Self::start_with_controllers).await
    }

    /// The URL of the API server.
    pub fn url(&self) -> String {
        self.setup.url()
    }

    /// Where the API server listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.setup.address()
    }

    /// The authority that the API server's certificate is from.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Requests with every right that stand in no audit log.
    pub fn client(&self) -> &ApiClient {
        &self.client
    }

    /// Requests of somebody else.
    pub fn client_of(&self, token: &str) -> ApiClient {
        ApiClient::new(&self.url(), self.authority.pem(), token)
    }

    /// A kubeconfig of the user `admin`, with every right.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A kubeconfig with a token.
    pub fn kubeconfig_for(&self, token: &str) -> PathBuf {
        self.kubeconfig_through(&self.url(), token)
    }

    /// The same for a server that stands in front of this one.
    pub fn kubeconfig_through(&self, url: &str, token: &str) -> PathBuf {
        let number = self.kubeconfigs.fetch_add(1, Ordering::SeqCst);
        let path = self.setup.path(&format!("{number}.kubeconfig"));
        self.write_kubeconfig(&path, url, token);
        path
    }

    /// The token of the user `admin`.
    pub fn admin_token(&self) -> &'static str {
        ADMIN.token
    }

    /// A token of a service account, as its pods would get one. The account of a new namespace is made a moment after it.
    pub async fn token_for(&self, namespace: &str, account: &str) -> String {
        let account_name = format!("serviceaccount/{account}");
        let made = [
            "--namespace",
            namespace,
            "wait",
            "--for=create",
            "--timeout=60s",
            &account_name,
        ];
        self.kubectl_ok(&made).await;
        let duration = format!("--duration={TOKEN_DURATION}");
        let arguments = [
            "--namespace",
            namespace,
            "create",
            "token",
            account,
            &duration,
        ];
        self.kubectl_ok(&arguments).await.trim().to_owned()
    }

    /// Runs kubectl with every right.
    pub async fn kubectl(&self, arguments: &[&str]) -> Finished {
        self.kubectl_with(self.kubeconfig(), arguments).run().await
    }

    /// The output of a kubectl command that must succeed.
    pub async fn kubectl_ok(&self, arguments: &[&str]) -> String {
        let finished = self.kubectl(arguments).await;
        finished.assert_success();
        finished.stdout
    }

    /// kubectl as somebody else, or with an input.
    pub fn kubectl_with(&self, kubeconfig: &Path, arguments: &[&str]) -> Program {
        Program::at(&tools::built("kubectl"), arguments).environment("KUBECONFIG", kubeconfig)
    }

    /// Runs helm with every right.
    pub async fn helm(&self, arguments: &[&str]) -> Finished {
        Program::at(&tools::built("helm"), arguments)
            .environment("KUBECONFIG", self.kubeconfig())
            .run()
            .await
    }

    /// A new namespace whose name begins as given.
    pub async fn namespace(&self, prefix: &str) -> Namespace<'_> {
        Namespace::create(self, prefix).await
    }

    /// The body that a path answers with, `None` where there is nothing.
    pub async fn read(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(path).await;
        (answer.status != 404).then(|| answer.assert_success())
    }

    /// What was asked so far, of everybody but Kubernetes itself and the harness. Complete: what was
    /// answered before the call is in it.
    pub async fn audit(&self) -> Vec<Entry> {
        static ROUNDS: AtomicUsize = AtomicUsize::new(0);
        let mut entries = Vec::new();
        // Twice, so that a line that was about to be written when the first came is there at the second.
        for _ in 0..2 {
            let round = ROUNDS.fetch_add(1, Ordering::SeqCst);
            let sentinel = format!("{}?sentinel={round}", audit::SENTINEL);
            self.client.get(&sentinel).await;
            let deadline = Instant::now() + LOG_DELAY;
            loop {
                entries = self.log.entries();
                if entries.iter().any(|entry| entry.path == sentinel) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{sentinel} never reached the audit log"
                );
                tokio::time::sleep(POLL).await;
            }
        }
        entries.retain(|entry| entry.user != HARNESS.name);
        entries
    }

    /// What one user asked so far.
    pub async fn audit_of(&self, user: &str) -> Vec<Entry> {
        let mut entries = self.audit().await;
        entries.retain(|entry| entry.user == user);
        entries
    }

    /// The process ids of its programs.
    pub fn pids(&self) -> Vec<u32> {
        self.daemons.iter().map(Daemon::pid).collect()
    }

    /// The directory of its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + STARTUP;
        while !self.client.is_answered("/readyz").await {
            let api_server = &mut self.daemons[0];
            assert!(
                api_server.is_running() && Instant::now() < deadline,
                "the API server did not start:\n{}",
                api_server.written()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    async fn install_definitions(&self) {
        if !Path::new(DEFINITIONS).is_dir() {
            return;
        }
        let file = format!("--filename={DEFINITIONS}");
        self.kubectl_ok(&["apply", "--server-side", &file]).await;
        self.kubectl_ok(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            &file,
        ])
        .await;
    }

    fn write_kubeconfig(&self, path: &Path, url: &str, token: &str) {
        let content = kubeconfig::render(url, self.authority.pem(), token);
        fs::write(path, content).expect("a file");
    }
}
