//! How a registry is configured and started.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::super::access_log::LogFile;
use super::super::credentials::{Guard, HTPASSWD};
use super::super::front::{Additions, Door, TOKEN_PATH};
use super::super::process::Daemon;
use super::super::tls::Authority;
use super::super::token::TokenServer;
use super::super::tools;
use super::{CA_FILE, Kind, Registry};

/// The configuration of distribution, in the registry's directory.
pub(super) const CONFIGURATION: &str = "config.yml";

/// Which client authentication a registry wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Open,
    Basic,
    Token,
}

/// Where a registry's token endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Realm {
    SameHost,
    OtherPort,
}

/// How to start a registry.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Options {
    kind: Kind,
    tls: bool,
    authentication: Authentication,
    realm: Realm,
    sparse_indexes: bool,
}

impl Options {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            tls: false,
            authentication: Authentication::Open,
            realm: Realm::SameHost,
            sparse_indexes: false,
        }
    }

    /// TLS with a certificate of a private authority.
    pub fn tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// Basic authentication.
    pub fn basic(self) -> Self {
        Self {
            authentication: Authentication::Basic,
            ..self
        }
    }

    /// Bearer tokens.
    pub fn token(self) -> Self {
        Self {
            authentication: Authentication::Token,
            ..self
        }
    }

    /// The token endpoint on another port than the registry, where a careful client does not send its password.
    pub fn realm_on_other_port(self) -> Self {
        Self {
            realm: Realm::OtherPort,
            ..self
        }
    }

    /// Indexes may be pushed without their children; of the three registries only distribution 3 knows this.
    pub fn sparse_indexes(self) -> Self {
        Self {
            sparse_indexes: true,
            ..self
        }
    }

    /// Starts the registry and waits until it answers.
    pub async fn start(self) -> Registry {
        let directory = tempfile::Builder::new()
            .prefix("registry-")
            .tempdir()
            .expect("a directory");
        fs::create_dir(directory.path().join("storage")).expect("a directory");
        let authority = self.tls.then(Authority::generate);
        let token =
            (self.authentication == Authentication::Token).then(|| TokenServer::start(None));
        let door = self.needs_front().then(Door::open);
        let realm = token
            .as_ref()
            .map(|token| self.realm_url(token, door.as_ref()));
        let mut daemon = self.spawn(
            directory.path(),
            authority.as_ref(),
            token.as_ref(),
            realm.as_deref(),
        );
        let own_address = daemon.wait_for(announced_address).await;
        let (address, front) = match door {
            Some(door) => {
                let additions = self.additions(authority.as_ref(), token.as_ref(), realm);
                (door.address(), Some(door.serve(own_address, additions)))
            }
            None => (own_address, None),
        };
        let log = LogFile::new(daemon.stdout().to_path_buf());
        if let Some(authority) = &authority {
            fs::write(directory.path().join(CA_FILE), authority.pem()).expect("a file");
        }
        let authentication = self.authentication;
        let registry = Registry {
            kind: self.kind,
            address,
            authority,
            authentication,
            token,
            front,
            log,
            forgotten: AtomicUsize::new(0),
            daemon,
            directory,
        };
        registry
            .client()
            .get("/v2/")
            .await
            .expect("a registry that answers");
        registry
    }

    /// crane speaks neither TLS nor any authentication and does not log statuses; a token endpoint on
    /// the registry's own port needs somebody who tells the two apart.
    fn needs_front(self) -> bool {
        self.kind == Kind::Crane
            || self.authentication == Authentication::Token && self.realm == Realm::SameHost
    }

    fn realm_url(self, token: &TokenServer, door: Option<&Door>) -> String {
        match (self.realm, door) {
            (Realm::SameHost, Some(door)) => {
                format!("{}://{}{TOKEN_PATH}", self.scheme(), door.address())
            }
            (Realm::SameHost, None) | (Realm::OtherPort, _) => token.realm(),
        }
    }

    fn scheme(self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    fn additions(
        self,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<String>,
    ) -> Additions {
        let guard = match (self.kind, self.authentication) {
            (Kind::Distribution3 | Kind::Distribution2, _)
            | (Kind::Crane, Authentication::Open) => None,
            (Kind::Crane, Authentication::Basic) => Some(Guard::Basic),
            (Kind::Crane, Authentication::Token) => {
                token.zip(realm).map(|(token, realm)| Guard::Bearer {
                    issuer: Arc::clone(token.issuer()),
                    realm,
                })
            }
        };
        let token = token
            .filter(|_| self.realm == Realm::SameHost)
            .map(TokenServer::address);
        Additions {
            tls: authority.map(Authority::server),
            guard,
            token,
            ..Additions::default()
        }
    }

    fn spawn(
        self,
        directory: &Path,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<&str>,
    ) -> Daemon {
        let Some(program) = distribution(self.kind) else {
            let storage = path_text(&directory.join("storage"));
            let arguments = [
                "registry",
                "serve",
                "--address",
                "127.0.0.1:0",
                "--disk",
                &storage,
            ];
            return Daemon::spawn(&tools::built("crane"), &arguments, directory);
        };
        let configuration = directory.join(CONFIGURATION);
        fs::write(
            &configuration,
            self.configuration(directory, authority, token, realm),
        )
        .expect("a file");
        Daemon::spawn(&program, &["serve", &path_text(&configuration)], directory)
    }

    /// The configuration of distribution, the same for both versions.
    fn configuration(
        self,
        directory: &Path,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<&str>,
    ) -> String {
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            fs::write(&path, content).expect("a file");
            path_text(&path)
        };
        let mut yaml = format!(
            "version: 0.1\n\
             log: {{level: info, formatter: text}}\n\
             storage:\n  filesystem: {{rootdirectory: {storage}}}\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n\
             validation:\n  manifests:\n    urls: {{allow: ['.*']}}\n",
            storage = path_text(&directory.join("storage")),
        );
        if self.sparse_indexes {
            yaml.push_str("    indexes: {platforms: none}\n");
        }
        yaml.push_str("http:\n  addr: 127.0.0.1:0\n  secret: transship-tests\n");
        if let Some(authority) = authority.filter(|_| !self.needs_front()) {
            let identity = authority.issue();
            let (certificate, key) = (
                file("tls.crt", &identity.certificate),
                file("tls.key", &identity.key),
            );
            writeln!(yaml, "  tls: {{certificate: {certificate}, key: {key}}}").unwrap();
        }
        match (self.authentication, token, realm) {
            (Authentication::Basic, ..) => {
                writeln!(
                    yaml,
                    "auth: {{htpasswd: {{realm: tests, path: {}}}}}",
                    file("htpasswd", HTPASSWD)
                )
                .unwrap();
            }
            (Authentication::Token, Some(token), Some(realm)) => {
                let issuer = token.issuer();
                let certificate = file("token.crt", issuer.certificate());
                let (name, service) = (issuer.name(), issuer.service());
                let settings = format!(
                    "realm: \"{realm}\", issuer: {name}, service: {service}, rootcertbundle: {certificate}"
                );
                writeln!(yaml, "auth: {{token: {{{settings}}}}}").unwrap();
            }
            (Authentication::Open | Authentication::Token, ..) => {}
        }
        yaml
    }
}

/// The program of a registry that is distribution.
pub(super) fn distribution(kind: Kind) -> Option<PathBuf> {
    match kind {
        Kind::Distribution3 => Some(tools::built("registry")),
        Kind::Distribution2 => Some(tools::packaged("docker-registry")),
        Kind::Crane => None,
    }
}

/// Reads `listening on 127.0.0.1:38017` of distribution and `serving on port 38017` of crane.
fn announced_address(line: &str) -> Option<SocketAddr> {
    let digits = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse::<u16>()
            .ok()
    };
    let port = line
        .split_once("listening on 127.0.0.1:")
        .or_else(|| line.split_once("serving on port "))?
        .1;
    Some(SocketAddr::from(([127, 0, 0, 1], digits(port)?)))
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}
