// SPDX-License-Identifier: Apache-2.0

//! A registry in memory that does what its script says.
//!
//! Left alone it behaves as the distribution specification asks, so a test names only the fault.

mod store;

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::client::{Access, Client};
use super::content::{Blob, Image};
use super::credentials::{Guard, Login};
use super::front::TOKEN_PATH;
use super::http::script::{Draft, Recorded, Script};
use super::http::server::{Handler, Server};
use super::http::{Reply, Request};
use super::tls::Authority;
use super::token::TokenServer;
use store::{Abilities, Store};

/// How to start a scripted registry.
#[derive(Default)]
#[must_use]
pub struct Options {
    abilities: Abilities,
    tls: Option<(Arc<ServerConfig>, String)>,
    authentication: Authentication,
}

#[derive(Default)]
enum Authentication {
    #[default]
    Open,
    Basic,
    /// With a realm, or with the registry's own token endpoint.
    Token(Option<String>),
}

/// A running scripted registry. It ends when dropped.
pub struct FaultRegistry {
    server: Server,
    state: Arc<State>,
    token: Option<TokenServer>,
    access: Access,
}

struct State {
    store: Mutex<Store>,
    guard: Option<Guard>,
}

impl Options {
    /// No referrers API: 404 for it, and no word about a manifest's subject.
    pub fn without_referrers_api(mut self) -> Self {
        self.abilities.referrers = false;
        self
    }

    /// A mount is always answered with an upload session.
    pub fn without_mounts(mut self) -> Self {
        self.abilities.mounts = false;
        self
    }

    /// Manifests may name blobs and children that are not there.
    pub fn sparse(mut self) -> Self {
        self.abilities.sparse = true;
        self
    }

    /// 403 for a manifest that is absent, as Artifactory answers.
    pub fn hiding_the_absent(mut self) -> Self {
        self.abilities.hides_the_absent = true;
        self
    }

    /// Tags are known by their lower case only, as where they are files on some disks.
    pub fn folding_case(mut self) -> Self {
        self.abilities.folds_case = true;
        self
    }

    /// The manifest goes along with a tag that is deleted, and every other tag of it.
    pub fn taking_manifests_along(mut self) -> Self {
        self.abilities.takes_manifests_along = true;
        self
    }

    /// Nothing is pushed to a repository that was not made before.
    pub fn wanting_repositories(mut self) -> Self {
        self.abilities.wants_repositories = true;
        self
    }

    /// 405 to every DELETE of the distribution specification.
    pub fn deleting_nothing(mut self) -> Self {
        self.abilities.deletes_nothing = true;
        self
    }

    /// At most so many tags on a page.
    pub fn page_size(mut self, size: usize) -> Self {
        self.abilities.page_size = size;
        self
    }

    /// TLS with a certificate of this authority for the loopback addresses.
    pub fn tls(self, authority: &Authority) -> Self {
        self.tls_with(authority.server(), authority)
    }

    /// TLS of any kind; the harness's own client trusts this authority.
    pub fn tls_with(mut self, server: Arc<ServerConfig>, authority: &Authority) -> Self {
        self.tls = Some((server, authority.pem().to_owned()));
        self
    }

    /// Basic authentication.
    pub fn basic(mut self) -> Self {
        self.authentication = Authentication::Basic;
        self
    }

    /// Bearer tokens from an endpoint on the registry's own port.
    pub fn token(mut self) -> Self {
        self.authentication = Authentication::Token(None);
        self
    }

    /// Bearer tokens, with a challenge that names this realm.
    pub fn token_from(mut self, realm: &str) -> Self {
        self.authentication = Authentication::Token(Some(realm.to_owned()));
        self
    }

    /// Starts the registry, empty.
    pub fn start(self) -> FaultRegistry {
        let (tls, ca_pem) = self.tls.unzip();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (token, guard, login) = match self.authentication {
            Authentication::Open => (None, None, None),
            Authentication::Basic => (None, Some(Guard::Basic), Some(Login::valid())),
            Authentication::Token(realm) => {
                let token = TokenServer::start(None);
                let realm = realm.unwrap_or_else(|| format!("{scheme}://{{host}}{TOKEN_PATH}"));
                let guard = Guard::Bearer {
                    issuer: Arc::clone(token.issuer()),
                    realm,
                };
                (Some(token), Some(guard), Some(Login::valid()))
            }
        };
        let state = Arc::new(State {
            store: Mutex::new(Store::new(self.abilities)),
            guard,
        });
        let server = Server::start(Arc::clone(&state) as Arc<dyn Handler>, tls);
        let access = Access {
            url: server.url(),
            ca_pem,
            login,
        };
        FaultRegistry {
            server,
            state,
            token,
            access,
        }
    }
}

impl FaultRegistry {
    /// Starts an open registry over plain HTTP with every ability.
    pub fn start() -> Self {
        Self::options().start()
    }

    /// Anything else.
    pub fn options() -> Options {
        Options::default()
    }

    /// `127.0.0.1:PORT`, as it stands in a reference.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Its base URL without a trailing slash.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How the harness reaches it.
    pub fn access(&self) -> Access {
        self.access.clone()
    }

    /// A client of the harness.
    pub fn client(&self) -> Client {
        Client::new(self.access())
    }

    /// Who issues its tokens, when it wants tokens. The server is also reachable on a port of its own.
    pub fn token_server(&self) -> Option<&TokenServer> {
        self.token.as_ref()
    }

    /// Its rules and its record.
    pub fn script(&self) -> &Script {
        self.server.script()
    }

    /// Starts a rule: a method (`*` for any) and a part of the request target.
    pub fn on(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        self.script().on(method, part)
    }

    /// Everything it was asked, the harness's own requests included.
    pub fn requests(&self) -> Vec<Recorded> {
        self.script().requests()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Waits until no request is being answered: who asked has the answer, or has left.
    pub async fn quiet(&self) {
        self.server.quiet().await;
    }

    /// Puts an image there without any request.
    pub fn load(&self, repository: &str, tag: &str, image: &Image) {
        self.state
            .store
            .lock()
            .unwrap()
            .load(repository, tag, image);
    }

    /// Puts a blob there without any request.
    pub fn load_blob(&self, repository: &str, blob: &Blob) {
        self.state.store.lock().unwrap().load_blob(repository, blob);
    }

    /// Puts a manifest there under a tag or digest, without any request and without any check.
    pub fn load_manifest(&self, repository: &str, reference: &str, manifest: &Blob) {
        self.state
            .store
            .lock()
            .unwrap()
            .load_manifest(repository, reference, manifest);
    }

    /// Loses a manifest, as by a garbage collection. Tags that name it dangle.
    pub fn lose_manifest(&self, repository: &str, digest: &str) {
        let mut store = self.state.store.lock().unwrap();
        store.lose_manifest(repository, digest);
    }

    /// The manifest under a tag or digest.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Blob> {
        self.state
            .store
            .lock()
            .unwrap()
            .manifest(repository, reference)
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        self.state.store.lock().unwrap().tags(repository)
    }

    /// Whether a repository has a blob.
    pub fn has_blob(&self, repository: &str, digest: &str) -> bool {
        self.state
            .store
            .lock()
            .unwrap()
            .blob(repository, digest)
            .is_some()
    }

    /// Makes a repository forget a blob.
    pub fn lose_blob(&self, repository: &str, digest: &str) {
        self.state
            .store
            .lock()
            .unwrap()
            .lose_blob(repository, digest);
    }

    /// Makes a repository forget a tag; the manifest stays.
    pub fn lose_tag(&self, repository: &str, tag: &str) {
        self.state.store.lock().unwrap().lose_tag(repository, tag);
    }

    /// Makes a repository, and says whether there was none.
    pub fn make_repository(&self, name: &str) -> bool {
        self.state.store.lock().unwrap().make_repository(name)
    }

    /// Deletes a repository with all that is in it.
    pub fn lose_repository(&self, name: &str) {
        self.state.store.lock().unwrap().lose_repository(name);
    }

    /// The names of its repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        self.state.store.lock().unwrap().names()
    }

    /// How many upload sessions are neither committed nor cancelled.
    pub fn open_uploads(&self) -> usize {
        self.state.store.lock().unwrap().open_uploads()
    }
}

impl State {
    fn refuse(&self, request: &Request) -> Option<Reply> {
        self.guard
            .as_ref()
            .and_then(|guard| guard.check(request).err())
    }

    fn token(&self, request: &Request) -> Option<Reply> {
        match &self.guard {
            Some(Guard::Bearer { issuer, .. }) if request.path == TOKEN_PATH => {
                Some(issuer.answer(request))
            }
            Some(Guard::Bearer { .. } | Guard::Basic) | None => None,
        }
    }
}

impl Handler for State {
    fn answer(&self, request: &Request) -> Reply {
        self.token(request)
            .or_else(|| self.refuse(request))
            .unwrap_or_else(|| self.store.lock().unwrap().answer(request))
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.token(request)
            .or_else(|| self.refuse(request))
            .unwrap_or_else(|| {
                let mut scratch = self.store.lock().unwrap().clone();
                scratch.answer(request)
            })
    }
}
