// SPDX-License-Identifier: Apache-2.0

//! How a registry is configured and started.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::super::access_log::LogFile;
use super::super::client::Access;
use super::super::credentials::Guard;
use super::super::front::{Additions, Door, TOKEN_PATH};
use super::super::process::Daemon;
use super::super::tls::Authority;
use super::super::token::TokenServer;
use super::super::tools;
use super::distribution::{self, CONFIGURATION};
use super::object_store::ObjectStore;
use super::{CA_FILE, Kind, Registry};

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

/// What is behind distribution.
#[derive(Clone, Debug)]
pub(super) enum Backing {
    /// Files in its own directory.
    Files,
    /// The files of another registry, which it must not change.
    ReadOnly(PathBuf),
    /// Another registry: what it does not have, it fetches from there and keeps.
    Upstream(Access),
    /// A bucket.
    Bucket {
        store: SocketAddr,
        /// Whether clients are sent there for blobs.
        redirects: bool,
    },
}

/// Where events are sent.
#[derive(Clone, Debug)]
pub(super) struct Notified {
    pub(super) url: String,
    /// What goes along.
    pub(super) token: String,
    /// What of the endpoint says which events are left out.
    pub(super) ignored: &'static str,
}

/// How to start a registry.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(super) kind: Kind,
    tls: bool,
    pub(super) authentication: Authentication,
    realm: Realm,
    pub(super) sparse_indexes: bool,
    switches: &'static [&'static str],
    pub(super) backing: Backing,
    pub(super) notified: Option<Notified>,
}

impl Options {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            tls: false,
            authentication: Authentication::Open,
            realm: Realm::SameHost,
            sparse_indexes: false,
            switches: &[],
            backing: Backing::Files,
            notified: None,
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

    /// What other registries do, switched on by flags of `hack/tools/ocimem`, such as `-page-limit=10`.
    pub fn switches(self, switches: &'static [&'static str]) -> Self {
        Self { switches, ..self }
    }

    /// The files of another registry, served without the right to change them (`storage.maintenance.readonly`).
    pub fn read_only(self, files_of: &Registry) -> Self {
        let backing = Backing::ReadOnly(files_of.storage());
        Self { backing, ..self }
    }

    /// A pull-through cache of another registry (`proxy`).
    pub fn cache_of(self, upstream: &Registry) -> Self {
        let backing = Backing::Upstream(upstream.access());
        Self { backing, ..self }
    }

    /// Tells of everything there, with this token (`notifications`); distribution does.
    pub fn notifies(self, url: &str, token: &str) -> Self {
        let notified = Some(Notified {
            url: url.to_owned(),
            token: token.to_owned(),
            ignored: "",
        });
        Self { notified, ..self }
    }

    /// The same, of pushes of manifests alone: each event is sent when the one before is answered.
    pub fn notifies_of_images(self, url: &str, token: &str) -> Self {
        let notified = Some(Notified {
            url: url.to_owned(),
            token: token.to_owned(),
            ignored: ", ignore: {mediatypes: [application/octet-stream], actions: [pull]}",
        });
        Self { notified, ..self }
    }

    /// Content in a bucket, to which clients are redirected for blobs.
    pub fn on(self, store: &ObjectStore) -> Self {
        let (store, redirects) = (store.address(), true);
        let backing = Backing::Bucket { store, redirects };
        Self { backing, ..self }
    }

    /// Content in a bucket, of which clients need not know.
    pub fn behind(self, store: &ObjectStore) -> Self {
        let (store, redirects) = (store.address(), false);
        let backing = Backing::Bucket { store, redirects };
        Self { backing, ..self }
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

    /// crane and ocimem speak neither TLS nor any authentication and do not log statuses; a token endpoint
    /// on the registry's own port needs somebody who tells the two apart.
    pub(super) fn needs_front(&self) -> bool {
        !self.kind.is_distribution()
            || self.authentication == Authentication::Token && self.realm == Realm::SameHost
    }

    fn realm_url(&self, token: &TokenServer, door: Option<&Door>) -> String {
        match (self.realm, door) {
            (Realm::SameHost, Some(door)) => {
                format!("{}://{}{TOKEN_PATH}", self.scheme(), door.address())
            }
            (Realm::SameHost, None) | (Realm::OtherPort, _) => token.realm(),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    fn additions(
        &self,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<String>,
    ) -> Additions {
        let guard = match (self.kind, self.authentication) {
            (Kind::Distribution3 | Kind::Distribution2, _)
            | (Kind::Crane | Kind::Ocimem, Authentication::Open) => None,
            (Kind::Crane | Kind::Ocimem, Authentication::Basic) => Some(Guard::Basic),
            (Kind::Crane | Kind::Ocimem, Authentication::Token) => {
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
        &self,
        directory: &Path,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<&str>,
    ) -> Daemon {
        let start =
            |program: PathBuf, arguments: &[&str]| Daemon::spawn(&program, arguments, directory);
        match self.kind {
            Kind::Crane => {
                let storage = path_text(&directory.join("storage"));
                let serve = ["registry", "serve", "--address", "127.0.0.1:0", "--disk"];
                start(tools::built("crane"), &[&serve[..], &[&storage]].concat())
            }
            Kind::Ocimem => start(tools::built("ocimem"), self.switches),
            Kind::Distribution3 | Kind::Distribution2 => {
                let yaml = self.configuration(directory, authority, token, realm);
                let configuration = directory.join(CONFIGURATION);
                fs::write(&configuration, yaml).expect("a file");
                let arguments = ["serve", &path_text(&configuration)];
                start(distribution::program(self.kind), &arguments)
            }
        }
    }
}

/// Reads `listening on 127.0.0.1:38017` of distribution and ocimem and `serving on port 38017` of crane.
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

pub(super) fn path_text(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}
