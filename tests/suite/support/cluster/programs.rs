// SPDX-License-Identifier: Apache-2.0

//! The three programs of a control plane: what they are given and how they are started.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use serde_json::{Value, json};

use super::super::process::Daemon;
use super::super::tls::Authority;
use super::super::tools;
use super::audit;
use super::kubeconfig;

/// Below what the system hands out by itself, so that nobody else takes a port between our look and its use.
const PORTS: Range<u16> = 20_000..30_000;

/// What a namespace, its service accounts and its owned objects need; nothing that wants nodes.
pub(super) const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
    serviceaccount-token-controller,clusterrole-aggregation-controller";

/// What pods need besides: somebody who makes them, and a node that is let have them.
pub(super) const POD_CONTROLLERS: &str = "deployment-controller,replicaset-controller,job-controller,\
    root-ca-certificate-publisher-controller,node-lifecycle-controller,pod-garbage-collector-controller";

/// Where pods look for the API server: the first address of [`SERVICES`].
pub(super) const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVICES: &str = "10.0.0.0/24";

/// The user of a person with every right.
pub(super) const ADMIN: User = User {
    name: "admin",
    token: "admin-token",
};

/// The user of the harness's own requests, which the audit log leaves out.
pub(super) const HARNESS: User = User {
    name: "transship-harness",
    token: "harness-token",
};

const CONTROLLER_MANAGER: User = User {
    name: "system:kube-controller-manager",
    token: "controller-manager-token",
};

/// Somebody the API server knows by a token.
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) token: &'static str,
}

/// Files and addresses that the three programs share.
pub(super) struct Setup {
    directory: PathBuf,
    address: SocketAddr,
}

impl Setup {
    /// Writes keys, certificates and settings into a directory.
    pub(super) fn write(directory: &Path, authority: &Authority) -> Self {
        let setup = Self {
            directory: directory.to_path_buf(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
        };
        let service = SERVICE.to_string();
        let identity = authority.issue_for(&["127.0.0.1", "::1", "localhost", &service]);
        setup.file("tls.crt", &identity.certificate);
        setup.file("tls.key", &identity.key);
        let key = KeyPair::generate().expect("a key");
        setup.file("service-account.key", &key.serialize_pem());
        setup.file("service-account.pub", &key.public_key_pem());
        setup.file("audit-policy.yaml", &audit::policy().to_string());
        let users = [ADMIN, HARNESS, CONTROLLER_MANAGER]
            .map(|User { name, token }| format!("{token},{name},{name},system:masters\n"));
        setup.file("tokens.csv", &users.concat());
        setup.file("ca.crt", authority.pem());
        let kubeconfig =
            kubeconfig::render(&setup.url(), authority.pem(), CONTROLLER_MANAGER.token);
        setup.file("controller-manager.kubeconfig", &kubeconfig);
        setup
    }

    /// The URL of the API server.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where the API server listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of a file with this name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts etcd, and says where it listens.
    pub(super) async fn start_etcd(&self) -> (Daemon, SocketAddr) {
        let arguments = [
            flag("data-dir", self.text("etcd")),
            flag("listen-client-urls", "http://127.0.0.1:0"),
            flag("advertise-client-urls", "http://127.0.0.1:0"),
            flag("listen-peer-urls", "http://127.0.0.1:0"),
            // One member need not wait long for the consent of others.
            flag("heartbeat-interval", "10"),
            flag("election-timeout", "50"),
            "--unsafe-no-fsync".to_owned(),
        ];
        let mut etcd = self.spawn("etcd", &arguments);
        let address = etcd.wait_for(client_address).await;
        (etcd, address)
    }

    /// Starts the API server; it is not ready yet.
    pub(super) fn start_api_server(&self, etcd: SocketAddr) -> Daemon {
        let arguments = [
            flag("etcd-servers", format!("http://{etcd}")),
            flag("bind-address", "127.0.0.1"),
            flag("advertise-address", "127.0.0.1"),
            flag("secure-port", self.address.port().to_string()),
            flag("endpoint-reconciler-type", "none"),
            flag("cert-dir", self.text("certificates")),
            flag("tls-cert-file", self.text("tls.crt")),
            flag("tls-private-key-file", self.text("tls.key")),
            flag("token-auth-file", self.text("tokens.csv")),
            flag("authorization-mode", "RBAC"),
            flag("service-account-issuer", "https://kubernetes.default.svc"),
            flag("service-account-key-file", self.text("service-account.pub")),
            flag(
                "service-account-signing-key-file",
                self.text("service-account.key"),
            ),
            flag("service-cluster-ip-range", SERVICES),
            flag("audit-policy-file", self.text("audit-policy.yaml")),
            flag("audit-log-path", self.text(audit::FILE)),
            // One file, however long the run.
            flag("audit-log-maxsize", "10000"),
        ];
        self.spawn("kube-apiserver", &arguments)
    }

    /// Starts controllers of Kubernetes itself.
    pub(super) fn start_controllers(&self, names: &str) -> Daemon {
        let arguments = [
            flag("kubeconfig", self.text("controller-manager.kubeconfig")),
            flag("controllers", names),
            flag(
                "service-account-private-key-file",
                self.text("service-account.key"),
            ),
            flag("root-ca-file", self.text("ca.crt")),
            flag("leader-elect", "false"),
            flag("secure-port", "0"),
        ];
        self.spawn("kube-controller-manager", &arguments)
    }

    fn spawn(&self, name: &str, arguments: &[String]) -> Daemon {
        let directory = self.path(&format!("run-{name}"));
        fs::create_dir(&directory).expect("a directory");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Daemon::spawn(&tools::built(name), &arguments, &directory)
    }

    fn file(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a file");
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a UTF-8 path").to_owned()
    }
}

fn flag(name: &str, value: impl AsRef<str>) -> String {
    format!("--{name}={}", value.as_ref())
}

fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Reads etcd's line about the clients' port.
fn client_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).unwrap_or(json!(null));
    line["msg"]
        .as_str()?
        .starts_with("serving client traffic")
        .then(|| line["address"].as_str()?.parse().ok())?
}
